//! The registry's questions, each answered by the thread that it is for.

use std::sync::Arc;

use fazt_protocol::{
    builder::Encoding,
    op::{Code, Refusal},
    registry::{Answer, Ask},
};

use crate::{
    apps::{self, deploy, removal, variables},
    chunks, logs,
    refusal::{OpError, invalid},
    store::Store,
    writer::Hand,
};

/// Bytes of a content written in one transaction.
const STEP_BYTES: usize = 1024 * 1024;

/// A question's body and its BLAKE3, taken as the parts came.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) hash: [u8; 32],
}

/// Answers what is neither a channel, nor a content, nor the end.
pub(super) async fn answer(store: &Store, ask: Ask, body: Body) -> Result<Answer, Refusal> {
    match ask {
        Ask::Apps { after } => store.read(move |sql| apps::list(sql, after.as_deref().unwrap_or_default())).await,
        Ask::App { name } => store.read(move |sql| apps::find(sql, &name).map(Answer::App)).await,
        Ask::Versions { name, before } => store.read(move |sql| apps::versions(sql, &name, before)).await,
        Ask::Index { app, version, after } => {
            store.read(move |sql| apps::index(sql, app, version, after.as_deref().unwrap_or_default())).await
        }
        Ask::Env { name } => store.read(move |sql| variables::read(sql, &name)).await,
        Ask::Logs { name, filter } => store.read(move |sql| logs::read(sql, &name, &filter)).await,
        Ask::Begin => store.write(deploy::begin).await,
        Ask::File { upload, path, encoding } => file(store, upload, path, encoding, body).await,
        Ask::Commit { upload, name, manifest, env, activate } => {
            let commit = deploy::Commit { fileset: upload, name, manifest, env, activate };
            store.write(move |hand| deploy::commit(hand, &commit)).await
        }
        Ask::Abort { upload } => store.write(move |hand| deploy::abort(hand, upload)).await,
        Ask::Remove { name } => remove(store, name).await,
        Ask::SetEnv { name, set, unset } => store.write(move |hand| variables::change(hand, &name, &set, &unset)).await,
        Ask::AppendLogs { lines } => store.write(move |hand| logs::append(hand, &lines)).await,
        Ask::Status => Ok(Answer::Status(store.status())),
        Ask::Bind { .. } | Ask::Content { .. } | Ask::Close => Err(invalid("not answered here")),
    }
}

/// Keeps one content of one file. A large one is written in steps, so that no op waits for all of it.
async fn file(store: &Store, upload: u64, path: String, encoding: Encoding, body: Body) -> Result<Answer, Refusal> {
    let Body { bytes, hash } = body;
    let size = bytes.len() as u64;
    let path: Arc<str> = path.into();
    let asked = Arc::clone(&path);
    let known = store
        .read(move |sql| deploy::check(sql, &deploy::File { fileset: upload, path: &asked, encoding, hash, size }))
        .await?;
    let file = Content { upload, path, encoding, hash, bytes };
    let mut written = None;
    let kept = file.keep(store, known, &mut written).await;
    if let (Err(_), Some(id)) = (&kept, written) {
        // Its deploy is over, or the file is one too many: what came of it is nobody's. Where this fails too, it is swept later.
        let dropped =
            move |hand: &mut Hand<'_>| Ok(chunks::discard_unpublished(hand.sql(), id).map(|()| Answer::Done)?);
        let _swept_later = store.write(dropped).await;
    }
    kept
}

/// A content on its way into the file.
struct Content {
    upload: u64,
    path: Arc<str>,
    encoding: Encoding,
    hash: [u8; 32],
    bytes: Arc<Vec<u8>>,
}

impl Content {
    /// Keeps it; `written` names what has been written of it that no file has.
    async fn keep(self, store: &Store, known: bool, written: &mut Option<i64>) -> Result<Answer, Refusal> {
        let Self { upload, path, encoding, hash, bytes } = self;
        let mut from = 0;
        while !known && bytes.len().saturating_sub(from) > STEP_BYTES {
            let (bytes, so_far) = (Arc::clone(&bytes), *written);
            let step = move |hand: &mut Hand<'_>| {
                let id = so_far.map_or_else(|| chunks::begin(hand.sql(), hand.now_ms).map_err(OpError::from), Ok)?;
                chunks::write(hand.sql(), id, &bytes, from, STEP_BYTES)?;
                Ok(Answer::Upload(u64::try_from(id).unwrap_or_default()))
            };
            let Answer::Upload(id) = store.write(step).await? else {
                return Err(Refusal::new(Code::Unavailable, "the store answered itself something else"));
            };
            *written = i64::try_from(id).ok();
            from = from.saturating_add(STEP_BYTES);
        }
        let (so_far, size) = (*written, bytes.len() as u64);
        store
            .write(move |hand| {
                let file = deploy::File { fileset: upload, path: &path, encoding, hash, size };
                let mut content = so_far;
                // Somebody may have removed the last file of the same bytes since we looked.
                if apps::content(hand.sql(), &hash)?.is_none() {
                    let id = content.map_or_else(|| chunks::begin(hand.sql(), hand.now_ms), Ok)?;
                    let mut at = from;
                    while at < bytes.len() {
                        at = chunks::write(hand.sql(), id, &bytes, at, STEP_BYTES)?;
                    }
                    content = Some(id);
                }
                deploy::add(hand, &file, content)
            })
            .await
    }
}

/// Removes an app, and ends the channels of its workers.
async fn remove(store: &Store, name: String) -> Result<Answer, Refusal> {
    let wanted = name.clone();
    let found = store.read(move |sql| apps::find(sql, &wanted)).await?;
    let answer = store.write(move |hand| removal::remove(hand, &name).map(|(answer, _)| answer)).await?;
    if let Some(app) = found {
        for channel in store.channels.lock().values().filter(|channel| channel.app == app.id) {
            channel.end.notify_one();
        }
    }
    Ok(answer)
}
