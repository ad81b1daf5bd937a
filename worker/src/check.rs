//! `--check-jail`: tries the jail and prints the table of layers, one JSON line each, for the router and for people.
//!
//! Always tries everything, however strict the farm is to be: what is missing is a line, not an error. The process that
//! runs this has no other use, since it ends up in the nest itself.

use fazt_jail::{JailError, LayerReport, Nest, Strictness, probe, start_again_inside};
use fazt_protocol::spawn::Role;
use serde_json::json;

use crate::flags::{Flags, NESTED};

/// Returns the exit status: 0 where every layer is there that this user can have, else 1.
///
/// # Errors
/// Where not even a throwaway child can be made.
pub fn run(flags: &Flags) -> Result<i32, JailError> {
    let Some(arrival) = flags.arrival else { match start_again_inside(Strictness::BestEffort, NESTED)? {} };
    let nest = Nest::settle(Strictness::BestEffort, arrival)?;
    let reports = probe(&nest, flags.limits(Role::Worker))?;
    reports.iter().for_each(|report| println!("{}", line(report)));
    let complete = reports.iter().all(LayerReport::is_enough);
    Ok(i32::from(!complete))
}

/// `{"layer":"seccomp","bit":17,"inForce":true,"forRootAlone":false,"reason":null,"advice":null}`
fn line(report: &LayerReport) -> serde_json::Value {
    json!({
        "layer": report.layer.name(),
        "bit": report.layer as u8,
        "inForce": report.missing.is_none(),
        "forRootAlone": report.layer.is_for_root_alone(),
        "reason": report.missing.map(|reason| reason.to_string()),
        "advice": report.advice(),
    })
}
