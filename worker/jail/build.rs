//! Turns `syscalls.json`, the list of permitted system calls, into the table that `syscalls.rs` takes in.
//!
//! The file has the form of seccompiler's, so that other tools read it too; here every entry and every bound must say why
//! it is there, and a name that this machine does not know, or a form that `filter.rs` does not compile, ends the build.

use std::{collections::BTreeMap, env, error::Error, fmt::Write, fs, path::Path};

use serde::Deserialize;

const FILE: &str = "syscalls.json";
/// The part of the file that holds everywhere; the others are named after an architecture.
const EVERYWHERE: &str = "every-architecture";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    mismatch_action: String,
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
    println!("cargo::rerun-if-changed={FILE}");
    let parts: BTreeMap<String, Part> = serde_json::from_str(&fs::read_to_string(FILE)?)?;
    let here = env::var("CARGO_CFG_TARGET_ARCH")?;
    let mut table = String::from("&[\n");
    for name in [EVERYWHERE, &here] {
        let Some(part) = parts.get(name) else { continue };
        if (part.mismatch_action.as_str(), part.match_action.as_str()) != ("kill_process", "allow") {
            return Err(format!("{name}: what is not on the list must be kill_process, what is on it allow").into());
        }
        for call in &part.filter {
            write_call(&mut table, call).map_err(|why| format!("{}: {why}", call.syscall))?;
        }
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("syscalls.rs"), table)?;
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
        ("qword", Comparison::Eq, 0) => "Argument::Zero".to_owned(),
        _ => return Err("no bound of this kind is compiled".to_owned()),
    };
    Ok(format!("({index}, {kind})"))
}
