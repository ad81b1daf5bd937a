//! Reads of blobs: whole or in part, a step at a time; what is known of them; lists.

use fazt_protocol::{
    limit::{LIST_ENTRIES, OP_BODY_BYTES},
    op::{
        Code, Found, Refusal,
        s3::{Head, Op},
    },
};
use rusqlite::{OptionalExtension, Row, params};

use crate::{
    chunks,
    json::{push_number, push_string},
    kv::range_end,
    question::Reply,
    readers::Reading,
    refusal::{OpError, invalid},
};

/// What one step reads.
const STEP_BYTES: u64 = 1024 * 1024;

const FIND: &str = "SELECT mime, size, hash, updated_at, upload FROM blob WHERE app = ?1 AND path = ?2";
const LIST: &str = "SELECT path, mime, size, hash, updated_at FROM blob
    WHERE app = ?1 AND path >= ?2 AND path < ?3 AND path > ?4 ORDER BY path LIMIT ?5";

/// Answers a read.
pub(crate) fn answer(reading: &Reading<'_>, op: &Op) -> Result<Reply, OpError> {
    match op {
        Op::Head { path } => Ok(match find(reading, path)? {
            Some((head, _)) => Reply::of(Found::Blob(head)),
            None => Reply::of(Found::Nothing),
        }),
        Op::List { prefix, limit, after } => list(reading, prefix, *limit, after.as_deref()),
        Op::Get { .. } | Op::Put { .. } | Op::Delete { .. } => Err(invalid("not for a reader").into()),
    }
}

fn find(reading: &Reading<'_>, path: &str) -> Result<Option<(Head, i64)>, OpError> {
    let mut statement = reading.sql().prepare_cached(FIND)?;
    let row = |row: &Row<'_>| {
        let head = Head { mime: row.get(0)?, size: row.get(1)?, hash: row.get(2)?, updated_at: row.get(3)? };
        Ok((head, row.get(4)?))
    };
    Ok(statement.query_row(params![reading.app, path.as_bytes()], row).optional()?)
}

/// How far the read of a blob has come: what was found, where its bytes are, and which of them are asked for.
#[derive(Debug, Default)]
pub(crate) struct Load(Option<(Head, i64, (u64, u64))>);

impl Load {
    /// Reads on; returns what was found once all that was asked for is read.
    pub(crate) fn step(
        &mut self,
        reading: &Reading<'_>,
        (path, range): (&str, Option<(u64, u64)>),
        out: &mut Vec<u8>,
    ) -> Result<Option<Found>, OpError> {
        // Head and bytes are two statements: one snapshot for both, or a put between them would mix two blobs.
        let snapshot = reading.sql().unchecked_transaction()?;
        let is_first = self.0.is_none();
        if is_first {
            let Some((head, upload)) = find(reading, path)? else { return Ok(Some(Found::Nothing)) };
            let asked = bounds(&head, range)?;
            self.0 = Some((head, upload, asked));
        }
        let Some((head, upload, (start, end))) = &self.0 else { return Ok(Some(Found::Nothing)) };
        let at = start.saturating_add(out.len() as u64);
        let until = at.saturating_add(STEP_BYTES).min(*end);
        if until > at {
            chunks::read(reading.sql(), *upload, (at, until), out)?;
        }
        drop(snapshot);
        if start.saturating_add(out.len() as u64) < until {
            // It was replaced or deleted since, and its bytes are swept already. No upload's number is used again.
            if is_first {
                return Err(Refusal::new(Code::Unavailable, "the blob's bytes are not there").into());
            }
            out.clear();
            self.0 = None;
            return Ok(None);
        }
        Ok((until >= *end).then(|| Found::Blob(head.clone())))
    }
}

/// The bytes that are asked for.
fn bounds(head: &Head, range: Option<(u64, u64)>) -> Result<(u64, u64), Refusal> {
    let (start, end) = range.unwrap_or((0, head.size));
    if start > end || (start > 0 && start >= head.size) {
        return Err(invalid(format!("range: {start} to {end} of a blob of {} bytes", head.size)));
    }
    let end = end.min(head.size);
    if end.saturating_sub(start) > OP_BODY_BYTES as u64 {
        let message = format!("one call moves at most {OP_BODY_BYTES} bytes: read the blob in ranges");
        return Err(Refusal::new(Code::TooLarge, message));
    }
    Ok((start, end))
}

fn list(reading: &Reading<'_>, prefix: &str, limit: u32, after: Option<&str>) -> Result<Reply, OpError> {
    if usize::try_from(limit).unwrap_or(usize::MAX) > LIST_ENTRIES {
        return Err(invalid(format!("limit: {limit}; at most {LIST_ENTRIES} blobs a call, page with after")).into());
    }
    let end = range_end(prefix.as_bytes()).unwrap_or_else(|| vec![0xff]);
    // No path is empty, so all of them come after the empty one.
    let after = after.unwrap_or_default().as_bytes();
    let mut statement = reading.sql().prepare_cached(LIST)?;
    let mut rows = statement.query(params![reading.app, prefix.as_bytes(), end, after, limit])?;
    let mut out = b"[".to_vec();
    while let Some(row) = rows.next()? {
        if out.len() > 1 {
            out.push(b',');
        }
        push_entry(row, &mut out)?;
    }
    out.push(b']');
    Ok(Reply::json(out))
}

fn push_entry(row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), OpError> {
    out.extend_from_slice(b"{\"path\":");
    push_string(&String::from_utf8_lossy(row.get_ref(0)?.as_blob().unwrap_or_default()), out);
    out.extend_from_slice(b",\"mime\":");
    push_string(&row.get::<_, String>(1)?, out);
    out.extend_from_slice(b",\"size\":");
    push_number(row.get(2)?, out);
    out.extend_from_slice(b",\"etag\":");
    push_string(&etag(&row.get::<_, String>(3)?), out);
    out.extend_from_slice(b",\"updatedAt\":");
    push_number(row.get(4)?, out);
    out.push(b'}');
    Ok(())
}

/// A hash as HTTP quotes it.
pub(super) fn etag(hash: &str) -> String {
    format!("\"{hash}\"")
}
