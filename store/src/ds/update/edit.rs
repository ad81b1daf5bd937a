//! A document's text with changes in it, made in one pass over the old one, however many they are. What no change names
//! is kept as it was written, to the last digit of a number.
//!
//! SQLite's own functions would walk the document once for each change. Sums are JavaScript's doubles.

use std::collections::{HashMap, HashSet};

use fazt_protocol::op::Refusal;

use crate::{
    json::{self, string_end, value_end},
    refusal::invalid,
};

/// What becomes of one place.
#[derive(Debug)]
pub(super) enum Change {
    /// This JSON text, without space.
    Set(String),
    /// Nothing.
    Remove,
    /// A number more.
    Add(f64),
}

/// What becomes of one place of a document, and then of what lies in it.
#[derive(Debug, Default)]
pub(in crate::ds) struct Node {
    own: Option<Change>,
    within: HashMap<String, Node>,
    /// Among its siblings: what is new comes in the order in which it was named.
    order: usize,
    /// Whether anything within it is set: it must be an object then, or not there.
    sets: bool,
}

/// The changes of one document on their way into its text.
struct Edit<'t, 'n> {
    old: &'t str,
    out: String,
    /// The names on the way to the place in hand, for errors.
    way: Vec<&'n str>,
}

impl Node {
    /// Adds a change, to be applied after those that were added before.
    pub(super) fn add(&mut self, names: &[String], change: Change) {
        let Some((name, rest)) = names.split_first() else {
            // Whatever was to become of its inside is of no more consequence.
            *self = Self { own: Some(change), order: self.order, ..Self::default() };
            return;
        };
        self.sets |= !matches!(change, Change::Remove);
        let order = self.within.len();
        let new = || Self { order, ..Self::default() };
        self.within.entry(name.clone()).or_insert_with(new).add(rest, change);
    }

    /// The text of an object with the changes in it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` where something is to be set in what is no object, or added to what is no number.
    pub(super) fn apply(&self, old: &str) -> Result<String, Refusal> {
        let mut edit = Edit { old, out: String::with_capacity(old.len()), way: Vec::new() };
        edit.object(self, 0)?;
        Ok(edit.out)
    }
}

impl<'t, 'n> Edit<'t, 'n> {
    /// The object at `at`, changed; returns where the old one ended.
    fn object(&mut self, node: &'n Node, at: usize) -> Result<usize, Refusal> {
        let (mut at, mut met) = (after(at), HashSet::new());
        self.out.push('{');
        let begun = self.out.len();
        while self.byte(at) != Some(b'}') {
            let colon = string_end(self.old.as_bytes(), at).ok_or_else(unreadable)?;
            let (name, value) = (self.slice(at, colon)?, after(colon));
            // A name that is no text (half a surrogate) is none that a change could name.
            let known = serde_json::from_str::<String>(name).ok().and_then(|name| node.within.get_key_value(&name));
            at = match known.filter(|(name, _)| met.insert(name.as_str())) {
                Some((dotted, child)) => self.member(begun, (name, dotted), child, Some(value))?,
                None => {
                    let end = self.end(value)?;
                    self.separate(begun);
                    let kept = self.slice(at, end)?;
                    self.out.push_str(kept);
                    end
                }
            };
            if self.byte(at) == Some(b',') {
                at = after(at);
            }
        }
        let mut new: Vec<_> = node.within.iter().filter(|(name, _)| !met.contains(name.as_str())).collect();
        new.sort_by_key(|(_, child)| child.order);
        for (name, child) in new {
            let quoted = serde_json::to_string(name).unwrap_or_default();
            self.member(begun, (&quoted, name), child, None)?;
        }
        self.out.push('}');
        Ok(after(at))
    }

    /// One member of an object, old or new, changed; returns where the old value ended.
    fn member(
        &mut self,
        begun: usize,
        (quoted, name): (&str, &'n str),
        node: &'n Node,
        old: Option<usize>,
    ) -> Result<usize, Refusal> {
        let before = self.out.len();
        self.separate(begun);
        self.out.push_str(quoted);
        self.out.push(':');
        self.way.push(name);
        let (end, is_there) = self.value(node, old)?;
        self.way.pop();
        if !is_there {
            self.out.truncate(before);
        }
        Ok(end)
    }

    /// A value, changed; returns where the old one ended, and whether there is a new one.
    fn value(&mut self, node: &'n Node, old: Option<usize>) -> Result<(usize, bool), Refusal> {
        let end = |edit: &Self| old.map_or(Ok(0), |at| edit.end(at));
        match (&node.own, old) {
            (None, Some(at)) if self.byte(at) == Some(b'{') => Ok((self.object(node, at)?, true)),
            (None, Some(at)) => {
                let end = self.end(at)?;
                let kept = self.slice(at, end)?;
                self.within(node, kept)?;
                Ok((end, true))
            }
            (None, None) | (Some(Change::Remove), _) => {
                if node.sets {
                    self.within(node, "{}")?;
                }
                Ok((end(self)?, node.sets))
            }
            (Some(Change::Set(text)), _) => {
                self.within(node, text)?;
                Ok((end(self)?, true))
            }
            (Some(Change::Add(by)), _) => {
                let end = end(self)?;
                let number = self.sum(old.map(|at| self.slice(at, end)).transpose()?, *by)?;
                self.within(node, &number)?;
                Ok((end, true))
            }
        }
    }

    /// A text that takes the old one's place, with what is changed within it.
    fn within(&mut self, node: &'n Node, text: &str) -> Result<(), Refusal> {
        if node.within.is_empty() {
            self.out.push_str(text);
        } else if text.starts_with('{') {
            let (out, way) = (std::mem::take(&mut self.out), std::mem::take(&mut self.way));
            let mut inner = Edit { old: text, out, way };
            inner.object(node, 0)?;
            (self.out, self.way) = (inner.out, inner.way);
        } else if node.sets {
            return Err(invalid(format!("changes: {} is not an object, nothing can be set in it", self.way.join("."))));
        } else {
            self.out.push_str(text);
        }
        Ok(())
    }

    fn sum(&self, old: Option<&str>, by: f64) -> Result<String, Refusal> {
        let refused = |why: &str| invalid(format!("$inc: {} {why}", self.way.join(".")));
        let old = match old.map(|old| (old, old.as_bytes().first())) {
            None => 0.0,
            Some((_, Some(b'"'))) => return Err(refused("is a string, not a number")),
            Some((_, Some(b't' | b'f'))) => return Err(refused("is a boolean, not a number")),
            Some((_, Some(b'n'))) => return Err(refused("is null, not a number")),
            Some((_, Some(b'['))) => return Err(refused("is an array, not a number")),
            Some((_, Some(b'{'))) => return Err(refused("is an object, not a number")),
            Some((number, _)) => number.parse().map_err(|_malformed| unreadable())?,
        };
        let sum = old + by;
        if sum.is_finite() { Ok(json::number(sum)) } else { Err(refused("plus that is not a finite number")) }
    }

    /// A comma, unless nothing is in the object that began there.
    fn separate(&mut self, begun: usize) {
        if self.out.len() > begun {
            self.out.push(',');
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.old.as_bytes().get(at).copied()
    }

    fn end(&self, at: usize) -> Result<usize, Refusal> {
        value_end(self.old.as_bytes(), at).ok_or_else(unreadable)
    }

    fn slice(&self, from: usize, to: usize) -> Result<&'t str, Refusal> {
        self.old.get(from..to).ok_or_else(unreadable)
    }
}

fn after(at: usize) -> usize {
    at.saturating_add(1)
}

fn unreadable() -> Refusal {
    invalid("doc: JSON that the store cannot read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(changes: &[(&str, Change)]) -> Node {
        let mut root = Node::default();
        for (path, change) in changes {
            let names: Vec<String> = path.split('.').map(str::to_owned).collect();
            let change = match change {
                Change::Set(text) => Change::Set(text.clone()),
                Change::Remove => Change::Remove,
                Change::Add(by) => Change::Add(*by),
            };
            root.add(&names, change);
        }
        root
    }

    fn set(text: &str) -> Change {
        Change::Set(text.to_owned())
    }

    const OLD: &str = r#"{"a":1.50,"o":{"x":1,"y":[2]},"s":"}\",","\u0061b":1,"t":true,"\ud800":0}"#;

    #[test]
    fn what_is_not_named_is_kept_as_it_was_written() {
        for (changes, new) in [
            (vec![], OLD.to_owned()),
            (vec![("a", set("2")), ("o.y", set("{}"))], OLD.replace("1.50", "2").replace("[2]", "{}")),
            (vec![("ab", Change::Add(1.0))], OLD.replace(r#"b":1"#, r#"b":2"#)),
            (vec![("o", Change::Remove)], OLD.replace(r#""o":{"x":1,"y":[2]},"#, "")),
            (vec![("a", Change::Remove)], OLD.replace(r#""a":1.50,"#, "")),
            (vec![("none.x", Change::Remove), ("t.x", Change::Remove), ("o.y.z", Change::Remove)], OLD.to_owned()),
            (vec![("o.x", Change::Remove), ("o.y", Change::Remove)], OLD.replace(r#""x":1,"y":[2]"#, "")),
        ] {
            assert_eq!(node(&changes).apply(OLD).unwrap(), new, "{changes:?}");
        }
    }

    #[test]
    fn changes_follow_one_another_in_the_order_of_their_naming() {
        for (old, changes, new) in [
            (
                "{}",
                vec![("z", set("1")), ("b.c.d", set("2")), ("b.a", Change::Add(3.0))],
                r#"{"z":1,"b":{"c":{"d":2},"a":3}}"#,
            ),
            (r#"{"a":1}"#, vec![("a", set(r#"{"x":1}"#)), ("a.y", set("2"))], r#"{"a":{"x":1,"y":2}}"#),
            (r#"{"a":{"x":1}}"#, vec![("a.y", set("2")), ("a", set("3"))], r#"{"a":3}"#),
            (r#"{"a":{"x":1}}"#, vec![("a", Change::Remove), ("a.y", set("2"))], r#"{"a":{"y":2}}"#),
            (r#"{"a":{"x":1}}"#, vec![("a.y", set("2")), ("a", Change::Remove)], "{}"),
            (r#"{"a":1,"a":2}"#, vec![("a", set("3"))], r#"{"a":3,"a":2}"#),
        ] {
            assert_eq!(node(&changes).apply(old).unwrap(), new, "{changes:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (changes, named) in [
            (vec![("a.x", set("1"))], "a is not an object"),
            (vec![("o.y.z.w", set("1"))], "o.y is not an object"),
            (vec![("a", set("1")), ("a.x", set("1"))], "a is not an object"),
            (vec![("s", Change::Add(1.0))], "s is a string"),
            (vec![("o.y", Change::Add(1.0))], "o.y is an array"),
            (vec![("a", Change::Add(f64::MAX)), ("o.x", Change::Add(f64::INFINITY))], "o.x plus"),
        ] {
            let refused = node(&changes).apply(OLD).unwrap_err();
            assert!(refused.message.contains(named), "{}", refused.message);
        }
        for broken in ["", "{", r#"{"a""#, r#"{"a":"#, r#"{"a":[}"#, "{,}"] {
            assert!(node(&[("a", set("1"))]).apply(broken).is_err(), "{broken}");
        }
    }
}
