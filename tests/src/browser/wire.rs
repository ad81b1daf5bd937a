//! How a driver is spoken to: WebDriver is JSON over HTTP, and the harness has an HTTP client of its own already.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use thirtyfour::{
    error::{WebDriverError, WebDriverResult},
    session::http::{Body, HttpClient},
};

use crate::http::{App, Request};

/// A way to the driver at an address. It blocks: whoever uses it waits for one answer at a time.
#[derive(Debug)]
pub(super) struct Wire(pub(super) SocketAddr);

#[async_trait]
impl HttpClient for Wire {
    async fn send(&self, request: http::Request<Body<'_>>) -> WebDriverResult<http::Response<Bytes>> {
        let mut asked = Request::new(request.method().as_str(), request.uri().path());
        if let Body::Json(value) = request.body() {
            asked = asked.body("application/json", value.to_string());
        }
        let failed = |error: &dyn std::error::Error| WebDriverError::RequestFailed(error.to_string());
        let answer = App::at(self.0, &self.0.to_string()).try_send(&asked).map_err(|error| failed(&error))?;
        let response = http::Response::builder().status(answer.status).body(Bytes::from(answer.body));
        response.map_err(|error| failed(&error))
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self(self.0))
    }
}
