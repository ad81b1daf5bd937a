//! Descriptors that travel with a message (SCM_RIGHTS), and the socket pairs that conversations run over.
//!
//! A descriptor is a capability: who holds it may speak. It goes with the first byte of its message's frame. An end that
//! expects none reads with [`receive_bytes`], which gives the kernel no room for descriptors, so it closes what was sent.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use rustix::{
    buffer::spare_capacity,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};

use crate::limit::{DESCRIPTORS_A_MESSAGE, DESCRIPTORS_WAITING};

/// How much one read asks for.
pub(crate) const READ_BYTES: usize = 64 * 1024;
/// The same for the first read of a message where descriptors may come with it.
pub(crate) const FIRST_READ_BYTES: usize = 8 * 1024;

/// A connected pair of stream sockets, both close-on-exec.
///
/// # Errors
/// What socketpair(2) says, EMFILE above all.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// Takes over a descriptor that this process was started with, and marks it close-on-exec. To be called once for a number,
/// at the start, before anything else is opened.
///
/// # Errors
/// EBADF where there is no such descriptor.
#[expect(unsafe_code, reason = "a number on the command line is the only name that an inherited descriptor has")]
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(rustix::io::Errno::BADF.into());
    }
    // SAFETY: not -1; the borrow ends with this statement, and fcntl(2) answers EBADF where the number is not open.
    rustix::io::fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as was just seen, and nothing in this process knows of it but the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether a call may wait for the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Until there is something to read, or room to write.
    Allowed,
    /// Not at all: `WouldBlock` instead.
    Never,
}

/// Sends `bytes`, with `descriptors` beside the first of them. Returns how many bytes went; the descriptors went with
/// them if any did.
///
/// # Errors
/// What sendmsg(2) says; `WouldBlock` where it may not wait and the socket is full.
pub fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
    waiting: Waiting,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_A_MESSAGE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fit = descriptors.len() <= DESCRIPTORS_A_MESSAGE
        && (descriptors.is_empty() || control.push(SendAncillaryMessage::ScmRights(descriptors)));
    if !fit {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "more descriptors than a message may carry"));
    }
    let flags = match waiting {
        Waiting::Allowed => SendFlags::NOSIGNAL,
        Waiting::Never => SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
    };
    if descriptors.is_empty() {
        return Ok(rustix::net::send(socket, bytes, flags)?);
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)?)
}

/// Appends what the socket has to `bytes`, without waiting, and the descriptors that came with it to `descriptors`. Returns how many
/// bytes came; zero is the end.
///
/// # Errors
/// What recvmsg(2) says (`WouldBlock` where there is nothing), or `InvalidData` where a peer sends more descriptors than anybody waits for.
pub fn receive(socket: BorrowedFd<'_>, bytes: &mut Vec<u8>, descriptors: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_A_MESSAGE))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let before = bytes.len();
    // The room is zeroed first, which costs: most frames are small, and a large one shows itself by what came before.
    let room = if before == 0 { FIRST_READ_BYTES } else { READ_BYTES };
    bytes.resize(before.saturating_add(room), 0);
    let room = bytes.get_mut(before..).unwrap_or_default();
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(socket, &mut [IoSliceMut::new(room)], &mut control, flags);
    bytes.truncate(before.saturating_add(received.as_ref().map_or(0, |message| message.bytes)));
    let received = received?;
    let before_came = descriptors.len();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            descriptors.extend(came);
        }
    }
    // Counted as well: alignment leaves room for one or two more than were asked for. One read ends at the first message
    // that carries any, so what came is of one message.
    let came = descriptors.len().saturating_sub(before_came);
    let too_many = came > DESCRIPTORS_A_MESSAGE || descriptors.len() > DESCRIPTORS_WAITING;
    if received.flags.contains(ReturnFlags::CTRUNC) || too_many {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "more descriptors than this conversation expects"));
    }
    Ok(received.bytes)
}

/// As [`receive`], from a peer that has no descriptors to give: what it sends of them is closed by the kernel.
///
/// # Errors
/// What recv(2) says; `WouldBlock` where there is nothing.
pub fn receive_bytes(socket: impl AsFd, bytes: &mut Vec<u8>) -> io::Result<usize> {
    bytes.reserve(READ_BYTES);
    let (count, _whole) = rustix::net::recv(socket.as_fd(), spare_capacity(bytes), RecvFlags::DONTWAIT)?;
    Ok(count)
}

/// Has tokio watch a socket, for one kind of readiness only: its own sockets are registered for both, and then the kernel
/// reports room to write each time that the peer reads. Must be called within a tokio runtime.
///
/// # Errors
/// What epoll_ctl(2) says.
#[cfg(feature = "async")]
#[expect(unsafe_code, reason = "tokio asks that the descriptor stays open and the same")]
pub(crate) fn watch(socket: OwnedFd, interest: tokio::io::Interest) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor is open, is the same for its whole life, and nobody else closes it.
    Ok(unsafe { tokio::io::unix::AsyncFd::register_with_interest(socket, interest) }?)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_descriptor_arrives_with_its_bytes() {
        let (here, there) = pair().unwrap();
        let (gift, kept) = pair().unwrap();
        assert_eq!(send(here.as_fd(), b"take", &[gift.as_fd()], Waiting::Never).unwrap(), 4);
        let (mut bytes, mut descriptors) = (Vec::new(), VecDeque::new());
        assert_eq!(receive(there.as_fd(), &mut bytes, &mut descriptors).unwrap(), 4);
        assert_eq!((bytes.as_slice(), descriptors.len()), (b"take".as_slice(), 1));
        drop(gift);
        let came = descriptors.pop_front().unwrap();
        send(came.as_fd(), b"x", &[], Waiting::Never).unwrap();
        let mut through = Vec::new();
        assert_eq!(receive_bytes(&kept, &mut through).unwrap(), 1);
        assert_ne!(came.as_raw_fd(), kept.as_raw_fd());
    }

    #[test]
    fn who_expects_none_keeps_none() {
        let (here, there) = pair().unwrap();
        let (gift, kept) = pair().unwrap();
        send(here.as_fd(), b"take", &[gift.as_fd()], Waiting::Never).unwrap();
        drop(gift);
        let mut bytes = Vec::new();
        receive_bytes(&there, &mut bytes).unwrap();
        // The only other holder is gone with the message: the kept end reads the end of its stream.
        let mut end = Vec::new();
        assert_eq!(receive_bytes(&kept, &mut end).unwrap(), 0);
    }
}
