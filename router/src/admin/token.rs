//! The admin token: 256 bits in a file that only the owner reads, and a brake for who guesses.
//!
//! Ten wrong tries from one address within a minute, and that address waits a minute, whatever it sends. The clock is
//! passed in. A missing token is no try.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use subtle::ConstantTimeEq;

use crate::edge::caps::network;

const TOKEN_BYTES: usize = 32;
const TRIES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered; past that the stale ones go, and then all.
const ADDRESSES: usize = 10_000;

/// The token, and who guessed it wrong of late.
pub struct Token {
    text: String,
    guesses: Mutex<HashMap<Option<IpAddr>, Guesses>>,
}

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the token.
    Valid,
    /// It is not, or there is none.
    Wrong,
    /// It is not, and this address has to wait that long before its next try.
    Wait(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Guesses {
    since: Instant,
    wrong: u32,
}

impl Token {
    /// Reads the token's file, or makes it.
    ///
    /// # Errors
    /// Where the file can be neither read nor made, or holds no token.
    pub fn open(file: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(file) {
            Ok(text) => {
                // Restored from a backup, say: a token that others can read is none.
                fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
                text.trim().to_owned()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(file)?,
            Err(error) => return Err(error),
        };
        let is_token = text.len() == 2 * TOKEN_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_token {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a token of 64 hexadecimal digits; remove the file to have a new one made",
            ));
        }
        Ok(Self::new(text))
    }

    /// A token of that text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self { text, guesses: Mutex::default() }
    }

    /// Whether a value of `Authorization` is the token; no try is counted, so this must not decide on admission.
    #[must_use]
    pub fn is(&self, authorization: &[u8]) -> bool {
        let scheme = authorization.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
        let said = authorization.get(7..).unwrap_or_default();
        scheme && bool::from(said.ct_eq(self.text.as_bytes()))
    }

    /// Whether the token stands in a value of any header, however it was written there.
    #[must_use]
    pub fn stands_in(&self, value: &[u8]) -> bool {
        let words = value.split(|byte| !byte.is_ascii_hexdigit());
        words.into_iter().any(|word| bool::from(word.ct_eq(self.text.as_bytes())))
    }

    /// Judges a try from `from` (nothing where it came over a socket file) at `now`. The token itself is always taken: nobody
    /// guesses 256 bits, and whoever guesses in vain must not keep the operator out, behind one proxy or on one machine.
    pub fn judge(&self, from: Option<IpAddr>, authorization: Option<&[u8]>, now: Instant) -> Verdict {
        if authorization.is_some_and(|said| self.is(said)) {
            return Verdict::Valid;
        }
        let mut all = self.guesses.lock();
        let from = from.map(network);
        let fresh = |guesses: &Guesses| now.saturating_duration_since(guesses.since) < WINDOW;
        let before = all.get(&from).copied().filter(fresh).unwrap_or(Guesses { since: now, wrong: 0 });
        if before.wrong >= TRIES {
            return Verdict::Wait(WINDOW.saturating_sub(now.saturating_duration_since(before.since)));
        }
        match authorization {
            Some(_) => {
                if all.len() >= ADDRESSES {
                    all.retain(|_, guesses| fresh(guesses));
                }
                if all.len() >= ADDRESSES {
                    all.clear();
                }
                let wrong = before.wrong.saturating_add(1);
                // The minute of waiting begins with the last of the ten.
                let since = if wrong == TRIES { now } else { before.since };
                all.insert(from, Guesses { since, wrong });
                Verdict::Wrong
            }
            None => Verdict::Wrong,
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

fn make(file: &Path) -> io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // Whole or not there: a start that was cut short must not leave half a token.
    let half = file.with_extension("token.new");
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    writeln!(out, "{text}")?;
    out.sync_all()?;
    fs::rename(&half, file)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> (Token, Vec<u8>) {
        (Token::new("a".repeat(64)), format!("Bearer {}", "a".repeat(64)).into_bytes())
    }

    #[test]
    fn is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/admin.token");
        let first = Token::open(&file).unwrap();
        assert_eq!(first.text.len(), 64);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(Token::open(&file).unwrap().text, first.text);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "short").unwrap();
        assert!(Token::open(&file).is_err());
    }

    #[test]
    fn ten_wrong_tries_and_that_address_waits_a_minute() {
        let (token, right) = token();
        let start = Instant::now();
        let here = Some("192.0.2.1".parse().unwrap());
        for _ in 0..100 {
            assert_eq!(token.judge(here, None, start), Verdict::Wrong, "a missing token is no try");
        }
        for _ in 0..10 {
            assert_eq!(token.judge(here, Some(b"Bearer x"), start), Verdict::Wrong);
        }
        let wrong = Some(b"Bearer x".as_slice());
        assert_eq!(token.judge(here, wrong, start), Verdict::Wait(WINDOW));
        assert_eq!(token.judge(Some("192.0.2.2".parse().unwrap()), wrong, start), Verdict::Wrong);
        assert_eq!(token.judge(None, wrong, start), Verdict::Wrong);
        assert_eq!(token.judge(here, wrong, start + WINDOW), Verdict::Wrong);
        assert_eq!(token.judge(here, Some(&right), start), Verdict::Valid, "whoever has it need not wait");
    }

    #[test]
    fn slow_guesses_are_forgotten_and_six_counts_by_network() {
        let (token, _) = token();
        let (start, wrong) = (Instant::now(), Some(b"Bearer y".as_slice()));
        let six = |last: u16| Some(IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)));
        for at in 0..9 {
            token.judge(six(at), Some(b"Bearer x"), start);
        }
        assert_eq!(token.judge(six(99), wrong, start + WINDOW), Verdict::Wrong);
        for at in 1..10 {
            token.judge(six(at), Some(b"Bearer x"), start + WINDOW);
        }
        assert!(matches!(token.judge(six(99), wrong, start + WINDOW), Verdict::Wait(_)));
    }

    #[test]
    fn it_is_found_however_it_was_written() {
        let (token, right) = token();
        let text = "a".repeat(64);
        for value in [format!("Bearer  {text}"), format!("Token {text}"), text.clone(), format!("k={text}, Bearer x")] {
            assert!(token.stands_in(value.as_bytes()), "{value}");
        }
        assert!(token.stands_in(&right) && !token.stands_in(&right[..70]) && !token.stands_in(b""));
    }

    #[test]
    fn only_the_whole_token_is_it() {
        let (token, right) = token();
        assert!(token.is(&right));
        assert!(token.is(format!("bearer {}", "a".repeat(64)).as_bytes()));
        for wrong in ["", "Bearer", "Bearer ", "Basic aaaa", &format!("Bearer {}", "a".repeat(63)), &"a".repeat(64)] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
    }
}
