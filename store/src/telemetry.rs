//! Log lines to stderr, one event a line. What a line is about stands in its fields: `request_id`, `app`, `op`.
//!
//! Nobody waits for whoever reads stderr: a line that finds no room is lost, and the next one that finds some says how many were.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// What a pipe takes at once as soon as it says that it has room: PIPE_BUF (pipe(7)).
const PIECE: usize = 4_096;

static LOST: AtomicU64 = AtomicU64::new(0);

/// Standard error, written to without waiting.
#[derive(Debug)]
struct Patchy;

/// Starts logging. The level is `info`, or what `FAZT_LOG` says.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("FAZT_LOG").unwrap_or_else(|_unset| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Patchy).with_ansi(false);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Pretty => lines.init(),
    }
}

impl Write for Patchy {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Held over all pieces, so that nobody takes the room in between.
        let mut stderr = io::stderr().lock();
        if has_room(&stderr) {
            let lost = LOST.swap(0, Relaxed);
            if lost > 0 {
                let _gone = writeln!(
                    stderr,
                    "{{\"level\":\"WARN\",\"message\":\"log lines of the store were lost\",\"lost\":{lost}}}"
                );
            }
        }
        for piece in line.chunks(PIECE) {
            if !has_room(&stderr) {
                LOST.fetch_add(1, Relaxed);
                break;
            }
            // A stderr that is gone cannot be told about.
            let _gone = stderr.write_all(piece);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn has_room(stderr: &io::StderrLock<'_>) -> bool {
    let mut wanted = [PollFd::new(stderr, PollFlags::OUT)];
    poll(&mut wanted, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}
