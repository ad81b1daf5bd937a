//! Reads what an update changes: plain fields, `$set`, `$unset` and `$inc`; and makes the one statement that applies it.

use std::collections::HashSet;

use fazt_protocol::op::Refusal;
use serde_json::Value;

use crate::{
    ds::{
        document::{COLUMNS, Fields},
        path::{self, Field, Path},
        query::Which,
    },
    refusal::invalid,
};

/// Fields that one update may name.
const MOST: usize = 2_000;
/// Pairs of path and value in one call of SQLite's `jsonb_set`.
const PAIRS: usize = 100;

/// One field's change, by the name that the app gave.
#[derive(Debug)]
pub(super) enum Change {
    /// To this JSON text.
    Set(String, Path, String),
    /// Removed.
    Remove(String, Path),
    /// A number more.
    Add(String, Path, f64),
}

#[derive(Debug)]
pub(super) struct Changes(pub(super) Vec<Change>);

impl Changes {
    pub(super) fn read(text: &str, which: &Which) -> Result<Self, Refusal> {
        let fields = fields("changes", text)?;
        let mut changes = Vec::new();
        for (name, value) in &fields.0 {
            match name.as_str() {
                "$set" => set_all(value.get(), &mut changes)?,
                "$unset" => remove_all(value.get(), &mut changes)?,
                "$inc" => add_all(value.get(), &mut changes)?,
                _ if name.starts_with('$') => return Err(invalid(format!("{name}: no such operator"))),
                // A document that was found may be given back whole.
                "_createdAt" | "_updatedAt" => {}
                "id" if is_same_id(value.get(), which) => {}
                _ => changes.push(Change::Set(name.clone(), path_of("changes", name)?, value.get().to_owned())),
            }
        }
        if changes.len() > MOST {
            return Err(invalid(format!("changes: more than {MOST} fields")));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = changes.iter().find(|change| !seen.insert(change.path().text.as_str())) {
            return Err(invalid(format!("changes: {} is named twice", twice.name())));
        }
        Ok(Self(changes))
    }

    /// The paths that must be objects, or not there.
    pub(super) fn parents(&self) -> impl Iterator<Item = &str> {
        let within = |change: &&Change| !matches!(change, Change::Remove(..));
        self.0.iter().filter(within).flat_map(|change| &change.path().parents).map(String::as_str)
    }

    /// Selects id, bytes, the document before and after, and which parent is no object: its place from 1, or 0.
    /// Parameters: the row, then path and value of each change (a removal has no value), then the parents.
    pub(super) fn select(&self) -> String {
        let mut after = "body".to_owned();
        let mut number = 1;
        let mut next = || {
            number += 1;
            format!("?{number}")
        };
        let mut pairs = 0;
        for change in &self.0 {
            if let Change::Remove(..) = change {
                after = format!("jsonb_remove({after}, {})", next());
                pairs = 0;
                continue;
            }
            let pair = format!(", {}, jsonb({}))", next(), next());
            if pairs == 0 || pairs == PAIRS {
                after = format!("jsonb_set({after}{pair}");
                pairs = 1;
            } else {
                after.truncate(after.len().saturating_sub(1));
                after.push_str(&pair);
                pairs += 1;
            }
        }
        let wrong: Vec<String> = self
            .parents()
            .zip(1..)
            .map(|(_, at)| format!("WHEN ifnull(json_type(body, {}), 'object') <> 'object' THEN {at}", next()))
            .collect();
        let wrong = if wrong.is_empty() { "0".to_owned() } else { format!("CASE {} ELSE 0 END", wrong.join(" ")) };
        format!("SELECT name, bytes, json(body), json({after}), {wrong} FROM document WHERE id = ?1")
    }
}

impl Change {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Set(_, path, _) | Self::Remove(_, path) | Self::Add(_, path, _) => path,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Set(name, ..) | Self::Remove(name, _) | Self::Add(name, ..) => name,
        }
    }
}

fn set_all(text: &str, changes: &mut Vec<Change>) -> Result<(), Refusal> {
    for (name, value) in fields("$set", text)?.0 {
        let path = path_of("$set", &name)?;
        changes.push(Change::Set(name, path, value.get().to_owned()));
    }
    Ok(())
}

fn remove_all(text: &str, changes: &mut Vec<Change>) -> Result<(), Refusal> {
    let names = match serde_json::from_str(text) {
        Ok(Value::Array(names)) => names
            .into_iter()
            .map(|name| match name {
                Value::String(name) => Ok(name),
                _ => Err(invalid("$unset: an array of names, or an object, is due")),
            })
            .collect::<Result<Vec<_>, _>>()?,
        _ => fields("$unset", text)?.0.into_iter().map(|(name, _)| name).collect(),
    };
    for name in names {
        let path = path_of("$unset", &name)?;
        changes.push(Change::Remove(name, path));
    }
    Ok(())
}

fn add_all(text: &str, changes: &mut Vec<Change>) -> Result<(), Refusal> {
    for (name, value) in fields("$inc", text)?.0 {
        let path = path_of("$inc", &name)?;
        let by = serde_json::from_str::<f64>(value.get()).ok().filter(|by| by.is_finite());
        let by = by.ok_or_else(|| invalid(format!("$inc: {name}: a number is due")))?;
        changes.push(Change::Add(name, path, by));
    }
    Ok(())
}

fn fields<'a>(place: &str, text: &'a str) -> Result<Fields<'a>, Refusal> {
    serde_json::from_str(text).map_err(|error| invalid(format!("{place}: {error}")))
}

fn path_of(place: &str, name: &str) -> Result<Path, Refusal> {
    match path::parse(name)? {
        Field::Path(path) => Ok(path),
        Field::Id | Field::CreatedAt | Field::UpdatedAt => {
            Err(invalid(format!("{place}: {} are the store's own, {name} cannot be changed", COLUMNS.join(", "))))
        }
    }
}

fn is_same_id(text: &str, which: &Which) -> bool {
    let Which::Id(id) = which else { return false };
    serde_json::from_str::<String>(text).is_ok_and(|given| given == *id)
}
