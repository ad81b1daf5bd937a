//! Conditions into SQL. Nothing of an app's is ever text in it: values, lists and paths are bound parameters.
//!
//! Each condition is true, or else false or NULL; a negation takes NULL for false, so that `$ne` holds for a document
//! without the field. Comparisons look at the JSON type beside the value, since SQLite sorts all numbers before all texts and
//! has no booleans. Branches are joined as a balanced tree: SQLite bounds the depth of an expression.

use rusqlite::types::Value as Bound;

use super::{
    path::{self, Field},
    query::{Filter, Ordering, Scalar, Test},
};
use crate::{connection::GO_ON, refusal::OpError};

/// Conditions on fields from one look at the clock to the next: each takes SQLite half a millisecond and more where a document has
/// a mebibyte. Looking is not free: at every fourth a query of 40 took a third longer.
const CONDITIONS: usize = 16;

/// SQL and what is bound to it, in order.
#[derive(Debug, Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) bound: Vec<Bound>,
    /// Conditions on fields so far.
    pub(super) fields: usize,
}

/// Where a field's value and its JSON type are.
struct Place {
    value: String,
    kind: String,
}

impl Sql {
    /// Binds a value and returns its parameter.
    pub(super) fn bind(&mut self, value: impl Into<Bound>) -> String {
        self.bound.push(value.into());
        format!("?{}", self.bound.len())
    }

    /// Appends a condition.
    pub(super) fn push_filter(&mut self, filter: &Filter) {
        match filter {
            Filter::And(parts) => self.push_tree(parts, " AND ", "1"),
            Filter::Or(parts) => self.push_tree(parts, " OR ", "0"),
            Filter::Not(inner) => {
                self.text.push_str("NOT ifnull(");
                self.push_filter(inner);
                self.text.push_str(", 0)");
            }
            Filter::Test(field, test) => self.push_test(field, test),
        }
    }

    /// Where a field's value is, as a column of a select.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a path that is none.
    pub(super) fn column(&mut self, dotted: &str) -> Result<String, OpError> {
        Ok(self.place(&path::parse(dotted)?).value)
    }

    fn push_tree(&mut self, parts: &[Filter], between: &str, none: &str) {
        match parts {
            [] => self.text.push_str(none),
            [one] => self.push_filter(one),
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                self.text.push('(');
                self.push_tree(left, between, none);
                self.text.push_str(between);
                self.push_tree(right, between, none);
                self.text.push(')');
            }
        }
    }

    fn push_test(&mut self, field: &Field, test: &Test) {
        if *test == Test::In(Vec::new()) {
            // No document; and no parameter may be bound that the text does not name.
            return self.text.push('0');
        }
        let place = self.place(field);
        let sql = match test {
            Test::Equal(scalar) => self.comparison(&place, "=", scalar),
            Test::Order(ordering, scalar) => self.comparison(&place, sign(*ordering), scalar),
            Test::In(scalars) => self.membership(&place, scalars),
            Test::Exists(true) => format!("({} IS NOT NULL)", place.kind),
            Test::Exists(false) => format!("({} IS NULL)", place.kind),
        };
        if matches!(field, Field::Path(_)) {
            self.fields = self.fields.saturating_add(1);
            if self.fields.is_multiple_of(CONDITIONS) {
                return self.text.push_str(&format!("({GO_ON}() AND {sql})"));
            }
        }
        self.text.push_str(&sql);
    }

    fn comparison(&mut self, Place { value, kind }: &Place, sign: &str, scalar: &Scalar) -> String {
        match scalar {
            Scalar::Null => format!("(ifnull({kind}, 'null') = 'null')"),
            Scalar::Bool(truth) => {
                let truth = self.bind(i64::from(*truth));
                format!("({value} {sign} {truth} AND {kind} IN ('true', 'false'))")
            }
            Scalar::Number(number) => {
                let number = self.bind(*number);
                format!("({value} {sign} {number} AND {kind} IN ('integer', 'real'))")
            }
            Scalar::Text(text) => {
                let text = self.bind(text.clone());
                format!("({value} {sign} {text} AND {kind} = 'text')")
            }
        }
    }

    /// Numbers and texts of a list are bound as one JSON array each, however many they are.
    fn membership(&mut self, place: &Place, scalars: &[Scalar]) -> String {
        let Place { value, kind } = place;
        let mut any = vec!["0".to_owned()];
        let numbers: Vec<f64> = scalars.iter().filter_map(Scalar::as_number).collect();
        if !numbers.is_empty() {
            let list = self.bind(serde_json::to_string(&numbers).unwrap_or_default());
            any.push(format!("({value} IN (SELECT value FROM json_each({list})) AND {kind} IN ('integer', 'real'))"));
        }
        let texts: Vec<&str> = scalars.iter().filter_map(Scalar::as_text).collect();
        if !texts.is_empty() {
            let list = self.bind(serde_json::to_string(&texts).unwrap_or_default());
            any.push(format!("({value} IN (SELECT value FROM json_each({list})) AND {kind} = 'text')"));
        }
        for scalar in [Scalar::Null, Scalar::Bool(true), Scalar::Bool(false)] {
            if scalars.contains(&scalar) {
                any.push(self.comparison(place, "=", &scalar));
            }
        }
        format!("({})", any.join(" OR "))
    }

    fn place(&mut self, field: &Field) -> Place {
        let column = |value: &str, kind: &str| Place { value: value.to_owned(), kind: kind.to_owned() };
        match field {
            Field::Id => column("name", "'text'"),
            Field::CreatedAt => column("created_at", "'integer'"),
            Field::UpdatedAt => column("updated_at", "'integer'"),
            Field::Path(path) => {
                let path = self.bind(path.text.clone());
                Place { value: format!("json_extract(body, {path})"), kind: format!("json_type(body, {path})") }
            }
        }
    }
}

impl Scalar {
    fn as_number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

fn sign(ordering: Ordering) -> &'static str {
    match ordering {
        Ordering::Above => ">",
        Ordering::AtLeast => ">=",
        Ordering::Below => "<",
        Ordering::AtMost => "<=",
    }
}
