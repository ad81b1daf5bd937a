//! The tracker of hot pages: after the image is taken the arena is read-only; the first write to a page faults, and the
//! page is noted and made writable.
//!
//! A page that faults again and again stays writable and is copied back each time: it is hot. Three faults within sixteen
//! requests or so make a page hot; every 512 requests all are on probation. In the steady state a restore is a few
//! copies and no system call. A request that writes to more pages than a watch can note (a collection writes to all) has
//! the whole arena opened and copied back.

use std::io;

use super::{
    Ground, Tracker,
    fault::{self, Watch},
};

/// Faults that make a page hot.
const HEAT: u8 = 3;
/// Requests after which counts of faults are halved.
const COOLING: u32 = 16;
/// Requests after which every hot page has to prove itself again.
const PROBATION: u32 = 512;

/// Copies back the hot pages and those that faulted.
#[derive(Debug, Default)]
pub(crate) struct Hot {
    watched: Option<(Ground, &'static Watch)>,
    /// For each page, how often it faulted of late.
    heat: Vec<u8>,
    /// For each page, whether it is hot; and the same as runs of (first, count).
    hot: Vec<bool>,
    runs: Vec<(usize, usize)>,
    requests: u32,
    #[cfg(test)]
    faults: u64,
}

impl Hot {
    fn copy_runs(&self, ground: &Ground) {
        for (first, count) in &self.runs {
            ground.copy_back(*first, *count);
        }
    }

    /// Counts a fault. Whether the page has become hot.
    fn note(&mut self, page: usize) -> bool {
        let Some(heat) = self.heat.get_mut(page) else { return false };
        *heat = heat.saturating_add(1);
        let heated = *heat >= HEAT;
        if let (true, Some(hot)) = (heated, self.hot.get_mut(page)) {
            *hot = true;
        }
        heated
    }

    fn find_runs(&mut self) {
        self.runs.clear();
        for (page, _) in self.hot.iter().enumerate().filter(|(_, hot)| **hot) {
            match self.runs.last_mut() {
                Some((first, count)) if *first + *count == page => *count += 1,
                _ => self.runs.push((page, 1)),
            }
        }
    }

    /// Protects everything but the hot pages.
    fn protect(&self, ground: &Ground) -> io::Result<()> {
        ground.protect(0, ground.pages, false)?;
        self.runs.iter().try_for_each(|(first, count)| ground.protect(*first, *count, true))
    }

    /// Puts back what faulted, and decides about each such page. Whether the watch stands.
    fn settle(&mut self, ground: &Ground, faulted: fault::Faults) -> io::Result<()> {
        let mut heated = false;
        for page in faulted.pages() {
            let page = page as usize;
            ground.copy_back(page, 1);
            if self.note(page) {
                heated = true;
            } else if !faulted.overflowed {
                ground.protect(page, 1, false)?;
            }
        }
        if heated {
            self.find_runs();
        }
        if faulted.overflowed {
            ground.copy_back(0, ground.pages);
            self.protect(ground)?;
        }
        Ok(())
    }

    /// What happens every so many requests.
    fn age(&mut self, ground: &Ground) -> io::Result<()> {
        self.requests = self.requests.wrapping_add(1);
        if self.requests.is_multiple_of(COOLING) {
            self.heat.iter_mut().for_each(|heat| *heat /= 2);
        }
        if self.requests.is_multiple_of(PROBATION) {
            for (heat, hot) in self.heat.iter_mut().zip(&mut self.hot) {
                // One more fault and it is hot again.
                *heat = if *hot { HEAT - 1 } else { *heat };
                *hot = false;
            }
            self.runs.clear();
            ground.protect(0, ground.pages, false)?;
        }
        Ok(())
    }
}

impl Tracker for Hot {
    fn watch(&mut self, ground: Ground) -> io::Result<()> {
        let watch = fault::watch(ground.arena as usize, ground.pages)?;
        *self = Self { watched: Some((ground, watch)), ..Self::default() };
        self.heat.resize(ground.pages, 0);
        self.hot.resize(ground.pages, false);
        ground.protect(0, ground.pages, false)
    }

    fn restore(&mut self) {
        let Some((ground, watch)) = self.watched else { return };
        self.copy_runs(&ground);
        let faulted = watch.drain();
        #[cfg(test)]
        {
            self.faults += faulted.pages().count() as u64;
        }
        let settled = if faulted.is_empty() { Ok(()) } else { self.settle(&ground, faulted) };
        if settled.and_then(|()| self.age(&ground)).is_err() {
            // The kernel refuses to split its mappings further. Everything writable and everything copied is right too.
            self.hot.iter_mut().for_each(|hot| *hot = true);
            self.find_runs();
            if ground.protect(0, ground.pages, true).is_err() {
                std::process::abort();
            }
            ground.copy_back(0, ground.pages);
        }
    }

    fn release(&mut self) {
        if let Some((ground, watch)) = self.watched.take() {
            // Before the watch ends: a write to a protected page would then be a crash.
            if ground.protect(0, ground.pages, true).is_err() {
                std::process::abort();
            }
            watch.end();
        }
    }

    #[cfg(test)]
    fn faults(&self) -> u64 {
        self.faults
    }
}
