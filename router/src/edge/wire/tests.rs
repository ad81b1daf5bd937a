//! The wire's clocks, on a clock that only moves when nothing else can.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::edge::body::Budget;

fn wire(buffer: usize) -> (Wire<DuplexStream>, DuplexStream, Arc<Session>) {
    wire_of(buffer, false)
}

fn wire_of(buffer: usize, is_kept: bool) -> (Wire<DuplexStream>, DuplexStream, Arc<Session>) {
    let (near, far) = duplex(buffer);
    let session = Session::new(None, Budget::new(0));
    let session = Arc::new(if is_kept { session.kept() } else { session });
    (Wire::new(near, Arc::clone(&session)), far, session)
}

async fn read(wire: &mut Wire<DuplexStream>) -> io::Result<usize> {
    wire.read(&mut [0; 256]).await
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_after_fifteen_seconds() {
    let (mut wire, _far, _) = wire(64);
    let begun = Instant::now();
    assert_eq!(read(&mut wire).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed().as_secs(), IDLE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_ends_after_five_seconds_however_busy_it_looks() {
    let (mut wire, mut far, _) = wire(64);
    let begun = Instant::now();
    let dripping = tokio::spawn(async move {
        loop {
            if far.write_all(b"x").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let end = loop {
        if let Err(error) = read(&mut wire).await {
            break error;
        }
    };
    assert_eq!((end.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, HEAD.as_secs()));
    drop(wire);
    dripping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_in_hand_has_no_idle_clock_and_the_next_wait_begins_after_it() {
    let (mut wire, _far, session) = wire(64);
    session.begin(true);
    let waited = tokio::time::timeout(Duration::from_secs(3_600), read(&mut wire)).await;
    assert!(waited.is_err(), "a long request is not an idle one");
    wire.write_all(b"x").await.unwrap();
    session.wait();
    let begun = Instant::now();
    assert_eq!(read(&mut wire).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed().as_secs(), IDLE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_its_side_still_gets_its_answer() {
    let (mut wire, mut far, session) = wire(64);
    session.begin(true);
    far.shutdown().await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(60), read(&mut wire)).await;
    assert!(told.is_err(), "the end is not told while an answer is due");
    wire.write_all(b"answer").await.unwrap();
    session.wait();
    assert_eq!(read(&mut wire).await.unwrap(), 0);
    let mut heard = [0; 6];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"answer");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_body_and_of_the_client_may_come_together() {
    const HEAD: &str = "PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\n";
    for (body, is_told) in [("abc", false), ("ab", true)] {
        let (mut wire, mut far, session) = wire(256);
        far.write_all([HEAD, body].concat().as_bytes()).await.unwrap();
        far.shutdown().await.unwrap();
        read(&mut wire).await.unwrap();
        session.begin(false);
        let told = tokio::time::timeout(Duration::from_secs(60), read(&mut wire)).await;
        assert_eq!(told.is_ok(), is_told, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_head_that_nobody_reads_does_not_hold_a_closed_connection() {
    let (mut wire, mut far, _) = wire(256);
    far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    far.shutdown().await.unwrap();
    read(&mut wire).await.unwrap();
    let begun = Instant::now();
    let end = tokio::time::timeout(Duration::from_secs(3_600), read(&mut wire)).await.expect("it is held for ever");
    assert_eq!((end.unwrap_err().kind(), begun.elapsed()), (io::ErrorKind::TimedOut, IDLE));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_given_up() {
    let (mut wire, _far, _) = wire(8);
    let begun = Instant::now();
    assert_eq!(wire.write_all(&[0; 64]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed().as_secs(), STALL.as_secs());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stands_still_is_no_idle_connection() {
    let (mut wire, _far, session) = wire(8);
    session.begin(true);
    let cx = &mut Context::from_waker(Waker::noop());
    while Pin::new(&mut wire).poll_write(cx, &[0; 64]).is_ready() {}
    session.wait();
    let begun = Instant::now();
    let idle = tokio::time::timeout(STALL - Duration::from_secs(1), read(&mut wire)).await;
    assert!(idle.is_err(), "given up after {:?}", begun.elapsed());
    assert_eq!(wire.write_all(&[0; 64]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed(), STALL);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_a_little_now_and_then_is_given_up_as_well() {
    let (mut wire, mut far, _) = wire(1_024);
    let begun = Instant::now();
    let sipping = tokio::spawn(async move {
        while far.read_exact(&mut [0; 1_024]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert_eq!(wire.write_all(&[0; 1 << 20]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    // Of each second that it stands still a quarter is earned again.
    assert!((STALL..STALL * 3 / 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    drop(wire);
    sipping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_as_slowly_as_it_may_gets_all() {
    let (mut wire, mut far, _) = wire(4_096);
    let reading = tokio::spawn(async move {
        while far.read_exact(&mut [0; 4_096]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(999)).await;
        }
    });
    wire.write_all(&[0; 1 << 20]).await.unwrap();
    drop(wire);
    reading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_place_that_others_wait_for_is_given_up_soon() {
    for first in [&b""[..], b"GET /"] {
        let (mut wire, mut far, _) = wire_of(64, true);
        far.write_all(first).await.unwrap();
        let begun = Instant::now();
        let end = loop {
            if let Err(error) = read(&mut wire).await {
                break error;
            }
        };
        assert_eq!((end.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, KEPT));
    }
}

#[tokio::test(start_paused = true)]
async fn what_still_comes_in_is_read_away_before_the_end() {
    let (mut wire, mut far, session) = wire(64);
    far.write_all(b"PUT / HTTP/1.1\r\nContent-Length: 999\r\n\r\n").await.unwrap();
    read(&mut wire).await.unwrap();
    session.begin(false);
    let sending = tokio::spawn(async move { far.write_all(&[0; 999]).await.map(|()| far) });
    let begun = Instant::now();
    wire.shutdown().await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), LINGER.as_secs());
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_nothing_open_ends_at_once() {
    let (mut wire, mut far, session) = wire(64);
    far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    read(&mut wire).await.unwrap();
    session.begin(true);
    let begun = Instant::now();
    wire.shutdown().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

const REFUSED: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";

/// Writes the library's refusal, and gives what the client hears.
async fn refused(wire: &mut Wire<DuplexStream>, far: &mut DuplexStream) -> String {
    wire.write_all(REFUSED).await.unwrap();
    wire.flush().await.unwrap();
    let mut heard = [0; 4096];
    let count = far.read(&mut heard).await.unwrap();
    String::from_utf8(heard[..count].to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_the_library_says_by_itself_is_said_as_a_problem() {
    let (mut wire, mut far, _) = wire(4096);
    let heard = refused(&mut wire, &mut far).await;
    assert!(heard.contains("x-request-id: req_") && heard.contains("\"code\":\"invalid_request\""), "{heard}");
    let (mut wire, mut far, session) = self::wire(4096);
    session.begin(true);
    session.wait();
    wire.flush().await.unwrap();
    let heard = refused(&mut wire, &mut far).await;
    assert!(heard.contains("x-request-id: req_"), "after an answer that is out, too: {heard}");
}

#[tokio::test(start_paused = true)]
async fn what_answers_a_request_is_left_as_it_is() {
    let (mut wire, mut far, session) = wire(4096);
    session.begin(true);
    assert_eq!(refused(&mut wire, &mut far).await.as_bytes(), REFUSED);
    session.begin(true);
    session.wait();
    assert_eq!(refused(&mut wire, &mut far).await.as_bytes(), REFUSED, "no byte of this answer is out yet");
}

#[tokio::test(start_paused = true)]
async fn a_problem_goes_out_whole_however_little_is_taken_at_a_time() {
    let (mut wire, mut far, _) = wire(8);
    let hearing = tokio::spawn(async move {
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.unwrap();
        heard
    });
    wire.write_all(REFUSED).await.unwrap();
    wire.flush().await.unwrap();
    drop(wire);
    assert!(hearing.await.unwrap().ends_with('}'));
}

#[derive(Default)]
struct Woken(std::sync::atomic::AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_not_told_of_the_end_is_woken_once_the_answer_is_out() {
    let (mut wire, mut far, session) = wire(64);
    session.begin(true);
    far.shutdown().await.unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut space = [0; 8];
    let mut to = ReadBuf::new(&mut space);
    assert!(Pin::new(&mut wire).poll_read(&mut Context::from_waker(&waker), &mut to).is_pending());
    wire.flush().await.unwrap();
    assert!(!woken.0.load(std::sync::atomic::Ordering::Relaxed), "the answer is still due");
    session.wait();
    wire.flush().await.unwrap();
    assert!(woken.0.load(std::sync::atomic::Ordering::Relaxed));
}
