//! What the pieces of a group cost, for their apps to be charged.
//!
//! Each pays for its own time. A commit takes long by itself, and whoever waits may be in it: nobody is kept from anything by it,
//! nobody pays for it. A large piece, which has it alone, pays for all.

use std::time::{Duration, Instant};

use crate::queue::Cost;

#[derive(Debug)]
pub(super) struct Bill {
    began: Instant,
    costs: Vec<Cost>,
    /// Until when the time is on the bill.
    until: Duration,
}

impl Bill {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), costs: Vec::new(), until: Duration::ZERO }
    }

    /// How long the group has been at work.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A piece of that app's is done.
    pub(super) fn add(&mut self, app: u64) {
        let now = self.began.elapsed();
        self.costs.push(Cost { app, span: now.saturating_sub(self.until) });
        self.until = now;
    }

    /// The group is over, committed or not.
    pub(super) fn close(mut self, is_large: bool) -> Vec<Cost> {
        if let ([only], true) = (self.costs.as_mut_slice(), is_large) {
            only.span = self.began.elapsed();
        }
        self.costs
    }
}
