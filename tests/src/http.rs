//! HTTP/1.1, byte by byte over one TCP connection: what is sent is what was written, and an answer is read whole.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    oracle::log,
    wait::{eventually, seconds},
};

/// How long a farm may be silent before the test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it goes out.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Beside Host, Content-Length and Connection.
    pub headers: Vec<(String, String)>,
    /// The body; none is sent where it is empty.
    pub body: Vec<u8>,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names as they came.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// From the first byte sent to the last one read.
    pub took: Duration,
}

/// A host of the farm: an app, or the farm itself.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    host: String,
    token: Option<String>,
    kept: Option<Mutex<Option<BufReader<TcpStream>>>>,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body of that type.
    #[must_use]
    pub fn body(self, mime: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.header("Content-Type", mime) }
    }
}

impl Answer {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics with what it is instead.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, self.text()))
    }

    /// The request's id.
    #[must_use]
    pub fn id(&self) -> String {
        self.header("x-request-id").unwrap_or_else(|| panic!("an answer without X-Request-Id: {self:?}")).to_owned()
    }

    /// The code of a problem, or nothing.
    #[must_use]
    pub fn code(&self) -> String {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The same as the log calls it: `ok` where there is no problem.
    #[must_use]
    pub fn outcome(&self) -> String {
        let code = self.code();
        if code.is_empty() { "ok".to_owned() } else { code }
    }
}

impl App {
    /// What answers to `host`, by one connection a request.
    #[must_use]
    pub fn at(address: SocketAddr, host: &str) -> Self {
        Self { address, host: host.to_owned(), token: None, kept: None }
    }

    /// The same by one connection that is kept.
    #[must_use]
    pub fn keeping(&self) -> Self {
        Self { kept: Some(Mutex::default()), ..self.again() }
    }

    /// The same with a token in each request.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.again() }
    }

    /// One more of it, with a connection of its own.
    #[must_use]
    pub fn again(&self) -> Self {
        let kept = self.kept.is_some().then(Mutex::default);
        Self { address: self.address, host: self.host.clone(), token: self.token.clone(), kept }
    }

    /// `GET`.
    pub fn get(&self, target: &str) -> Answer {
        self.send(&Request::new("GET", target))
    }

    /// `GET` of an app whose workers may have died before they answered: it is started more slowly, and yet started.
    #[must_use]
    pub fn once_started(&self, target: &str) -> Answer {
        eventually(seconds(20), "the app is started again", || {
            let answer = self.get(target);
            (answer.code() != "overloaded").then_some(answer)
        })
    }

    /// `POST` with JSON.
    pub fn post(&self, target: &str, body: &Value) -> Answer {
        self.send(&Request::new("POST", target).body("application/json", body.to_string()))
    }

    /// Sends and reads the answer.
    pub fn send(&self, request: &Request) -> Answer {
        self.try_send(request).unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.target))
    }

    /// The same where no answer may come.
    ///
    /// # Errors
    /// What the socket says, or what of the answer cannot be read.
    pub fn try_send(&self, request: &Request) -> io::Result<Answer> {
        let Some(kept) = &self.kept else {
            return self.exchange(&mut connect(self.address)?, request, false);
        };
        let mut kept = kept.lock().unwrap();
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => connect(self.address)?,
        };
        let answer = self.exchange(&mut connection, request, true)?;
        if !answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            *kept = Some(connection);
        }
        Ok(answer)
    }

    fn exchange(&self, to: &mut BufReader<TcpStream>, request: &Request, keep: bool) -> io::Result<Answer> {
        let Request { method, target, headers, body } = request;
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        if let Some(token) = &self.token {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str(if keep { "\r\n" } else { "Connection: close\r\n\r\n" });
        let started = Instant::now();
        to.get_mut().write_all(head.as_bytes())?;
        // A server may answer, and close, before it has read a body that it does not want.
        let sent = to.get_mut().write_all(body);
        let answer = read(to, method == "HEAD", started);
        if let Ok(answer) = &answer
            && let Some(id) = answer.header("x-request-id")
        {
            log::note_of(self.address, id, answer.status);
        }
        if answer.is_err() { sent.and(answer) } else { answer }
    }
}

/// A connection that gives up on a silent farm.
///
/// # Errors
/// Where nobody listens.
pub fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    patient(TcpStream::connect(address)?)
}

/// The same over a stream that is there.
pub(crate) fn patient(stream: TcpStream) -> io::Result<BufReader<TcpStream>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Reads one answer.
///
/// # Errors
/// Where it is cut off or none at all.
pub fn read(from: &mut impl BufRead, to_head: bool, started: Instant) -> io::Result<Answer> {
    let first = line(from)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| odd(&first))?;
    let mut headers = Vec::new();
    loop {
        let text = line(from)?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').ok_or_else(|| odd(&text))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new(), took: Duration::ZERO };
    if !(to_head || status < 200 || status == 204 || status == 304) {
        answer.body = body(from, &answer)?;
    }
    answer.took = started.elapsed();
    if let Some(id) = answer.header("x-request-id") {
        log::note(id);
    }
    Ok(answer)
}

fn body(from: &mut impl BufRead, answer: &Answer) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if answer.header("transfer-encoding").is_some() {
        loop {
            let size = line(from)?;
            let size = u64::from_str_radix(&size, 16).map_err(|_| odd(&size))?;
            take(from, size, &mut body)?;
            line(from)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match answer.header("content-length").map(str::parse) {
        Some(Ok(length)) => take(from, length, &mut body)?,
        Some(Err(_)) => return Err(odd("a Content-Length that is none")),
        None => {
            from.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn take(from: &mut impl BufRead, length: u64, to: &mut Vec<u8>) -> io::Result<()> {
    let got = from.by_ref().take(length).read_to_end(to)?;
    if got as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    from.read_line(&mut text)?;
    text.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no answer: {what:?}"))
}
