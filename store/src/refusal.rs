//! What goes wrong in an op, and the one place where an error of SQLite becomes a refusal that an app sees.

use fazt_protocol::op::{Code, Refusal};
use rusqlite::ErrorCode;

/// Why an op was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpError {
    /// It had no effect, and this is the answer.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// SQLite failed where it should not: in a group, the transaction is given up.
    #[error("{0}")]
    Sql(#[from] rusqlite::Error),
}

impl OpError {
    /// The answer to the app. It never shows SQL.
    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Sql(error) => of_sql(&error),
        }
    }

    /// Whether SQLite took offence at the op itself (too deep, too many values, too large) where it stands in a transaction that
    /// goes on: nobody else's work is to be lost for it.
    pub(crate) fn is_of_the_op_alone(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::Unknown
                    | ErrorCode::TooBig
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch
                    | ErrorCode::ParameterOutOfRange
            )
        )
    }

    /// Whether SQLite stopped a statement because its leash had run out.
    pub(crate) fn is_interrupt(&self) -> bool {
        matches!(self, Self::Sql(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted))
    }
}

/// An argument that is not what the call takes; the message names it.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    let mut message: String = message.into();
    let most = 1_000;
    if message.len() > most {
        let cut = (0..=most).rev().find(|at| message.is_char_boundary(*at)).unwrap_or_default();
        message.truncate(cut);
        message.push('…');
    }
    Refusal::new(Code::InvalidArgument, message)
}

/// The deadline passed, and surely nothing was done.
pub(crate) fn late() -> Refusal {
    Refusal::new(Code::Timeout, "the storage call did not end in time")
}

/// What the app is told when SQLite fails; the log has the rest.
pub(crate) fn of_sql(error: &rusqlite::Error) -> Refusal {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => late(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Refusal::new(Code::Timeout, "another program held the database's lock for too long")
        }
        Some(ErrorCode::DiskFull) => Refusal::new(Code::Unavailable, "the disk is full"),
        Some(ErrorCode::TooBig) => Refusal::new(Code::TooLarge, "more than a row can hold"),
        _ => Refusal::new(Code::Unavailable, "the store failed; its log says why"),
    }
}
