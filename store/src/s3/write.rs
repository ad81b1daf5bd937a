//! Writes of blobs. A large one goes in steps of a mebibyte, each in a group of its own; the last one publishes it, so that
//! a path has the whole of the old bytes or the whole of the new ones.

use fazt_protocol::op::{Found, Op as AnyOp, s3::Op};
use rusqlite::{OptionalExtension, params};

use super::{ROW_BYTES, Staging, read::etag};
use crate::{
    chunks,
    json::{push_number, push_string},
    question::{Question, Reply},
    quota::overflow_bytes,
    refusal::{OpError, invalid},
    writer::Hand,
};

/// Bytes written in one step.
pub(crate) const STEP_BYTES: usize = 1024 * 1024;
/// What a blob is where nobody said.
const PLAIN: &str = "application/octet-stream";

const PUBLISH: &str = "INSERT INTO blob (app, path, mime, size, hash, upload, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT DO UPDATE SET mime = ?3, size = ?4, hash = ?5, upload = ?6, updated_at = ?7";

const OLD: &str = "SELECT upload, length(CAST(mime AS BLOB)), size FROM blob WHERE app = ?1 AND path = ?2";

/// What lies beside the path and the type in a blob's row, at the most.
const BESIDE_BYTES: u64 = 100;

/// What a step came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// The op is done.
    Done(Reply),
    /// There is more to do, in the next group.
    More,
}

/// Does a write, or a step of it.
pub(crate) fn answer(hand: &mut Hand<'_>, question: &mut Question) -> Result<Step, OpError> {
    let app = question.channel.app;
    match &question.op {
        AnyOp::S3(Op::Delete { path }) => {
            let existed = hand.all_or_none(|hand| delete(hand, app, path))?;
            Ok(Step::Done(Reply::of(Found::Flag(existed))))
        }
        AnyOp::S3(Op::Put { path, mime }) => {
            let blob = Blob {
                app,
                path,
                mime: mime.as_deref().filter(|mime| !mime.is_empty()).unwrap_or(PLAIN),
                hash: question.hash.unwrap_or_else(|| blake3::hash(&question.body)).to_hex().to_string(),
                body: &question.body,
            };
            blob.check(hand)?;
            let staging = question.staging;
            let staged = hand.all_or_none(|hand| blob.step(hand, staging))?;
            let reply = (staged.written >= blob.body.len()).then(|| blob.reply());
            // Published, it is nobody's to drop any more.
            question.staging = reply.is_none().then_some(staged);
            Ok(reply.map_or(Step::More, Step::Done))
        }
        _ => Err(invalid("not a write").into()),
    }
}

/// What was written of a blob that will not be published: swept soon, and not after the hour that an upload may take.
pub(crate) fn drop_staged(sql: &rusqlite::Connection, question: &mut Question) -> rusqlite::Result<()> {
    question.staging.take().map_or(Ok(()), |staging| chunks::discard(sql, staging.upload))
}

#[derive(Debug)]
struct Blob<'a> {
    app: u64,
    path: &'a str,
    mime: &'a str,
    hash: String,
    body: &'a [u8],
}

impl Blob<'_> {
    fn check(&self, hand: &mut Hand<'_>) -> Result<(), OpError> {
        if self.path.is_empty() {
            return Err(invalid("path: empty").into());
        }
        // Looked at before the first byte is written, and again when it is published.
        let old = old(hand, self.app, self.path)?;
        let before = old.map_or(0, |(_, bytes)| bytes);
        let mut account = hand.account(self.app)?;
        Ok(account.charge(before, self.cost(), hand.limits.app_bytes)?)
    }

    fn step(&self, hand: &mut Hand<'_>, staging: Option<Staging>) -> Result<Staging, OpError> {
        let mut staging = match staging {
            Some(staging) => staging,
            None => Staging { upload: chunks::begin(hand.sql(), hand.now_ms)?, written: 0 },
        };
        staging.written = chunks::write(hand.sql(), staging.upload, self.body, staging.written, STEP_BYTES)?;
        if staging.written >= self.body.len() {
            self.publish(hand, staging.upload)?;
        }
        Ok(staging)
    }

    fn publish(&self, hand: &mut Hand<'_>, upload: i64) -> Result<(), OpError> {
        let size = self.body.len() as u64;
        let mut account = hand.account(self.app)?;
        let old = old(hand, self.app, self.path)?;
        let before = old.map_or(0, |(_, bytes)| bytes);
        account.charge(before, self.cost(), hand.limits.app_bytes)?;
        if let Some((old, _)) = old {
            chunks::discard(hand.sql(), old)?;
        }
        chunks::publish(hand.sql(), upload)?;
        let row = params![self.app, self.path.as_bytes(), self.mime, size, self.hash, upload, hand.now_ms];
        hand.sql().prepare_cached(PUBLISH)?.execute(row)?;
        hand.ledger.set(self.app, account);
        Ok(())
    }

    fn cost(&self) -> u64 {
        cost(self.path, self.mime.len() as u64, self.body.len() as u64)
    }

    fn reply(&self) -> Reply {
        let mut out = b"{\"etag\":".to_vec();
        push_string(&etag(&self.hash), &mut out);
        out.extend_from_slice(b",\"size\":");
        push_number(i64::try_from(self.body.len()).unwrap_or(i64::MAX), &mut out);
        out.push(b'}');
        Reply::json(out)
    }
}

fn delete(hand: &mut Hand<'_>, app: u64, path: &str) -> Result<bool, OpError> {
    let Some((upload, bytes)) = old(hand, app, path)? else { return Ok(false) };
    let mut account = hand.account(app)?;
    account.charge(bytes, 0, u64::MAX)?;
    let mut statement = hand.sql().prepare_cached("DELETE FROM blob WHERE app = ?1 AND path = ?2")?;
    statement.execute(params![app, path.as_bytes()])?;
    chunks::discard(hand.sql(), upload)?;
    hand.ledger.set(app, account);
    Ok(true)
}

/// The upload of what is there under a path, and what the quota counts for it.
fn old(hand: &Hand<'_>, app: u64, path: &str) -> Result<Option<(i64, u64)>, OpError> {
    let mut statement = hand.sql().prepare_cached(OLD)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, cost(path, row.get(1)?, row.get(2)?)));
    Ok(statement.query_row(params![app, path.as_bytes()], row).optional()?)
}

fn cost(path: &str, mime_bytes: u64, size: u64) -> u64 {
    let names = mime_bytes.saturating_add(path.len() as u64);
    let row = names.saturating_add(ROW_BYTES).saturating_add(overflow_bytes(names.saturating_add(BESIDE_BYTES)));
    size.saturating_add(row)
}
