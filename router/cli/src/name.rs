//! What an app may be called: a DNS label that the farm has not reserved. The server checks the same again.

/// Names that are the farm's own.
const RESERVED: [&str; 5] = ["admin", "api", "www", "root", "system"];
/// A DNS label.
const MOST_BYTES: usize = 63;

/// The rule that a name breaks, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    /// Too short or too long.
    #[error("an app's name has 1 to 63 characters")]
    Length,
    /// A character that is none of these.
    #[error("an app's name has only a-z, 0-9 and -")]
    Character,
    /// A dash at an end.
    #[error("an app's name does not begin or end with -")]
    Dash,
    /// One of the farm's own.
    #[error("admin, api, www, root and system are reserved")]
    Reserved,
}

/// Checks a name.
pub(crate) fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.len() > MOST_BYTES {
        return Err(NameError::Length);
    }
    if !name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err(NameError::Character);
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(NameError::Dash);
    }
    if RESERVED.contains(&name) { Err(NameError::Reserved) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels() {
        let long = "a".repeat(63);
        for name in ["a", "momentum", "my-app-2", "0", long.as_str()] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        let longer = "a".repeat(64);
        let wrong = [
            ("", NameError::Length),
            (longer.as_str(), NameError::Length),
            ("My", NameError::Character),
            ("a.b", NameError::Character),
            ("a_b", NameError::Character),
            ("ä", NameError::Character),
            ("a/b", NameError::Character),
            ("-a", NameError::Dash),
            ("a-", NameError::Dash),
            ("admin", NameError::Reserved),
        ];
        for (name, error) in wrong {
            assert_eq!(check(name), Err(error), "{name}");
        }
    }
}
