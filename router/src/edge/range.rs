//! `Range`: one range of bytes (RFC 9110, 14). Several ranges, or what is no range, are ignored, and the whole is sent.

use std::ops::Range;

/// What a range comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// The whole.
    Whole,
    /// That much of it.
    Bytes(Range<usize>),
    /// Nothing that is there: 416.
    Nothing,
}

/// The part of `size` bytes that a `Range` asks for.
pub(super) fn part(range: &str, size: usize) -> Part {
    let asked = range.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = asked.and_then(|(_, spec)| spec.trim().split_once('-')) else { return Part::Whole };
    match (position(first), position(last)) {
        // The last so many bytes.
        (Some(Position::None), Some(Position::At(length))) => {
            if length == 0 || size == 0 {
                Part::Nothing
            } else {
                Part::Bytes(size.saturating_sub(length)..size)
            }
        }
        (Some(Position::At(first)), Some(Position::None)) => from_to(first, usize::MAX, size),
        (Some(Position::At(first)), Some(Position::At(last))) if first <= last => from_to(first, last, size),
        _ => Part::Whole,
    }
}

#[derive(Debug, Clone, Copy)]
enum Position {
    None,
    At(usize),
}

/// Digits, or none at all. A number that no size reaches counts as the largest.
fn position(text: &str) -> Option<Position> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Position::None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Position::At(text.parse().unwrap_or(usize::MAX)))
}

fn from_to(first: usize, last: usize, size: usize) -> Part {
    if first >= size { Part::Nothing } else { Part::Bytes(first..last.saturating_add(1).min(size)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_served_and_all_else_is_bounded() {
        let bytes = |range| Part::Bytes(range);
        let rows = [
            ("bytes=0-0", bytes(0..1)),
            ("bytes=0-99", bytes(0..10)),
            ("bytes=3-5", bytes(3..6)),
            ("Bytes = 3 - 5", bytes(3..6)),
            ("bytes=9-", bytes(9..10)),
            ("bytes=-3", bytes(7..10)),
            ("bytes=-99", bytes(0..10)),
            ("bytes=0-18446744073709551616", bytes(0..10)),
            ("bytes=10-", Part::Nothing),
            ("bytes=18446744073709551616-", Part::Nothing),
            ("bytes=-0", Part::Nothing),
            ("bytes=5-3", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=--1", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("", Part::Whole),
        ];
        for (range, expected) in rows {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=0-0", 0), Part::Nothing);
        assert_eq!(part("bytes=-1", 0), Part::Nothing);
    }
}
