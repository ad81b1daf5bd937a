//! The pipe for tokio: the router's ends of all conversations, and the store's.
//!
//! Receiving is cancel-safe: what arrived stays in the inbox. Sending is not: a send that was given up may have written
//! half a frame, so whoever gives one up ends the conversation. Deadlines are the caller's (`tokio::time::timeout`).
//! [`Pipe::plain`] reads without room for descriptors: for peers that are not trusted to send any.

use std::{
    collections::VecDeque,
    io,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    task::coop::consume_budget,
};

use super::PipeError;
use crate::{
    Message,
    fd::{self, READ_BYTES, Waiting},
    frame::{self, Inbox},
};

/// What the outgoing buffer may keep reserved between messages.
const KEPT_BYTES: usize = 64 * 1024;

/// One conversation: reads `In`, writes `Out`.
#[derive(Debug)]
pub struct Pipe<In, Out> {
    reader: Reader<In>,
    writer: Writer<Out>,
}

/// The reading half.
#[derive(Debug)]
pub struct Reader<In> {
    socket: Arc<AsyncFd<OwnedFd>>,
    inbox: Inbox,
    descriptors: Option<VecDeque<OwnedFd>>,
    types: PhantomData<fn() -> In>,
}

/// The writing half.
#[derive(Debug)]
pub struct Writer<Out> {
    socket: Arc<AsyncFd<OwnedFd>>,
    outbox: Vec<u8>,
    types: PhantomData<fn(Out)>,
}

impl<In: Message, Out: Message> Pipe<In, Out> {
    /// A pipe that takes descriptors, from a trusted peer. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says when the socket is registered.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        Self::build(socket, Some(VecDeque::new()))
    }

    /// A pipe from whose peer no descriptor is ever kept.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn plain(socket: OwnedFd) -> io::Result<Self> {
        Self::build(socket, None)
    }

    fn build(socket: OwnedFd, descriptors: Option<VecDeque<OwnedFd>>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let socket = Arc::new(fd::watch(socket, Interest::READABLE)?);
        let reader = Reader { socket: Arc::clone(&socket), inbox: Inbox::default(), descriptors, types: PhantomData };
        Ok(Self { reader, writer: Writer { socket, outbox: Vec::new(), types: PhantomData } })
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// Any [`PipeError`] but `Late`.
    pub async fn receive(&mut self) -> Result<In, PipeError> {
        self.reader.receive().await
    }

    /// The next message if its bytes have already been read; asks the kernel for nothing.
    ///
    /// # Errors
    /// [`PipeError::Frame`].
    pub fn take_ready(&mut self) -> Result<Option<In>, PipeError> {
        self.reader.take_ready()
    }

    /// Takes the next descriptor that came. To be called for each message that says that one comes with it, and for no other:
    /// a read may bring a later message's descriptor too.
    ///
    /// # Errors
    /// [`PipeError::NoDescriptor`].
    pub fn take_descriptor(&mut self) -> Result<OwnedFd, PipeError> {
        self.reader.take_descriptor()
    }

    /// Queues a message; nothing is sent yet.
    ///
    /// # Errors
    /// [`PipeError::Frame`] where it does not fit a frame.
    pub fn queue(&mut self, message: &Out) -> Result<(), PipeError> {
        self.writer.queue(message)
    }

    /// Sends all that is queued.
    ///
    /// # Errors
    /// [`PipeError::Socket`] where the peer is gone.
    pub async fn flush(&mut self) -> Result<(), PipeError> {
        self.writer.flush().await
    }

    /// Queues a message and sends all that is queued.
    ///
    /// # Errors
    /// As [`Self::queue`] and [`Self::flush`].
    pub async fn send(&mut self, message: &Out) -> Result<(), PipeError> {
        self.writer.send(message).await
    }

    /// Sends a message with descriptors beside its first byte.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_with(&mut self, message: &Out, descriptors: &[BorrowedFd<'_>]) -> Result<(), PipeError> {
        self.writer.send_with(message, descriptors).await
    }

    /// Both halves, for a conversation whose directions do not wait for each other.
    #[must_use]
    pub fn split(self) -> (Reader<In>, Writer<Out>) {
        (self.reader, self.writer)
    }
}

impl<In: Message> Reader<In> {
    /// Waits for the next message.
    ///
    /// # Errors
    /// Any [`PipeError`] but `Late`.
    pub async fn receive(&mut self) -> Result<In, PipeError> {
        loop {
            // A peer that never stops talking must not keep the thread from the others.
            consume_budget().await;
            if let Some(message) = self.inbox.take::<In>()? {
                return Ok(message);
            }
            let partial = self.inbox.is_partial();
            match self.read().await {
                Ok(0) if partial => return Err(PipeError::Cut(In::NAME)),
                Ok(0) => return Err(PipeError::Closed(In::NAME)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(socket_error(In::NAME, error)),
            }
        }
    }

    /// The next message if its bytes have already been read; asks the kernel for nothing.
    ///
    /// # Errors
    /// [`PipeError::Frame`].
    pub fn take_ready(&mut self) -> Result<Option<In>, PipeError> {
        Ok(self.inbox.take::<In>()?)
    }

    /// Takes the next descriptor that came. To be called for each message that says that one comes with it, and for no other:
    /// a read may bring a later message's descriptor too.
    ///
    /// # Errors
    /// [`PipeError::NoDescriptor`].
    pub fn take_descriptor(&mut self) -> Result<OwnedFd, PipeError> {
        self.descriptors.as_mut().and_then(VecDeque::pop_front).ok_or(PipeError::NoDescriptor(In::NAME))
    }

    async fn read(&mut self) -> io::Result<usize> {
        let Self { socket, inbox, descriptors, .. } = self;
        let space = inbox.space();
        loop {
            let mut ready = socket.readable().await?;
            let mut came = Err(io::ErrorKind::WouldBlock.into());
            // What the closure says tells tokio whether the socket may have more.
            let _more = ready.try_io(|socket| {
                came = match descriptors.as_mut() {
                    Some(descriptors) => fd::receive(socket.as_fd(), space, descriptors),
                    None => fd::receive_bytes(socket, space),
                };
                match &came {
                    // Less than there was room for: the socket is empty now, and asking again would be a call in vain. Not
                    // so where descriptors come: the kernel ends a read at each message that carries some. (A peer of a
                    // plain pipe that sends them all the same is heard late, and only it is.)
                    Ok(1..READ_BYTES) if descriptors.is_none() => Err(io::ErrorKind::WouldBlock.into()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::WouldBlock.into()),
                    _ => Ok(()),
                }
            });
            match came {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

impl<Out: Message> Writer<Out> {
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
    /// [`PipeError::Socket`] where the peer is gone, or no descriptor is left to wait for room with; the conversation is over.
    pub async fn flush(&mut self) -> Result<(), PipeError> {
        self.write_out(&[]).await
    }

    /// Queues a message and sends all that is queued.
    ///
    /// # Errors
    /// As [`Self::queue`] and [`Self::flush`].
    pub async fn send(&mut self, message: &Out) -> Result<(), PipeError> {
        self.queue(message)?;
        self.flush().await
    }

    /// Sends a message with descriptors beside its first byte.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_with(&mut self, message: &Out, descriptors: &[BorrowedFd<'_>]) -> Result<(), PipeError> {
        self.flush().await?;
        self.queue(message)?;
        self.write_out(descriptors).await
    }

    async fn write_out(&mut self, descriptors: &[BorrowedFd<'_>]) -> Result<(), PipeError> {
        let written = self.write_whole(descriptors).await;
        if written.is_err() {
            // Half a frame may be out. Both readers see the end, ours too, and whoever restarts the peer learns of it.
            let _gone = rustix::net::shutdown(&*self.socket, rustix::net::Shutdown::Both);
        }
        written
    }

    async fn write_whole(&mut self, descriptors: &[BorrowedFd<'_>]) -> Result<(), PipeError> {
        let mut with = descriptors;
        let mut sent = 0;
        while let Some(rest) = self.outbox.get(sent..).filter(|rest| !rest.is_empty()) {
            // Tried at once, without asking tokio: there is nearly always room.
            match fd::send(self.as_fd(), rest, with, Waiting::Never) {
                Ok(count) => {
                    sent = sent.saturating_add(count);
                    with = &[];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.await_room().await.map_err(|error| socket_error(Out::NAME, error))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(socket_error(Out::NAME, error)),
            }
        }
        self.outbox.clear();
        self.outbox.shrink_to(KEPT_BYTES);
        Ok(())
    }

    /// Waits until the socket takes more. Registered for this wait alone: who is registered to write is woken each time that
    /// the peer reads.
    async fn await_room(&self) -> io::Result<()> {
        let socket = fd::watch(self.as_fd().try_clone_to_owned()?, Interest::WRITABLE)?;
        let _room = socket.writable().await?;
        Ok(())
    }
}

impl<Out> AsFd for Writer<Out> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get_ref().as_fd()
    }
}

fn socket_error(conversation: &'static str, error: io::Error) -> PipeError {
    PipeError::Socket { conversation, error }
}
