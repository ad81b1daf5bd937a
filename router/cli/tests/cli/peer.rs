//! A server for one test that speaks the farm's HTTP interface as the test tells it to, and remembers what it got.
//! Beside it: how the real `fazt` is run against it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// The token that the peer's tests use.
pub(crate) const TOKEN: &str = "0123456789abcdef";

/// A request as the peer got it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) target: String,
    /// With lower-case names.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// An answer: status, content type, body.
pub(crate) type Answer = (u16, &'static str, String);

/// The peer; it ends with the test.
pub(crate) struct Peer {
    at: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    over: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Peer {
    /// Answers every request as `answer` says.
    pub(crate) fn new(answer: impl Fn(&Got) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (got, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (record, ended) = (Arc::clone(&got), Arc::clone(&over));
        let serving = thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream.unwrap(), &record, &answer);
            }
        });
        Self { at, got, over, serving: Some(serving) }
    }

    /// Answers everything with this JSON.
    pub(crate) fn json(status: u16, body: &'static str) -> Self {
        Self::new(move |_| (status, "application/json", body.to_owned()))
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// What it got so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Runs `fazt` against it, with the token.
    pub(crate) fn fazt(&self, arguments: &[&str]) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        fazt(folder.path(), &[&["--server", &self.url(), "--token", TOKEN], arguments].concat())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it is over.
        let _ = TcpStream::connect(self.at);
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

fn serve(stream: TcpStream, record: &Mutex<Vec<Got>>, answer: &impl Fn(&Got) -> Answer) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut reader = BufReader::new(stream);
    let Some(got) = read(&mut reader) else { return };
    let (status, kind, body) = answer(&got);
    record.lock().unwrap().push(got);
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = reader.into_inner();
    // A client that has gone away is what some tests are about.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut words = line.split(' ');
    let mut got = Got { method: words.next()?.to_owned(), target: words.next()?.to_owned(), ..Got::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        got.headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = got.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    got.body = vec![0; length];
    reader.read_exact(&mut got.body).ok()?;
    Some(got)
}

/// How a run of `fazt` ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the real `fazt` in a folder, with nothing of the environment that could speak to it. The folder is its user's home too.
pub(crate) fn fazt(folder: &Path, arguments: &[&str]) -> Ended {
    ended(command(folder, arguments).output().unwrap())
}

/// The same, not started yet.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fazt"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).env_remove("FAZT_SERVER").env_remove("FAZT_TOKEN");
    command.env("HOME", folder).env_remove("XDG_STATE_HOME");
    command
}

/// Its exit code and text.
pub(crate) fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
