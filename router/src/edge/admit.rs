//! The layers that turn a request away before anybody works for it.

use std::convert::Infallible;

use tower::{Service, service_fn};

use super::{Departure, Passage, Target, route, rules, stack::Inner};
use crate::fault::{Code, Fault};

/// Lets pass what keeps the rules of [`rules`].
pub(super) fn check<S: Inner<Target>>(
    inner: S,
) -> impl Service<Passage<()>, Response = Departure, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(move |passage: Passage<()>| {
        let mut inner = inner.clone();
        async move {
            let Passage { entry, headers, body, session, target: () } = passage;
            match rules::check(&entry, &headers) {
                Ok(target) => inner.call(Passage { entry, headers, body, session, target }).await,
                Err(fault) => {
                    // Its body was not looked at, so nothing after it on this connection can be trusted to be a request.
                    session.end_after_this();
                    Ok(entry.refuse(fault))
                }
            }
        }
    })
}

/// Lets pass who has a place of his own; in one that is kept for the farm's pages, only what asks for these.
pub(super) fn unless_crowded<S: Inner<Target>>(
    inner: S,
) -> impl Service<Passage, Response = Departure, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(move |passage: Passage| {
        let mut inner = inner.clone();
        async move {
            if passage.session.is_kept && !route::is_the_farms(&passage.target.path) {
                return Ok(passage.entry.refuse(full()));
            }
            inner.call(passage).await
        }
    })
}

/// There are as many connections as there may be.
pub(super) fn full() -> Fault {
    Fault::new(Code::Overloaded, "there are too many connections already")
}

/// Lets pass while the farm is open, and what asks for its health always.
pub(super) fn unless_closing<S: Inner<Target>>(
    inner: S,
) -> impl Service<Passage, Response = Departure, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(move |passage: Passage| {
        let mut inner = inner.clone();
        async move {
            if passage.session.is_refusing() && passage.target.path != "/healthz" {
                passage.session.end_after_this();
                return Ok(passage.entry.refuse(Fault::new(Code::ShuttingDown, "the farm is shutting down")));
            }
            inner.call(passage).await
        }
    })
}
