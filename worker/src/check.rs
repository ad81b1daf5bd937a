//! `--check-jail`: tries the jail and prints the table of layers, one JSON line each, and then what kind of jail they make, for
//! the router and for people.
//!
//! Tries everything, but where the sandbox is off: what is missing is a line, not an error. The process that runs this has
//! no other use, since it ends up in the nest itself.

use fazt_jail::{JailError, Layer, LayerReport, Nest, Strictness, in_force, landlock_gap, probe, start_again_inside};
use fazt_protocol::spawn::Role;
use serde_json::json;

use crate::flags::{Flags, NESTED};

/// Returns the exit status: 0 where every layer is there that this user can have, else 1.
///
/// # Errors
/// Where not even a throwaway child can be made.
pub fn run(flags: &Flags) -> Result<i32, JailError> {
    let strictness = match flags.sandbox {
        Strictness::Off => Strictness::Off,
        Strictness::Strict | Strictness::BestEffort => Strictness::BestEffort,
    };
    let Some(arrival) = flags.arrival else { match start_again_inside(strictness, NESTED)? {} };
    let nest = Nest::settle(strictness, arrival)?;
    let reports = probe(&nest, flags.limits(Role::Worker))?;
    reports.iter().for_each(|report| println!("{}", line(report)));
    println!("{}", json!({ "tier": in_force(&reports).tier() }));
    let complete = reports.iter().all(LayerReport::is_enough);
    Ok(i32::from(!complete))
}

/// `{"layer":"seccomp","bit":17,"inForce":true,"enough":true,"forRootAlone":false,"reason":null,"note":null,"advice":null}`
fn line(report: &LayerReport) -> serde_json::Value {
    let note = landlock_gap().filter(|_| report.layer == Layer::Landlock && report.missing.is_none());
    json!({
        "layer": report.layer.name(),
        "bit": report.layer as u8,
        "inForce": report.missing.is_none(),
        "enough": report.is_enough(),
        "forRootAlone": report.layer.is_for_root_alone(),
        "reason": report.missing.map(|reason| reason.to_string()),
        "note": note,
        "advice": report.advice(),
    })
}
