//! Reads a query: JSON text into conditions on fields. Whatever it does not know it refuses by name: no query is ever
//! narrowed or widened in silence.

use fazt_protocol::op::Refusal;
use serde_json::{Map, Value};

use super::path::{self, Field};
use crate::refusal::invalid;

/// Conditions of one query. SQLite compares each parameter with all before it while it prepares a statement, and nothing
/// interrupts that: 500 conditions on different fields take it 4 to 5 ms, 1,000 take 15, and 2,000 took 50.
const CONDITIONS: usize = 500;
/// As many as one `$in` counts for, with each of its types a parameter, and its elements.
const LIST: usize = 5;
const ELEMENTS: usize = 10_000;
/// Levels of `$and`, `$or` and `$not`. SQLite bounds the depth of an expression; a level of many branches is several
/// there.
const LEVELS: usize = 32;

/// What a document must meet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    /// All of them; every document where there are none.
    And(Vec<Filter>),
    /// One of them; no document where there are none.
    Or(Vec<Filter>),
    /// Not that.
    Not(Box<Filter>),
    /// A condition on one field.
    Test(Field, Test),
}

/// A condition on a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// Equal, of the same type. Null equals missing.
    Equal(Scalar),
    /// One of these.
    In(Vec<Scalar>),
    /// In this order to something of the same type.
    Order(Ordering, Scalar),
    /// Whether it is there, be it null.
    Exists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ordering {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// What documents are compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

/// An id, or a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Which {
    Id(String),
    Query(Filter),
}

/// What a query may still have, counted before anything is made of it.
#[derive(Debug)]
struct Left {
    conditions: usize,
    levels: usize,
}

/// Reads the body of a `find`: a query.
pub(super) fn parse(body: &[u8]) -> Result<Filter, Refusal> {
    match json(body)? {
        Value::Object(fields) => object(&fields),
        other => Err(invalid(format!("query: {} where an object is due", kind(&other)))),
    }
}

/// Reads an id, or a query.
pub(super) fn which(value: &Value) -> Result<Which, Refusal> {
    match value {
        Value::String(id) => Ok(Which::Id(id.clone())),
        Value::Object(fields) => object(fields).map(Which::Query),
        other => Err(invalid(format!("query: {} where an id or an object is due", kind(other)))),
    }
}

/// Reads JSON of an app.
pub(super) fn json(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| invalid(format!("query: not JSON: {error}")))
}

fn object(fields: &Map<String, Value>) -> Result<Filter, Refusal> {
    conditions(fields, &mut Left { conditions: CONDITIONS, levels: LEVELS })
}

fn conditions(fields: &Map<String, Value>, left: &mut Left) -> Result<Filter, Refusal> {
    fields.iter().map(|(name, value)| condition(name, value, left)).collect::<Result<_, _>>().map(Filter::And)
}

fn condition(name: &str, value: &Value, left: &mut Left) -> Result<Filter, Refusal> {
    match name {
        "$and" => left.within(|left| branches(name, value, left)).map(Filter::And),
        "$or" => left.within(|left| branches(name, value, left)).map(Filter::Or),
        "$not" => match value {
            Value::Object(fields) => {
                left.within(|left| conditions(fields, left)).map(|inner| Filter::Not(Box::new(inner)))
            }
            other => Err(invalid(format!("$not: {} where an object is due", kind(other)))),
        },
        _ if name.starts_with('$') => Err(invalid(format!("{name}: no such operator"))),
        _ => tests(name, value, left),
    }
}

fn branches(name: &str, value: &Value, left: &mut Left) -> Result<Vec<Filter>, Refusal> {
    let Value::Array(branches) = value else {
        return Err(invalid(format!("{name}: {} where an array is due", kind(value))));
    };
    let branch = |branch: &Value| match branch {
        Value::Object(fields) => {
            // One without a condition is a condition too.
            left.take(usize::from(fields.is_empty()))?;
            conditions(fields, left)
        }
        other => Err(invalid(format!("{name}: {} where objects are due", kind(other)))),
    };
    branches.iter().map(branch).collect()
}

/// The conditions on one field: a value, or operators.
fn tests(name: &str, value: &Value, left: &mut Left) -> Result<Filter, Refusal> {
    let field = path::parse(name)?;
    let Value::Object(operators) = value else {
        return test(&field, Test::Equal(scalar(name, value)?), left);
    };
    if operators.is_empty() {
        return Err(invalid(format!("{name}: an empty object; name its fields by a dotted path")));
    }
    let one = |(operator, operand): (&String, &Value)| operator_of(name, &field, operator, operand, left);
    operators.iter().map(one).collect::<Result<_, _>>().map(Filter::And)
}

fn operator_of(name: &str, field: &Field, operator: &str, operand: &Value, left: &mut Left) -> Result<Filter, Refusal> {
    let place = format!("{name}: {operator}");
    let not = |filter| Filter::Not(Box::new(filter));
    let order = |ordering| match scalar(&place, operand)? {
        Scalar::Null => Err(invalid(format!("{place}: null has no order"))),
        scalar => Ok(Test::Order(ordering, scalar)),
    };
    let made = match operator {
        "$eq" => Test::Equal(scalar(&place, operand)?),
        "$ne" => return test(field, Test::Equal(scalar(&place, operand)?), left).map(not),
        "$gt" => order(Ordering::Above)?,
        "$gte" => order(Ordering::AtLeast)?,
        "$lt" => order(Ordering::Below)?,
        "$lte" => order(Ordering::AtMost)?,
        "$in" => Test::In(scalars(&place, operand)?),
        "$nin" => return test(field, Test::In(scalars(&place, operand)?), left).map(not),
        "$exists" => match operand {
            Value::Bool(exists) => Test::Exists(*exists),
            other => return Err(invalid(format!("{place}: {} where true or false is due", kind(other)))),
        },
        "$not" => match operand {
            Value::Object(_) => return left.within(|left| tests(name, operand, left)).map(not),
            other => return Err(invalid(format!("{place}: {} where operators are due", kind(other)))),
        },
        _ if operator.starts_with('$') => return Err(invalid(format!("{place}: no such operator"))),
        _ => return Err(invalid(format!("{name}: an object is not compared; name its fields by a dotted path"))),
    };
    test(field, made, left)
}

fn test(field: &Field, test: Test, left: &mut Left) -> Result<Filter, Refusal> {
    left.take(if matches!(test, Test::In(_)) { LIST } else { 1 })?;
    Ok(Filter::Test(field.clone(), test))
}

impl Left {
    fn take(&mut self, conditions: usize) -> Result<(), Refusal> {
        let left = self.conditions.checked_sub(conditions);
        self.conditions = left.ok_or_else(|| {
            let counted = format!("an $in or $nin counts as {LIST}");
            invalid(format!("query: more than {CONDITIONS} conditions ({counted}); ask in several calls, or with $in"))
        })?;
        Ok(())
    }

    /// One level deeper.
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let deeper = self.levels.checked_sub(1);
        self.levels = deeper.ok_or_else(|| {
            invalid(format!("query: $and, $or and $not are nested deeper than {LEVELS} levels; write it flatter"))
        })?;
        let read = read(self);
        self.levels = self.levels.saturating_add(1);
        read
    }
}

fn scalars(place: &str, operand: &Value) -> Result<Vec<Scalar>, Refusal> {
    let Value::Array(elements) = operand else {
        return Err(invalid(format!("{place}: {} where an array is due", kind(operand))));
    };
    if elements.len() > ELEMENTS {
        return Err(invalid(format!("{place}: more than {ELEMENTS} elements")));
    }
    elements.iter().map(|element| scalar(place, element)).collect()
}

fn scalar(place: &str, value: &Value) -> Result<Scalar, Refusal> {
    match value {
        Value::Null => Ok(Scalar::Null),
        Value::Bool(truth) => Ok(Scalar::Bool(*truth)),
        Value::Number(number) => Ok(Scalar::Number(number.as_f64().unwrap_or_default())),
        Value::String(text) => Ok(Scalar::Text(text.clone())),
        other => Err(invalid(format!("{place}: {} where null, a boolean, a number or a string is due", kind(other)))),
    }
}

/// The word for a value's type.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_named() {
        for (query, named) in [
            (r#"{"a":{"$regex":"x"}}"#, "$regex"),
            (r#"{"$where":"1"}"#, "$where"),
            (r#"{"a.$b":1}"#, "a.$b"),
            (r#"{"a":[1]}"#, "a"),
            (r#"{"a":{"b":1}}"#, "a"),
            (r#"{"a":{"$gt":null}}"#, "$gt"),
            (r#"{"a":{"$in":1}}"#, "$in"),
            (r#"{"a":{"$exists":1}}"#, "$exists"),
            (r#"{"$or":{}}"#, "$or"),
            (r#"{"$not":[]}"#, "$not"),
            (r#"[]"#, "query"),
            ("", "query"),
        ] {
            let refusal = parse(query.as_bytes()).unwrap_err();
            assert!(refusal.message.contains(named), "{query}: {}", refusal.message);
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let deep = format!("{}{{}}{}", r#"{"$not":"#.repeat(200), "}".repeat(200));
        assert!(parse(deep.as_bytes()).is_err());
        let branches = |count| format!(r#"{{"$or":[{}]}}"#, vec![r#"{"a":1}"#; count].join(","));
        assert!(parse(branches(CONDITIONS).as_bytes()).is_ok());
        assert!(parse(branches(CONDITIONS + 1).as_bytes()).is_err());
        let lists = |count| format!(r#"{{"$or":[{}]}}"#, vec![r#"{"a":{"$in":[1]}}"#; count].join(","));
        assert!(parse(lists(CONDITIONS / LIST).as_bytes()).is_ok());
        assert!(parse(lists(CONDITIONS / LIST + 1).as_bytes()).is_err());
    }
}
