//! Room for bodies, of requests on their way in and of answers on their way out. An answer is in memory until its client has
//! taken the last byte of it, a request's body until its app has answered: clients who are slow would fill it with whatever one
//! app is glad to take or to give.
//!
//! What all bodies hold together is bounded, and what one app's hold is a part of what the others left: who visits one app, or
//! many, keeps nobody from another. Small ones are not counted: how many connections there may be bounds those.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

pub(super) use crate::share::Full;
use crate::{
    fault::{Code, Fault},
    share::Shares,
};

/// The largest body that needs no room.
pub(super) const SMALL_BYTES: usize = 16 * 1024;

/// Room for the bodies of all apps.
#[derive(Debug)]
pub struct Room {
    /// In bytes.
    shares: Mutex<Shares>,
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
        Arc::new(Self { shares: Mutex::new(Shares::new(bytes, parts)) })
    }

    /// Takes room for an app, or for the farm's own pages, which have no share.
    pub(super) fn take(&self, app: Option<u64>, bytes: usize) -> Result<(), Full> {
        self.shares.lock().take(app, bytes)
    }

    /// Gives back what was taken.
    pub(super) fn give(&self, app: Option<u64>, bytes: usize) {
        self.shares.lock().give(app, bytes);
    }

    /// Refuses who would run for an answer that finds no room, before it runs; not who holds none: however little the others
    /// left, a small answer needs none.
    ///
    /// # Errors
    /// 503 where there is none.
    pub fn check(&self, app: u64) -> Result<(), Fault> {
        let shares = self.shares.lock();
        if shares.held_by(app) == 0 {
            return Ok(());
        }
        shares.fits(Some(app), SMALL_BYTES).map_err(|_full| full())
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
        assert!(Room::new(SMALL_BYTES, 2).check(1).is_ok(), "small ones need none");
        drop(others);
        let part = first.slice(..1);
        drop(first);
        assert!(keep(1).is_err(), "a part is still on its way");
        drop(part);
        assert!(keep(1).is_ok());
        drop(second);
        assert_eq!(room.take(None, 4 * LARGE), Ok(()), "all of it is back");
    }
}
