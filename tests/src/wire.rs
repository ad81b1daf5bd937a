//! One connection of a client that need not behave: bytes go out as they were written, answers are read strictly and counted,
//! and the end of the connection is part of what is heard.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use crate::{
    http::{self, Answer},
    oracle::log,
};

/// A connection to a farm.
#[derive(Debug)]
pub struct Wire {
    to: SocketAddr,
    stream: BufReader<TcpStream>,
    opened: Instant,
}

/// All that came over a connection, to its end.
#[derive(Debug)]
pub struct Heard {
    /// The answers, in order.
    pub answers: Vec<Answer>,
    /// Bytes after the last of them that are no answer.
    pub rest: Vec<u8>,
    /// From the connection's first moment to its end.
    pub took: Duration,
}

impl Wire {
    /// Connects.
    #[must_use]
    pub fn open(to: SocketAddr) -> Self {
        let stream = http::connect(to).unwrap();
        Self { to, stream, opened: Instant::now() }
    }

    /// Connects from an address of this machine's own network, `127.0.0.<last>`.
    #[must_use]
    pub fn open_from(last: u8, to: SocketAddr) -> Self {
        let from = tcp();
        bind(&from, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0)).unwrap();
        Self::over(from, to)
    }

    /// Connects, with hardly any room for what is not read yet.
    #[must_use]
    pub fn open_deaf(to: SocketAddr) -> Self {
        let from = tcp();
        sockopt::set_socket_recv_buffer_size(&from, 4096).unwrap();
        Self::over(from, to)
    }

    fn over(from: OwnedFd, to: SocketAddr) -> Self {
        rustix::net::connect(&from, &to).unwrap();
        let stream = http::patient(TcpStream::from(from)).unwrap();
        Self { to, stream, opened: Instant::now() }
    }

    /// Sends bytes; says whether the other side still took them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Says that nothing more will be sent.
    pub fn close_sending(&self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// The same where the other side may have closed it already.
    pub fn finish(&self) {
        let _over = self.stream.get_ref().shutdown(Shutdown::Write);
    }

    /// Reads the next answer; none where the connection has ended, or where what comes is none.
    pub fn answer(&mut self) -> Option<Answer> {
        self.next_answer(false)
    }

    /// The same for an answer to `HEAD`.
    pub fn answer_to_head(&mut self) -> Option<Answer> {
        self.next_answer(true)
    }

    /// Waits for the connection's end, and gives all that came until then.
    #[must_use]
    pub fn hear(mut self) -> Heard {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer() {
            answers.push(answer);
        }
        let rest = self.stream.buffer().to_vec();
        Heard { answers, rest, took: self.opened.elapsed() }
    }

    /// The same connection, to send over while another thread hears.
    #[must_use]
    pub fn again(&self) -> Self {
        let stream = self.stream.get_ref().try_clone().unwrap();
        Self { to: self.to, stream: BufReader::new(stream), opened: self.opened }
    }

    /// Ends it without a word: what is on its way in either direction is lost.
    pub fn reset(self) {
        sockopt::set_socket_linger(self.stream.get_ref(), Some(Duration::ZERO)).unwrap();
    }

    /// Whether there is something to hear, if it were only the end.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).unwrap();
        let heard = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        heard.is_ok() || !self.stream.buffer().is_empty()
    }

    fn next_answer(&mut self, to_head: bool) -> Option<Answer> {
        let is_one = self.stream.fill_buf().is_ok_and(|bytes| bytes.starts_with(b"HTTP/1."));
        let answer = is_one.then(|| http::read(&mut self.stream, to_head, self.opened).ok())??;
        if let Some(id) = answer.header("x-request-id") {
            log::note_of(self.to, id, answer.status);
        }
        Some(answer)
    }
}

impl Heard {
    /// The statuses in order, as `200 400`; what is no answer shows as `?`.
    #[must_use]
    pub fn statuses(&self) -> String {
        let mut words: Vec<String> = self.answers.iter().map(|answer| answer.status.to_string()).collect();
        if !self.rest.is_empty() {
            words.push("?".to_owned());
        }
        words.join(" ")
    }
}

fn tcp() -> OwnedFd {
    // Farms that other tests start meanwhile must not hold it as well.
    socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap()
}

/// Sends bytes over a connection of their own, and hears all that comes of them.
#[must_use]
pub fn ask(to: SocketAddr, bytes: impl AsRef<[u8]>) -> Heard {
    let mut wire = Wire::open(to);
    // It may be closed before all is taken.
    wire.send(bytes);
    wire.hear()
}
