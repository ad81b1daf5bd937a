//! Which app a request belongs to: its host decides, and a host that names an app never leads to another one.

use std::{net::Ipv4Addr, sync::Arc};

use super::host::{Host, is_app_name};
use crate::{
    catalog::Served,
    fault::{Code, Fault},
    house::House,
};

/// What a host says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named<'a> {
    /// A label in front of a base domain.
    App(&'a str),
    /// Below a base domain, and yet no app can have that name.
    NoApp,
    /// Nothing of an app.
    Nobody,
}

/// The app of a host.
///
/// # Errors
/// 404 `app_not_found`.
pub fn app(host: &str, house: &House) -> Result<Arc<Served>, Fault> {
    let config = &house.config.edge;
    let found = match named(host, &config.domains) {
        Named::App(name) => house.catalog.get(name),
        Named::NoApp => None,
        Named::Nobody => match &config.default_app {
            Some(name) => house.catalog.get(name),
            None => house.catalog.only(),
        },
    };
    found.ok_or_else(|| Fault::new(Code::AppNotFound, "no app answers to this host"))
}

/// Whether a host is one app's alone: a label in front of a base domain.
pub(super) fn is_one_apps(host: &str, domains: &[String]) -> bool {
    matches!(named(host, domains), Named::App(_))
}

/// Where an app answers, as somebody sees it who came to this host.
#[must_use]
pub fn address_of(app: &str, host: &Host, domains: &[String]) -> String {
    let usual = domains.first().map_or("localhost", String::as_str);
    let base = base_of(&host.name, domains).unwrap_or(usual);
    match host.port {
        Some(port) if port != 80 => format!("http://{app}.{base}:{port}/"),
        _ => format!("http://{app}.{base}/"),
    }
}

fn named<'a>(host: &'a str, domains: &[String]) -> Named<'a> {
    let Some(base) = base_of(host, domains) else { return Named::Nobody };
    match host.strip_suffix(base).and_then(|front| front.strip_suffix('.')) {
        None => Named::Nobody,
        Some(label) if is_app_name(label) => Named::App(label),
        Some(_) => Named::NoApp,
    }
}

/// The base domain that a host is or lies below: the longest of those configured, or an address at nip.io.
fn base_of<'a>(host: &'a str, domains: &'a [String]) -> Option<&'a str> {
    let below = |base: &str| host.strip_suffix(base).is_some_and(|front| front.is_empty() || front.ends_with('.'));
    let configured = domains.iter().map(String::as_str).filter(|base| below(base)).max_by_key(|base| base.len());
    configured.or_else(|| wildcard_address(host))
}

/// `<ipv4>.nip.io` at the end of a host.
fn wildcard_address(host: &str) -> Option<&str> {
    let front = host.strip_suffix(".nip.io")?;
    let mut from = front.len();
    for (dots, (at, _)) in front.rmatch_indices('.').enumerate() {
        if dots == 3 {
            from = at.saturating_add(1);
            break;
        }
        from = 0;
    }
    front.get(from..)?.parse::<Ipv4Addr>().ok()?;
    host.get(from..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_before_a_base_domain_names_the_app() {
        let domains = ["localhost".to_owned(), "example.com".to_owned(), "apps.example.com".to_owned()];
        let rows = [
            ("momentum.localhost", Named::App("momentum")),
            ("momentum.example.com", Named::App("momentum")),
            ("momentum.apps.example.com", Named::App("momentum")),
            ("momentum.127.0.0.1.nip.io", Named::App("momentum")),
            ("momentum.10.0.200.255.nip.io", Named::App("momentum")),
            ("localhost", Named::Nobody),
            ("example.com", Named::Nobody),
            ("127.0.0.1.nip.io", Named::Nobody),
            ("nip.io", Named::Nobody),
            ("momentum.nip.io", Named::Nobody),
            ("1.2.3.nip.io", Named::Nobody),
            ("x.999.0.0.1.nip.io", Named::Nobody),
            ("127.0.0.1", Named::Nobody),
            ("[::1]", Named::Nobody),
            ("notlocalhost", Named::Nobody),
            ("evil-example.com", Named::Nobody),
            ("a.momentum.localhost", Named::NoApp),
            ("a.b.127.0.0.1.nip.io", Named::NoApp),
            ("admin.localhost", Named::NoApp),
            ("www.example.com", Named::NoApp),
            ("a_b.localhost", Named::NoApp),
            ("-a.localhost", Named::NoApp),
        ];
        for (host, expected) in rows {
            assert_eq!(named(host, &domains), expected, "{host}");
        }
    }

    #[test]
    fn addresses_follow_the_host_that_was_asked() {
        let domains = ["localhost".to_owned(), "example.com".to_owned()];
        for (host, url) in [
            ("localhost:8080", "http://a.localhost:8080/"),
            ("example.com", "http://a.example.com/"),
            ("b.example.com:80", "http://a.example.com/"),
            ("b.127.0.0.1.nip.io:81", "http://a.127.0.0.1.nip.io:81/"),
            ("192.0.2.1:8080", "http://a.localhost:8080/"),
        ] {
            assert_eq!(address_of("a", &Host::parse(host).unwrap(), &domains), url);
        }
    }
}
