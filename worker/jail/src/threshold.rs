//! The first half of the way into the nest: a user namespace, its id maps, and the same program started again inside.
//!
//! Why again: the kernel remembers the user namespace of a program's memory from exec(2) on, and lets nobody look into a
//! process that is not dumpable without privilege over *that* namespace. Children of a program that merely unshared
//! would belong to the machine's namespace, and an ordinary router could not read their /proc/PID/ns. The second start
//! also sheds the environment and whatever the first one had read.
//!
//! Everything here happens in a process with one thread (the kernel refuses otherwise), before anything is shared.
//! What was reached travels as one argument, `--flag=ERRNO:COUNT`: why there is no namespace (0: there is one; no
//! number: nobody tried), and how many ids its children can have.

#![expect(unsafe_code, reason = "fork(2), for the short-lived process that writes the id maps from outside")]

use std::{
    convert::Infallible,
    env,
    ffi::{CString, OsString},
    fmt, fs,
    io::{PipeReader, Read, Write, pipe},
    os::unix::ffi::OsStringExt,
    str::FromStr,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, Pid, execve, fork, getegid, geteuid, getpid},
};

use crate::{
    error::JailError,
    identity::{ID_COUNT, errno_of, map_text, range_is_mapped},
    ledger::Strictness,
};

/// What the first half reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    pub(crate) user_namespace: Reached,
    /// How many ids children can have; zero for an ordinary user.
    pub(crate) ids: u32,
}

/// Whether there is a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    Inside,
    Refused(JailError),
    NotTried,
}

impl fmt::Display for Arrival {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.user_namespace {
            Reached::Inside => write!(out, "0:{}", self.ids),
            Reached::Refused(error) => write!(out, "{}:{}", error.errno() as i32, self.ids),
            Reached::NotTried => write!(out, "-:{}", self.ids),
        }
    }
}

impl FromStr for Arrival {
    type Err = JailError;

    fn from_str(text: &str) -> Result<Self, JailError> {
        let (errno, ids) = text.split_once(':').ok_or(JailError::Arrival)?;
        let user_namespace = match errno {
            "0" => Reached::Inside,
            "-" => Reached::NotTried,
            number => {
                let number = number.parse().map_err(|_| JailError::Arrival)?;
                Reached::Refused(JailError::UserNamespace(Errno::from_raw(number)))
            }
        };
        let ids = ids.parse().ok().filter(|ids| *ids <= ID_COUNT).ok_or(JailError::Arrival)?;
        Ok(Self { user_namespace, ids })
    }
}

/// Enters a user namespace and starts this program again inside it, with the same arguments, then `flag=ARRIVAL`, and
/// TZ=UTC0 as its whole environment. Does not return where it succeeds. Descriptors that are not close-on-exec stay, and
/// so does the parent-death signal.
///
/// Where none may be made, a nest that root started goes on without: its children have ids of their own all the same.
///
/// # Errors
/// In [`Strictness::Strict`], where there can be no user namespace and no ids of their own either; in all, where the program
/// cannot be started again.
pub fn start_again_inside(strictness: Strictness, flag: &str) -> Result<Infallible, JailError> {
    let by_root = geteuid().is_root() && range_is_mapped();
    let user_namespace = match strictness {
        Strictness::Off => Reached::NotTried,
        Strictness::Strict | Strictness::BestEffort => match enter_user_namespace(by_root) {
            Ok(()) => Reached::Inside,
            Err(error @ JailError::UserNamespace(_)) if by_root => Reached::Refused(error),
            Err(error) if strictness == Strictness::BestEffort => Reached::Refused(error),
            Err(error) => return Err(error),
        },
    };
    let arrival = Arrival { user_namespace, ids: if by_root { ID_COUNT } else { 0 } };
    let mut arguments: Vec<CString> = Vec::new();
    for argument in env::args_os().chain([OsString::from(format!("{flag}={arrival}"))]) {
        arguments.push(CString::new(argument.into_vec()).map_err(|_| JailError::Reexec(Errno::EINVAL))?);
    }
    // A zone in POSIX form: no file describes it, so local time is UTC and needs none in the empty root.
    execve(c"/proc/self/exe", &arguments, &[c"TZ=UTC0"]).map_err(JailError::Reexec)
}

/// Root maps its own id and the range, which takes a process outside; anybody else maps its own id and may do so itself.
fn enter_user_namespace(by_root: bool) -> Result<(), JailError> {
    let maps =
        Maps { uids: map_text(geteuid().as_raw(), by_root), gids: map_text(getegid().as_raw(), by_root), by_root };
    if by_root {
        return enter_mapped_from_outside(&maps);
    }
    unshare(CloneFlags::CLONE_NEWUSER).map_err(JailError::UserNamespace)?;
    maps.write(getpid()).map_err(JailError::IdMap)
}

/// Forks a process that stays outside, enters the namespace, has that process write the maps, and waits for it: with
/// the namespace's own privileges alone, ids other than one's own cannot be mapped.
fn enter_mapped_from_outside(maps: &Maps) -> Result<(), JailError> {
    let (entered, mut tell) = pipe().map_err(|error| JailError::IdMap(errno_of(&error)))?;
    let inside = getpid();
    // SAFETY: this process has one thread, so the child may do whatever its parent may.
    match unsafe { fork() }.map_err(JailError::IdMap)? {
        ForkResult::Child => {
            drop(tell);
            let status = write_once_told(maps, inside, entered);
            // SAFETY: _exit runs nothing of the parent's on its way out, which is its point here.
            unsafe { libc::_exit(status) }
        }
        ForkResult::Parent { child } => {
            drop(entered);
            let outcome = unshare(CloneFlags::CLONE_NEWUSER).map_err(JailError::UserNamespace);
            if outcome.is_ok() {
                // If the writer is gone, its exit status says so better than this error.
                let _ = tell.write_all(b"!");
            }
            drop(tell);
            let written = await_writer(child);
            outcome.and(written.map_err(JailError::IdMap))
        }
    }
}

/// The process outside: its exit status is the error number. No byte means there is no namespace to map.
fn write_once_told(maps: &Maps, inside: Pid, mut entered: PipeReader) -> i32 {
    match entered.read_exact(&mut [0]) {
        Ok(()) => maps.write(inside).err().map_or(0, |errno| errno as i32),
        Err(_) => 0,
    }
}

fn await_writer(writer: Pid) -> Result<(), Errno> {
    loop {
        match waitpid(writer, None) {
            Ok(WaitStatus::Exited(_, 0)) => return Ok(()),
            Ok(WaitStatus::Exited(_, number)) => return Err(Errno::from_raw(number)),
            Ok(WaitStatus::Signaled(..)) => return Err(Errno::ESRCH),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The texts of the id maps.
struct Maps {
    uids: String,
    gids: String,
    by_root: bool,
}

impl Maps {
    /// Each file takes one write, ever. An ordinary user must give up setgroups(2) first, else dropping a group would
    /// open files that the group was denied.
    fn write(&self, process: Pid) -> Result<(), Errno> {
        let put = |name: &str, text: &str| {
            fs::write(format!("/proc/{process}/{name}"), text).map_err(|error| errno_of(&error))
        };
        if !self.by_root {
            put("setgroups", "deny")?;
        }
        put("uid_map", &self.uids)?;
        put("gid_map", &self.gids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrival_survives_its_journey() {
        let refused = Reached::Refused(JailError::UserNamespace(Errno::EPERM));
        for user_namespace in [Reached::Inside, refused, Reached::NotTried] {
            let arrival = Arrival { user_namespace, ids: ID_COUNT };
            assert_eq!(arrival.to_string().parse(), Ok(arrival));
        }
    }

    #[test]
    fn other_words_are_no_arrival() {
        for text in ["", "0", "0:", ":5", "x:5", "0:65536", "0:-1", "0:1:2"] {
            assert_eq!(text.parse::<Arrival>(), Err(JailError::Arrival), "{text}");
        }
    }
}
