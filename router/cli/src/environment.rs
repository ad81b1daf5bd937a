//! Environment variables as they are typed: `K=V` words, and files of such lines.
//!
//! The file format is the plain part that all `.env` readers share: comments, `export`, quotes. What differs between
//! them, substitution of `$NAME`, is deliberately absent: a password may hold a `$`. An error never shows a value.

use std::{fs, path::Path};

use crate::failure::Failure;

/// Past this, a file is not one of variables; the server's limit for all of them is lower.
const FILE_BYTES: u64 = 1024 * 1024;

/// Reads `K=V` words; where a key comes twice, the last one wins on the server.
pub(crate) fn read_words(words: &[String]) -> Result<Vec<(String, String)>, Failure> {
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((key, value)) if is_key(key) => Ok((key.to_owned(), value.to_owned())),
            Some((key, _)) => Err(Failure::Usage(format!("{key:?} is not the name of a variable"))),
            None => Err(Failure::Usage("a variable is written K=V".to_owned())),
        })
        .collect()
}

/// Reads a file of `K=V` lines.
pub(crate) fn read_file(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let failed = |cause| Failure::File { path: path.to_owned(), cause };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_BYTES {
        return Err(Failure::Usage(format!("{} is over 1 MiB", path.display())));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match read_line(line) {
            Ok(Some(variable)) => variables.push(variable),
            Ok(None) => {}
            Err(rule) => {
                let place = format!("{}:{}", path.display(), index.saturating_add(1));
                return Err(Failure::Usage(format!("{place}: {rule}")));
            }
        }
    }
    Ok(variables)
}

/// A letter or `_`, then letters, digits and `_`.
pub(crate) fn is_key(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|first: char| first.is_ascii_digit())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read_line(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (key, value) = line.split_once('=').ok_or("a variable is written K=V")?;
    let key = key.trim_end();
    if !is_key(key) {
        return Err("what stands before = is not the name of a variable");
    }
    Ok(Some((key.to_owned(), read_value(value.trim_start())?)))
}

fn read_value(text: &str) -> Result<String, &'static str> {
    if let Some(rest) = text.strip_prefix('\'') {
        return rest.split_once('\'').map(|(value, _)| value.to_owned()).ok_or("the quote ' is not closed");
    }
    if let Some(rest) = text.strip_prefix('"') {
        return read_quoted(rest);
    }
    // A comment needs a blank before it: `#` is common within passwords.
    Ok(text.split(" #").next().unwrap_or_default().trim_end().to_owned())
}

fn read_quoted(text: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => return Ok(value),
            '\\' => match rest.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(other) => value.push(other),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err("the quote \" is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<(String, String)> {
        read_line(text).unwrap()
    }

    #[test]
    fn lines_are_read_as_people_write_them() {
        let rows = [
            ("A=1", "1"),
            ("export A=1", "1"),
            ("A = 1", "1"),
            ("A=a#b", "a#b"),
            ("A=a # b", "a"),
            ("A='a # $B'  # c", "a # $B"),
            (r#"A="a\n\"b\"""#, "a\n\"b\""),
            ("A=", ""),
            ("A=pa$$word", "pa$$word"),
            ("A=x=y", "x=y"),
        ];
        for (text, value) in rows {
            assert_eq!(line(text), Some(("A".to_owned(), value.to_owned())), "{text}");
        }
        assert_eq!(line("# A=1"), None);
        assert_eq!(line("   "), None);
    }

    #[test]
    fn a_wrong_line_is_named_without_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        fs::write(&path, "A=1\nB='s3cret\n").unwrap();
        let failure = read_file(&path).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert!(failure.to_string().ends_with(".env:2: the quote ' is not closed"), "{failure}");
    }

    #[test]
    fn words_need_a_name() {
        assert!(read_words(&["A=b=c".into()]).is_ok_and(|read| read == [("A".to_owned(), "b=c".to_owned())]));
        for word in ["A", "=1", "1A=2", "a-b=1"] {
            assert_eq!(read_words(&[word.into()]).unwrap_err().exit_code(), 2, "{word}");
        }
    }
}
