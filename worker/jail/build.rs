//! Turns `syscalls.json` and `store-syscalls.json`, the lists of permitted system calls, into the tables that `syscalls.rs`
//! takes in.
//!
//! The files have the form of seccompiler's, so that other tools read it too; here every entry and every bound must say why
//! it is there, and a name that this machine does not know, or a form that `filter.rs` does not compile, ends the build.

use std::{collections::BTreeMap, env, error::Error, fmt::Write, fs, path::Path};

use serde::Deserialize;

/// Each list, and what becomes of a call that is not on it.
const LISTS: [(&str, &str); 2] = [("syscalls", "\"kill_process\""), ("store-syscalls", "{\"errno\":1}")];
/// The part of the file that holds everywhere; the others are named after an architecture.
const EVERYWHERE: &str = "every-architecture";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    mismatch_action: serde_json::Value,
    match_action: String,
    filter: Vec<Call>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    syscall: String,
    comment: String,
    #[serde(default)]
    args: Vec<Bound>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    index: u8,
    #[serde(rename = "type")]
    width: String,
    op: Comparison,
    val: u32,
    comment: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Comparison {
    Eq,
    MaskedEq(u32),
}

fn main() -> Result<(), Box<dyn Error>> {
    LISTS.iter().try_for_each(|(name, otherwise)| write_list(name, otherwise))
}

fn write_list(list: &str, otherwise: &str) -> Result<(), Box<dyn Error>> {
    let file = format!("{list}.json");
    let otherwise: serde_json::Value = serde_json::from_str(otherwise)?;
    println!("cargo::rerun-if-changed={file}");
    let parts: BTreeMap<String, Part> = serde_json::from_str(&fs::read_to_string(file)?)?;
    let here = env::var("CARGO_CFG_TARGET_ARCH")?;
    let mut table = String::from("&[\n");
    for name in [EVERYWHERE, &here] {
        let Some(part) = parts.get(name) else { continue };
        if part.mismatch_action != otherwise || part.match_action != "allow" {
            return Err(format!("{list}, {name}: what is not on it must be {otherwise}, what is on it allow").into());
        }
        for call in &part.filter {
            write_call(&mut table, call).map_err(|why| format!("{list}, {}: {why}", call.syscall))?;
        }
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join(format!("{list}.rs")), table)?;
    Ok(())
}

fn write_call(table: &mut String, call: &Call) -> Result<(), Box<dyn Error>> {
    let Call { syscall: name, comment, args } = call;
    if comment.is_empty() || args.iter().any(|bound| bound.comment.is_empty()) {
        return Err("it does not say why".into());
    }
    let bounds = args.iter().map(bound).collect::<Result<Vec<_>, _>>()?.join(", ");
    writeln!(table, "Allowed {{ name: {name:?}, number: libc::SYS_{name}, only: &[{bounds}], reason: {comment:?} }},")?;
    Ok(())
}

fn bound(bound: &Bound) -> Result<String, String> {
    let Bound { index, width, op, val, .. } = bound;
    let kind = match (width.as_str(), op, val) {
        _ if *index > 5 => return Err("a call has six arguments".to_owned()),
        ("dword", Comparison::Eq, _) => format!("Argument::Is({val})"),
        ("dword", Comparison::MaskedEq(mask), _) => format!("Argument::Masked({mask}, {val})"),
        ("qword", Comparison::Eq, _) => format!("Argument::Whole({val})"),
        _ => return Err("no bound of this kind is compiled".to_owned()),
    };
    Ok(format!("({index}, {kind})"))
}
