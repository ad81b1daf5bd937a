//! Writes with a token (`once`): done at most once a day for an app's token, and answered with the first result again.
//!
//! The answer is kept in the very transaction of the write, so that either both are there or neither is: who asks again after
//! a crash, a lost answer or a deadline gets what happened. A refusal had no effect and is not kept.

use fazt_protocol::{
    limit::TOKEN_MS,
    op::{Found, Op, Refusal, kv, s3},
};
use rusqlite::{Connection, OptionalExtension, params, types::Value};

use crate::{
    question::{Question, Reply},
    quota::{Ledger, overflow_bytes},
    refusal::{OpError, invalid},
    s3::write::Step,
    sweep::Bill,
    writer::Hand,
};

/// Tokens removed in one step.
const TOKENS: i64 = 16;
/// What the quota counts for a token beside what it holds: about what a row costs.
const ROW_BYTES: u64 = 64;
/// What lies beside these in its entry, at the most: the app, the time, the op's name.
const BESIDE_BYTES: u64 = 48;

/// How far the tokens of deletes may take an app beyond its quota.
const OVERDRAFT_BYTES: u64 = 1024 * 1024;

const FIND: &str = "SELECT at, op, target, answer FROM once WHERE app = ?1 AND token = ?2";
const KEEP: &str = "INSERT OR REPLACE INTO once (app, token, at, op, target, answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Whether an op may carry that token.
pub(crate) fn check(token: Option<&str>, op: &Op) -> Result<(), Refusal> {
    match token {
        Some(_) if !op.is_write() => Err(invalid("once: a call that changes nothing takes no token")),
        Some("") => Err(invalid("once: empty")),
        _ => Ok(()),
    }
}

/// Does a write, unless its token says that it was done.
pub(crate) fn answer(
    hand: &mut Hand<'_>,
    question: &mut Question,
    write: impl FnOnce(&mut Hand<'_>, &mut Question) -> Result<Step, OpError>,
) -> Result<Step, OpError> {
    let Some(token) = question.once.clone() else { return write(hand, question) };
    let app = question.channel.app;
    hand.all_or_none(|hand| {
        let old = find(hand, app, &token)?;
        if let Some(first) = old.as_ref().filter(|old| old.at > forgotten_ms(hand.now_ms)) {
            return first.again(&question.op).map(Step::Done);
        }
        let step = write(hand, question)?;
        if let Step::Done(reply) = &step {
            let new = Kept::of(reply, &question.op, hand.now_ms)?;
            keep(hand, (app, &token), &new, old.map_or(0, |old| old.cost(&token)))?;
        }
        Ok(step)
    })
}

/// What was done before this moment is forgotten.
pub(crate) fn forgotten_ms(now_ms: i64) -> i64 {
    now_ms.saturating_sub(TOKEN_MS.cast_signed())
}

/// Removes some of what is forgotten and gives its bytes back to its apps. Returns whether there is more.
pub(crate) fn sweep(sql: &Connection, (ledger, bill): (&mut Ledger, &mut Bill), now_ms: i64) -> Result<bool, OpError> {
    let old = "SELECT app, token, at, op, target, answer FROM once WHERE at <= ?1 ORDER BY at LIMIT ?2";
    let mut statement = sql.prepare_cached(old)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, Kept::read(row, 2)?));
    let rows = statement.query_map(params![forgotten_ms(now_ms), TOKENS], row)?;
    let rows: Vec<(u64, Vec<u8>, Kept)> = rows.collect::<Result<_, _>>()?;
    for (app, token, kept) in &rows {
        bill.charged(*app, || {
            sql.prepare_cached("DELETE FROM once WHERE app = ?1 AND token = ?2")?.execute(params![app, token])?;
            ledger.give_back(sql, *app, kept.cost(token))
        })?;
    }
    Ok(rows.len() as i64 == TOKENS)
}

/// What is kept under a token.
#[derive(Debug)]
struct Kept {
    at: i64,
    op: String,
    target: Vec<u8>,
    answer: Value,
}

impl Kept {
    fn of(reply: &Reply, op: &Op, at: i64) -> Result<Self, Refusal> {
        let answer = match &reply.found {
            Found::Done => Value::Null,
            Found::Flag(flag) => Value::Integer(i64::from(*flag)),
            Found::Number(number) => Value::Real(number.get()),
            Found::Json => Value::Blob(reply.body.clone()),
            Found::Nothing | Found::Bytes | Found::Blob(_) => return Err(invalid("once: not for this call")),
        };
        Ok(Self { at, op: op.name().to_owned(), target: target(op).as_bytes().to_vec(), answer })
    }

    fn read(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let column = |at: usize| first.saturating_add(at);
        Ok(Self {
            at: row.get(column(0))?,
            op: row.get(column(1))?,
            target: row.get(column(2))?,
            answer: row.get(column(3))?,
        })
    }

    /// The first result, for the same call to the same key, collection or path, whatever its other arguments: who asks again
    /// may do so with a later time in its document. A token that meant another call or another target is a mistake of the
    /// app: neither doing it nor saying that it was done would be right.
    fn again(&self, op: &Op) -> Result<Reply, OpError> {
        if self.op != op.name() || self.target != target(op).as_bytes() {
            let target = String::from_utf8_lossy(&self.target);
            return Err(invalid(format!("once: this token was used for {}({target:?})", self.op)).into());
        }
        Ok(match &self.answer {
            Value::Null => Reply::of(Found::Done),
            Value::Integer(flag) => Reply::of(Found::Flag(*flag != 0)),
            Value::Real(number) => Reply::of(Found::Number((*number).into())),
            Value::Blob(json) => Reply::json(json.clone()),
            Value::Text(json) => Reply::json(json.clone().into_bytes()),
        })
    }

    fn cost(&self, token: impl AsRef<[u8]>) -> u64 {
        let answer = match &self.answer {
            Value::Blob(json) => json.len(),
            Value::Text(json) => json.len(),
            Value::Null | Value::Integer(_) | Value::Real(_) => 0,
        };
        let token = token.as_ref().len() as u64;
        let entry = token.saturating_add(self.target.len() as u64).saturating_add(answer as u64);
        // The token stands once more in the index by age.
        let bytes = entry.saturating_add(overflow_bytes(entry.saturating_add(BESIDE_BYTES))).saturating_add(token);
        ROW_BYTES.saturating_add(bytes)
    }
}

fn find(hand: &Hand<'_>, app: u64, token: &str) -> Result<Option<Kept>, OpError> {
    let mut statement = hand.sql().prepare_cached(FIND)?;
    Ok(statement.query_row(params![app, token.as_bytes()], |row| Kept::read(row, 0)).optional()?)
}

fn keep(hand: &mut Hand<'_>, (app, token): (u64, &str), new: &Kept, old_bytes: u64) -> Result<(), OpError> {
    let mut account = hand.account(app)?;
    // A full app can still delete, and a little more is all that its tokens take for that.
    let overdraft = if new.op.ends_with(".delete") { OVERDRAFT_BYTES } else { 0 };
    account.charge(old_bytes, new.cost(token), hand.limits.app_bytes.saturating_add(overdraft))?;
    let row = params![app, token.as_bytes(), new.at, new.op, new.target, new.answer];
    hand.sql().prepare_cached(KEEP)?.execute(row)?;
    hand.ledger.set(app, account);
    Ok(())
}

/// What a write is done to.
fn target(op: &Op) -> &str {
    match op {
        Op::Kv(kv::Op::Set { key, .. } | kv::Op::Delete { key } | kv::Op::Incr { key, .. }) => key,
        Op::Ds(op) => op.collection(),
        Op::S3(s3::Op::Put { path, .. } | s3::Op::Delete { path }) => path,
        Op::Kv(_) | Op::S3(_) | Op::Files(_) => "",
    }
}
