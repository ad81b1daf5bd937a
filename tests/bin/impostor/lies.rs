//! The lies, by name: each is what a worker must not say, and a test knows what must come of it.

use std::{io::IoSlice, mem::MaybeUninit, process};

use fazt_protocol::{
    body::Part,
    call::{Call, Done, Fault, FaultKind, FromWorker, Level, LogLine, Ready, Source, Spans},
    limit::{CHUNK_BYTES, FRAME_BYTES},
    version::PROTOCOL,
};
use rustix::{
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
    time::Timespec,
};

use crate::{
    life::{Impostor, done, reply},
    native, store,
};

/// Tells the lie of that name, or the truth.
pub(crate) fn tell(name: &str, liar: &mut Impostor, call: &Call, query: &str) {
    match name {
        "garbage" | "empty" | "one" | "oversize" | "great" | "huge" | "half" | "trailing" | "cut" | "bomb" => {
            bytes(name, liar, call);
        }
        "silence" => liar.rest(),
        "deaf" => liar.rest(),
        "late" => {
            wait(3);
            liar.answer(call.number, "late");
        }
        "exit" | "unseen" => process::exit(0),
        "abort" => process::abort(),
        "panic" => panic!("the end\nof it"),
        "fork" => drop(process::Command::new("/bin/sh").spawn()),
        "flood" => flood(liar),
        "descriptors" => descriptors(liar, call),
        "gifts" | "op-gifts" => gifts(name, liar, call),
        "burn" | "grow" | "leave" => answered(name, liar, call, query),
        "sip" => sip(liar, call, query),
        "creep" => creep(liar, call, query),
        // In the middle of a request, and less than its own limits allow: a control group may allow less.
        "gorge" => {
            let all: Vec<Vec<u8>> = (0..20).map(|_| vec![1; 4 << 20]).collect();
            if all.iter().all(|part| part.last() == Some(&1)) {
                liar.answer(call.number, query);
            }
        }
        "half-close" => {
            let _closed = rustix::net::shutdown(liar.router.socket(), rustix::net::Shutdown::Write);
            liar.rest();
        }
        "kill" | "tgkill" | "socket" | "connect" | "abstract" | "path" | "datagram" | "exists" | "open" | "peek"
        | "trace" | "take" | "run-memory" | "make-run" | "file-run" | "thread" | "crash" => {
            native::attempt(name, liar, call, query)
        }
        "op-until-max" | "op-until-zero" | "op-until-past" | "op-neighbour" | "op-write-flood" | "op-garbage"
        | "op-stolen" | "op-forged" | "op-flood" | "op-bare" => store::tell(name, liar, call),
        _ => messages(name, liar, call, query),
    }
}

/// A jailed process has one call to wait with.
pub(crate) fn wait(seconds: i64) {
    let _over = rustix::event::poll(&mut [], Some(&Timespec { tv_sec: seconds, tv_nsec: 0 }));
}

fn wait_ms(milliseconds: i64) {
    let _over = rustix::event::poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 }));
}

/// What a worker should not do once it has answered.
fn answered(name: &str, liar: &mut Impostor, call: &Call, query: &str) {
    liar.answer(call.number, query);
    let mut all = Vec::new();
    match name {
        "burn" => loop {
            std::hint::spin_loop();
        },
        "grow" => {
            while all.len() < 100 {
                all.push(vec![1_u8; 4 << 20]);
                wait_ms(50);
            }
        }
        "leave" => process::exit(0),
        _ => {}
    }
    liar.rest();
}

/// Computes without a request, never for long: a quarter of its time, and there is no second in which it does not.
fn sip(liar: &mut Impostor, call: &Call, query: &str) {
    liar.answer(call.number, query);
    loop {
        let until = std::time::Instant::now() + std::time::Duration::from_millis(50);
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        wait_ms(200);
    }
}

/// Grows without a request, never by much: 10 MiB each second.
fn creep(liar: &mut Impostor, call: &Call, query: &str) {
    liar.answer(call.number, query);
    let mut all = Vec::new();
    while all.len() < 60 {
        all.push(vec![1_u8; 10 << 20]);
        wait(1);
    }
    liar.rest();
}

/// Bytes that are no frame, or no whole one.
fn bytes(name: &str, liar: &mut Impostor, call: &Call) {
    let length = |length: usize| u32::try_from(length).unwrap().to_le_bytes().to_vec();
    match name {
        "garbage" => liar.utter(&[length(64), vec![0xee; 64]].concat()),
        "empty" => liar.utter(&length(0)),
        "oversize" => liar.utter(&length(FRAME_BYTES + 1)),
        "one" => liar.utter(&[length(1), vec![0xff]].concat()),
        "great" => liar.utter(&(1_u32 << 31).to_le_bytes()),
        "huge" => liar.utter(&u32::MAX.to_le_bytes()),
        // A text of 2^40 bytes, of which none comes: the last byte is the length of an empty one.
        "bomb" => {
            let line = LogLine { level: Level::Info, source: Source::Console, message: String::new() };
            let mut honest = Impostor::bytes(&FromWorker::Log(line));
            honest.pop();
            honest.push(253);
            honest.extend((1_u64 << 40).to_le_bytes());
            let counted = u32::try_from(honest.len() - 4).unwrap().to_le_bytes();
            honest.splice(..4, counted);
            liar.utter(&honest);
        }
        "trailing" => {
            let mut honest = Impostor::bytes(&FromWorker::Reply(Box::new(reply(call.number, "x"))));
            honest.push(0);
            let counted = u32::try_from(honest.len() - 4).unwrap().to_le_bytes();
            honest.splice(..4, counted);
            liar.utter(&honest);
        }
        "cut" => {
            liar.utter(&[length(100_000), vec![1; 10]].concat());
            process::exit(0);
        }
        _ => liar.utter(&[length(100_000), vec![1; 10]].concat()),
    }
    liar.rest();
}

/// Good frames at a bad time, or of a bad meaning.
fn messages(name: &str, liar: &mut Impostor, call: &Call, query: &str) {
    let number = call.number;
    let mut answer = reply(number, query);
    match name {
        "wrong-number" => answer.number = number.wrapping_add(1),
        "old-number" => answer.number = number.wrapping_sub(1),
        "bad-status" => answer.status = 999,
        "split" => answer.headers.push(("x-a".to_owned(), "1\r\nSet-Cookie: stolen=1".to_owned())),
        "bad-name" => answer.headers.push(("a b".to_owned(), "1".to_owned())),
        "endless" | "empty-parts" | "short-parts" => answer.body = part(CHUNK_BYTES, false),
        "done-first" => liar.say(&done(number)),
        "ready-again" => {
            for _ in 0..10_000 {
                liar.say(&FromWorker::Ready(Ready { protocol: PROTOCOL, layers: u32::MAX }));
            }
        }
        "fault-then-reply" => liar.say(&fault(number)),
        _ => {}
    }
    liar.say(&FromWorker::Reply(Box::new(answer)));
    match name {
        "two-replies" => liar.say(&FromWorker::Reply(Box::new(reply(number, "the second")))),
        "endless" => (0..100).for_each(|_| liar.say(&FromWorker::Chunk(part(CHUNK_BYTES, false)))),
        "empty-parts" => (0..1_000).for_each(|_| liar.say(&FromWorker::Chunk(part(0, false)))),
        "short-parts" => (0..1_000).for_each(|at| liar.say(&FromWorker::Chunk(part(1, at == 999)))),
        "never-done" => liar.rest(),
        "boast" => return liar.say(&boast(number)),
        "done-wrong" => return liar.say(&done(number.wrapping_add(7))),
        _ => {}
    }
    liar.say(&done(number));
    if name == "talkative" {
        liar.say(&FromWorker::Reply(Box::new(reply(number.wrapping_add(1), "nobody asked"))));
    }
}

/// An honest end, but for its figures.
fn boast(number: u64) -> FromWorker {
    let FromWorker::Done(done) = done(number) else { panic!("an end is one") };
    FromWorker::Done(Box::new(Done { cpu_us: u32::MAX, heap_peak: u64::MAX, ..*done }))
}

fn part(bytes: usize, last: bool) -> Part {
    Part { bytes: vec![b'x'; bytes], last }
}

fn fault(number: u64) -> FromWorker {
    let kind = FaultKind::ScriptError;
    FromWorker::Fault(Box::new(Fault {
        number,
        kind,
        message: "first".to_owned(),
        place: None,
        spans: Spans::default(),
    }))
}

/// Log lines without end.
fn flood(liar: &mut Impostor) {
    let line = LogLine { level: Level::Info, source: Source::Console, message: "x".repeat(8_000) };
    let bytes = Impostor::bytes(&FromWorker::Log(line));
    loop {
        liar.utter(&bytes);
    }
}

/// Descriptors that nobody asked for beside an honest answer.
fn descriptors(liar: &mut Impostor, call: &Call) {
    let honest = Impostor::bytes(&FromWorker::Reply(Box::new(reply(call.number, "with gifts"))));
    for byte in honest {
        let gifts = [liar.op.socket(); 8];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        beside.push(SendAncillaryMessage::ScmRights(&gifts));
        let sent = sendmsg(liar.router.socket(), &[IoSlice::new(&[byte])], &mut beside, SendFlags::NOSIGNAL);
        // The kernel bounds what may be on its way; the rest of the answer goes without.
        if sent.is_err() {
            liar.utter(&[byte]);
        }
    }
    liar.say(&done(call.number));
}

/// As many descriptors as the kernel takes at once, a thousand times, with bytes that are nothing.
fn gifts(name: &str, liar: &mut Impostor, call: &Call) {
    let to = if name == "gifts" { liar.router.socket() } else { liar.op.socket() };
    let gifts = [liar.op.socket(); 253];
    for _ in 0..1_000 {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        beside.push(SendAncillaryMessage::ScmRights(&gifts));
        // However little of it the kernel lets through.
        let _sent = sendmsg(to, &[IoSlice::new(&[0xee])], &mut beside, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }
    liar.answer(call.number, "given");
}
