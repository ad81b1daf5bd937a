//! Room for bodies, of requests on their way in and of answers on their way out. An answer is in memory until its client has
//! taken the last byte of it, a request's body until its app has answered: clients who are slow would fill it with whatever one
//! app is glad to take or to give.
//!
//! What all bodies hold together is bounded, and what one app's hold is a part of what the others left: who visits one app, or
//! many, keeps nobody from another. Small answers are not counted: how many connections there may be bounds those.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::fault::{Code, Fault};

/// The largest answer that needs no room.
const SMALL_BYTES: usize = 16 * 1024;

/// Room for the bodies of all apps.
#[derive(Debug)]
pub struct Room {
    bytes: usize,
    /// One app may have one of so many parts of what the others left.
    parts: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_app: HashMap<u64, usize>,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The app has its share.
    Share,
    /// Nobody has any.
    All,
}

/// An answer that has its room for as long as anybody holds a byte of it.
struct Answer {
    body: Vec<u8>,
    app: u64,
    room: Arc<Room>,
}

impl Room {
    /// Room for that many bytes. An app has at most one of so many parts of what the others left of it: however many fill
    /// their shares, the next one finds some.
    #[must_use]
    pub fn new(bytes: usize, parts: usize) -> Arc<Self> {
        Arc::new(Self { bytes, parts, held: Mutex::default() })
    }

    /// Takes room for an app, or for the farm's own pages, which have no share.
    pub(super) fn take(&self, app: Option<u64>, bytes: usize) -> Result<(), Full> {
        let mut held = self.held.lock();
        self.fits(&held, app, bytes)?;
        held.all = held.all.saturating_add(bytes);
        if let Some(app) = app {
            let own = held.by_app.entry(app).or_default();
            *own = own.saturating_add(bytes);
        }
        Ok(())
    }

    /// Gives back what was taken.
    pub(super) fn give(&self, app: Option<u64>, bytes: usize) {
        let mut held = self.held.lock();
        held.all = held.all.saturating_sub(bytes);
        let Some(app) = app else { return };
        match held.by_app.get_mut(&app) {
            Some(own) if *own > bytes => *own = own.saturating_sub(bytes),
            _ => drop(held.by_app.remove(&app)),
        }
    }

    /// Refuses who would run for an answer that finds no room, before it runs.
    ///
    /// # Errors
    /// 503 where there is none.
    pub fn check(&self, app: u64) -> Result<(), Fault> {
        self.fits(&self.held.lock(), Some(app), SMALL_BYTES).map_err(|_full| full())
    }

    /// An app's answer with its room.
    ///
    /// # Errors
    /// 503 where there is none.
    pub fn keep(self: &Arc<Self>, app: u64, body: Vec<u8>) -> Result<Bytes, Fault> {
        if body.len() <= SMALL_BYTES {
            return Ok(body.into());
        }
        self.take(Some(app), body.len()).map_err(|_full| full())?;
        Ok(Bytes::from_owner(Answer { body, app, room: Arc::clone(self) }))
    }

    fn fits(&self, held: &Held, app: Option<u64>, bytes: usize) -> Result<(), Full> {
        let own = app.and_then(|app| held.by_app.get(&app)).copied().unwrap_or_default();
        let left = self.bytes.saturating_sub(held.all).saturating_add(own);
        if held.all.saturating_add(bytes) > self.bytes {
            Err(Full::All)
        } else if app.is_some() && own.saturating_add(bytes) > left.checked_div(self.parts).unwrap_or(left) {
            Err(Full::Share)
        } else {
            Ok(())
        }
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.room.give(Some(self.app), self.body.len());
    }
}

fn full() -> Fault {
    Fault::new(Code::Overloaded, "the answers that were not taken yet leave no room for another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_app_has_its_share_of_the_room_and_gives_it_back() {
        const LARGE: usize = 2 * SMALL_BYTES;
        let room = Room::new(4 * LARGE, 2);
        let keep = |app: u64| room.keep(app, vec![0; LARGE]);
        let (first, second) = (keep(1).unwrap(), keep(1).unwrap());
        assert!(keep(1).is_err() && room.check(1).is_err(), "half of it");
        assert!(room.keep(1, vec![0; SMALL_BYTES]).is_ok(), "small ones need none");
        let others = keep(2).unwrap();
        assert!(keep(3).is_err() && room.check(3).is_ok(), "half of what is left");
        drop(others);
        let part = first.slice(..1);
        drop(first);
        assert!(keep(1).is_err(), "a part is still on its way");
        drop(part);
        assert!(keep(1).is_ok());
        drop(second);
        assert!(room.held.lock().all == 0 && room.held.lock().by_app.is_empty());
    }

    #[test]
    fn the_farms_own_pages_have_what_is_left() {
        let room = Room::new(8, 4);
        assert_eq!((room.take(Some(1), 2), room.take(Some(1), 1)), (Ok(()), Err(Full::Share)));
        assert_eq!((room.take(None, 6), room.take(None, 1)), (Ok(()), Err(Full::All)));
        room.give(None, 6);
        assert_eq!((room.take(Some(2), 2), room.take(Some(2), 1)), (Err(Full::Share), Ok(())));
        assert_eq!((room.take(None, 5), room.take(Some(3), 1)), (Ok(()), Err(Full::All)));
    }
}
