//! The call conversation.

use std::sync::Arc;

use fazt_protocol::{
    call::{
        Assign, Assigned, Before, Call, Done, Fault, FromWorker, Level, Limits, LoadFailure, LogLine, OpSpan, Place,
        Ready, Reply, Request, Source, Spans, ToWorker, Work,
    },
    limit::{
        APP_NAME_BYTES, ENV_BYTES, ENV_VARIABLES, ERROR_TEXT_BYTES, FILE_PATH_BYTES, HEADERS, HEADERS_BYTES,
        HEADERS_GIVEN_BYTES, LOG_LINE_BYTES, TRACED_NAME_BYTES, TRACED_OPS, URL_BYTES,
    },
};
use proptest::prelude::*;

use super::{
    every::{FAULT_KINDS, LEVELS, SOURCES},
    op::refusal,
    value::{grant, list, maybe_text, pairs, part, text},
};

pub(super) fn level() -> impl Strategy<Value = Level> {
    prop::sample::select(LEVELS.to_vec())
}

pub(super) fn source() -> impl Strategy<Value = Source> {
    prop::sample::select(SOURCES.to_vec())
}

fn spans() -> impl Strategy<Value = Spans> {
    any::<[u32; 5]>().prop_map(|[parse_us, inject_us, execute_us, respond_us, storage_us]| Spans {
        parse_us,
        inject_us,
        execute_us,
        respond_us,
        storage_us,
    })
}

fn assign() -> impl Strategy<Value = Assign> {
    let limits = (any::<[u64; 3]>(), any::<[u32; 2]>()).prop_map(
        |([heap_bytes, stack_bytes, answer_bytes], [storage_calls, storage_ms])| Limits {
            heap_bytes,
            stack_bytes,
            answer_bytes,
            storage_calls,
            storage_ms,
        },
    );
    (any::<u16>(), text(APP_NAME_BYTES), any::<u64>(), pairs(ENV_VARIABLES, ENV_BYTES), limits, grant())
        .prop_map(|(protocol, app, version, env, limits, grant)| Assign { protocol, app, version, env, limits, grant })
}

fn work() -> impl Strategy<Value = Work> {
    let head = (text(16), text(URL_BYTES), text(URL_BYTES), text(URL_BYTES), text(256), text(64));
    let request = (head, pairs(HEADERS, HEADERS_GIVEN_BYTES), any::<bool>());
    prop_oneof![
        1 => Just(Work::Execute),
        4 => request.prop_map(|((method, url, path, query, host, ip), headers, has_body)| {
            Work::Request(Arc::new(Request { method, url, path, query, host, ip, headers, has_body }))
        }),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    (any::<[u64; 2]>(), grant(), work(), any::<[u32; 2]>(), any::<bool>(), part()).prop_map(
        |([number, run_us], grant, work, [queue_us, bind_us], debug, body)| {
            let spent = Before { queue_us, bind_us };
            Call { number, grant, run_us, work, spent, debug, body }
        },
    )
}

pub(super) fn to_worker() -> impl Strategy<Value = ToWorker> {
    prop_oneof![
        assign().prop_map(|assign| ToWorker::Assign(Box::new(assign))),
        call().prop_map(|call| ToWorker::Call(Box::new(call))),
        part().prop_map(ToWorker::Chunk),
        prop::option::of(grant()).prop_map(|grant| ToWorker::Rebind { grant }),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    let place = (text(ERROR_TEXT_BYTES), text(FILE_PATH_BYTES), any::<[u32; 2]>(), text(512))
        .prop_map(|(stack, file, [line, column], context)| Place { stack, file, line, column, context });
    (any::<u64>(), prop::sample::select(FAULT_KINDS.to_vec()), text(ERROR_TEXT_BYTES), prop::option::of(place), spans())
        .prop_map(|(number, kind, message, place, spans)| Fault { number, kind, message, place, spans })
}

fn done() -> impl Strategy<Value = Done> {
    let op = (text(TRACED_NAME_BYTES), any::<[u32; 2]>(), maybe_text(TRACED_NAME_BYTES))
        .prop_map(|(op, [micros, store_us], collection)| OpSpan { op, micros, store_us, collection });
    (any::<[u64; 2]>(), any::<[u32; 2]>(), spans(), list(op, TRACED_OPS), any::<bool>()).prop_map(
        |([number, heap_peak], [cpu_us, storage_ops], spans, ops, retire)| Done {
            number,
            cpu_us,
            heap_peak,
            spans,
            storage_ops,
            ops,
            retire,
        },
    )
}

pub(super) fn from_worker() -> impl Strategy<Value = FromWorker> {
    let failure = prop_oneof![
        refusal().prop_map(LoadFailure::Store),
        text(ERROR_TEXT_BYTES).prop_map(|reason| LoadFailure::Worker { reason }),
    ];
    let assigned = (any::<u32>(), any::<bool>(), prop::option::of(failure))
        .prop_map(|(spent_us, handler, failure)| Assigned { spent_us, handler, failure });
    let reply = (any::<u64>(), any::<u16>(), pairs(HEADERS, HEADERS_BYTES), spans(), part())
        .prop_map(|(number, status, headers, spans, body)| Reply { number, status, headers, spans, body });
    prop_oneof![
        (any::<u16>(), any::<u32>()).prop_map(|(protocol, layers)| FromWorker::Ready(Ready { protocol, layers })),
        assigned.prop_map(FromWorker::Assigned),
        (level(), source(), text(LOG_LINE_BYTES)).prop_map(|(level, source, message)| FromWorker::Log(LogLine {
            level,
            source,
            message
        })),
        reply.prop_map(|reply| FromWorker::Reply(Box::new(reply))),
        part().prop_map(FromWorker::Chunk),
        fault().prop_map(|fault| FromWorker::Fault(Box::new(fault))),
        done().prop_map(|done| FromWorker::Done(Box::new(done))),
    ]
}
