//! Every limit of the protocol in one place, with their relations checked when this crate is compiled.
//!
//! A limit that an operator may set is a default here and a value in the router's configuration; one that guards a
//! decoder is a constant. All sizes are bytes unless the name says otherwise.

/// The largest piece of a body in one frame.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// What a message may hold beside its piece of a body.
pub const HEAD_BYTES: usize = 256 * 1024;
/// The largest frame of any conversation.
pub const FRAME_BYTES: usize = CHUNK_BYTES + HEAD_BYTES;
/// The largest frame of the spawn conversation, which carries no bodies.
pub const SPAWN_FRAME_BYTES: usize = 4 * 1024;
/// Descriptors that may come with one message.
pub const DESCRIPTORS_A_MESSAGE: usize = 3;
/// Descriptors received and not yet taken by the message that they belong to.
pub const DESCRIPTORS_WAITING: usize = 4;

/// A request id: eight to sixty-four of `[A-Za-z0-9_-]`.
pub const REQUEST_ID_BYTES: usize = 64;
/// An app's name, and a DNS label.
pub const APP_NAME_BYTES: usize = 63;
/// Headers of a request, and of an answer.
pub const HEADERS: usize = 64;
/// Names and values of all headers together.
pub const HEADERS_BYTES: usize = 64 * 1024;
/// The same as a worker is given them: repeated ones are joined by two bytes, and a byte that is not UTF-8 becomes three.
pub const HEADERS_GIVEN_BYTES: usize = 3 * HEADERS_BYTES + 2 * HEADERS;
/// A request's target.
pub const URL_BYTES: usize = 16 * 1024;
/// Environment variables of an app.
pub const ENV_VARIABLES: usize = 256;
/// Names and values of an app's environment together.
pub const ENV_BYTES: usize = 64 * 1024;
/// Origins in an app's cross-origin rules.
pub const ORIGINS: usize = 64;
/// All of these together.
pub const ORIGINS_BYTES: usize = 16 * 1024;
/// Warnings about a deploy.
pub const WARNINGS: usize = 64;
/// All of these together.
pub const WARNINGS_BYTES: usize = 64 * 1024;

/// One line of an app's log.
pub const LOG_LINE_BYTES: usize = 8 * 1024;
/// `console` lines a request, before the one that says how many were dropped.
pub const LOG_LINES: usize = 256;
/// `Log` messages that a worker may send for one call before it counts as a breach (console, `fazt.log` and errors).
pub const LOG_MESSAGES: usize = 600;
/// Log entries in one batch to the store.
pub const LOG_BATCH: usize = 64;
/// An error's message, and its stack.
pub const ERROR_TEXT_BYTES: usize = 8 * 1024;
/// What a worker that ends by itself leaves on its board.
pub const LAST_WORDS_BYTES: usize = 1024;
/// Storage operations that are listed one by one in a trace.
pub const TRACED_OPS: usize = 64;
/// A name in a trace (an operation, a collection).
pub const TRACED_NAME_BYTES: usize = 128;

/// A kv key.
pub const KV_KEY_BYTES: usize = 512;
/// A kv value, as JSON text.
pub const KV_VALUE_BYTES: usize = 1024 * 1024;
/// Keys in one `getMany`.
pub const KV_KEYS: usize = 256;
/// Entries in one answer of a list.
pub const LIST_ENTRIES: usize = 1_000;
/// A collection's name.
pub const COLLECTION_BYTES: usize = 128;
/// A document, as JSON text.
pub const DOCUMENT_BYTES: usize = 1024 * 1024;
/// A document's id.
pub const DOCUMENT_ID_BYTES: usize = 128;
/// Documents in one `insertMany`.
pub const INSERT_MANY: usize = 1_000;
/// A query, as JSON text.
pub const QUERY_BYTES: usize = 256 * 1024;
/// Fields in an order.
pub const ORDER_FIELDS: usize = 8;
/// A field's path.
pub const FIELD_PATH_BYTES: usize = 512;
/// A blob's path.
pub const BLOB_PATH_BYTES: usize = 1024;
/// A mime type.
pub const MIME_BYTES: usize = 128;
/// What one storage call may move in either direction.
pub const OP_BODY_BYTES: usize = 16 * 1024 * 1024;
/// A write's token, for `once`, and how long it is remembered, in milliseconds.
pub const TOKEN_BYTES: usize = 128;
/// See [`TOKEN_BYTES`].
pub const TOKEN_MS: u64 = 24 * 3600 * 1000;

/// The path of a file of an app.
pub const FILE_PATH_BYTES: usize = 512;
/// Files of an app.
pub const APP_FILES: usize = 5_000;
/// One source file.
pub const SOURCE_BYTES: usize = 1024 * 1024;
/// All files of an app.
pub const APP_BYTES: usize = 100 * 1024 * 1024;
/// All sources under `api/` that one worker loads.
pub const SOURCES_BYTES: usize = 32 * 1024 * 1024;
/// The longest answer to one storage call: all sources of an app, each behind its path and two lengths.
pub const ANSWER_BODY_BYTES: usize = SOURCES_BYTES + APP_FILES * (FILE_PATH_BYTES + 8);
/// An archive as it is uploaded.
pub const ARCHIVE_BYTES: usize = APP_BYTES + 16 * 1024 * 1024;
/// Entries in one page of an index of files, apps or versions.
pub const PAGE_ENTRIES: usize = 250;

/// A request's or an answer's body: the default, and the most that an operator may set.
pub const BODY_BYTES: usize = 10 * 1024 * 1024;
/// See [`BODY_BYTES`].
pub const BODY_BYTES_MOST: usize = 64 * 1024 * 1024;

/// How long after the soft limit the hard one comes, in milliseconds.
pub const GRACE_MS: u64 = 50;
/// How long one storage call may take, in milliseconds, and the most that an operator may set.
pub const STORAGE_TIMEOUT_MS: u64 = 500;
/// Storage calls a request.
pub const STORAGE_CALLS: u32 = 10_000;
/// A storage call that takes longer is logged, in milliseconds.
pub const SLOW_OP_MS: u64 = 100;

const _: () = {
    assert!(FRAME_BYTES <= u32::MAX as usize);
    // A length takes at most five bytes in front of each text.
    assert!(
        HEADERS_GIVEN_BYTES + 10 * HEADERS + 3 * URL_BYTES + 4096 < HEAD_BYTES,
        "the largest head of a call fits beside its body"
    );
    assert!(
        2 * (ENV_BYTES + 10 * ENV_VARIABLES) + ORIGINS_BYTES + 5 * ORIGINS + 4096 < HEAD_BYTES,
        "a commit with two environments fits, and so does an app"
    );
    assert!(
        ENV_BYTES + 10 * ENV_VARIABLES + ORIGINS_BYTES + 5 * ORIGINS + WARNINGS_BYTES + 5 * WARNINGS + 4096
            < FRAME_BYTES,
        "what a builder says of a whole deploy fits"
    );
    assert!(TRACED_OPS * (2 * TRACED_NAME_BYTES + 32) + 4096 < HEAD_BYTES, "the trace of a call fits");
    assert!(
        LOG_BATCH * (LOG_LINE_BYTES + 256) > CHUNK_BYTES,
        "a batch of logs is sized by its bytes, not only its count"
    );
    assert!(PAGE_ENTRIES * (FILE_PATH_BYTES + 4 * 48 + 16) < HEAD_BYTES, "a page of an index fits a head");
    assert!(KV_KEYS * (KV_KEY_BYTES + 8) < HEAD_BYTES, "the keys of a getMany fit a head");
    assert!(LOG_LINES < LOG_MESSAGES);
    assert!(LOG_LINE_BYTES < HEAD_BYTES && 2 * ERROR_TEXT_BYTES < HEAD_BYTES);
    assert!(KV_VALUE_BYTES <= OP_BODY_BYTES && DOCUMENT_BYTES <= OP_BODY_BYTES);
    assert!(
        OP_BODY_BYTES + 2 * DOCUMENT_BYTES < ANSWER_BODY_BYTES
            && OP_BODY_BYTES + 2 * KV_VALUE_BYTES < ANSWER_BODY_BYTES,
        "a list whose last entry takes it past what one call may move fits an answer"
    );
    assert!(BODY_BYTES <= BODY_BYTES_MOST);
};
