//! What the sources of an app must be before anything runs them: text, and JavaScript. Their syntax is the engine's
//! affair, which names file and line when they first run.
//!
//! Pure: a rule where a file is refused, a warning where it will fail if it is ever asked for.

use serde::de::IgnoredAny;

use super::refusal::Rule;

/// The folder that holds the sources.
const FOLDER: &str = "api/";

/// What handles every request under `/api/`.
pub(super) const HANDLER: &str = "api/main.js";

/// Whether the engine may load it.
pub(super) fn is_source(path: &str) -> bool {
    path.starts_with(FOLDER) && matches!(extension(path), "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "tsx" | "json")
}

/// Whether a browser may ever be given it as a file.
pub(super) fn is_served(path: &str) -> bool {
    !path.starts_with(FOLDER) && !path.starts_with("private/") && path != "manifest.json"
}

/// What follows the last dot of the last segment, or nothing.
pub(super) fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map(|(_, extension)| extension).unwrap_or_default()
}

/// Before the content is read.
pub(super) fn check_path(path: &str) -> Result<(), Rule> {
    let is_typescript = matches!(extension(path), "ts" | "mts" | "cts" | "tsx");
    // Declarations are for editors and hold no code.
    let is_declaration = path.ends_with(".d.ts") || path.ends_with(".d.mts") || path.ends_with(".d.cts");
    if is_source(path) && is_typescript && !is_declaration { Err(Rule::TypeScript) } else { Ok(()) }
}

/// The content of a file; gives a warning where there is one.
pub(super) fn check_content(path: &str, content: &[u8]) -> Result<Option<String>, Rule> {
    if !is_source(path) {
        return Ok(None);
    }
    if let Err(error) = std::str::from_utf8(content) {
        let before = content.get(..error.valid_up_to()).unwrap_or_default();
        return Err(Rule::SourceText(before.iter().filter(|&&byte| byte == b'\n').count().saturating_add(1)));
    }
    if extension(path) != "json" {
        return Ok(None);
    }
    let parsed = serde_json::from_slice::<IgnoredAny>(content);
    Ok(parsed.err().map(|error| format!("{path} does not parse as JSON, and cannot be required: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typescript_is_refused_where_it_would_run() {
        for path in ["api/main.ts", "api/lib/a.mts", "api/a.tsx", "api/a.cts"] {
            assert_eq!(check_path(path), Err(Rule::TypeScript), "{path}");
        }
        for path in ["api/fazt.d.ts", "src/main.ts", "api/main.js", "api/ts", "main.ts"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn sources_are_text() {
        assert_eq!(check_content("api/a.js", b"ok\n\n\xff"), Err(Rule::SourceText(3)));
        assert_eq!(check_content("api/a.js", b"no ( syntax"), Ok(None));
        assert_eq!(check_content("api/a.png", b"\xff"), Ok(None));
        assert_eq!(check_content("a.js", b"\xff"), Ok(None));
        assert_eq!(check_content("api/a.json", b"{}"), Ok(None));
        let warning = check_content("api/a.json", b"{\n  a: 1 }").unwrap().unwrap();
        assert!(warning.contains("api/a.json") && warning.contains("line 2"), "{warning}");
    }

    #[test]
    fn extensions() {
        for (path, end) in [("a/b.min.js", "js"), ("a.b/c", ""), ("", ""), ("a.", "")] {
            assert_eq!(extension(path), end, "{path}");
        }
    }
}
