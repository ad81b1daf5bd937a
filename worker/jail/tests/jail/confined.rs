//! The role of the process that owns a folder: confines itself and says what it can still do.

use std::{
    fs::{self, File},
    io,
    net::{TcpListener, TcpStream},
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    process::{Command, ExitCode},
};

use fazt_jail::{Strictness, confine_store};

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [folder] = arguments else { panic!("confined FOLDER") };
    let folder = Path::new(folder);
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    let confined = confine_store(folder, Strictness::Strict).unwrap();
    println!("confined {:?} {:?}", confined.layers(), confined.missing());
    tell("own-files", own_files(folder));
    tell("randomness", File::open("/dev/urandom").map(drop));
    tell("read-elsewhere", fs::read("/etc/passwd").map(drop));
    tell("list-elsewhere", fs::read_dir("/").map(drop));
    tell("write-elsewhere", fs::write(folder.with_extension("outside"), "x"));
    tell("run", Command::new("/proc/self/exe").arg("--help").status().map(drop));
    tell("connect", TcpStream::connect(address).map(drop));
    tell("listen", TcpListener::bind("127.0.0.1:0").map(drop));
    tell("socket-file", UnixListener::bind(folder.join("socket")).map(drop));
    tell("link", symlink("/etc/passwd", folder.join("link")));
    ExitCode::SUCCESS
}

/// What a database does in its folder.
fn own_files(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder.join("sub"))?;
    fs::write(folder.join("sub/one"), "1234")?;
    File::options().write(true).open(folder.join("sub/one"))?.set_len(2)?;
    fs::rename(folder.join("sub/one"), folder.join("two"))?;
    assert_eq!(fs::read(folder.join("two"))?, b"12");
    fs::remove_file(folder.join("two"))?;
    fs::read_dir(folder)?.count();
    fs::remove_dir(folder.join("sub"))
}

fn tell(what: &str, outcome: io::Result<()>) {
    match outcome {
        Ok(()) => println!("{what} done"),
        Err(error) => println!("{what} {:?}", error.kind()),
    }
}
