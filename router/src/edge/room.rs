//! Room for bodies, of requests on their way in and of answers on their way out. An answer is in memory until its client has
//! taken the last byte of it, a request's body until its app has answered: clients who are slow would fill it with whatever one
//! app is glad to take or to give.
//!
//! What all bodies hold together is bounded, and what one app's hold beyond a floor is a part of what the others left
//! ([`fazt_protocol::share`]): who visits one app, or many, keeps nobody from another. Small ones are not counted: how many
//! connections there may be bounds those.

use std::sync::Arc;

use bytes::Bytes;
pub(super) use fazt_protocol::share::Full;
use fazt_protocol::share::Shares;
use parking_lot::Mutex;

use crate::fault::{Code, Fault};

/// The largest body that needs no room.
pub(super) const SMALL_BYTES: usize = 16 * 1024;

/// Room for the bodies of all apps.
#[derive(Debug)]
pub struct Room {
    /// In bytes.
    shares: Mutex<Shares>,
}

/// A part of the room; given back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    room: Arc<Room>,
    /// Whose it is; none for the farm's own pages.
    app: Option<u64>,
    bytes: usize,
}

/// An answer that has its room for as long as anybody holds a byte of it.
struct Answer {
    body: Vec<u8>,
    _place: Lease,
}

impl Room {
    /// Room of so many bytes.
    #[must_use]
    pub fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self { shares: Mutex::new(shares) })
    }

    /// How many bytes of it are taken.
    #[must_use]
    pub fn held(&self) -> usize {
        self.shares.lock().held_by_all()
    }

    /// No room yet, for an app, or for the farm's own pages.
    #[must_use]
    pub fn lease(self: &Arc<Self>, app: Option<u64>) -> Lease {
        Lease { room: Arc::clone(self), app, bytes: 0 }
    }

    /// An app's answer with its room. Only now is it known whether it needs any: what of its app's finds none has run, and who
    /// answers little is served whatever clients leave untaken.
    ///
    /// # Errors
    /// 503 where there is none.
    pub fn keep(self: &Arc<Self>, app: u64, body: Vec<u8>) -> Result<Bytes, Fault> {
        if body.len() <= SMALL_BYTES {
            return Ok(body.into());
        }
        Ok(Bytes::from_owner(Answer { _place: self.place(app, body.len())?, body }))
    }

    /// Room for so many bytes of an app's answers.
    ///
    /// # Errors
    /// 503 where there is none.
    pub(super) fn place(self: &Arc<Self>, app: u64, bytes: usize) -> Result<Lease, Fault> {
        let mut lease = self.lease(Some(app));
        lease.grow(bytes).map_err(|_full| full())?;
        Ok(lease)
    }

    /// The same for what is in memory in any case, and so is never refused. It counts all the same.
    pub(super) fn place_anyway(self: &Arc<Self>, app: u64, bytes: usize) -> Lease {
        self.shares.lock().take_anyway(Some(app), bytes);
        Lease { room: Arc::clone(self), app: Some(app), bytes }
    }
}

impl Lease {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// [`Full`]; then nothing is taken.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        self.room.shares.lock().take(self.app, bytes)?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// What it has.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.room.shares.lock().give(self.app, self.bytes);
        }
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn full() -> Fault {
    Fault::new(Code::Overloaded, "the answers that were not taken yet leave no room for another large one")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 2 * SMALL_BYTES;

    #[test]
    fn one_app_has_its_share_of_the_room_and_gives_it_back() {
        let room = Room::new(Shares::new(4 * LARGE, 2));
        let keep = |app: u64| room.keep(app, vec![0; LARGE]);
        let (first, second) = (keep(1).unwrap(), keep(1).unwrap());
        assert!(keep(1).is_err(), "half of it");
        assert!(room.keep(1, vec![0; SMALL_BYTES]).is_ok(), "small ones need none");
        let others = keep(2).unwrap();
        assert!(keep(3).is_err(), "half of what is left");
        drop(others);
        let part = first.slice(..1);
        drop(first);
        assert!(keep(1).is_err(), "a part is still on its way");
        drop(part);
        assert!(keep(1).is_ok());
        drop(second);
        assert!(room.shares.lock().is_whole(), "all of it is back");
    }

    #[test]
    fn what_is_in_memory_in_any_case_is_never_refused_and_counts() {
        let room = Room::new(Shares::new(4 * LARGE, 2));
        let places = (room.place_anyway(1, 2 * LARGE), room.place_anyway(1, LARGE));
        assert!(room.place(1, 1).is_err() && room.place(2, LARGE).is_err());
        drop(places);
        assert!(room.place(2, LARGE).is_ok() && room.shares.lock().is_whole());
    }
}
