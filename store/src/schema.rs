//! The schema's versions: numbered migrations, forward only, each in a transaction of its own with the file's version.

use rusqlite::Connection;

/// In order; the n-th makes version n.
const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_once.sql"),
    include_str!("migrations/0003_collections.sql"),
    include_str!("migrations/0004_names.sql"),
    include_str!("migrations/0005_logged.sql"),
    include_str!("migrations/0006_numbers.sql"),
];

/// What this program understands.
pub(crate) const NEWEST: u32 = MIGRATIONS.len() as u32;

/// Marks the file as ours ("fazt").
const APPLICATION: i32 = 0x6661_7a74;

/// Why a file cannot be brought to our schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// It was written by a newer program.
    #[error("its schema is version {0}, this program knows {NEWEST}: install the newer fazt again")]
    Newer(u32),
    /// It is a database of something else.
    #[error("it is a database of another program")]
    Foreign,
    /// SQLite failed.
    #[error("{0}")]
    Sql(#[from] rusqlite::Error),
}

/// Brings the file to the newest version.
pub(crate) fn migrate(sql: &Connection) -> Result<(), SchemaError> {
    let version = version(sql)?;
    if version > NEWEST {
        return Err(SchemaError::Newer(version));
    }
    let application: i32 = sql.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = sql.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && (version > 0 || tables > 0) {
        return Err(SchemaError::Foreign);
    }
    let pending = MIGRATIONS.iter().zip(1_u32..).filter(|(_, number)| *number > version);
    for (migration, number) in pending {
        sql.execute_batch(&format!(
            "BEGIN IMMEDIATE; {migration} PRAGMA user_version = {number}; PRAGMA application_id = {APPLICATION}; COMMIT;"
        ))?;
    }
    Ok(())
}

fn version(sql: &Connection) -> rusqlite::Result<u32> {
    sql.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::overflow_bytes;

    #[test]
    fn a_new_file_gets_the_newest_schema_once() {
        let sql = Connection::open_in_memory().unwrap();
        migrate(&sql).unwrap();
        assert_eq!(version(&sql).unwrap(), NEWEST);
        migrate(&sql).unwrap();
    }

    #[test]
    fn an_older_file_is_brought_forward_with_what_it_holds() {
        let sql = Connection::open_in_memory().unwrap();
        let first = MIGRATIONS[0];
        sql.execute_batch(&format!("{first} PRAGMA user_version = 1; PRAGMA application_id = {APPLICATION};")).unwrap();
        sql.execute_batch(
            "INSERT INTO app (name) VALUES ('kept'); INSERT INTO usage (app, bytes) VALUES (1, 10), (2, 10);
             INSERT INTO collection (app, name) VALUES (1, 'ab'), (1, 'ö');",
        )
        .unwrap();
        migrate(&sql).unwrap();
        assert_eq!(version(&sql).unwrap(), NEWEST);
        let kept: String = sql.query_row("SELECT name FROM app", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "kept");
        sql.query_row("SELECT count(*) FROM once", [], |row| row.get::<_, i64>(0)).unwrap();
        let bytes =
            |app: i64| sql.query_row("SELECT bytes FROM usage WHERE app = ?1", [app], |row| row.get::<_, i64>(0));
        assert_eq!((bytes(1), bytes(2)), (Ok(10 + 2 * 68), Ok(10)), "its collections are charged");
    }

    #[test]
    fn names_that_are_there_already_are_charged_as_new_ones_are() {
        let sql = Connection::open_in_memory().unwrap();
        let before = MIGRATIONS[..3].concat();
        sql.execute_batch(&format!("{before} PRAGMA user_version = 3; PRAGMA application_id = {APPLICATION};"))
            .unwrap();
        sql.execute_batch(
            "INSERT INTO app (name) VALUES ('kept'); INSERT INTO usage (app, bytes) VALUES (1, 0), (2, 0);
             INSERT INTO kv (app, key, value, version) VALUES (1, x'010203', x'31', 1), (1, x'04', x'31', 2);
             INSERT INTO blob VALUES (1, x'0102', 'a/ö', 7, '', 1, 0), (1, zeroblob(1024), 'a/b', 7, '', 2, 0);
             INSERT INTO once VALUES (1, x'01', 0, 'kv.set', x'02', NULL), (1, x'0203', 0, 'ds.insert', x'', zeroblob(5000));",
        )
        .unwrap();
        migrate(&sql).unwrap();
        let bytes =
            |app: i64| sql.query_row("SELECT bytes FROM usage WHERE app = ?1", [app], |row| row.get::<_, u64>(0));
        let charged = 4
            + (4 + overflow_bytes(2 + 4 + 100))
            + (3 + overflow_bytes(1024 + 3 + 100))
            + (1 + overflow_bytes(1 + 1 + 48))
            + (2 + overflow_bytes(2 + 5000 + 48));
        assert_eq!((bytes(1), bytes(2)), (Ok(charged), Ok(0)));
    }

    #[test]
    fn newer_and_foreign_files_are_left_alone() {
        let sql = Connection::open_in_memory().unwrap();
        migrate(&sql).unwrap();
        sql.pragma_update(None, "user_version", NEWEST + 1).unwrap();
        assert!(matches!(migrate(&sql), Err(SchemaError::Newer(_))));
        let sql = Connection::open_in_memory().unwrap();
        sql.execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
        assert!(matches!(migrate(&sql), Err(SchemaError::Foreign)));
    }
}
