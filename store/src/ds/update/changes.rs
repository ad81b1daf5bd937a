//! Reads what an update changes: plain fields, `$set`, `$unset` and `$inc`.

use std::collections::HashSet;

use fazt_protocol::op::Refusal;
use serde_json::Value;

use super::edit::{Change, Node};
use crate::{
    ds::{
        document::{COLUMNS, Fields},
        path::{self, Field, Path},
    },
    json,
    refusal::invalid,
};

/// Fields that one update may name.
const MOST: usize = 2_000;
/// Names in one field's path, and in all paths of one update.
const DEEPEST: usize = 64;
const NAMES: usize = 10_000;

/// Reads the changes of one update; where it names its document by an id, that one.
pub(super) fn read(text: &str, id: Option<&str>) -> Result<Node, Refusal> {
    let mut named = Named::default();
    for (name, value) in &fields("changes", text)?.0 {
        match name.as_str() {
            "$set" => set_all(value.get(), &mut named)?,
            "$unset" => remove_all(value.get(), &mut named)?,
            "$inc" => add_all(value.get(), &mut named)?,
            _ if name.starts_with('$') => return Err(invalid(format!("{name}: no such operator"))),
            // A document that was found may be given back whole.
            "_createdAt" | "_updatedAt" => {}
            "id" if is_same_id(value.get(), id) => {}
            _ => named.add("changes", name, Change::Set(json::without_space(value.get())))?,
        }
    }
    Ok(named.root)
}

/// What has been named so far.
#[derive(Debug, Default)]
struct Named {
    root: Node,
    paths: HashSet<String>,
    names: usize,
}

impl Named {
    /// Adds a change to a field, counted before anything of it is made.
    fn add(&mut self, place: &str, name: &str, change: Change) -> Result<(), Refusal> {
        if self.paths.len() >= MOST {
            return Err(invalid(format!("changes: more than {MOST} fields in one update; make it several")));
        }
        let Path { text, names } = path_of(place, name)?;
        if names.len() > DEEPEST {
            return Err(invalid(format!("{place}: {name}: a path of more than {DEEPEST} names; keep it flatter")));
        }
        self.names = self.names.saturating_add(names.len());
        if self.names > NAMES {
            return Err(invalid(format!("changes: the paths have more than {NAMES} names; make it several updates")));
        }
        if !self.paths.insert(text) {
            return Err(invalid(format!("changes: {name} is named twice")));
        }
        self.root.add(&names, change);
        Ok(())
    }
}

fn set_all(text: &str, named: &mut Named) -> Result<(), Refusal> {
    for (name, value) in fields("$set", text)?.0 {
        named.add("$set", &name, Change::Set(json::without_space(value.get())))?;
    }
    Ok(())
}

fn remove_all(text: &str, named: &mut Named) -> Result<(), Refusal> {
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
        named.add("$unset", &name, Change::Remove)?;
    }
    Ok(())
}

fn add_all(text: &str, named: &mut Named) -> Result<(), Refusal> {
    for (name, value) in fields("$inc", text)?.0 {
        let by = serde_json::from_str::<f64>(value.get()).ok().filter(|by| by.is_finite());
        let by = by.ok_or_else(|| invalid(format!("$inc: {name}: a number is due")))?;
        named.add("$inc", &name, Change::Add(by))?;
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

fn is_same_id(text: &str, id: Option<&str>) -> bool {
    id.is_some_and(|id| serde_json::from_str::<String>(text).is_ok_and(|given| given == id))
}
