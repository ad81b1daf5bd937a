//! What a slow query looked like: its fields and operators, never its values.

use fazt_protocol::op::Op;
use serde_json::Value;

/// The longest shape in a log line.
const MOST: usize = 300;
/// A body beyond this is not parsed for a log line.
const PARSED: usize = 64 * 1024;

/// The shape of an op: for documents the collection and the query, else nothing.
pub(crate) fn shape(op: &Op, body: &[u8]) -> String {
    let Op::Ds(op) = op else { return String::new() };
    let mut out = op.collection.clone();
    out.push(' ');
    match serde_json::from_slice(body.get(..body.len().min(PARSED)).unwrap_or_default()) {
        Ok(value) => push(&value, &mut out),
        Err(_long_or_malformed) => out.push('…'),
    }
    if out.len() > MOST {
        let cut = (0..=MOST).rev().find(|at| out.is_char_boundary(*at)).unwrap_or_default();
        out.truncate(cut);
        out.push('…');
    }
    out
}

fn push(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            out.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                if out.len() > MOST {
                    break;
                }
                out.push_str(name);
                out.push_str(": ");
                push(value, out);
            }
            out.push('}');
        }
        Value::Array(elements) => match elements.first() {
            Some(first) => {
                out.push('[');
                push(first, out);
                out.push_str(&format!(" ×{}]", elements.len()));
            }
            None => out.push_str("[]"),
        },
        _ => out.push('?'),
    }
}

#[cfg(test)]
mod tests {
    use fazt_protocol::op::ds::{Op as DsOp, Verb};

    use super::*;

    #[test]
    fn a_shape_has_no_values() {
        let op = Op::Ds(DsOp { collection: "tasks".to_owned(), verb: Verb::Count });
        let body = br#"{"name":"secret","age":{"$gt":7},"$or":[{"a":1},{"a":2}]}"#;
        assert_eq!(shape(&op, body), "tasks {name: ?, age: {$gt: ?}, $or: [{a: ?} ×2]}");
    }
}
