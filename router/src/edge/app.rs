//! A request for an app's code: its body whole, then one call of the farm, then the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Response, header};

use super::{Departure, Passage, body::Body, cors, resolve, respond, translate};
use crate::{
    catalog::Served,
    farm::job::Job,
    fault::{Code, Fault},
};

/// Serves it.
pub(super) async fn serve(mut passage: Passage, served: Arc<Served>) -> Departure {
    let outcome = answer(&mut passage, served).await;
    Departure { entry: passage.entry, outcome }
}

async fn answer(passage: &mut Passage, served: Arc<Served>) -> Result<Response<Body>, Fault> {
    if let Some(rules) = &served.app.manifest.cors {
        passage.entry.cors = passage.headers.get(header::ORIGIN).cloned();
        if let Some(answer) = cors::preflight(rules, &passage.entry.method, &passage.headers) {
            return Ok(answer);
        }
    }
    if !served.app.handler {
        return Err(Fault::new(Code::NoHandler, "this app has no api/main.js"));
    }
    let house = Arc::clone(&passage.entry.house);
    let edge = &house.config.edge;
    let (body, _lease) = passage.read_body(edge.body_bytes).await?;
    let (app, answers) = (served.app.id, Arc::clone(&passage.session.budget.answers));
    // The limits count from here: how long a body takes is the client's affair, and has clocks of its own.
    let arrived = Instant::now();
    let lowered = served.app.manifest.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
    let job = Job {
        id: passage.entry.id.clone(),
        work: translate::work(passage, !body.is_empty()),
        body,
        arrived,
        run: lowered.map_or(edge.run, |lowered| lowered.min(edge.run)),
        deadline: arrived.checked_add(edge.request).unwrap_or(arrived),
        debug: passage.entry.debug,
        handed_on: false,
        served,
    };
    let finished = house.farm.call(job).await;
    passage.entry.timing = finished.timing;
    let host = passage.target.host.name.as_str();
    let mut reply = finished.reply?;
    let body = answers.keep(app, std::mem::take(&mut reply.body))?;
    respond::from_app(reply, body, resolve::is_one_apps(host, &edge.domains).then_some(host))
}
