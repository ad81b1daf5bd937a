//! Which encoding of a content a client gets: weighted lists of HTTP (RFC 9110, 12.4.2 and 12.5.3), and a choice by them.

use fazt_protocol::{builder::Encoding, registry::ContentEntry};

/// Entries of a list that are looked at.
const ENTRIES: usize = 64;

/// The names of a weighted list, parameters but `q` left out, with weights in thousandths. A broken weight counts as none.
pub(super) fn weighted(list: &str) -> impl Iterator<Item = (&str, u16)> {
    list.split(',')
        .take(ENTRIES)
        .filter_map(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let name = parts.next().filter(|name| !name.is_empty())?;
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            Some((name, weight.map_or(1_000, thousandths)))
        })
        .map(|(name, weight)| (canonical(name), weight))
}

/// The content for a client that sent that `Accept-Encoding`: the one it likes best, and of those the smallest. The identity
/// is served where nothing else will do, even to who refuses it: an answer is better than none.
pub(super) fn choose<'a>(accept: Option<&str>, contents: &'a [ContentEntry]) -> Option<&'a ContentEntry> {
    let identity = contents.first();
    let Some(accept) = accept else { return identity };
    let weight = |content: &ContentEntry| {
        let named = |name: &str| weighted(accept).find(|(listed, _)| *listed == name).map(|(_, weight)| weight);
        let word = content.encoding.word();
        match named(word).or_else(|| named("*")) {
            Some(weight) => weight,
            None if content.encoding == Encoding::Identity => 1,
            None => 0,
        }
    };
    let liked = contents.iter().map(|content| (weight(content), content)).filter(|(weight, _)| *weight > 0);
    liked
        .max_by_key(|(weight, content)| (*weight, std::cmp::Reverse(content.size)))
        .map(|(_, content)| content)
        .or(identity)
}

fn thousandths(weight: &str) -> u16 {
    let weight: f32 = weight.trim().parse().unwrap_or(0.0);
    // A float to integer cast saturates, and NaN becomes zero.
    (weight.clamp(0.0, 1.0) * 1_000.0) as u16
}

/// Names are compared without case; the few that matter are few.
fn canonical(name: &str) -> &str {
    let known = ["br", "zstd", "gzip", "identity", "*", "text/html", "application/json", "application/problem+json"];
    // The old name of gzip is still sent by some.
    if name.eq_ignore_ascii_case("x-gzip") {
        return "gzip";
    }
    known.into_iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_and_then_the_smallest_is_served() {
        let content = |encoding, size| ContentEntry { encoding, hash: [0; 32], size };
        let contents = [
            content(Encoding::Identity, 100),
            content(Encoding::Gzip, 40),
            content(Encoding::Brotli, 30),
            content(Encoding::Zstd, 35),
        ];
        let rows = [
            (None, Encoding::Identity),
            (Some(""), Encoding::Identity),
            (Some("gzip, deflate, br, zstd"), Encoding::Brotli),
            (Some("gzip, deflate"), Encoding::Gzip),
            (Some("GZIP"), Encoding::Gzip),
            (Some("x-gzip"), Encoding::Gzip),
            (Some("br;q=0.5, zstd;q=0.8"), Encoding::Zstd),
            (Some("br;q=0, gzip;q=0.001"), Encoding::Gzip),
            (Some("*"), Encoding::Brotli),
            (Some("*;q=0.5, br;q=0"), Encoding::Zstd),
            (Some("identity, gzip;q=0.5"), Encoding::Identity),
            (Some("identity;q=0, *;q=0"), Encoding::Identity),
            (Some("gzip;q=nonsense"), Encoding::Identity),
            (Some("gzip;q=NaN"), Encoding::Identity),
            (Some("deflate"), Encoding::Identity),
        ];
        for (accept, encoding) in rows {
            assert_eq!(choose(accept, &contents).unwrap().encoding, encoding, "{accept:?}");
        }
        assert!(choose(Some("br"), &[]).is_none());
    }
}
