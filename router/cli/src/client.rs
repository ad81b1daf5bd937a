//! The farm's HTTP interface: a request with the admin token out, JSON or a stream of events in.
//!
//! Every wait has a deadline, but the one for the next event of a stream, which a person ends. Proxies of the
//! environment and redirects are not followed: either would show the token to somebody else.

use std::{
    io::{BufRead, BufReader, Read},
    time::Duration,
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::{
    Agent, Body, SendBody,
    http::{Method, Request, Response, Uri, header, request::Builder},
};

use crate::{failure::Failure, problem::Problem, progress::Upload, token::Token};

const CONNECT: Duration = Duration::from_secs(5);
/// For each write of the socket, not for a whole upload.
const WRITE: Duration = Duration::from_secs(30);
/// A deploy is answered when all its files are checked, compressed and stored.
const ANSWER: Duration = Duration::from_secs(180);
/// The largest answer that is read: a thousand traces are far below it.
const ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// The longest line of a stream of events.
const EVENT_BYTES: u64 = 256 * 1024;

/// A farm, and the right to speak to it.
pub(crate) struct Client {
    server: String,
    token: Token,
}

impl Client {
    /// For the farm at `server`: `http://host:port`, or without the scheme.
    pub(crate) fn new(server: &str, token: Token) -> Result<Self, Failure> {
        Ok(Self { server: check_server(server)?, token })
    }

    /// The farm's address.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Gets a value.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.json(self.run(Method::GET, path, None)?)
    }

    /// Deletes what the path names.
    pub(crate) fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.json(self.run(Method::DELETE, path, None)?)
    }

    /// Sends a value with POST or PUT.
    pub(crate) fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.run(method, path, Some(body))?)
    }

    /// The same for an answer that is kept as the text that came: it may hold a value of an app's, of any depth.
    pub(crate) fn send_for_text(&self, method: Method, path: &str, body: &Value) -> Result<String, Failure> {
        let response = self.checked(self.run(method, path, Some(body))?)?;
        String::from_utf8(self.read(response)?).map_err(|error| self.strange(error))
    }

    /// Uploads an archive, with the environment to set beside it.
    pub(crate) fn upload(&self, path: &str, environment: Option<&str>, archive: &[u8]) -> Result<Value, Failure> {
        let mut request = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/x-tar")
            .header(header::CONTENT_LENGTH, archive.len());
        if let Some(environment) = environment {
            request = request.header("X-Fazt-Env", environment);
        }
        let mut upload = Upload::new(archive);
        let response = self.exchange(request, SendBody::from_reader(&mut upload), Some(ANSWER));
        drop(upload);
        self.json(response?)
    }

    /// Hands each event of a stream to `each` until it fails or the server ends the stream.
    pub(crate) fn follow(&self, path: &str, mut each: impl FnMut(Value) -> Result<(), Failure>) -> Result<(), Failure> {
        let request = self.request(Method::GET, path).header(header::ACCEPT, "text/event-stream");
        let response = self.exchange(request, SendBody::none(), None)?;
        let mut lines = BufReader::new(self.checked(response)?.into_body().into_reader());
        loop {
            let mut line = String::new();
            let read = lines.by_ref().take(EVENT_BYTES).read_line(&mut line);
            if read.map_err(|error| self.broke_off(error))? == 0 {
                return Ok(());
            }
            if let Some(event) = line.strip_prefix("data:") {
                each(serde_json::from_str(event).map_err(|error| self.strange(error))?)?;
            }
        }
    }

    fn run(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Body>, Failure> {
        let request = self.request(method, path).header(header::ACCEPT, "application/json");
        match body.map(Value::to_string) {
            None => self.exchange(request, SendBody::none(), Some(ANSWER)),
            Some(text) => {
                let request =
                    request.header(header::CONTENT_TYPE, "application/json").header(header::CONTENT_LENGTH, text.len());
                self.exchange(request, SendBody::from_reader(&mut text.as_bytes()), Some(ANSWER))
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        match &self.token {
            Token::Given(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            Token::Missing(_) => request,
        }
    }

    fn exchange(
        &self,
        request: Builder,
        body: SendBody<'_>,
        whole: Option<Duration>,
    ) -> Result<Response<Body>, Failure> {
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("fazt/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_per_write(Some(WRITE))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(whole)
            .build()
            .into();
        let request = request.body(body).map_err(|error| Failure::Usage(error.to_string()))?;
        agent.run(request).map_err(|error| self.transport(error))
    }

    /// The body of an answer that means success.
    fn json(&self, response: Response<Body>) -> Result<Value, Failure> {
        let response = self.checked(response)?;
        serde_json::from_slice(&self.read(response)?).map_err(|error| self.strange(error))
    }

    /// An answer that means success; the others are failures.
    fn checked(&self, response: Response<Body>) -> Result<Response<Body>, Failure> {
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let body = self.read(response)?;
        match (status, &self.token) {
            (401 | 403, Token::Missing(reason)) => Err(Failure::Unauthorised(reason.clone())),
            (401 | 403, Token::Given(_)) => {
                Err(Failure::Unauthorised(format!("{} does not accept this token", self.server)))
            }
            (300..=399, _) => Err(self.strange(format!("it redirects ({status})"))),
            _ => Err(Failure::Refused(Problem::read(status, &body))),
        }
    }

    fn read(&self, response: Response<Body>) -> Result<Vec<u8>, Failure> {
        let mut body = response.into_body();
        body.with_config().limit(ANSWER_BYTES).read_to_vec().map_err(|error| self.transport(error))
    }

    fn transport(&self, error: ureq::Error) -> Failure {
        use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
        let server = self.server.clone();
        match error {
            ureq::Error::Io(cause)
                if matches!(cause.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable | TimedOut) =>
            {
                Failure::Unreachable { server, cause: cause.to_string() }
            }
            ureq::Error::Io(cause) => self.broke_off(cause),
            ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                Failure::Unreachable { server, cause: error.to_string() }
            }
            ureq::Error::Timeout(_) => self.broke_off(error),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::Usage(error.to_string()),
            other => self.strange(other),
        }
    }

    /// For connections that end too early.
    pub(crate) fn broke_off(&self, cause: impl ToString) -> Failure {
        Failure::BrokeOff { server: self.server.clone(), cause: cause.to_string() }
    }

    /// For answers that are not of this interface.
    pub(crate) fn strange(&self, cause: impl ToString) -> Failure {
        Failure::Strange { server: self.server.clone(), cause: cause.to_string() }
    }
}

/// A value as it may stand in a path, a query or a header of pairs.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// `?a=1&b=2` of those that are given, or nothing.
pub(crate) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        if let Some(value) = value {
            text.push(if text.is_empty() { '?' } else { '&' });
            text.push_str(&format!("{key}={}", encode(value)));
        }
    }
    text
}

/// Brings a server's address into the form `http://host:port`.
fn check_server(server: &str) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("the server {server:?} {why}"));
    let whole = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    let uri: Uri = whole.parse().map_err(|_| wrong("is not an address: write http://host:port"))?;
    let authority = uri.authority().ok_or_else(|| wrong("has no host: write http://host:port"))?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong("is not reached by http, the only way that fazt knows; a tunnel can take it further"));
    }
    if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
        return Err(wrong("has more than a host and a port"));
    }
    Ok(format!("http://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_hosts_and_ports() {
        for server in ["127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080/"] {
            assert_eq!(check_server(server).unwrap(), "http://127.0.0.1:8080", "{server}");
        }
        for server in ["", "https://a", "http://a/b", "http://u:p@a", "http://", "a b", "http://a?x", "ftp://a"] {
            assert_eq!(check_server(server).unwrap_err().exit_code(), 2, "{server}");
        }
    }

    #[test]
    fn queries_hold_what_is_given() {
        assert_eq!(query(&[("a", None), ("b", Some("x y&z".into())), ("c", Some("1".into()))]), "?b=x%20y%26z&c=1");
        assert_eq!(query(&[("a", None)]), "");
    }
}
