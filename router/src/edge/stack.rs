//! What every request passes, from the outside in. The order is the meaning: each line says why it stands where it stands.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder, layer::layer_fn, service_fn};

use super::{admit, body::Body, entry::Departure, respond, route, session::Session};
use crate::house::House;

/// The whole way of a request on one connection. It never fails: what goes wrong is an answer.
pub(super) fn stack(
    house: Arc<House>,
    session: Arc<Session>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Clone
+ Send {
    ServiceBuilder::new()
        // Outermost, so that every request has a name and an entry in the book, refused ones too, and every answer bears
        // that name. It also contains panics: a mistake below costs one request a 500, and not a connection.
        .layer(layer_fn(move |inner| respond::book(inner, Arc::clone(&house), Arc::clone(&session))))
        // Before anything looks at host or path, so that nobody has to ask again whether they are what they seem.
        .layer(layer_fn(admit::check))
        // After the checks, which say what is asked for: the last places are for the farm's own pages.
        .layer(layer_fn(admit::unless_crowded))
        // After the checks, so that even while closing a malformed request learns nothing else; before the app is looked
        // for, so that nothing new begins.
        .layer(layer_fn(admit::unless_closing))
        // Innermost: the farm's own pages, an app's files, or an app's code.
        .service(service_fn(route::route))
}

/// What the layers below the book are.
pub(super) trait Inner<T>:
    Service<super::Passage<T>, Response = Departure, Error = Infallible, Future: Send> + Clone + Send
{
}

impl<T, S> Inner<T> for S where
    S: Service<super::Passage<T>, Response = Departure, Error = Infallible, Future: Send> + Clone + Send
{
}
