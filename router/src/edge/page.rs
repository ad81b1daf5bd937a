//! The page that a person sees where something went wrong: whole in itself, and every word of it escaped.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::encoding::weighted;

/// Nothing may run or load on it.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:12vh auto;padding:0 1.5rem;color:#222;\
    background:#fff}h1{font-size:1.4rem}p{margin:.6rem 0}.s{color:#777}pre{overflow:auto;padding:1rem;background:#f4f4f4}\
    @media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#262626}}";

/// Whether `Accept` prefers a page over JSON. What takes anything, as most programs do, gets JSON.
pub(super) fn is_wanted(accept: &[u8]) -> bool {
    let accept = std::str::from_utf8(accept).unwrap_or_default();
    let weight = |names: &[&str]| {
        let rated = weighted(accept).filter(|(name, _)| names.contains(name)).map(|(_, weight)| weight);
        rated.max()
    };
    let page = weight(&["text/html"]).unwrap_or(0);
    let other = weight(&["application/problem+json", "application/json"]).or_else(|| weight(&["application/*", "*/*"]));
    page > 0 && page > other.unwrap_or(0)
}

/// The page of a problem.
pub(super) fn render(problem: &Map<String, Value>) -> String {
    let text = |name: &str| match problem.get(name) {
        Some(Value::String(text)) => escape(text),
        Some(other) => escape(&other.to_string()),
        None => String::new(),
    };
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
        <title>{status} {title}</title><style>{STYLE}</style><h1>{title}</h1><p>{detail}</p><p class=\"s\">{status} · {code} · {id}</p>",
        status = text("status"),
        title = text("title"),
        detail = text("detail"),
        code = text("code"),
        id = text("requestId"),
    );
    if problem.contains_key("stack") {
        // Writing to a String cannot fail.
        let _written = write!(page, "<pre>{}\n\n{}</pre>", text("context"), text("stack"));
    }
    page.push_str("</html>\n");
    page
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn browsers_get_pages_and_programs_json() {
        for browser in
            ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html", "TEXT/HTML;q=0.2"]
        {
            assert!(is_wanted(browser.as_bytes()), "{browser}");
        }
        for program in [
            "",
            "*/*",
            "application/json",
            "application/json, text/html;q=0.9",
            "text/html;q=0",
            "text/*",
            "*/*, text/html",
        ] {
            assert!(!is_wanted(program.as_bytes()), "{program}");
        }
    }

    #[test]
    fn nothing_on_the_page_can_run() {
        let problem = json!({ "title": "x", "detail": "<script>alert('1')</script>", "status": 404, "stack": "<b>", "context": "&" });
        let page = render(problem.as_object().unwrap());
        assert!(!page.contains("<script") && !page.contains("<b>"));
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;") && page.contains("&amp;"));
    }
}
