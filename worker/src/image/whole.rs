//! The tracker that knows nothing: every page counts as written. 8 µs for a small image, milliseconds for a large one.

use std::io;

use super::{Ground, Tracker};

/// Copies the whole image back, each time.
#[derive(Debug, Default)]
pub(crate) struct Whole(Option<Ground>);

impl Tracker for Whole {
    fn watch(&mut self, ground: Ground) -> io::Result<()> {
        self.0 = Some(ground);
        Ok(())
    }

    fn restore(&mut self) {
        if let Some(ground) = &self.0 {
            ground.copy_back(0, ground.pages);
        }
    }

    fn release(&mut self) {
        self.0 = None;
    }
}
