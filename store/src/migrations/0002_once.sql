-- What writes with a token (`once`) were answered, for a day: written in the transaction of the write itself.
CREATE TABLE once (
    app    INTEGER NOT NULL,
    token  BLOB    NOT NULL,
    at     INTEGER NOT NULL,   -- when it was done
    op     TEXT    NOT NULL,   -- kv.set, ds.insert, ...
    target BLOB    NOT NULL,   -- the key, the collection or the path that it was done to
    answer ANY,                -- null: nothing to say; an integer: a boolean; a real: a number; a blob: JSON text
    PRIMARY KEY (app, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX once_by_age ON once (at);
