//! Its life: as a worker's, but that each step may be a lie. An app's name tells how it is born, a path how it answers.

use fazt_jail::Layers;
use fazt_protocol::{
    board::{self, Phase},
    body::Part,
    call::{Assigned, Call, Done, FromWorker, LoadFailure, Ready, Reply, Request, Spans, ToWorker, Work},
    frame,
    grant::Grant,
    op::{Code, FromStore, Refusal, ToStore},
    pipe::Pipe,
    version::PROTOCOL,
};
use fazt_worker::zygote::Birth;

use crate::{lies, victim};

/// The impostor between two calls.
pub(crate) struct Impostor {
    pub(crate) router: Pipe<ToWorker, FromWorker>,
    /// Its channel to the store.
    pub(crate) op: Pipe<FromStore, ToStore>,
    board: board::Writer,
    /// The layers of its jail.
    pub(crate) layers: Layers,
    /// Its app.
    app: String,
    /// Questions that were asked honestly over this channel.
    pub(crate) asked: u64,
    /// Leave for the call in hand, until it was sent.
    pub(crate) granted: Option<Grant>,
}

pub(crate) fn live(birth: Birth) -> i32 {
    let mut router = Pipe::new(birth.call);
    let layers = birth.jailed.layers();
    router.send(&FromWorker::Ready(Ready { protocol: PROTOCOL, layers: layers.bits() }), None).unwrap();
    let Ok(ToWorker::Assign(assign)) = router.receive(None) else { return 0 };
    let op = Pipe::new(router.take_descriptor().unwrap());
    let (app, board) = (assign.app, birth.board);
    let mut impostor = Impostor { router, op, board, layers, app, asked: 0, granted: None };
    match impostor.app.as_str() {
        "stillborn" => return 0,
        name if name.starts_with("unready") => impostor.rest(),
        "twice" => impostor.say(&assigned()),
        "excuse" => {
            let slow = Refusal::new(Code::Timeout, "the store was slow");
            impostor.say(&FromWorker::Assigned(Assigned {
                spent_us: 1,
                handler: false,
                failure: Some(LoadFailure::Store(slow)),
            }));
            return 0;
        }
        _ => {}
    }
    impostor.say(&assigned());
    while let Ok(message) = impostor.router.receive(None) {
        match message {
            ToWorker::Call(call) => impostor.serve(&call),
            ToWorker::Rebind { .. } => {
                impostor.op = Pipe::new(impostor.router.take_descriptor().unwrap());
                impostor.asked = 0;
            }
            _ => return 1,
        }
    }
    0
}

fn assigned() -> FromWorker {
    FromWorker::Assigned(Assigned { spent_us: 1, handler: true, failure: None })
}

pub(crate) fn reply(number: u64, body: &str) -> Reply {
    Reply { number, status: 200, headers: Vec::new(), spans: Spans::default(), body: Part::whole(body.into()) }
}

pub(crate) fn done(number: u64) -> FromWorker {
    let (spans, ops) = (Spans::default(), Vec::new());
    FromWorker::Done(Box::new(Done { number, cpu_us: 1, heap_peak: 1, spans, storage_ops: 0, ops, retire: false }))
}

impl Impostor {
    /// One message, at once.
    pub(crate) fn say(&mut self, message: &FromWorker) {
        // A router that has hung up has heard enough.
        let _gone = self.router.send(message, None);
    }

    /// Bytes that are no message.
    pub(crate) fn utter(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::io::write(self.router.socket(), rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(_) => return,
            }
        }
    }

    /// A message as bytes.
    pub(crate) fn bytes(message: &FromWorker) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::write(message, &mut bytes).unwrap();
        bytes
    }

    /// An honest end.
    pub(crate) fn answer(&mut self, number: u64, body: &str) {
        self.say(&FromWorker::Reply(Box::new(reply(number, body))));
        self.say(&done(number));
    }

    /// Silence, until it is killed.
    pub(crate) fn rest(&self) -> ! {
        loop {
            lies::wait(60);
        }
    }

    fn serve(&mut self, call: &Call) {
        let Work::Request(request) = &call.work else { return self.answer(call.number, "null") };
        let Request { path, query, .. } = request.as_ref();
        let name = path.rsplit('/').next().unwrap_or_default();
        // Whoever does not even say that a call was begun gets it again from nobody: the router hands it to another worker.
        if name != "unseen" {
            self.board.enter(Phase::Execute, call.number);
        }
        if name != "deaf" {
            self.read_body(call.body.last);
        }
        if self.app == "victim" {
            self.granted = Some(call.grant.clone());
            return victim::answer(self, call, query);
        }
        lies::tell(name, self, call, query);
    }

    fn read_body(&mut self, mut is_whole: bool) {
        while !is_whole {
            match self.router.receive(None) {
                Ok(ToWorker::Chunk(part)) => is_whole = part.last,
                _ => return,
            }
        }
    }
}
