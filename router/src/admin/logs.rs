//! `GET /api/_admin/apps/{name}/logs`: an app's log, or with `?follow` the same as a stream of events that goes on.

use std::time::Duration;

use bytes::Bytes;
use fazt_protocol::{
    call::Level,
    id::RequestId,
    limit::PAGE_ENTRIES,
    registry::{LogFilter, LogRecord},
};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{Page, json as answer, no_such_app, query::Query, refused};
use crate::{
    edge::{Departure, Passage, body::Body},
    fault::{Code, Fault},
    store::Store,
};

const USUAL: u32 = 100;
/// Between two looks for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A stream that has nothing to say says so this often, so that a reader who is gone is noticed.
const BEAT_EVERY: Duration = Duration::from_secs(10);
/// Events on their way to a reader.
const PIECES: usize = 8;

/// One reader that follows.
struct Follower {
    store: Store,
    name: String,
    filter: LogFilter,
    to: mpsc::Sender<Bytes>,
    closing: watch::Receiver<bool>,
}

/// Shows the newest, or follows.
pub(super) async fn show(passage: Passage, name: &str) -> Departure {
    let outcome = read(&passage, name).await;
    Departure { entry: passage.entry, outcome }
}

async fn read(passage: &Passage, name: &str) -> Page {
    let query = Query(passage.entry.uri.query().unwrap_or_default());
    let filter = filter(query)?;
    let house = &passage.entry.house;
    if house.catalog.get(name).is_none() && house.store.app(name).await.map_err(refused)?.is_none() {
        return Err(no_such_app(name));
    }
    let lines = house.store.logs(name, filter.clone()).await.map_err(refused)?;
    if !query.switch("follow").unwrap_or(false) {
        let rows: Vec<Value> = lines.iter().map(row).collect();
        return answer(StatusCode::OK, &json!({ "logs": rows }));
    }
    let (to, pieces) = mpsc::channel(PIECES);
    let after = lines.last().map(|line| line.id).or(filter.after).unwrap_or(0);
    let filter = LogFilter { after: Some(after), limit: PAGE_ENTRIES as u32, ..filter };
    let follower =
        Follower { store: house.store.clone(), name: name.to_owned(), filter, to, closing: house.closing.clone() };
    tokio::spawn(follower.follow(lines));
    let mut response = Response::new(Body::stream(pieces));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn filter(query: Query<'_>) -> Result<LogFilter, Fault> {
    let invalid = |name: &str| Fault::new(Code::InvalidRequest, format!("`{name}` is not valid"));
    let level = match query.text("level") {
        Some(word) => Level::named(&word).ok_or_else(|| invalid("level"))?,
        None => Level::Debug,
    };
    let request = query.text("request");
    if request.as_deref().is_some_and(|id| RequestId::parse(id).is_none()) {
        return Err(invalid("request"));
    }
    Ok(LogFilter {
        limit: query.read::<u32>("limit")?.unwrap_or(USUAL).clamp(1, PAGE_ENTRIES as u32),
        level,
        since: query.read("since")?,
        request,
        after: query.read("after")?,
    })
}

impl Follower {
    async fn follow(mut self, first: Vec<LogRecord>) {
        let mut heard = Instant::now();
        let mut lines = first;
        loop {
            if !lines.is_empty() {
                self.filter.after = lines.last().map(|line| line.id).or(self.filter.after);
                heard = Instant::now();
                if self.to.send(events(&lines)).await.is_err() {
                    return;
                }
            } else if heard.elapsed() >= BEAT_EVERY {
                heard = Instant::now();
                if self.to.send(Bytes::from_static(b": nothing new\n\n")).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = self.to.closed() => return,
                _ = self.closing.wait_for(|closing| *closing) => return,
            }
            // A store that is being restarted has nothing to say for a while.
            lines = self.store.logs(&self.name, self.filter.clone()).await.unwrap_or_default();
        }
    }
}

fn events(lines: &[LogRecord]) -> Bytes {
    let mut text = String::new();
    for line in lines {
        text.push_str("data: ");
        text.push_str(&row(line).to_string());
        text.push_str("\n\n");
    }
    Bytes::from(text)
}

fn row(line: &LogRecord) -> Value {
    json!({
        "id": line.id,
        "at": line.at,
        "level": line.level.word(),
        "requestId": line.request,
        "message": line.message,
        "source": line.source.word(),
    })
}

#[cfg(test)]
mod tests {
    use fazt_protocol::call::Source;

    use super::*;

    #[test]
    fn filters_are_read_and_bounded() {
        let read = filter(Query("limit=9999&level=warn&since=5&request=req_12345678&after=7")).unwrap();
        assert_eq!(
            (read.limit, read.level, read.since, read.after),
            (PAGE_ENTRIES as u32, Level::Warn, Some(5), Some(7))
        );
        assert_eq!(filter(Query("")).unwrap().limit, USUAL);
        for bad in ["level=loud", "limit=x", "request=a%20b", "since=yesterday"] {
            assert_eq!(filter(Query(bad)).unwrap_err().code, Code::InvalidRequest, "{bad}");
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_the_message() {
        let line = LogRecord {
            id: 1,
            app: 1,
            at: 2,
            level: Level::Info,
            source: Source::Console,
            request: "req_12345678".to_owned(),
            message: "a\n\ndata: b\r\n".to_owned(),
        };
        let text = String::from_utf8(events(&[line]).to_vec()).unwrap();
        assert_eq!(text.matches('\n').count(), 2);
        assert!(text.starts_with("data: {") && text.ends_with("}\n\n"));
    }
}
