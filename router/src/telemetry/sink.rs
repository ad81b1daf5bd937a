//! Where log lines go: a bounded channel, and one thread that writes what is in it to stderr.
//!
//! Nothing here waits for the reader of stderr but that thread. Lines that find the channel full are counted, and a line
//! says how many there were once there is room again.

use std::{
    io::{self, BufWriter, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may be on their way.
const LINES: usize = 8_192;
/// How long the end of the process waits for them.
const FLUSH: Duration = Duration::from_secs(1);

/// The way to stderr.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    items: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Sink {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let (items, received) = sync_channel(LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        thread::Builder::new().name("logs".to_owned()).spawn(move || write_out(&received, &counter, io::stderr()))?;
        Ok(Self { items, lost })
    }

    /// Waits until what is on its way is written, or a second.
    pub(super) fn flush(&self) {
        let (done, waiting) = sync_channel(1);
        if self.items.try_send(Item::Flush(done)).is_ok() {
            // Past that time whoever reads stderr has lost interest.
            let _late = waiting.recv_timeout(FLUSH);
        }
    }

    fn send(&self, line: &[u8]) {
        if self.items.try_send(Item::Line(harmless(line))).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}

impl Write for &Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = &'a Sink;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// The line with escapes, as JSON has them, for what JSON permits in a text and a terminal or an editor takes for a command:
/// controls of eight bits, separators of lines, directions. Readable lines have none of them left by now.
fn harmless(line: &[u8]) -> Vec<u8> {
    let steers = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match str::from_utf8(line) {
        Ok(text) if text.contains(steers) => {
            let escaped = |c: char| if steers(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
            text.chars().map(escaped).collect::<String>().into_bytes()
        }
        _ => line.to_vec(),
    }
}

fn write_out(items: &Receiver<Item>, lost: &AtomicU64, to: impl Write) {
    let mut to = BufWriter::with_capacity(64 * 1024, to);
    let mut said = 0;
    let mut next = items.recv().ok();
    while let Some(item) = next {
        // A stderr that is gone cannot be told about.
        let _gone = match item {
            Item::Line(line) => to.write_all(&line),
            Item::Flush(done) => to.flush().map(|()| {
                let _gone = done.try_send(());
            }),
        };
        next = match items.try_recv() {
            Ok(item) => Some(item),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => {
                said = tell_losses(&mut to, said, lost.load(Relaxed));
                let _gone = to.flush();
                items.recv().ok()
            }
        };
    }
}

fn tell_losses(to: &mut impl Write, said: u64, lost: u64) -> u64 {
    if lost > said {
        let _gone = writeln!(to, "{{\"level\":\"WARN\",\"message\":\"log lines were lost\",\"lost\":{}}}", lost - said);
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_steers_a_terminal() {
        let line = "{\"said\":\"a\u{9b}31m\u{7f}\u{2028}\u{202e}\u{2066}\u{fc}\"}\n";
        assert_eq!(
            harmless(line.as_bytes()),
            "{\"said\":\"a\\u009b31m\\u007f\\u2028\\u202e\\u2066\u{fc}\"}\n".as_bytes()
        );
    }

    #[test]
    fn lines_come_out_in_order_and_losses_are_told() {
        let (items, received) = sync_channel(4);
        for line in ["a\n", "b\n"] {
            items.send(Item::Line(line.into())).unwrap();
        }
        drop(items);
        let mut out = Vec::new();
        write_out(&received, &AtomicU64::new(0), &mut out);
        assert_eq!(out, b"a\nb\n");
        let mut told = Vec::new();
        assert_eq!(tell_losses(&mut told, 1, 3), 3);
        assert!(String::from_utf8(told).unwrap().contains("\"lost\":2"));
    }
}
