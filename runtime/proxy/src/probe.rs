//! The probes of readiness and of liveness, the application's probes, and the metrics page.

use crate::balance::{Prefer, Tried, pick};
use crate::body::{Body, text};
use crate::connect::connect;
use crate::headers::remove_hop_by_hop;
use crate::local_reply::{headers_only, plain};
use crate::on_this_thread::OnThisThread;
use crate::operators::Metrics;
use crate::paced::Paced;
use crate::serve::Connection;
use crate::snapshot::KindState;
use crate::upstream::{Spoken, Upstream};
use crate::worker::Worker;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Serves probes or metrics on a connection.
pub(crate) async fn serve(worker: Rc<Worker>, connection: Connection, stream: Paced) {
    let connection = Rc::new(connection);
    let service = service_fn(move |request: Request<Incoming>| {
        let (worker, connection) = (Rc::clone(&worker), Rc::clone(&connection));
        async move {
            let reply = answer(&worker, &connection, &request).await;
            Ok::<_, Infallible>(if request.method() == Method::HEAD { headers_only(reply) } else { reply })
        }
    });
    let mut builder = auto::Builder::new(OnThisThread);
    builder.http1().timer(TokioTimer::new()).http2().timer(TokioTimer::new());
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(worker: &Worker, connection: &Connection, request: &Request<Incoming>) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let path = request.uri().path();
    let state = connection.slot.state.load_full();
    match &state.kind {
        KindState::Readiness(status) if path == status.ready_path => {
            if worker.shared.phase.borrow().is_ready() {
                plain(StatusCode::OK, "ready\n")
            } else {
                plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
            }
        }
        KindState::Readiness(status) if path == status.live_path => {
            match worker.shared.heartbeats.stuck(Instant::now()) {
                None => plain(StatusCode::OK, "live\n"),
                Some((number, silent)) => {
                    let said = format!("worker-{number} has been stuck for {} s\n", silent.as_secs());
                    let mut response = Response::new(text(said));
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    response
                }
            }
        }
        KindState::Readiness(status) => match status.probes.iter().find(|(probe, _)| probe.path == path) {
            None => plain(StatusCode::NOT_FOUND, ""),
            Some((probe, upstream)) => {
                let headers = request.headers();
                let asked = ask(worker, &probe.app_path, upstream, headers);
                let asked = tokio::time::timeout(probe.timeout, asked).await;
                match asked {
                    Ok(Ok(answer)) if (200..400).contains(&answer.status().as_u16()) => {
                        plain(StatusCode::OK, "healthy\n")
                    }
                    Ok(Ok(answer)) => plain(answer.status(), "the application says it is not healthy\n"),
                    Ok(Err(())) => {
                        plain(StatusCode::SERVICE_UNAVAILABLE, "the application cannot be reached\n")
                    }
                    Err(_) => plain(StatusCode::GATEWAY_TIMEOUT, "the application did not answer in time\n"),
                }
            }
        },
        KindState::Metrics(metrics) if path == metrics.path => {
            page(Bytes::from(worker.shared.metrics.page()))
        }
        KindState::Metrics(Metrics { path: _, app: Some((app, upstream)) }) if path == app.served_at => {
            let asked = ask(worker, &app.path, upstream, request.headers());
            match tokio::time::timeout(app.timeout, asked).await {
                Ok(Ok(answer)) => answer.map(text),
                Ok(Err(())) => plain(StatusCode::SERVICE_UNAVAILABLE, "the application cannot be reached\n"),
                Err(_) => plain(StatusCode::GATEWAY_TIMEOUT, "the application did not answer in time\n"),
            }
        }
        KindState::Metrics(_)
        | KindState::Redirected
        | KindState::Http { .. }
        | KindState::Tcp { .. }
        | KindState::Inbound { .. }
        | KindState::PassThrough { .. } => plain(StatusCode::NOT_FOUND, ""),
    }
}

/// The metrics page.
fn page(text_of_it: Bytes) -> Response<Body> {
    let mut response = Response::new(text(text_of_it));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Asks the application on a connection of its own, so that a probe also sees whether connections are accepted. It gets
/// the headers of whoever asks: an application may want some that its probes were declared with.
async fn ask(
    worker: &Worker,
    path: &str,
    upstream: &Arc<Upstream>,
    headers: &HeaderMap,
) -> Result<Response<Bytes>, ()> {
    let picked = pick(upstream, &mut Tried::default(), Prefer::SameGroup).ok_or(())?;
    let stream = connect(&picked, Spoken::Http1, &worker.shared.metrics).await.map_err(drop)?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(drop)?;
    let task = tokio::task::spawn_local(connection);
    let mut request = Request::get(path).body(text("")).map_err(drop)?;
    let mut passed = headers.clone();
    remove_hop_by_hop(&mut passed);
    // The request has no body, whatever the one that asked for it announced.
    passed.remove(header::CONTENT_LENGTH);
    // HTTP/1.0 needs no Host, and HTTP/2 has another place for it; HTTP/1.1 needs one.
    let host = HeaderValue::from_str(&picked.endpoint.address.to_string()).map_err(drop)?;
    passed.entry(header::HOST).or_insert(host);
    passed.entry(header::USER_AGENT).or_insert(HeaderValue::from_static("meshd"));
    *request.headers_mut() = passed;
    let (mut parts, body) = sender.send_request(request).await.map_err(drop)?.into_parts();
    let body = body.collect().await.map_err(drop)?.to_bytes();
    task.abort();
    remove_hop_by_hop(&mut parts.headers);
    Ok(Response::from_parts(parts, body))
}
