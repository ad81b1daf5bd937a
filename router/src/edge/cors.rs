//! Cross-origin rules of an app's manifest: preflights are answered here, and every answer under `/api/` bears the headers,
//! the router's own errors included, since a browser shows an answer without them as a failure of the network.

use fazt_protocol::builder::Cors;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

use super::body::Body;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
const EXPOSED: HeaderValue = HeaderValue::from_static("X-Request-Id, Server-Timing");

/// The answer to a preflight, where this request is one. The caller adds what [`allow`] adds to every answer.
pub(super) fn preflight(rules: &Cors, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
    let is_one = *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let origin = headers.get(header::ORIGIN).filter(|_| is_one)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if is_allowed(rules, origin) {
        let answer = response.headers_mut();
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        if let Some(wanted) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(rules.max_age));
    }
    Some(response)
}

/// Says to a browser what the rules say of that origin, in place of anything the app itself said.
pub(super) fn allow(rules: &Cors, origin: &HeaderValue, answer: &mut HeaderMap) {
    answer.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
    answer.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    answer.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    if !is_allowed(rules, origin) {
        return;
    }
    let everyone = rules.origins.iter().any(|origin| origin == "*");
    if everyone {
        // With a star no browser sends cookies along, whatever the manifest says: everybody is nobody in particular.
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if rules.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    let exposed: HeaderName = header::ACCESS_CONTROL_EXPOSE_HEADERS;
    answer.entry(exposed).or_insert(EXPOSED);
}

fn is_allowed(rules: &Cors, origin: &HeaderValue) -> bool {
    rules.origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(origins: &[&str], credentials: bool) -> Cors {
        Cors { origins: origins.iter().map(|&origin| origin.to_owned()).collect(), credentials, max_age: 600 }
    }

    fn said(rules: &Cors, origin: &'static str) -> (Option<String>, bool) {
        let mut answer = HeaderMap::new();
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://the.app"));
        allow(rules, &HeaderValue::from_static(origin), &mut answer);
        assert_eq!(answer.get(header::VARY).unwrap(), "origin");
        let allowed = answer.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap().to_owned());
        (allowed, answer.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS))
    }

    #[test]
    fn only_named_origins_are_allowed() {
        let one = rules(&["https://a.example"], true);
        assert_eq!(said(&one, "https://a.example"), (Some("https://a.example".to_owned()), true));
        assert_eq!(said(&one, "https://a.example.evil"), (None, false));
        assert_eq!(said(&one, "null"), (None, false));
        assert_eq!(said(&rules(&["*"], true), "https://b.example"), (Some("*".to_owned()), false));
    }

    #[test]
    fn a_preflight_is_answered_without_the_app() {
        let rules = rules(&["https://a.example"], false);
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://a.example"));
        assert!(preflight(&rules, &Method::OPTIONS, &headers).is_none(), "no preflight without its header");
        headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PUT"));
        headers.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-a"));
        assert!(preflight(&rules, &Method::POST, &headers).is_none());
        let answer = preflight(&rules, &Method::OPTIONS, &headers).unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(answer.headers().get(header::ACCESS_CONTROL_ALLOW_HEADERS).unwrap(), "x-a");
        assert_eq!(answer.headers().get(header::ACCESS_CONTROL_MAX_AGE).unwrap(), "600");
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
        let refused = preflight(&rules, &Method::OPTIONS, &headers).unwrap();
        assert!(refused.headers().is_empty());
    }
}
