//! A content on its way to the router: read a mebibyte at a time, sent as fast as the router takes it.

use fazt_protocol::{
    body::{Part, parts},
    clock,
    op::{Code, Refusal},
    registry::{Answer, FromStore},
};

use rusqlite::Connection;

use super::Outgoing;
use crate::{apps, chunks, store::Store};

/// Bytes read at once.
const STEP_BYTES: u64 = 1024 * 1024;

/// Answers `Content`.
pub(super) async fn send(store: &Store, outgoing: &Outgoing, correlation: u64, hash: [u8; 32]) {
    let asked_ns = clock::now_ns();
    let found = store.read(move |sql| apps::content(sql, &hash)).await;
    let sent = match found {
        Ok(Some((upload, size))) => send_bytes(store, outgoing, (correlation, asked_ns), (upload, size)).await,
        Ok(None) => {
            super::send(outgoing, correlation, asked_ns, Ok(Answer::Content { found: false })).await;
            Ok(())
        }
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = sent {
        super::send(outgoing, correlation, asked_ns, Err(refusal)).await;
    }
}

async fn send_bytes(
    store: &Store,
    outgoing: &Outgoing,
    (correlation, asked_ns): (u64, u64),
    (upload, size): (i64, u64),
) -> Result<(), Refusal> {
    let mut at: u64 = 0;
    let mut head = Some(Answer::Content { found: true });
    loop {
        let until = at.saturating_add(STEP_BYTES).min(size);
        // A later step that fails is a second answer under the same number: the router takes it for the end of this one.
        let bytes = step(store, upload, (at, until)).await?;
        at = until;
        let (first, rest) = parts(&bytes);
        for part in std::iter::once(first).chain(rest) {
            let part = Part { last: part.last && at >= size, ..part };
            let frame = match head.take() {
                Some(answer) => {
                    let spent_us = u32::try_from(clock::now_ns().saturating_sub(asked_ns) / 1_000).unwrap_or(u32::MAX);
                    FromStore::Answer { correlation, spent_us, outcome: Ok(Box::new(answer)), body: part }
                }
                None => FromStore::Chunk { correlation, part },
            };
            if outgoing.send(frame).await.is_err() {
                return Ok(());
            }
        }
        if at >= size {
            return Ok(());
        }
    }
}

/// Reads a step.
async fn step(store: &Store, upload: i64, (from, until): (u64, u64)) -> Result<Vec<u8>, Refusal> {
    let read = move |sql: &Connection| {
        let mut bytes = Vec::new();
        if until > from {
            chunks::read(sql, upload, (from, until), &mut bytes)?;
        }
        // Its last app may have gone since, and its rows with it: half a content is none.
        if bytes.len() as u64 != until.saturating_sub(from) {
            return Err(Refusal::new(Code::Unavailable, "the content was removed while it was read").into());
        }
        Ok(bytes)
    };
    store.read(read).await
}
