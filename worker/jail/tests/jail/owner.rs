//! Every number that the kernel might know, tried by the owner of a folder: a process of its own for each, confined as the
//! store is. What is not on its list fails with EPERM and does nothing.

use std::{
    path::Path,
    process::{ExitCode, exit},
};

use fazt_jail::{Strictness, confine_store, syscalls::STORE_ALLOWED};
use nix::{
    errno::Errno,
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, alarm, close, fork},
};

use crate::{
    every::{Try, tries},
    nest::say,
    stage::Told,
    users::{As, command},
};

/// What a process ends with whose call was refused as the filter refuses, was no call to it, or came back otherwise.
const REFUSED: i32 = 1;
const NO_SUCH_CALL: i32 = 2;
const CAME_BACK: i32 = 7;
/// Nothing here waits; what does all the same ends.
const PATIENCE_S: u32 = 10;

/// `owner FOLDER`
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [folder] = arguments else { panic!("owner FOLDER") };
    for one in tries(STORE_ALLOWED) {
        // SAFETY: this process has one thread.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => exit(live(Path::new(folder), &one)),
            ForkResult::Parent { child } => {
                let end = match waitpid(child, None).unwrap() {
                    WaitStatus::Exited(_, status) => format!("exit {status}"),
                    WaitStatus::Signaled(_, signal, _) => signal.to_string(),
                    other => panic!("{other:?}"),
                };
                say(&format!("tried {one}: {end}"));
            }
        }
    }
    ExitCode::SUCCESS
}

fn live(folder: &Path, one: &Try) -> i32 {
    // Nothing is open: who may change a mode or an owner shall have none to change.
    (0..3).for_each(|descriptor| close(descriptor).unwrap());
    alarm::set(PATIENCE_S);
    confine_store(folder, Strictness::Strict).unwrap();
    let answer = one.make();
    match (answer, Errno::last()) {
        (-1, Errno::EPERM) => REFUSED,
        (-1, Errno::ENOSYS) => NO_SUCH_CALL,
        _ => CAME_BACK,
    }
}

/// What does anything at all is exactly what the list permits.
pub(crate) fn what_the_owner_of_a_folder_may_call_is_exactly_its_list(user: As) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let output = command(user, &["owner", folder.path().to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = Told(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect());
    let (mut wrong, mut passed, mut refused) = (Vec::new(), 0, 0);
    for line in told.all("tried") {
        let (one, end) = line.split_once(": ").unwrap();
        let one: Try = one.parse().unwrap();
        let due = match one.is_permitted(STORE_ALLOWED) {
            None => continue,
            Some(true) => end != "SIGSYS" && end != format!("exit {REFUSED}"),
            Some(false) if one.is_by_the_old_door() => end == "SIGSYS",
            Some(false) if one.number == libc::SYS_clone3 => end == format!("exit {NO_SUCH_CALL}"),
            Some(false) => end == format!("exit {REFUSED}"),
        };
        if !due {
            wrong.push(line);
        }
        *if one.is_permitted(STORE_ALLOWED) == Some(true) { &mut passed } else { &mut refused } += 1;
    }
    assert_eq!(wrong, [""; 0], "numbers that pass and may not, or are refused and should pass");
    assert_eq!(told.all("tried").len(), tries(STORE_ALLOWED).len());
    assert!(passed > STORE_ALLOWED.len() && refused > 1_000, "{passed} passed, {refused} refused");
}
