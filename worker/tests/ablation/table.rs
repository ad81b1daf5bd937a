//! The measured tables, as they stand in docs/sandbox.md.

use std::fmt::Write;

use fazt_jail::{Layer, Layers};

use crate::{
    judge::{attainable, rows, runs},
    users::As,
};

/// What stops each attempt, in markdown: the same whoever tries.
pub(crate) fn of_attempts() -> String {
    let mut text = String::from("| attempt | stopped by any one of |\n| --- | --- |\n");
    for (name, stopped_by) in rows() {
        writeln!(text, "| {name} | {} |", list(stopped_by.iter().map(|layer| layer.name()))).unwrap();
    }
    text
}

/// What gets through without each layer that such a user can have, in markdown.
pub(crate) fn of_layers(user: As) -> String {
    let mut text =
        String::from("| without | also missing then | gets through, all others in force | stood behind, in |\n");
    text.push_str("| --- | --- | --- | --- |\n");
    for layer in attainable(user).iter() {
        let run = runs(user).iter().find(|run| run.left_out == Layers::NONE.with(layer)).unwrap();
        let fallen = attainable(user).iter().filter(|other| *other != layer && !run.layers.contains(*other));
        let through = rows().filter(|(name, _)| run.through.contains(*name)).map(|(name, _)| name);
        let behind = rows().filter(|(_, stopped_by)| {
            let there = stopped_by.iter().filter(|other| attainable(user).contains(**other));
            stopped_by.contains(&layer) && there.count() > 1
        });
        writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            layer.name(),
            list(fallen.map(Layer::name)),
            list(through),
            behind.count()
        )
        .unwrap();
    }
    text
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "–".to_owned() } else { names.join("; ") }
}
