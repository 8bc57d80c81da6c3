//! HTTP/2 connections to upstreams, which many clients share: as many streams as the other end allows, and nobody's
//! resets end what belongs to others.

use crate::support::client::eventually;
use crate::support::world::{address, http_listener, inbound_listener, metrics_listener};
use crate::support::{Client, World, group, sni, spiffe, upstream};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// An application that allows so many streams on a connection. `/long` begins its answer and goes on for ever, `/slow`
/// answers when it is told to, everything else answers at once.
struct Application {
    address: SocketAddr,
    shared: Arc<Counted>,
}

#[derive(Default)]
struct Counted {
    connections: AtomicUsize,
    requests: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
    held: Mutex<Vec<Sender<Bytes>>>,
    go_on: Notify,
}

impl Application {
    async fn start(streams: u32) -> Self {
        let listener = TcpListener::bind(address()).await.unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::new(Counted::default()));
        let counted = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::SeqCst);
                let counted = Arc::clone(&counted);
                let service = service_fn(move |request| answer(Arc::clone(&counted), request));
                let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                builder.max_concurrent_streams(streams);
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Application { address, shared }
    }

    fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

async fn answer(
    counted: Arc<Counted>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    counted.requests.fetch_add(1, Ordering::SeqCst);
    let now = counted.now.fetch_add(1, Ordering::SeqCst) + 1;
    counted.most.fetch_max(now, Ordering::SeqCst);
    let path = request.uri().path().to_owned();
    let _ = request.into_body().collect().await;
    let body = match path.as_str() {
        "/long" => {
            let (mut sender, body) = Channel::new(1);
            sender.send_data(Bytes::from("begins")).await.unwrap();
            counted.held.lock().unwrap().push(sender);
            return Ok(Response::new(body.map_err(|never: Infallible| never).boxed()));
        }
        "/slow" => {
            counted.go_on.notified().await;
            "slow"
        }
        _ => "quick",
    };
    tokio::time::sleep(Duration::from_millis(20)).await;
    counted.now.fetch_sub(1, Ordering::SeqCst);
    Ok(Response::new(Full::from(body).boxed()))
}

type Calls = SendRequest<BoxBody<Bytes, std::io::Error>>;

async fn connect(bind: SocketAddr) -> Calls {
    let stream = TokioIo::new(TcpStream::connect(bind).await.unwrap());
    let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str) -> Request<BoxBody<Bytes, std::io::Error>> {
    let body = Full::default().map_err(|never: Infallible| match never {}).boxed();
    Request::get(format!("http://app{path}")).body(body).unwrap()
}

/// Within a bound that no answer needs.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("{what}"))
}

async fn status(calls: &Calls, path: &str) -> u16 {
    let answer = soon(path, calls.clone().send_request(request(path))).await.unwrap();
    let status = answer.status().as_u16();
    answer.into_body().collect().await.unwrap();
    status
}

/// An edge, or the caller's sidecar, in front of a sidecar in front of the application.
fn two_proxies(world: &mut World, app: SocketAddr, edge: bool) -> SocketAddr {
    let (inbound, bind) = (address(), address());
    let mut local = upstream(&[group("app", &[app])]);
    local["protocol"] = json!("http2");
    let callee = json!({
        "identity": world.identity(&spiffe("catalog")),
        "listeners": [inbound_listener(inbound, &sni("catalog"), "app", json!({}))],
        "upstreams": { "app": local },
    });
    world.start("catalog", callee);
    let mut west = group("west", &[inbound]);
    west["tls"] = json!({ "sni": sni("catalog"), "peers": [spiffe("catalog")] });
    west["outlier"] = json!({ "consecutive_connections": 1, "interval": "10ms", "ejection": "1h",
        "failing_share": { "percent": 1, "attempts": 1 } });
    let mut listener = http_listener(bind, "catalog", json!({}));
    if edge {
        listener["kind"]["http"]["edge"] = json!({ "trusted_hops": 0 });
    }
    let caller = json!({
        "identity": world.identity(&spiffe("webapp")),
        "listeners": [listener],
        "upstreams": { "catalog": upstream(&[west]) },
    });
    let path = world.write("edge", caller);
    // With one worker, everybody shares the same connections.
    let options = meshd_proxy::Options { workers: 1, ..world.options(path) };
    world.start_with(options);
    bind
}

fn sidecar(world: &mut World, app: SocketAddr, pool: Value) -> SocketAddr {
    let bind = address();
    let mut up = upstream(&[group("app", &[app])]);
    up["protocol"] = json!("http2");
    up["pool"] = pool;
    let config = json!({ "listeners": [http_listener(bind, "app", json!({}))], "upstreams": { "app": up } });
    let path = world.write("proxy", config);
    let options = meshd_proxy::Options { workers: 1, ..world.options(path) };
    world.start_with(options);
    bind
}

fn pool(connections: u32) -> Value {
    json!({ "max_connections": connections, "max_pending": 1024, "max_requests": 1024 })
}

#[tokio::test]
async fn an_application_that_allows_ten_streams_gets_ten_on_each_of_several_connections() {
    let app = Application::start(10).await;
    let mut world = World::new();
    let bind = sidecar(&mut world, app.address, pool(1024));
    let calls = connect(bind).await;
    let statuses = join_all((0..30).map(|_| status(&calls, "/"))).await;
    assert_eq!(statuses, [200; 30]);
    assert!(app.connections() >= 2, "{} connections", app.connections());
    assert_eq!(app.shared.requests.load(Ordering::SeqCst), 30, "no stream was refused and sent again");
}

#[tokio::test]
async fn beyond_all_connections_requests_wait_their_turn() {
    let app = Application::start(10).await;
    let mut world = World::new();
    let bind = sidecar(&mut world, app.address, pool(2));
    let calls = connect(bind).await;
    let statuses = join_all((0..60).map(|_| status(&calls, "/"))).await;
    assert_eq!(statuses, [200; 60]);
    assert_eq!(app.connections(), 2);
    assert!(app.shared.most.load(Ordering::SeqCst) <= 20);
}

#[tokio::test]
async fn long_calls_leave_room_for_a_ping() {
    let app = Application::start(100).await;
    let mut world = World::new();
    let bind = two_proxies(&mut world, app.address, false);
    let calls = connect(bind).await;
    let long = |_| async {
        let answer = soon("a call begins", calls.clone().send_request(request("/long"))).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        let first = soon("its answer begins", body.frame()).await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "begins");
        body
    };
    let bodies = join_all((0..250).map(long)).await;
    assert_eq!(status(&calls, "/ping").await, 200);
    assert!(app.connections() >= 3, "{} connections", app.connections());
    drop(bodies);
    // What the calls used is free again.
    let statuses = join_all((0..250).map(|_| status(&calls, "/"))).await;
    assert_eq!(statuses, [200; 250]);
}

/// Begins an upload and breaks it off once the application has it, or an answer, before it is there.
async fn breaks_off(calls: &mut Calls, app: &Application, upload: bool) {
    let before = app.shared.requests.load(Ordering::SeqCst);
    let call = if upload {
        let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
        let request = Request::post("http://app/slow").body(body.boxed()).unwrap();
        let call = calls.send_request(request);
        sender.send_data(Bytes::from("the beginning")).await.unwrap();
        let call = tokio::spawn(call);
        eventually("the request", || async { app.shared.requests.load(Ordering::SeqCst) > before }).await;
        sender.abort(std::io::Error::other("broken off"));
        call
    } else {
        let call = tokio::spawn(calls.send_request(request("/slow")));
        eventually("the request", || async { app.shared.requests.load(Ordering::SeqCst) > before }).await;
        call
    };
    call.abort();
    let _ = call.await;
}

#[tokio::test]
async fn clients_that_break_off_cost_nobody_else_anything() {
    for upload in [true, false] {
        let app = Application::start(100).await;
        let mut world = World::new();
        let bind = two_proxies(&mut world, app.address, true);
        let good = connect(bind).await;
        let waiting = tokio::spawn({
            let good = good.clone();
            async move { status(&good, "/slow").await }
        });
        eventually("the first call", || async { app.shared.requests.load(Ordering::SeqCst) == 1 }).await;
        let mut bad = connect(bind).await;
        for number in 0..60 {
            breaks_off(&mut bad, &app, upload).await;
            assert_eq!(status(&good, "/").await, 200, "beside the {number}th that was broken off");
        }
        app.shared.go_on.notify_waiters();
        // Whoever was told before has broken off; the first call is still there.
        let told = async {
            loop {
                app.shared.go_on.notify_one();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let status = tokio::select! {
            status = waiting => status.unwrap(),
            () = told => unreachable!(),
        };
        assert_eq!(status, 200, "what was there before them is answered");
    }
}

/// A server that ends the connection as soon as one stream is reset.
async fn impatient(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut connection = h2_server(stream).await;
            let (resets, mut reset) = tokio::sync::mpsc::channel::<()>(1);
            loop {
                let request = tokio::select! {
                    request = connection.accept() => request,
                    _ = reset.recv() => return connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM),
                };
                let Some(Ok((request, mut respond))) = request else { return };
                let resets = resets.clone();
                tokio::spawn(async move {
                    if request.uri().path() == "/hangs" {
                        let _ = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
                        let _ = resets.send(()).await;
                    } else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        let _ = respond.send_response(Response::new(()), true);
                    }
                });
            }
        });
    }
}

async fn h2_server(stream: TcpStream) -> h2::server::Connection<TcpStream, Bytes> {
    h2::server::handshake(stream).await.unwrap()
}

#[tokio::test]
async fn a_connection_that_ends_because_of_resets_is_not_held_against_its_endpoint() {
    let listener = TcpListener::bind(address()).await.unwrap();
    let app = listener.local_addr().unwrap();
    tokio::spawn(impatient(listener));
    let mut world = World::new();
    let bind = address();
    let mut here = group("here", &[app]);
    here["outlier"] = json!({ "consecutive_connections": 1, "interval": "10ms", "ejection": "1h",
        "failing_share": { "percent": 1, "attempts": 1 } });
    let mut up = upstream(&[here]);
    up["protocol"] = json!("http2");
    let metrics = address();
    let config = json!({
        "listeners": [http_listener(bind, "app", json!({})), metrics_listener(metrics)],
        "upstreams": { "app": up },
    });
    let options = meshd_proxy::Options { workers: 1, ..world.options(world.write("proxy", config)) };
    world.start_with(options);
    let (good, mut bad) = (connect(bind).await, connect(bind).await);
    for _ in 0..5 {
        let call = tokio::spawn(bad.send_request(request("/hangs")));
        let beside = tokio::spawn({
            let good = good.clone();
            async move { status(&good, "/").await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        call.abort();
        let beside = beside.await.unwrap();
        assert!([200, 503].contains(&beside), "{beside}");
        // A request that was sent on the connection as it ended is lost as well; the endpoint is not.
        eventually("the endpoint is used again", || async { status(&good, "/").await == 200 }).await;
    }
    let page = crate::support::client::get(metrics, "metrics", "/metrics").await.body;
    assert!(!page.contains("meshd_ejections_total{"), "{page}");
}

#[tokio::test]
async fn resets_are_passed_on_only_as_fast_as_servers_bear() {
    let listener = TcpListener::bind(address()).await.unwrap();
    let app = listener.local_addr().unwrap();
    let (begun, resets) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    tokio::spawn({
        let (begun, resets) = (Arc::clone(&begun), Arc::clone(&resets));
        async move {
            let mut connection = h2_server(listener.accept().await.unwrap().0).await;
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                begun.fetch_add(1, Ordering::SeqCst);
                let resets = Arc::clone(&resets);
                tokio::spawn(async move {
                    let _ = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
                    resets.fetch_add(1, Ordering::SeqCst);
                });
            }
        }
    });
    let mut world = World::new();
    let mut calls = connect(sidecar(&mut world, app, pool(1))).await;
    let hanging: Vec<_> = (0..15).map(|_| tokio::spawn(calls.send_request(request("/")))).collect();
    eventually("all have begun", || async { begun.load(Ordering::SeqCst) == 15 }).await;
    let start = std::time::Instant::now();
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
    eventually("resets", || async { resets.load(Ordering::SeqCst) >= 8 }).await;
    // Eight at once, and one more for each quarter of a second that has passed, however slow this machine is.
    let seen = resets.load(Ordering::SeqCst);
    let bound = 8 + usize::try_from(start.elapsed().as_millis() / 250).unwrap() + 1;
    assert!(seen <= bound, "{seen} resets where {bound} are allowed");
    eventually("the rest in its time", || async { resets.load(Ordering::SeqCst) == 15 }).await;
}

#[tokio::test]
async fn a_refused_stream_is_sent_elsewhere_and_held_against_nobody() {
    let (busy, idle) = (TcpListener::bind(address()).await.unwrap(), Application::start(100).await);
    let at = busy.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = busy.accept().await {
            tokio::spawn(async move {
                let mut connection = h2_server(stream).await;
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    respond.send_reset(h2::Reason::REFUSED_STREAM);
                }
            });
        }
    });
    let mut world = World::new();
    let (bind, metrics) = (address(), address());
    let mut here = group("here", &[at, idle.address]);
    here["outlier"] = json!({ "consecutive_connections": 1, "interval": "10ms", "ejection": "1h",
        "failing_share": { "percent": 1, "attempts": 1 } });
    let mut up = upstream(&[here]);
    up["protocol"] = json!("http2");
    let config = json!({
        "listeners": [http_listener(bind, "app", json!({})), metrics_listener(metrics)],
        "upstreams": { "app": up },
    });
    world.start("proxy", config);
    let mut client = Client::http1(bind, "app").await;
    for _ in 0..6 {
        let answer = client.get("/").await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "quick"));
    }
    let page = crate::support::client::get(metrics, "metrics", "/metrics").await.body;
    assert!(!page.contains("meshd_ejections_total{"), "{page}");
    assert!(page.contains("refused"), "{page}");
}

/// Trailers are a part of the answer that comes late: a stream is not over before them.
#[tokio::test]
async fn a_stream_with_trailers_gives_its_place_back() {
    let listener = TcpListener::bind(address()).await.unwrap();
    let app = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|_: Request<Incoming>| async {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let frames =
                    [Ok::<_, Infallible>(Frame::data(Bytes::from("x"))), Ok(Frame::trailers(trailers))];
                let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
                Ok::<_, Infallible>(Response::new(body))
            });
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            builder.max_concurrent_streams(1);
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    let mut world = World::new();
    let calls = connect(sidecar(&mut world, app, pool(1))).await;
    let statuses = join_all((0..50).map(|_| status(&calls, "/"))).await;
    assert_eq!(statuses, [200; 50]);
}

/// Answers half of what was announced, and resets the stream later.
async fn half(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut connection = h2_server(stream).await;
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                tokio::spawn(async move {
                    if request.uri().path() != "/half" {
                        let _ = respond.send_response(Response::new(()), true);
                        return;
                    }
                    let head = Response::builder().header("content-length", 100).body(()).unwrap();
                    let mut answer = respond.send_response(head, false).unwrap();
                    let _ = answer.send_data(Bytes::from_static(&[b'x'; 50]), false);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    answer.send_reset(h2::Reason::INTERNAL_ERROR);
                });
            }
        });
    }
}

/// What is read for a client that has gone, so that others have their window, ends where it breaks off.
#[tokio::test]
async fn an_answer_that_breaks_off_after_its_client_has_gone_holds_nobody_up() {
    let listener = TcpListener::bind(address()).await.unwrap();
    let app = listener.local_addr().unwrap();
    tokio::spawn(half(listener));
    let mut world = World::new();
    let calls = connect(sidecar(&mut world, app, pool(1))).await;
    for _ in 0..3 {
        let answer = soon("half an answer", calls.clone().send_request(request("/half"))).await;
        drop(answer);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(soon("the next answer", status(&calls, "/")).await, 200);
    }
}
