-- The first schema. Migrations are numbered and forward only; each runs in one transaction with its user_version.

-- Apps. A removed app's number is never used again, so whatever still carries it can be swept at leisure.
CREATE TABLE app (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT    NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 0,  -- the one that is served; 0: none
    newest  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Numbers of removed apps whose rows are not all gone yet.
CREATE TABLE removed_app (id INTEGER PRIMARY KEY) STRICT;

-- What an app stores in all, kept in the transaction of each write.
CREATE TABLE usage (
    app        INTEGER PRIMARY KEY,
    bytes      INTEGER NOT NULL DEFAULT 0,
    kv_version INTEGER NOT NULL DEFAULT 0   -- the newest version that a key was given
) STRICT;

-- Environment variables that were set for an app by name, before its first deploy too.
CREATE TABLE variable (
    app_name TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (app_name, name)
) STRICT, WITHOUT ROWID;

-- Bytes that are being written, are in use, or wait to be swept: blobs and contents of files alike.
CREATE TABLE upload (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    state    INTEGER NOT NULL,  -- 0: being written, 1: in use, 2: to be swept
    begun_at INTEGER NOT NULL
) STRICT;
CREATE INDEX upload_unused ON upload (state) WHERE state <> 1;

-- Their rows of at most 256 KiB; id = upload << 20 | sequence, so that the rows of one upload lie together.
CREATE TABLE chunk (
    id    INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- Contents of deployed files, each once, by BLAKE3.
CREATE TABLE content (
    hash   BLOB    PRIMARY KEY,
    upload INTEGER NOT NULL,
    size   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The files of one deploy; versions that differ in their environment alone share one.
CREATE TABLE fileset (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    committed INTEGER NOT NULL DEFAULT 0,
    begun_at  INTEGER NOT NULL,
    files     INTEGER NOT NULL DEFAULT 0,
    bytes     INTEGER NOT NULL DEFAULT 0,
    sources   INTEGER NOT NULL DEFAULT 0    -- bytes under api/
) STRICT;

CREATE TABLE file (
    fileset  INTEGER NOT NULL REFERENCES fileset (id),
    path     TEXT    NOT NULL,
    encoding INTEGER NOT NULL,
    hash     BLOB    NOT NULL REFERENCES content (hash),
    size     INTEGER NOT NULL,
    visible  INTEGER NOT NULL,  -- whether a browser may see it
    PRIMARY KEY (fileset, path, encoding)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_by_content ON file (hash);

CREATE TABLE version (
    app        INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    fileset    INTEGER NOT NULL REFERENCES fileset (id),
    created_at INTEGER NOT NULL,
    manifest   TEXT    NOT NULL,
    env        TEXT    NOT NULL,
    handler    INTEGER NOT NULL,
    PRIMARY KEY (app, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_by_fileset ON version (fileset);

-- Lines of the apps' logs.
CREATE TABLE log (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    app     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    level   INTEGER NOT NULL,
    source  INTEGER NOT NULL,
    request TEXT    NOT NULL,
    message TEXT    NOT NULL
) STRICT;
CREATE INDEX log_by_app ON log (app, id);

-- Keys and values. An ordinary rowid table: a value of a kilobyte would overflow the leaves of one without.
-- Keys are blobs, so that their order and their ranges are those of bytes.
CREATE TABLE kv (
    id         INTEGER PRIMARY KEY,
    app        INTEGER NOT NULL,
    key        BLOB    NOT NULL,
    value      BLOB    NOT NULL,   -- JSON text
    version    INTEGER NOT NULL,
    expires_at INTEGER,
    UNIQUE (app, key)
) STRICT;
CREATE INDEX kv_expiry ON kv (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE collection (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    app       INTEGER NOT NULL,
    name      TEXT    NOT NULL,
    documents INTEGER NOT NULL DEFAULT 0,
    sequence  INTEGER NOT NULL DEFAULT 0,   -- the newest document's
    UNIQUE (app, name)
) STRICT;

-- id = collection << 36 | sequence: a collection lies together, in the order of its making. body is JSONB without
-- the fields id, _createdAt and _updatedAt, which are columns.
CREATE TABLE document (
    id         INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL,
    name       TEXT    NOT NULL,   -- the document's own id
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,   -- what the quota counts for it
    body       BLOB    NOT NULL,
    UNIQUE (collection, name)
) STRICT;

-- Fields that an app declared as indexed, and one entry for each document that has a scalar there. One table for all:
-- an index of SQLite's own for each would be paid for by every tenant's inserts.
CREATE TABLE indexed_field (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    app        INTEGER NOT NULL,
    collection INTEGER NOT NULL,
    path       TEXT    NOT NULL,
    UNIQUE (collection, path)
) STRICT;

-- type: 0 null (its value is 0), 1 boolean, 2 number, 3 string, so that comparisons stay within one type.
CREATE TABLE entry (
    field    INTEGER NOT NULL,
    type     INTEGER NOT NULL,
    value    ANY     NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (field, type, value, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_by_document ON entry (document);

CREATE TABLE blob (
    app        INTEGER NOT NULL,
    path       BLOB    NOT NULL,
    mime       TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    hash       TEXT    NOT NULL,   -- BLAKE3 in hex
    upload     INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (app, path)
) STRICT, WITHOUT ROWID;
