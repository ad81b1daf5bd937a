//! What each app stores: counters that are written in the same transaction as what they count.
//!
//! The writer keeps the counters of the apps that it writes for and puts them down once a group. When a transaction is
//! given up they are forgotten, and read anew from the file.

use std::collections::HashMap;

use fazt_protocol::op::{Code, Refusal};
use rusqlite::{OptionalExtension, params};

use crate::refusal::OpError;

/// The longest entry of an index that lies whole on a page of 4 KiB which it shares (file format of SQLite, 1.6).
const ENTRY_BYTES: u64 = 1_002;
/// A page, and what it has of an entry that goes on in pages of its own.
const PAGE_BYTES: u64 = 4_096;
const OVERFLOW_BYTES: u64 = 4_092;

/// Counters that are kept at most; an app beyond them is read again.
const KEPT: usize = 10_000;

/// One app's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) bytes: u64,
    /// The newest version that a key was given; rises over all keys of the app, so that no version comes twice.
    pub(crate) kv_version: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    accounts: HashMap<u64, (Account, bool)>,
}

/// Counters that were changed in the transaction in hand.
#[derive(Debug)]
pub(crate) struct Kept(Vec<(u64, Account)>);

/// What an entry of an index takes of the file beside its bytes: what is too long for a shared page goes on in pages that
/// it has for itself. A table without row numbers is an index too.
pub(crate) fn overflow_bytes(entry_bytes: u64) -> u64 {
    entry_bytes.saturating_sub(ENTRY_BYTES).div_ceil(OVERFLOW_BYTES).saturating_mul(PAGE_BYTES)
}

impl Ledger {
    /// What an app stores. An app that was removed has no account.
    pub(crate) fn account(&mut self, sql: &rusqlite::Connection, app: u64) -> Result<Account, OpError> {
        if let Some((account, _)) = self.accounts.get(&app) {
            return Ok(*account);
        }
        let mut statement = sql.prepare_cached("SELECT bytes, kv_version FROM usage WHERE app = ?1")?;
        let row = |row: &rusqlite::Row<'_>| Ok(Account { bytes: row.get(0)?, kv_version: row.get(1)? });
        let account = statement.query_row([app], row).optional()?;
        let account = account.ok_or_else(|| Refusal::new(Code::Unavailable, "the app was removed"))?;
        self.accounts.insert(app, (account, false));
        Ok(account)
    }

    /// Puts an account down; it is written with the group.
    pub(crate) fn set(&mut self, app: u64, account: Account) {
        self.accounts.insert(app, (account, true));
    }

    /// Gives an app bytes back that were swept. An app that was removed has no account to give them to.
    pub(crate) fn give_back(&mut self, sql: &rusqlite::Connection, app: u64, bytes: u64) -> Result<(), OpError> {
        match self.account(sql, app) {
            Ok(mut account) => {
                account.charge(bytes, 0, u64::MAX)?;
                self.set(app, account);
                Ok(())
            }
            Err(OpError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes what has changed.
    pub(crate) fn write(&mut self, sql: &rusqlite::Connection) -> rusqlite::Result<()> {
        let mut statement = sql.prepare_cached("UPDATE usage SET bytes = ?2, kv_version = ?3 WHERE app = ?1")?;
        for (app, (account, changed)) in &mut self.accounts {
            if std::mem::take(changed) {
                statement.execute(params![*app, account.bytes, account.kv_version])?;
            }
        }
        if self.accounts.len() > KEPT {
            self.accounts.clear();
        }
        Ok(())
    }

    /// What the counters are now, to come back to.
    pub(crate) fn keep(&self) -> Kept {
        Kept(
            self.accounts
                .iter()
                .filter(|(_, (_, changed))| *changed)
                .map(|(app, (account, _))| (*app, *account))
                .collect(),
        )
    }

    /// The counters as they were: a savepoint was rolled back.
    pub(crate) fn restore(&mut self, kept: Kept) {
        self.accounts.clear();
        self.accounts.extend(kept.0.into_iter().map(|(app, account)| (app, (account, true))));
    }

    /// An app was removed.
    pub(crate) fn forget_app(&mut self, app: u64) {
        self.accounts.remove(&app);
    }

    /// Forgets everything: the transaction was given up, or an app removed.
    pub(crate) fn forget(&mut self) {
        self.accounts.clear();
    }
}

impl Account {
    /// Replaces `before` bytes by `after`.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED` where more is stored than before and it passes the limit.
    pub(crate) fn charge(&mut self, before: u64, after: u64, limit: u64) -> Result<(), Refusal> {
        let bytes = self.bytes.saturating_sub(before).saturating_add(after);
        if after > before && bytes > limit {
            let message = format!("the app's storage is full: {} of {limit} bytes are used", self.bytes);
            return Err(Refusal::new(Code::QuotaExceeded, message));
        }
        self.bytes = bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_fills_to_the_byte_and_not_beyond() {
        let mut account = Account { bytes: 90, kv_version: 0 };
        account.charge(0, 10, 100).unwrap();
        assert_eq!(account.charge(0, 1, 100).unwrap_err().code, Code::QuotaExceeded);
        account.charge(10, 5, 100).unwrap();
        assert_eq!(account.bytes, 95);
        let mut over = Account { bytes: 200, kv_version: 0 };
        over.charge(50, 50, 100).unwrap();
    }
}
