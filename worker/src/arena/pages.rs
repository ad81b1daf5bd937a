//! Runs of whole pages: taken from bins by length or from the top of the arena, given back with their neighbours joined.

use super::{Kind, Page, Space};

/// Bins of free runs: one for each length up to [`EXACT`], then one for each power of two.
pub(super) const BINS: usize = 52;
const EXACT: u32 = 32;
/// How many runs of a bin of mixed lengths are looked at before a longer one is taken instead.
const LOOKS: u32 = 64;

fn bin(length: u32) -> usize {
    if length <= EXACT { length.saturating_sub(1) as usize } else { (EXACT + length.ilog2() - EXACT.ilog2()) as usize }
}

impl Space<'_> {
    /// Takes a run of `length` pages; `None` past the cap or for want of room.
    pub(super) fn take(&mut self, length: u32) -> Option<u32> {
        if !self.admit(length) {
            return None;
        }
        let Some(start) = self.take_free(length).or_else(|| self.take_top(length)) else {
            self.header.refused += 1;
            return None;
        };
        *self.page(start) = Page { kind: Kind::Run, class: 0, room: 0, spare: 0, length, next: 0, previous: 0 };
        self.use_pages(length);
        Some(start)
    }

    /// Gives a run back.
    pub(super) fn give(&mut self, start: u32, length: u32) {
        self.header.live = self.header.live.saturating_sub(length);
        self.page(start).kind = Kind::Inside;
        self.insert(start, length);
    }

    /// Makes the run at `start` longer without moving it, if the pages behind it are free.
    pub(super) fn grow(&mut self, start: u32, from: u32, to: u32) -> bool {
        let (end, more) = (start + from, to - from);
        let joined = if end == self.header.top {
            self.admit(more) && self.take_top(more).is_some()
        } else {
            let behind = *self.page(end);
            if behind.kind != Kind::Free || behind.length < more || !self.admit(more) {
                return false;
            }
            self.unlink_free(end);
            if behind.length > more {
                self.link_free(end + more, behind.length - more);
            }
            true
        };
        if joined {
            self.page(start).length = to;
            self.use_pages(more);
        }
        joined
    }

    /// Makes the run at `start` shorter.
    pub(super) fn shrink(&mut self, start: u32, from: u32, to: u32) {
        self.page(start).length = to;
        self.give(start + to, from - to);
    }

    /// Whether `more` pages may be in use beside those that are. A no is counted.
    fn admit(&mut self, more: u32) -> bool {
        let within = self.header.live.checked_add(more).is_some_and(|live| live <= self.header.cap);
        if !within {
            self.header.refused += 1;
        }
        within
    }

    fn use_pages(&mut self, count: u32) {
        self.header.live += count;
        self.header.peak = self.header.peak.max(self.header.live);
    }

    fn take_top(&mut self, length: u32) -> Option<u32> {
        let start = self.header.top;
        let end = start.checked_add(length).filter(|end| *end <= self.header.total)?;
        self.header.top = end;
        self.header.high = self.header.high.max(end);
        Some(start)
    }

    fn take_free(&mut self, length: u32) -> Option<u32> {
        let start = self.find_free(length)?;
        let found = self.page(start).length;
        self.unlink_free(start);
        if found > length {
            self.link_free(start + length, found - length);
        }
        Some(start)
    }

    fn find_free(&mut self, length: u32) -> Option<u32> {
        let own = bin(length);
        let mut candidates = self.header.filled >> own << own;
        if length > EXACT && candidates & (1 << own) != 0 {
            candidates &= !(1 << own);
            let mut at = self.header.bins.get(own).copied().unwrap_or(0);
            for _ in 0..LOOKS {
                if at == 0 {
                    break;
                }
                let page = *self.page(at);
                if page.length >= length {
                    return Some(at);
                }
                at = page.next;
            }
        }
        // Every run of a later bin is long enough.
        let first = self.header.bins.get(candidates.trailing_zeros() as usize).copied().unwrap_or(0);
        (first != 0).then_some(first)
    }

    /// Puts free pages where they belong, joined with free neighbours; those below the top lower it instead.
    fn insert(&mut self, mut start: u32, mut length: u32) {
        let end = start + length;
        if end < self.header.top && self.page(end).kind == Kind::Free {
            length += self.page(end).length;
            self.unlink_free(end);
        }
        let before = *self.page(start - 1);
        if matches!(before.kind, Kind::Free | Kind::FreeEnd) {
            start -= before.length;
            length += before.length;
            self.unlink_free(start);
        }
        if start + length == self.header.top {
            self.header.top = start;
        } else {
            self.link_free(start, length);
        }
    }

    fn link_free(&mut self, start: u32, length: u32) {
        let own = bin(length);
        let next = self.header.bins.get(own).copied().unwrap_or(0);
        if next != 0 {
            self.page(next).previous = start;
        }
        *self.page(start + length - 1) =
            Page { kind: Kind::FreeEnd, class: 0, room: 0, spare: 0, length, next: 0, previous: 0 };
        // After its last page, which may be the same one.
        *self.page(start) = Page { kind: Kind::Free, class: 0, room: 0, spare: 0, length, next, previous: 0 };
        if let Some(first) = self.header.bins.get_mut(own) {
            *first = start;
        }
        self.header.filled |= 1 << own;
    }

    fn unlink_free(&mut self, start: u32) {
        let Page { length, next, previous, .. } = *self.page(start);
        self.page(start).kind = Kind::Inside;
        self.page(start + length - 1).kind = Kind::Inside;
        if next != 0 {
            self.page(next).previous = previous;
        }
        if previous != 0 {
            self.page(previous).next = next;
            return;
        }
        let own = bin(length);
        if let Some(first) = self.header.bins.get_mut(own) {
            *first = next;
        }
        if next == 0 {
            self.header.filled &= !(1 << own);
        }
    }
}
