//! The registry conversation. Pages of log lines and of apps are sized by their bytes, as the store sizes them.

use fazt_protocol::{
    builder::Manifest,
    limit::{
        APP_NAME_BYTES, ENV_BYTES, ENV_VARIABLES, FILE_PATH_BYTES, LOG_BATCH, LOG_LINE_BYTES, PAGE_ENTRIES,
        REQUEST_ID_BYTES,
    },
    registry::{Answer, App, Ask, ContentEntry, FileEntry, FromStore, LogFilter, LogRecord, Status, ToStore, Version},
};
use proptest::{collection::vec, prelude::*};

use super::{
    builder::{encoding, manifest},
    call::{level, source},
    op::refusal,
    value::{list, maybe_text, pairs, part, text, texts},
};

fn name() -> BoxedStrategy<String> {
    text(APP_NAME_BYTES)
}

fn env() -> BoxedStrategy<Vec<(String, String)>> {
    pairs(ENV_VARIABLES, ENV_BYTES)
}

fn line(longest: usize) -> BoxedStrategy<LogRecord> {
    (any::<[u64; 2]>(), any::<i64>(), level(), source(), text(REQUEST_ID_BYTES), text(longest))
        .prop_map(|([id, app], at, level, source, request, message)| LogRecord {
            id,
            app,
            at,
            level,
            source,
            request,
            message,
        })
        .boxed()
}

fn lines(most: usize) -> BoxedStrategy<Vec<LogRecord>> {
    prop_oneof![vec(line(LOG_LINE_BYTES), 0..4), vec(line(64), most)].boxed()
}

fn ask() -> BoxedStrategy<Ask> {
    let filter = (any::<u32>(), level(), any::<Option<i64>>(), maybe_text(REQUEST_ID_BYTES), any::<Option<u64>>())
        .prop_map(|(limit, level, since, request, after)| LogFilter { limit, level, since, request, after });
    let bind = (any::<[u64; 3]>(), any::<u32>()).prop_map(|([bind, app, version], storage_ms)| Ask::Bind {
        bind,
        app,
        version,
        storage_ms,
    });
    let commit = (any::<u64>(), name(), manifest(), env(), any::<bool>())
        .prop_map(|(upload, name, manifest, env, activate)| Ask::Commit { upload, name, manifest, env, activate });
    prop_oneof![
        bind,
        maybe_text(APP_NAME_BYTES).prop_map(|after| Ask::Apps { after }),
        name().prop_map(|name| Ask::App { name }),
        (name(), any::<Option<u64>>()).prop_map(|(name, before)| Ask::Versions { name, before }),
        Just(Ask::Begin),
        (any::<u64>(), text(FILE_PATH_BYTES), encoding()).prop_map(|(upload, path, encoding)| Ask::File {
            upload,
            path,
            encoding
        }),
        commit,
        any::<u64>().prop_map(|upload| Ask::Abort { upload }),
        name().prop_map(|name| Ask::Remove { name }),
        (any::<[u64; 2]>(), maybe_text(FILE_PATH_BYTES)).prop_map(|([app, version], after)| Ask::Index {
            app,
            version,
            after
        }),
        any::<[u8; 32]>().prop_map(|hash| Ask::Content { hash }),
        (name(), env(), texts(ENV_VARIABLES, ENV_BYTES)).prop_map(|(name, set, unset)| Ask::SetEnv {
            name,
            set,
            unset
        }),
        name().prop_map(|name| Ask::Env { name }),
        lines(LOG_BATCH).prop_map(|lines| Ask::AppendLogs { lines }),
        (name(), filter).prop_map(|(name, filter)| Ask::Logs { name, filter }),
        Just(Ask::Status),
        Just(Ask::Close),
    ]
    .boxed()
}

pub(super) fn to_store() -> impl Strategy<Value = ToStore> {
    prop_oneof![
        (any::<u16>(), any::<[u8; 32]>()).prop_map(|(protocol, grant_key)| ToStore::Hello { protocol, grant_key }),
        (any::<u64>(), ask(), part()).prop_map(|(correlation, ask, body)| ToStore::Ask {
            correlation,
            ask: Box::new(ask),
            body
        }),
        (any::<u64>(), part()).prop_map(|(correlation, part)| ToStore::Chunk { correlation, part }),
    ]
}

fn app(manifest: BoxedStrategy<Manifest>, env: BoxedStrategy<Vec<(String, String)>>) -> BoxedStrategy<App> {
    (any::<[u64; 4]>(), name(), manifest, env, any::<bool>(), any::<u32>(), any::<i64>())
        .prop_map(|([id, version, newest, bytes], name, manifest, env, handler, files, updated_at)| App {
            id,
            name,
            version,
            newest,
            manifest,
            env,
            handler,
            files,
            bytes,
            updated_at,
        })
        .boxed()
}

fn status() -> impl Strategy<Value = Status> {
    let texts = (text(4096), text(16), text(16), text(1024));
    (any::<i32>(), texts, any::<[u32; 4]>(), any::<[u64; 5]>()).prop_map(
        |(pid, (path, journal_mode, synchronous, sandbox_missing), small, large)| {
            let [busy_timeout_ms, readers, binds, schema] = small;
            let [wal_bytes, file_bytes, ops, commits, writes] = large;
            Status {
                pid,
                path,
                journal_mode,
                synchronous,
                busy_timeout_ms,
                readers,
                binds,
                wal_bytes,
                file_bytes,
                ops,
                commits,
                writes,
                schema,
                sandbox_missing,
            }
        },
    )
}

fn answer() -> BoxedStrategy<Answer> {
    let version = (any::<[u64; 2]>(), any::<i64>(), any::<u32>())
        .prop_map(|([version, bytes], created_at, files)| Version { version, created_at, files, bytes });
    let content = (encoding(), any::<[u8; 32]>(), any::<u64>()).prop_map(|(encoding, hash, size)| ContentEntry {
        encoding,
        hash,
        size,
    });
    let file = (text(FILE_PATH_BYTES), list(content, 4)).prop_map(|(path, contents)| FileEntry { path, contents });
    let bare = app(Just(Manifest::default()).boxed(), Just(Vec::new()).boxed());
    prop_oneof![
        Just(Answer::Done),
        any::<bool>().prop_map(Answer::Flag),
        any::<u64>().prop_map(Answer::Upload),
        prop::option::of(app(manifest(), env())).prop_map(Answer::App),
        list(bare, PAGE_ENTRIES).prop_map(Answer::Apps),
        list(version, PAGE_ENTRIES).prop_map(Answer::Versions),
        list(file, PAGE_ENTRIES).prop_map(Answer::Index),
        any::<bool>().prop_map(|found| Answer::Content { found }),
        env().prop_map(Answer::Env),
        lines(PAGE_ENTRIES).prop_map(Answer::Logs),
        status().prop_map(Answer::Status),
    ]
    .boxed()
}

pub(super) fn from_store() -> impl Strategy<Value = FromStore> {
    let outcome = prop_oneof![5 => answer().prop_map(|answer| Ok(Box::new(answer))), 1 => refusal().prop_map(Err)];
    prop_oneof![
        (any::<u16>(), status()).prop_map(|(protocol, status)| FromStore::Ready { protocol, status: Box::new(status) }),
        text(2048).prop_map(|reason| FromStore::Refused { reason }),
        (any::<u64>(), any::<u32>(), outcome, part()).prop_map(|(correlation, spent_us, outcome, body)| {
            FromStore::Answer { correlation, spent_us, outcome, body }
        }),
        (any::<u64>(), part()).prop_map(|(correlation, part)| FromStore::Chunk { correlation, part }),
    ]
}
