//! Parameters of a query: the first of each name, decoded; what does not parse is refused by name.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::fault::{Code, Fault};

/// A query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a>(pub(super) &'a str);

impl Query<'_> {
    /// The text of a parameter; nothing where it is missing or empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        (!value.is_empty()).then_some(value)
    }

    /// A parameter that is a number or a word.
    ///
    /// # Errors
    /// 400 where it is neither missing nor one.
    pub(super) fn read<T: FromStr>(&self, name: &str) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Fault::new(Code::InvalidRequest, format!("`{name}` is not valid")))
    }

    /// A switch: there, and not turned off.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        Some(!matches!(self.value(name)?.as_str(), "false" | "0" | "off" | "no"))
    }

    fn value(&self, name: &str) -> Option<String> {
        let spaced = self.0.replace('+', " ");
        pairs(&spaced).find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// Percent-encoded pairs, decoded.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    text.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_checked() {
        let query = Query("limit=10&app=a%2Bb&follow&x=1+2&limit=99&empty=");
        assert_eq!(query.read::<usize>("limit").unwrap(), Some(10));
        assert_eq!(query.text("app").as_deref(), Some("a+b"));
        assert_eq!(query.text("x").as_deref(), Some("1 2"));
        assert_eq!(query.text("empty"), None);
        assert_eq!((query.switch("follow"), query.switch("other")), (Some(true), None));
        assert_eq!(Query("activate=false").switch("activate"), Some(false));
        assert!(Query("limit=many").read::<usize>("limit").is_err());
    }
}
