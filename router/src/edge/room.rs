//! Room for answers on their way out. An answer is in memory until its client has taken the last byte of it, so clients who
//! take none would fill it with whatever an app is glad to give.
//!
//! What all answers hold together is bounded, and what one app's answers hold is half of that: who visits one app keeps
//! nobody from another. Small answers are not counted: how many connections there may be bounds those.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::fault::{Code, Fault};

/// The largest answer that needs no room.
const SMALL_BYTES: usize = 16 * 1024;

/// Room for the answers of all apps.
#[derive(Debug)]
pub struct Room {
    bytes: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_app: HashMap<u64, usize>,
}

/// An answer that has its room for as long as anybody holds a byte of it.
struct Answer {
    body: Vec<u8>,
    app: u64,
    room: Arc<Room>,
}

impl Room {
    /// Room for that many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { bytes, held: Mutex::default() })
    }

    /// Refuses who would run for an answer that finds no room, before it runs.
    ///
    /// # Errors
    /// 503 where there is none.
    pub fn check(&self, app: u64) -> Result<(), Fault> {
        if self.held.lock().fits(app, SMALL_BYTES, self.bytes) { Ok(()) } else { Err(full()) }
    }

    /// An app's answer with its room.
    ///
    /// # Errors
    /// 503 where there is none.
    pub fn keep(self: &Arc<Self>, app: u64, body: Vec<u8>) -> Result<Bytes, Fault> {
        if body.len() <= SMALL_BYTES {
            return Ok(body.into());
        }
        let mut held = self.held.lock();
        if !held.fits(app, body.len(), self.bytes) {
            return Err(full());
        }
        held.all = held.all.saturating_add(body.len());
        let own = held.by_app.entry(app).or_default();
        *own = own.saturating_add(body.len());
        drop(held);
        Ok(Bytes::from_owner(Answer { body, app, room: Arc::clone(self) }))
    }
}

impl Held {
    fn fits(&self, app: u64, bytes: usize, most: usize) -> bool {
        let own = self.by_app.get(&app).copied().unwrap_or_default();
        self.all.saturating_add(bytes) <= most && own.saturating_add(bytes) <= most / 2
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut held = self.room.held.lock();
        held.all = held.all.saturating_sub(self.body.len());
        match held.by_app.get_mut(&self.app) {
            Some(own) if *own > self.body.len() => *own = own.saturating_sub(self.body.len()),
            _ => drop(held.by_app.remove(&self.app)),
        }
    }
}

fn full() -> Fault {
    Fault::new(Code::Overloaded, "the answers that were not taken yet leave no room for another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_app_has_half_of_the_room_and_gives_it_back() {
        const LARGE: usize = 2 * SMALL_BYTES;
        let room = Room::new(4 * LARGE);
        let keep = |app: u64| room.keep(app, vec![0; LARGE]);
        let (first, second) = (keep(1).unwrap(), keep(1).unwrap());
        assert!(keep(1).is_err() && room.check(1).is_err(), "half of it");
        assert!(room.keep(1, vec![0; SMALL_BYTES]).is_ok(), "small ones need none");
        let others = (keep(2).unwrap(), keep(3).unwrap());
        assert!(keep(4).is_err() && room.check(4).is_err(), "all of it");
        let part = first.slice(..1);
        drop(first);
        assert!(keep(1).is_err(), "a part is still on its way");
        drop(part);
        assert!(keep(1).is_ok());
        drop((second, others));
        assert!(room.held.lock().all == 0 && room.held.lock().by_app.is_empty());
    }
}
