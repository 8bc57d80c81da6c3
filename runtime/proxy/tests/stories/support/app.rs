//! Applications: they say who they are and what they were asked.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running HTTP application.
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    knobs: Arc<Knobs>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Knobs {
    status: AtomicU16,
    delay_ms: AtomicU64,
    /// How many requests fail before the status is taken back to 200; 0 means never.
    failures_left: AtomicUsize,
    requests: AtomicUsize,
    connections: AtomicUsize,
}

impl App {
    pub(crate) async fn start(name: &str, address: SocketAddr) -> Self {
        let mut app = App { name: name.into(), address, knobs: Arc::new(Knobs::default()), serving: None };
        app.knobs.status.store(200, Ordering::SeqCst);
        app.resume().await;
        app
    }

    /// Listens (again).
    pub(crate) async fn resume(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let (name, knobs) = (self.name.clone(), Arc::clone(&self.knobs));
        self.serving = Some(tokio::spawn(async move {
            // Connections die with the application.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                knobs.connections.fetch_add(1, Ordering::SeqCst);
                let (name, knobs) = (name.clone(), Arc::clone(&knobs));
                connections.spawn(async move {
                    let service =
                        service_fn(move |request| answer(name.clone(), Arc::clone(&knobs), request));
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        }));
    }

    /// Dies: the port is closed and every connection broken.
    pub(crate) async fn die(&mut self) {
        if let Some(task) = self.serving.take() {
            task.abort();
            let _ = task.await;
        }
    }

    pub(crate) fn answers_with(&self, status: u16) {
        self.knobs.status.store(status, Ordering::SeqCst);
    }

    /// Answers with `status` this many times, then with 200.
    pub(crate) fn fails_times(&self, status: u16, times: usize) {
        self.knobs.failures_left.store(times, Ordering::SeqCst);
        self.answers_with(status);
    }

    pub(crate) fn takes(&self, delay: Duration) {
        self.knobs.delay_ms.store(delay.as_millis() as u64, Ordering::SeqCst);
    }

    pub(crate) fn requests(&self) -> usize {
        self.knobs.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.knobs.connections.load(Ordering::SeqCst)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(task) = self.serving.take() {
            task.abort();
        }
    }
}

async fn answer(
    name: String,
    knobs: Arc<Knobs>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    knobs.requests.fetch_add(1, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let delay = knobs.delay_ms.load(Ordering::SeqCst);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let mut headers = serde_json::Map::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let both = match headers.get(name.as_str()).and_then(|known| known.as_str()) {
            Some(known) => format!("{known} | {value}"),
            None => value,
        };
        headers.insert(name.to_string(), both.into());
    }
    let said = json!({
        "app": name,
        "method": parts.method.as_str(),
        "version": format!("{:?}", parts.version),
        "path": parts.uri.path_and_query().map_or("", |path| path.as_str()),
        "authority": parts.uri.authority().map(|authority| authority.to_string()),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    let status = knobs.status.load(Ordering::SeqCst);
    let left = knobs.failures_left.load(Ordering::SeqCst);
    if left > 0 && status != 200 {
        knobs.failures_left.store(left - 1, Ordering::SeqCst);
        if left == 1 {
            knobs.status.store(200, Ordering::SeqCst);
        }
    }
    // hyper would send it over HTTP/2.
    let said = if parts.method == http::Method::HEAD { String::new() } else { said.to_string() };
    let mut response = Response::new(Full::new(Bytes::from(said)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("x-app", name.parse().unwrap());
    // The answer to a HEAD has no body that could say it.
    response.headers_mut().insert("x-received", body.len().into());
    response.headers_mut().insert("x-version", format!("{:?}", parts.version).parse().unwrap());
    Ok(response)
}
