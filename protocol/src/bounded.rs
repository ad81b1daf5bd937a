//! Lists, texts and bytes that are refused while they are decoded once they pass their limit.
//!
//! Used as `#[serde(deserialize_with = "bounded::list::<_, _, 64>")]`, so a message that decodes needs no further count.
//! Texts and bytes are asked for as borrowed: the codec then finds them whole in the frame before anything is allocated,
//! where an owned one would be allocated as large as it claims to be.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// A list of at most `N`.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    from.deserialize_seq(List::<T, N>(PhantomData))
}

/// A text of at most `N` bytes.
pub(crate) fn text<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<String, D::Error> {
    from.deserialize_str(Text::<N>)
}

/// A text of at most `N` bytes, or none.
pub(crate) fn optional_text<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Arrived<N>>::deserialize(from)?.map(|text| text.0))
}

/// At most `N` texts, of at most `BYTES` together.
pub(crate) fn texts<'de, D: Deserializer<'de>, const N: usize, const BYTES: usize>(
    from: D,
) -> Result<Vec<String>, D::Error> {
    let texts = list::<D, Arrived<BYTES>, N>(from)?;
    check_sum::<D::Error>(texts.iter().map(|text| text.0.len()), BYTES)?;
    Ok(texts.into_iter().map(|text| text.0).collect())
}

/// At most `N` names with their values, of at most `BYTES` together.
pub(crate) fn pairs<'de, D: Deserializer<'de>, const N: usize, const BYTES: usize>(
    from: D,
) -> Result<Vec<(String, String)>, D::Error> {
    let pairs = list::<D, (Arrived<BYTES>, Arrived<BYTES>), N>(from)?;
    check_sum::<D::Error>(pairs.iter().map(|(name, value)| name.0.len().saturating_add(value.0.len())), BYTES)?;
    Ok(pairs.into_iter().map(|(name, value)| (name.0, value.0)).collect())
}

/// Bytes, at most `N` of them.
pub(crate) fn bytes<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<Vec<u8>, D::Error> {
    from.deserialize_bytes(Bytes::<N>)
}

fn check_sum<E: Error>(sizes: impl Iterator<Item = usize>, most: usize) -> Result<(), E> {
    let sum = sizes.fold(0usize, usize::saturating_add);
    if sum > most { Err(E::custom(format_args!("texts of more than {most} bytes together"))) } else { Ok(()) }
}

/// A text within a list or an option.
struct Arrived<const N: usize>(String);

struct Text<const N: usize>;

struct Bytes<const N: usize>;

struct List<T, const N: usize>(PhantomData<T>);

impl<'de, const N: usize> Deserialize<'de> for Arrived<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text::<D, N>(from).map(Self)
    }
}

impl<const N: usize> Visitor<'_> for Text<N> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text of at most {N} bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        if text.len() > N { Err(E::custom(format_args!("a text of more than {N} bytes"))) } else { Ok(text.to_owned()) }
    }
}

impl<const N: usize> Visitor<'_> for Bytes<N> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {N} bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        if bytes.len() > N { Err(E::custom(format_args!("more than {N} bytes"))) } else { Ok(bytes.to_vec()) }
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for List<T, N> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {N}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
        if from.size_hint().is_some_and(|claimed| claimed > N) {
            return Err(A::Error::custom(format_args!("a list of more than {N}")));
        }
        // Grown by what arrives, not by what was promised; and by half rather than by as much again, since the old list
        // is held beside the new one meanwhile, and an empty text is 24 times as large here as on the wire.
        let mut list = Vec::new();
        while let Some(element) = from.next_element()? {
            if list.len() == N {
                return Err(A::Error::custom(format_args!("a list of more than {N}")));
            }
            if list.len() == list.capacity() {
                list.reserve_exact((list.len() / 2).max(4));
            }
            list.push(element);
        }
        Ok(list)
    }
}
