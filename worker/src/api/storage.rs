//! What the storage leaves share: sizes checked, the store asked, its answer made a value, its refusal an error.

use fazt_protocol::{
    limit::TOKEN_BYTES,
    op::{Code, Found, Op, Refusal},
};

use super::Call;
use crate::engine::{OpReply, Question, realm::Thrown, value::Value};

/// A limit on an argument.
pub(super) struct Most {
    /// The argument's name.
    pub(super) name: &'static str,
    /// The most bytes of UTF-8.
    pub(super) bytes: usize,
}

const TOKEN: Most = Most { name: "once", bytes: TOKEN_BYTES };

impl<'a> Call<'a, '_> {
    /// A string argument in UTF-8, within its limit.
    pub(super) fn bounded(&self, op: &'static str, index: usize, most: &Most) -> Result<String, Thrown> {
        self.bounded_value(op, &self.argument(index), most)
    }

    /// The strings of an array argument, each within its limit. Nothing here rests on what the prelude has checked: its
    /// length and kind are looked at before memory is taken for it, and no code of the app runs.
    pub(super) fn strings(
        &self,
        op: &'static str,
        index: usize,
        count: usize,
        most: &Most,
    ) -> Result<Vec<String>, Thrown> {
        let (list, name) = (self.argument(index), most.name);
        if list.kind() != "array" {
            return Err(self.refuse(op, &Refusal::new(Code::InvalidArgument, format!("{name} is no array"))));
        }
        let length = list.length()?;
        if length as usize > count {
            let message = format!("{name} must have at most {count} elements");
            return Err(self.refuse(op, &Refusal::new(Code::InvalidArgument, message)));
        }
        (0..length).map(|at| self.bounded_value(op, &list.at(at)?, most)).collect()
    }

    /// A string, within its limit. Anything else is refused rather than converted: that would run an app's code.
    fn bounded_value(&self, op: &'static str, value: &Value<'a>, most: &Most) -> Result<String, Thrown> {
        if !value.is_string() {
            let message = format!("{} must be a string", most.name);
            return Err(self.refuse(op, &Refusal::new(Code::InvalidArgument, message)));
        }
        let text = value.with_text(|bytes| check(bytes, most))?;
        text.map_err(|refusal| self.refuse(op, &refusal))
    }

    /// The same for an argument that may be `undefined`.
    pub(super) fn optional(&self, op: &'static str, index: usize, most: &Most) -> Result<Option<String>, Thrown> {
        if self.argument(index).is_undefined() { Ok(None) } else { self.bounded(op, index, most).map(Some) }
    }

    /// Asks the store, and makes what it found a value.
    pub(super) fn ask(&self, op: Op, body: &[u8]) -> Result<Value<'a>, Thrown> {
        self.ask_once(op, None, body)
    }

    /// The same for a write that may have a token, at that place of the arguments.
    pub(super) fn write(&self, op: Op, token: usize, body: &[u8]) -> Result<Value<'a>, Thrown> {
        let once = self.optional(op.name(), token, &TOKEN)?;
        self.ask_once(op, once.as_deref(), body)
    }

    fn ask_once(&self, op: Op, once: Option<&str>, body: &[u8]) -> Result<Value<'a>, Thrown> {
        let name = op.name();
        let OpReply { found, body, .. } = self.reply(&Question { op: &op, once, body })?;
        match found {
            Found::Done => Ok(self.realm.undefined()),
            Found::Nothing => Ok(self.realm.null()),
            Found::Flag(flag) => Ok(self.realm.boolean(flag)),
            Found::Number(number) => Ok(self.realm.number(number.get())),
            Found::Json => {
                let mut text = body;
                text.push(0);
                self.realm.parse_json(&text, c"fazt:storage")
            }
            Found::Bytes | Found::Blob(_) => {
                Err(self.refuse(name, &Refusal::new(Code::Unavailable, "the store answered with something else")))
            }
        }
    }

    /// The same, with `undefined` where there is nothing.
    pub(super) fn ask_or_undefined(&self, op: Op) -> Result<Value<'a>, Thrown> {
        let found = self.ask(op, &[])?;
        Ok(if found.is_null() { self.realm.undefined() } else { found })
    }

    /// Asks the store.
    pub(super) fn reply(&self, question: &Question<'_>) -> Result<OpReply, Thrown> {
        let turn = self.turn()?;
        let reply = turn.ask(question).map_err(|refusal| self.refuse(question.op.name(), &refusal))?;
        // Waiting for the store is no time of the script's, and not polled.
        if turn.clock().is_over() { Err(self.realm.interrupt()) } else { Ok(reply) }
    }

    /// Throws the `StorageError` of a refusal.
    pub(super) fn refuse(&self, op: &'static str, refusal: &Refusal) -> Thrown {
        match self.turn() {
            Ok(turn) => turn.throw_storage_error(self.realm, op, refusal),
            Err(thrown) => thrown,
        }
    }
}

fn check(bytes: &[u8], most: &Most) -> Result<String, Refusal> {
    let Most { name, bytes: limit } = most;
    if bytes.len() > *limit {
        return Err(Refusal::new(Code::TooLarge, format!("{name} has {} bytes; the most is {limit}", bytes.len())));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Refusal::new(Code::InvalidArgument, format!("{name} has a surrogate without a partner")))?;
    if text.contains('\0') {
        return Err(Refusal::new(Code::InvalidArgument, format!("{name} has a NUL character")));
    }
    Ok(text.to_owned())
}
