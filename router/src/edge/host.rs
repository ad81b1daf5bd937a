//! A request's host: parsed strictly, put into one form, so that no two spellings of a name lead to two apps.

use std::net::Ipv6Addr;

use fazt_protocol::limit::APP_NAME_BYTES;

/// The longest name of a host.
const HOST_BYTES: usize = 253;
/// Names that no app can have, because the farm or a reader's habits own them.
pub const RESERVED: [&str; 5] = ["admin", "api", "www", "root", "system"];

/// A host in its one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// In lower case, without port and trailing dot; of IPv6 with its brackets.
    pub name: String,
    /// The port, where one was given.
    pub port: Option<u16>,
}

impl Host {
    /// Reads `name`, `name:port` or `[v6]:port`; nothing where it is none of these.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, after) = rest.split_once(']')?;
                let address: Ipv6Addr = address.parse().ok()?;
                (format!("[{address}]"), if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
            }
            None => {
                let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
                (name_of(name)?, port)
            }
        };
        // `host:` without digits is legal and means no port.
        let port = match port {
            None | Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        Some(Self { name, port })
    }
}

/// Whether an app can have that name.
#[must_use]
pub fn is_app_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=APP_NAME_BYTES).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !RESERVED.contains(&name)
}

fn name_of(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain);
    (name.len() <= HOST_BYTES && name.split('.').all(label)).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_host_are_one() {
        for text in ["Momentum.LOCALHOST", "momentum.localhost.", "momentum.localhost:80", "momentum.localhost:"] {
            assert_eq!(Host::parse(text).unwrap().name, "momentum.localhost", "{text}");
        }
        assert_eq!(Host::parse("a:8080").unwrap().port, Some(8080));
        assert_eq!(Host::parse("[0:0::1]:9").unwrap(), Host { name: "[::1]".to_owned(), port: Some(9) });
        assert_eq!(Host::parse("xn--bcher-kva.example").unwrap().name, "xn--bcher-kva.example");
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = "a.".repeat(127) + "abc";
        let odd = [
            "",
            ".",
            "a..b",
            ".a",
            "a/@b#?",
            "user@host",
            "a b",
            "a\u{80}",
            "bücher.example",
            "a:99999",
            "a:-1",
            "a:1:2",
            "a:+1",
            "[::1",
            "[::1]x",
            "[g::1]",
            "::1",
            "a%2eb",
            "a,b",
            "a\0b",
            &long,
            &"a".repeat(64),
        ];
        for text in odd {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn app_names() {
        for good in ["a", "momentum", "a-1", "0", &"x".repeat(63)] {
            assert!(is_app_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "admin", "api", "www", "root", "system", "ä", &"x".repeat(64)] {
            assert!(!is_app_name(bad), "{bad}");
        }
    }
}
