//! The pages: health and metrics for operations, the limits for debugging.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;

use crate::service::Service;

/// Which pages a port has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pages {
    /// `/healthcheck` and `/metrics`.
    Operations,
    /// `/rlconfig`.
    Debug,
}

/// Answers one request.
pub(super) fn respond<B>(
    request: &Request<B>,
    pages: Pages,
    service: &Service,
    draining: bool,
) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return page(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n".to_owned());
    }
    match (pages, request.uri().path()) {
        (Pages::Operations, "/healthcheck") if draining => {
            page(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
        }
        (Pages::Operations, "/healthcheck") => page(StatusCode::OK, "OK\n".to_owned()),
        (Pages::Operations, "/metrics") => page(StatusCode::OK, service.metrics.render()),
        (Pages::Debug, "/rlconfig") => page(StatusCode::OK, service.rules.load().to_string()),
        (Pages::Operations, _) => page(StatusCode::NOT_FOUND, "see /healthcheck and /metrics\n".to_owned()),
        (Pages::Debug, _) => page(StatusCode::NOT_FOUND, "see /rlconfig\n".to_owned()),
    }
}

fn page(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
