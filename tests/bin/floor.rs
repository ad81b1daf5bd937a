//! The floor: a bare hyper → stream socket → echo process → back, with nothing else on the path. `scripts/bench hello`
//! measures the farm beside it in the same run; what the farm does on top is its price.
//!
//! `floor ADDRESS PROCESSES`: two single-threaded runtimes with SO_REUSEPORT, each with half of the echo processes, of which
//! the one used last is taken first. `floor --echo FD` is such a process.

use std::{
    cell::RefCell,
    convert::Infallible,
    io::{Read, Write},
    net::SocketAddr,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, exit},
    rc::Rc,
    thread,
};

use http_body_util::Full;
use hyper::{Request, Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    sync::Notify,
};

/// As large as a small request and its answer are in a frame.
const FRAME_BYTES: usize = 200;
const RUNTIMES: usize = 2;

type Idle = Rc<Processes>;

/// Echo processes that are free, and a bell for those who wait for one.
#[derive(Default)]
struct Processes {
    free: RefCell<Vec<tokio::net::UnixStream>>,
    came: Notify,
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, fd] if flag == "--echo" => echo(fd.parse().unwrap_or(-1)),
        [address, processes] => {
            let address: SocketAddr = address.parse().map_err(std::io::Error::other)?;
            let processes: usize = processes.parse().map_err(std::io::Error::other)?;
            let threads: Vec<_> =
                (0..RUNTIMES).map(|_| thread::spawn(move || serve(address, (processes / RUNTIMES).max(1)))).collect();
            for thread in threads {
                thread.join().map_err(|_panic| std::io::Error::other("a runtime panicked"))??;
            }
            Ok(())
        }
        _ => {
            eprintln!("usage: floor ADDRESS PROCESSES");
            exit(2)
        }
    }
}

#[expect(unsafe_code, reason = "an inherited descriptor is named by its number")]
fn echo(fd: i32) -> std::io::Result<()> {
    // SAFETY: the parent opened this descriptor for this process, and nothing else here owns it.
    let mut socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    let mut frame = [0; FRAME_BYTES];
    while socket.read_exact(&mut frame).is_ok() {
        socket.write_all(&frame)?;
    }
    Ok(())
}

fn serve(address: SocketAddr, processes: usize) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let idle: Idle = Idle::default();
        for _ in 0..processes {
            idle.free.borrow_mut().push(start_echo()?);
        }
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        let listener = socket.listen(1024)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let idle = Rc::clone(&idle);
            tokio::task::spawn_local(async move {
                let service = service_fn(move |_request: Request<hyper::body::Incoming>| answer(Rc::clone(&idle)));
                let _closed = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

fn start_echo() -> std::io::Result<tokio::net::UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())?;
    Command::new(std::env::current_exe()?).arg("--echo").arg(theirs.as_raw_fd().to_string()).spawn()?;
    ours.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(ours)
}

async fn answer(idle: Idle) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut socket = loop {
        let free = idle.free.borrow_mut().pop();
        match free {
            Some(socket) => break socket,
            // All are busy.
            None => idle.came.notified().await,
        }
    };
    let mut frame = [7; FRAME_BYTES];
    let echoed = async {
        socket.write_all(&frame).await?;
        socket.read_exact(&mut frame).await
    };
    let status = if echoed.await.is_ok() { 200 } else { 502 };
    idle.free.borrow_mut().push(socket);
    idle.came.notify_one();
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"hello\":\"world\"}")));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    Ok(response)
}
