//! Which admin token to show: the one given, else the one in the data folder beside us. No token at all is not an
//! error here: the server says whether it wants one, and a server that is down is the better news to give.

use std::{fs, io, path::Path};

use crate::failure::Failure;

/// Where a router that was started in this folder keeps its token.
pub(crate) const FILE: &str = "fazt-data/admin.token";

/// A token, or how to get one.
#[derive(Debug)]
pub(crate) enum Token {
    /// This one.
    Given(String),
    /// None was given or found, for this reason.
    Missing(String),
}

/// Takes the token from the command line or environment, else from [`FILE`].
pub(crate) fn find(given: Option<String>) -> Result<Token, Failure> {
    match given.filter(|token| !token.is_empty()) {
        Some(token) => check(&token, "--token or FAZT_TOKEN").map(Token::Given),
        None => read(Path::new(FILE)),
    }
}

fn read(path: &Path) -> Result<Token, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => check(&text, FILE).map(Token::Given),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Token::Missing(format!(
            "no token was given and ./{FILE} does not exist: give --token, set FAZT_TOKEN, or run from the folder \
             that the farm was started in"
        ))),
        Err(error) => Ok(Token::Missing(format!("./{FILE} cannot be read: {error}"))),
    }
}

/// A token goes into a header: a stray line end in it would end the header.
fn check(text: &str, place: &str) -> Result<String, Failure> {
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::Usage(format!("{place} does not hold a token")));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_token_wins_and_is_trimmed() {
        assert!(matches!(find(Some(" abc\n".into())), Ok(Token::Given(token)) if token == "abc"));
    }

    #[test]
    fn a_token_that_would_break_the_header_is_wrong_usage() {
        let failure = find(Some("abc\r\nHost: evil".into())).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
    }

    #[test]
    fn a_missing_file_is_told_from_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        assert!(matches!(read(&path), Ok(Token::Missing(_))));
        fs::write(&path, "\n").unwrap();
        assert!(matches!(read(&path), Err(Failure::Usage(_))));
    }
}
