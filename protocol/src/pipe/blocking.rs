//! The blocking pipe: for a process that does one thing at a time.
//!
//! Messages are queued and go out with one write at [`Pipe::flush`], so a small answer and what follows it wake the
//! reader once. Waiting is poll(2), with what is left of the deadline; without one, for ever, which is what an idle worker
//! does: its router's death closes the socket. The read itself never waits: the kernel wakes a reader that sleeps in it
//! each time its peer has taken what it sent before, and poll sleeps through that.

use std::{
    collections::VecDeque,
    io,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Instant,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::PipeError;
use crate::{
    Message,
    fd::{self, Waiting},
    frame::{self, Inbox},
};

/// What the outgoing buffer may keep reserved between messages.
const KEPT_BYTES: usize = 64 * 1024;

/// One conversation: reads `In`, writes `Out`.
#[derive(Debug)]
pub struct Pipe<In, Out> {
    socket: OwnedFd,
    inbox: Inbox,
    outbox: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
    types: PhantomData<fn() -> (In, Out)>,
}

impl<In: Message, Out: Message> Pipe<In, Out> {
    /// A pipe over one end of a stream socket pair.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, inbox: Inbox::default(), outbox: Vec::new(), descriptors: VecDeque::new(), types: PhantomData }
    }

    /// Queues a message; nothing is sent yet.
    ///
    /// # Errors
    /// [`PipeError::Frame`] where it does not fit a frame.
    pub fn queue(&mut self, message: &Out) -> Result<(), PipeError> {
        Ok(frame::write(message, &mut self.outbox)?)
    }

    /// Sends all that is queued.
    ///
    /// # Errors
    /// [`PipeError::Late`] at the deadline, [`PipeError::Socket`] where the peer is gone.
    pub fn flush(&mut self, deadline: Option<Instant>) -> Result<(), PipeError> {
        self.write_out(&[], deadline)
    }

    /// Queues a message and sends all that is queued.
    ///
    /// # Errors
    /// As [`Self::queue`] and [`Self::flush`].
    pub fn send(&mut self, message: &Out, deadline: Option<Instant>) -> Result<(), PipeError> {
        self.queue(message)?;
        self.flush(deadline)
    }

    /// Sends a message with descriptors beside its first byte.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_with(
        &mut self,
        message: &Out,
        descriptors: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> Result<(), PipeError> {
        self.flush(deadline)?;
        self.queue(message)?;
        self.write_out(descriptors, deadline)
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// Any [`PipeError`]; [`PipeError::Closed`] is the orderly end.
    pub fn receive(&mut self, deadline: Option<Instant>) -> Result<In, PipeError> {
        loop {
            if let Some(message) = self.inbox.take::<In>()? {
                return Ok(message);
            }
            let partial = self.inbox.is_partial();
            // What is awaited is rarely there already, so waiting comes first and saves a read in vain.
            self.wait(PollFlags::IN, deadline, In::NAME)?;
            match fd::receive(self.socket.as_fd(), self.inbox.space(), &mut self.descriptors) {
                Ok(0) if partial => return Err(PipeError::Cut(In::NAME)),
                Ok(0) => return Err(PipeError::Closed(In::NAME)),
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(PipeError::Socket { conversation: In::NAME, error }),
            }
        }
    }

    /// The next message if it has already arrived; does not wait.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn try_receive(&mut self) -> Result<Option<In>, PipeError> {
        match self.receive(Some(Instant::now())) {
            Ok(message) => Ok(Some(message)),
            Err(PipeError::Late(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the next descriptor that came. To be called for each message that says that one comes with it, and for no other:
    /// a read may bring a later message's descriptor too.
    ///
    /// # Errors
    /// [`PipeError::NoDescriptor`] where none came.
    pub fn take_descriptor(&mut self) -> Result<OwnedFd, PipeError> {
        self.descriptors.pop_front().ok_or(PipeError::NoDescriptor(In::NAME))
    }

    /// The socket, to wait for it together with others.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn write_out(&mut self, descriptors: &[BorrowedFd<'_>], deadline: Option<Instant>) -> Result<(), PipeError> {
        let mut with = descriptors;
        let waiting = if deadline.is_some() { Waiting::Never } else { Waiting::Allowed };
        let mut sent = 0;
        while let Some(rest) = self.outbox.get(sent..).filter(|rest| !rest.is_empty()) {
            match fd::send(self.socket.as_fd(), rest, with, waiting) {
                Ok(count) => {
                    sent = sent.saturating_add(count);
                    with = &[];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::OUT, deadline, Out::NAME)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(PipeError::Socket { conversation: Out::NAME, error }),
            }
        }
        self.outbox.clear();
        self.outbox.shrink_to(KEPT_BYTES);
        Ok(())
    }

    fn wait(&self, events: PollFlags, deadline: Option<Instant>, name: &'static str) -> Result<(), PipeError> {
        // A deadline that has passed still looks once: what is there already is not late.
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&self.socket, events)], timeout.as_ref()) {
            Ok(0) => Err(PipeError::Late(name)),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(PipeError::Socket { conversation: name, error: error.into() }),
        }
    }
}

/// Nothing there after all, or a signal: look again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
