//! The router role: owns what is attacked, starts a nest, looks at the child that waits, and passes on what was said.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::{Command, ExitCode, Stdio, id},
    ptr,
};

use nix::unistd::{Gid, geteuid, gethostname, setgroups};

use crate::looks::LOOKS;

/// `router LEFT_OUT`
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [left_out] = arguments else { panic!("router LEFT_OUT") };
    let by_root = geteuid().is_root();
    if by_root {
        // Something to drop.
        setgroups(&[Gid::from_raw(4_242)]).unwrap();
    }
    // SAFETY: plain numbers. Where a kernel asks for it, children of ours may look into us: that is not the layer meant.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY) };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The folder is open, the file is not.
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "secret").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let segment = Segment::new();
    let marker = 7_u8;
    let scene: Vec<OsString> = vec![
        "nest".into(),
        left_out.into(),
        id().to_string().into(),
        listener.local_addr().unwrap().port().to_string().into(),
        segment.key.to_string().into(),
        (&raw const marker).expose_provenance().to_string().into(),
        file.into(),
        gethostname().unwrap(),
    ];
    attend(&scene, by_root)
}

fn attend(scene: &[OsString], by_root: bool) -> ExitCode {
    let mut command = Command::new(env::current_exe().unwrap());
    let mut nest = command.args(scene).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut go_on = nest.stdin.take().unwrap();
    for line in BufReader::new(nest.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.strip_prefix("look ") {
            Some(pid) => {
                look(pid, by_root);
                go_on.write_all(b"\n").unwrap();
            }
            None => println!("{line}"),
        }
    }
    let status = nest.wait().unwrap();
    println!("ended {status}");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn look(pid: &str, by_root: bool) {
    for look in LOOKS.iter().filter(|look| by_root || !look.for_root_alone) {
        match (look.is_wrong)(pid) {
            Some(true) => println!("through {}", look.name),
            Some(false) => println!("held {}", look.name),
            None => println!("unseen {}", look.name),
        }
    }
}

/// A System V segment that all may attach, gone with its owner.
struct Segment {
    key: i32,
    id: i32,
}

impl Segment {
    fn new() -> Self {
        let key = i32::try_from(id()).unwrap() | 0x4000_0000;
        // SAFETY: no memory is involved.
        let segment = unsafe { libc::shmget(key, 4_096, libc::IPC_CREAT | libc::IPC_EXCL | 0o666) };
        assert!(segment >= 0, "no segment: {}", std::io::Error::last_os_error());
        Self { key, id: segment }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: no memory is involved; nobody is attached.
        unsafe { libc::shmctl(self.id, libc::IPC_RMID, ptr::null_mut()) };
    }
}
