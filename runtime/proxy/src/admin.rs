//! The administration interface: what is in force, and how each endpoint fares. It changes nothing.

use crate::accept::ACCEPT_PAUSE;
use crate::worker::Shared;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use meshd_config::Admin;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

/// An administration interface that listens; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens the interface.
pub(crate) async fn open(at: &Admin, shared: &Arc<Shared>) -> Result<Listening, String> {
    let shared = Arc::clone(shared);
    Ok(Listening(match at {
        Admin::Tcp(address) => {
            let explain = |error| format!("cannot listen on {address} for administration: {error}");
            let listener = TcpListener::bind(address).await.map_err(explain)?;
            tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(&shared)))),
                        Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                    }
                }
            })
        }
        Admin::Unix(path) => {
            // A socket that an earlier process left behind refuses connections and would refuse us.
            let _ = std::fs::remove_file(path);
            let explain =
                |error| format!("cannot listen on `{}` for administration: {error}", path.display());
            let listener = UnixListener::bind(path).map_err(explain)?;
            tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(&shared)))),
                        Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                    }
                }
            })
        }
    }))
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, shared: Arc<Shared>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&shared, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let reply = |status: StatusCode, kind: &'static str, body: String| {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    };
    if request.method() != Method::GET {
        return reply(StatusCode::METHOD_NOT_ALLOWED, "text/plain", String::new());
    }
    match request.uri().path() {
        "/config_dump" => reply(StatusCode::OK, "application/json", shared.snapshot.load().source.clone()),
        "/endpoints" => reply(StatusCode::OK, "application/json", format!("{:#}\n", endpoints(shared))),
        "/metrics" => reply(StatusCode::OK, "text/plain; version=0.0.4", shared.metrics.page()),
        _ => reply(StatusCode::NOT_FOUND, "text/plain", "try /config_dump, /endpoints or /metrics\n".into()),
    }
}

/// The state of every endpoint: upstream, group, endpoints.
fn endpoints(shared: &Shared) -> Value {
    let now = Instant::now();
    let snapshot = shared.snapshot.load();
    let upstreams = snapshot.upstreams.iter().map(|(name, upstream)| {
        let groups: Vec<Value> = upstream
            .groups
            .iter()
            .map(|group| {
                let members = group.members.all();
                let endpoints = members.iter().map(|endpoint| {
                    let ejected = endpoint.ejected_until(group.config.outlier.as_ref(), now);
                    json!({
                        "address": endpoint.address.to_string(),
                        "copy": endpoint.copy,
                        "weight": endpoint.weight,
                        "active": endpoint.active.load(Ordering::Relaxed),
                        "state": match (endpoint.is_healthy(), ejected) {
                            (false, _) => "unhealthy",
                            (true, Some(_)) => "ejected",
                            (true, None) => "healthy",
                        },
                        "ejected_for_ms": ejected.map(|until| {
                            u64::try_from(until.saturating_duration_since(now).as_millis()).unwrap_or(u64::MAX)
                        }),
                    })
                });
                json!({ "group": group.config.name, "endpoints": endpoints.collect::<Vec<_>>() })
            })
            .collect();
        (name.clone(), Value::from(groups))
    });
    Value::Object(upstreams.collect())
}
