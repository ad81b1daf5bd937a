//! HTTP to a call: what an app gets to see of a request.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use fazt_protocol::call::{Request, Work};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Passage, config::Trusted};

/// What is about this connection, and no affair of an app's.
pub(super) const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The work of a request.
pub(super) fn work(passage: &Passage, has_body: bool) -> Work {
    let Passage { entry, headers, session, target, .. } = passage;
    let (ip, scheme) = client(session.peer, headers, &entry.house.config.edge.trusted);
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or(&target.host.name);
    let sent = entry.uri.path_and_query().map_or("/", |target| target.as_str());
    Work::Request(Arc::new(Request {
        method: entry.method.as_str().to_owned(),
        url: [scheme, "://", host, sent].concat(),
        path: target.path.clone(),
        query: entry.uri.query().unwrap_or_default().to_owned(),
        host: target.host.name.clone(),
        ip: ip.map_or_else(String::new, |ip| ip.to_string()),
        headers: visible(headers, |value| entry.house.token.stands_in(value.as_bytes())),
        has_body,
    }))
}

/// The headers that an app may see: not those of the connection, not what only the farm may say, and none in which the admin
/// token stands, whatever its name is and however it was written.
fn visible(headers: &HeaderMap, has_token: impl Fn(&HeaderValue) -> bool) -> Vec<(String, String)> {
    let mut seen = Vec::with_capacity(headers.keys_len());
    for name in headers.keys() {
        let hidden = HOP_BY_HOP.contains(name) || *name == header::EXPECT || name.as_str().starts_with("x-fazt-");
        if hidden || headers.get_all(name).iter().any(&has_token) {
            continue;
        }
        let joint = if *name == header::COOKIE { "; " } else { ", " };
        let mut values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut text = values.next().map_or_else(String::new, Cow::into_owned);
        for value in values {
            text.push_str(joint);
            text.push_str(&value);
        }
        seen.push((name.as_str().to_owned(), text));
    }
    seen
}

/// Who asks, and over which scheme. Only a trusted proxy's word is taken for either; of a chain of proxies, the last
/// address that none of them vouches for is the client's.
fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[Trusted]) -> (Option<IpAddr>, &'static str) {
    let peer = peer.map(|peer| peer.to_canonical());
    if !vouches(peer, trusted) {
        return (peer, "http");
    }
    let secure = headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"));
    let scheme = if secure { "https" } else { "http" };
    let mut client = peer;
    for line in headers.get_all("x-forwarded-for").iter().rev() {
        for named in line.to_str().unwrap_or_default().rsplit(',') {
            let Ok(address) = named.trim().parse::<IpAddr>() else { return (client, scheme) };
            client = Some(address.to_canonical());
            if !vouches(client, trusted) {
                return (client, scheme);
            }
        }
    }
    (client, scheme)
}

/// Whether that peer is a trusted proxy.
pub(super) fn vouches(peer: Option<IpAddr>, trusted: &[Trusted]) -> bool {
    trusted.iter().any(|trusted| match (trusted, peer) {
        (Trusted::Network(network), Some(peer)) => network.contains(&peer),
        (Trusted::Unix, None) => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        lines.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn an_app_sees_what_is_its_affair() {
        let headers = headers(&[
            ("host", "a"),
            ("connection", "keep-alive"),
            ("x-fazt-user", "root"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("x-many", "1"),
            ("x-many", "2"),
            ("authorization", "Bearer admin"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
        ]);
        let seen = visible(&headers, |value| value == "Bearer admin");
        let rows: Vec<_> = seen.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(rows, [("host", "a"), ("cookie", "a=1; b=2"), ("x-many", "1, 2")]);
        assert!(visible(&headers, |_| false).contains(&("authorization".to_owned(), "Bearer admin".to_owned())));
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        let proxies = [Trusted::Network("10.0.0.0/8".parse().unwrap())];
        let claim = |value| headers(&[("x-forwarded-for", value), ("x-forwarded-proto", "https")]);
        let rows = [
            ("192.0.2.9", "203.0.113.1", "192.0.2.9", "http"),
            ("10.0.0.1", "203.0.113.1", "203.0.113.1", "https"),
            ("10.0.0.1", "198.51.100.7, 203.0.113.1, 10.0.0.2", "203.0.113.1", "https"),
            ("10.0.0.1", "lie, 203.0.113.1", "203.0.113.1", "https"),
            ("10.0.0.1", "203.0.113.1, lie", "10.0.0.1", "https"),
            ("::ffff:10.0.0.1", "203.0.113.1", "203.0.113.1", "https"),
        ];
        for (peer, claimed, client_ip, scheme) in rows {
            let seen = client(Some(peer.parse().unwrap()), &claim(claimed), &proxies);
            assert_eq!(seen, (Some(client_ip.parse().unwrap()), scheme), "{peer} {claimed}");
        }
        assert_eq!(client(None, &claim("203.0.113.1"), &proxies).0, None);
        assert_eq!(client(None, &claim("203.0.113.1"), &[Trusted::Unix]).0, "203.0.113.1".parse().ok());
    }
}
