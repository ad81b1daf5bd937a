//! The progress of an upload: a bar on standard error where that is a terminal, nothing where it is not.

use std::io::{self, Cursor, IsTerminal, Read};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Bytes to upload, which move the bar as they are taken.
pub(crate) struct Upload<'a> {
    bytes: Cursor<&'a [u8]>,
    bar: ProgressBar,
}

impl<'a> Upload<'a> {
    /// Shows an empty bar.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let target =
            if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(bytes.len() as u64), target);
        let template = "uploading {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bytes: Cursor::new(bytes), bar }
    }
}

impl Read for Upload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.bar.inc(count as u64);
        Ok(count)
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
