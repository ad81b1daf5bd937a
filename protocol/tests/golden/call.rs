//! Samples of the call conversation.

use std::sync::Arc;

use fazt_protocol::{
    body::Part,
    call::{
        Assign, Assigned, Before, Call, Done, Fault, FaultKind, FromWorker, Level, Limits, LoadFailure, LogLine,
        OpSpan, Place, Ready, Reply, Request, Source, Spans, ToWorker, Work,
    },
    op::{Code, Refusal},
};

use super::{
    Samples,
    every::{FAULT_KINDS, LEVELS, SOURCES},
    grant, pair, part, variants,
};

variants! {
    ToWorker: Assign Call Chunk Rebind;
    FromWorker: Ready Assigned Log Reply Chunk Fault Done;
    LoadFailure: Store Worker;
    Work: Request Execute;
    Level: Debug Info Warn Error;
    Source: Console Fazt Uncaught;
    FaultKind: NoHandler ScriptError InvalidJson InvalidBody SoftTimeout Memory Stack NeverSettled InvalidResponse
        StorageTimeout StorageUnavailable QuotaExceeded;
}

const SPANS: Spans = Spans { parse_us: 1, inject_us: 2, execute_us: 300, respond_us: 4, storage_us: 70_000 };

fn assign() -> ToWorker {
    let limits = Limits {
        heap_bytes: 64 << 20,
        stack_bytes: 512 << 10,
        answer_bytes: 10 << 20,
        storage_calls: 10_000,
        storage_ms: 500,
    };
    let (app, env) = ("momentum".to_owned(), vec![pair("MODE", "test"), pair("EMPTY", "")]);
    ToWorker::Assign(Box::new(Assign { protocol: 1, app, version: 12, env, limits, grant: grant() }))
}

fn call(work: Work) -> ToWorker {
    let spent = Before { queue_us: 40, bind_us: 5_000 };
    ToWorker::Call(Box::new(Call {
        number: 77,
        grant: grant(),
        run_us: 1_000_000,
        work,
        spent,
        debug: true,
        body: Part::whole(b"{}".to_vec()),
    }))
}

fn request() -> Work {
    Work::Request(Arc::new(Request {
        method: "POST".to_owned(),
        url: "http://momentum.localhost:8080/api/tasks?n=1".to_owned(),
        path: "/api/tasks".to_owned(),
        query: "n=1".to_owned(),
        host: "momentum.localhost".to_owned(),
        ip: "127.0.0.1".to_owned(),
        headers: vec![pair("content-type", "application/json"), pair("x-utf8", "ü")],
        has_body: true,
    }))
}

fn fault(kind: FaultKind) -> FromWorker {
    let place = Place {
        stack: "at handle (api/main.js:3:7)".to_owned(),
        file: "api/main.js".to_owned(),
        line: 3,
        column: 7,
        context: "throw new Error('no')".to_owned(),
    };
    let message = "Error: no".to_owned();
    FromWorker::Fault(Box::new(Fault { number: 77, kind, message, place: Some(place), spans: SPANS }))
}

fn done() -> FromWorker {
    let op = |op: &str, collection: Option<&str>| OpSpan {
        op: op.to_owned(),
        micros: 230,
        store_us: 110,
        collection: collection.map(str::to_owned),
    };
    FromWorker::Done(Box::new(Done {
        number: 77,
        cpu_us: 900,
        heap_peak: 1 << 20,
        spans: SPANS,
        storage_ops: 2,
        ops: vec![op("kv.get", None), op("ds.insert", Some("tasks"))],
        retire: true,
    }))
}

fn log(level: Level, source: Source) -> FromWorker {
    FromWorker::Log(LogLine { level, source, message: "hello\nworld".to_owned() })
}

pub(super) fn add(samples: &mut Samples) {
    let asked = vec![
        assign(),
        call(request()),
        ToWorker::Chunk(Part::empty()),
        ToWorker::Chunk(part()),
        ToWorker::Rebind { grant: None },
        ToWorker::Rebind { grant: Some(grant()) },
    ];
    samples.add("call.to_worker", asked, |message| message);
    samples.add("call.to_worker.Call", vec![request(), Work::Execute], call);
    let headers = vec![pair("set-cookie", "a=1"), pair("set-cookie", "b=2")];
    let assigned = |handler, failure| FromWorker::Assigned(Assigned { spent_us: 2_100, handler, failure });
    let said = vec![
        FromWorker::Ready(Ready { protocol: 1, layers: 0xffff }),
        assigned(true, None),
        log(Level::Info, Source::Console),
        FromWorker::Reply(Box::new(Reply { number: 77, status: 201, headers, spans: SPANS, body: part() })),
        FromWorker::Chunk(part()),
        fault(FaultKind::ScriptError),
        done(),
    ];
    samples.add("call.from_worker", said, |message| message);
    let failures = vec![
        LoadFailure::Store(Refusal::new(Code::Unavailable, "the store is being restarted")),
        LoadFailure::Worker { reason: "make a runtime: out of memory".to_owned() },
    ];
    samples.add("call.from_worker.Assigned", failures, |failure| assigned(false, Some(failure)));
    samples.add("call.from_worker.Log.level", LEVELS.to_vec(), |level| log(level, Source::Fazt));
    samples.add("call.from_worker.Log.source", SOURCES.to_vec(), |source| log(Level::Debug, source));
    samples.add("call.from_worker.Fault", FAULT_KINDS.to_vec(), fault);
}
