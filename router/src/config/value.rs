//! Texts to values: each function takes what a person wrote and says in words what is wrong with it.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use bytesize::ByteSize;

use crate::{
    edge::config::{Listen, Trusted},
    farm::config::{FreshState, Sandbox},
    store::Durability,
    telemetry::Format,
};

type Read<T> = Result<T, String>;

/// A whole number within bounds.
pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display + Copy>(
    text: &str,
    bounds: RangeInclusive<T>,
) -> Read<T> {
    let (least, most) = (*bounds.start(), *bounds.end());
    let wrong = || format!("is not a whole number from {least} to {most}");
    text.trim().parse().ok().filter(|number| bounds.contains(number)).ok_or_else(wrong)
}

/// A time from a millisecond to an hour.
pub(super) fn duration(text: &str) -> Read<Duration> {
    let span = humantime::parse_duration(text.trim()).map_err(|_| "is not a time such as 500ms or 2s".to_owned())?;
    let bounds = Duration::from_millis(1)..=Duration::from_secs(3_600);
    bounds.contains(&span).then_some(span).ok_or_else(|| "is not between 1ms and 1h".to_owned())
}

/// A size in bytes within bounds.
pub(super) fn size(text: &str, bounds: RangeInclusive<u64>) -> Read<u64> {
    let size = text.trim().parse::<ByteSize>().map_err(|_| "is not a size such as 64MiB".to_owned())?.as_u64();
    let (least, most) = (ByteSize(*bounds.start()), ByteSize(*bounds.end()));
    bounds.contains(&size).then_some(size).ok_or_else(|| format!("is not between {least} and {most}"))
}

/// An address to listen on.
pub(super) fn listen(text: &str) -> Read<Listen> {
    let text = text.trim();
    if let Some(path) = text.strip_prefix("unix:") {
        return if path.is_empty() { Err("lacks a path".to_owned()) } else { Ok(Listen::Unix(PathBuf::from(path))) };
    }
    // Short forms that people type; any other name would have to be resolved, which can hang or change.
    let full = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None if text.starts_with(':') => format!("0.0.0.0{text}"),
        None => text.to_owned(),
    };
    let wrong = |_| "is not an address such as 127.0.0.1:8080, [::1]:8080, :8080 or unix:/path".to_owned();
    full.parse::<SocketAddr>().map(Listen::Tcp).map_err(wrong)
}

/// A base domain, in lower case.
pub(super) fn domain(text: &str) -> Read<String> {
    let host = crate::edge::host::Host::parse(text.trim()).filter(|host| host.port.is_none());
    host.map(|host| host.name).ok_or_else(|| "is not a domain".to_owned())
}

/// An app's name, or none.
pub(super) fn app(text: &str) -> Read<Option<String>> {
    match text.trim() {
        "" => Ok(None),
        name if crate::edge::host::is_app_name(name) => Ok(Some(name.to_owned())),
        _ => {
            Err("is not an app's name: small letters, digits and inner hyphens, none of the reserved words".to_owned())
        }
    }
}

/// Whose word about others is believed.
pub(super) fn trusted(text: &str) -> Read<Trusted> {
    let text = text.trim();
    if text == "unix" {
        return Ok(Trusted::Unix);
    }
    let single = text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    let wrong = |_| "is not a network such as 10.0.0.0/8, an address, or unix".to_owned();
    text.parse().or(single).map(Trusted::Network).map_err(wrong)
}

/// `sqlite:PATH`.
pub(super) fn database(text: &str) -> Read<PathBuf> {
    match text.trim().split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err("is not sqlite:PATH".to_owned()),
    }
}

/// `on` or `off`.
pub(super) fn switch(text: &str) -> Read<bool> {
    word(text, &[("on", true), ("off", false)])
}

/// `full` or `normal`.
pub(super) fn durability(text: &str) -> Read<Durability> {
    word(text, &[("full", Durability::Full), ("normal", Durability::Normal)])
}

/// `image` or `context`.
pub(super) fn fresh_state(text: &str) -> Read<FreshState> {
    word(text, &[FreshState::Image, FreshState::Context].map(|way| (way.word(), way)))
}

/// `strict`, `best-effort` or `off`.
pub(super) fn sandbox(text: &str) -> Read<Sandbox> {
    word(text, &[Sandbox::Strict, Sandbox::BestEffort, Sandbox::Off].map(|level| (level.word(), level)))
}

/// `pretty` or `json`.
pub(super) fn log_format(text: &str) -> Read<Format> {
    word(text, &[("pretty", Format::Pretty), ("json", Format::Json)])
}

fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Read<T> {
    let text = text.trim();
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let nearest = super::keys::nearest(text, names.iter().copied());
    let hint = nearest.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
    Err(format!("is none of {}{hint}", names.join(", ")))
}
