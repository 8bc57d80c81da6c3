//! Clients that misbehave: none of it reaches an application as something else, and no endpoint is blamed for it.

use crate::support::client::{eventually, get};
use crate::support::world::{address, http_listener};
use crate::support::{App, Client, World, group, upstream};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use meshd_proxy::Options;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A proxy whose endpoint is left for another one for an hour, as soon as anything is its fault.
async fn proxy(app: &App, route: Value) -> (World, SocketAddr) {
    let mut world = World::new();
    let bind = address();
    let mut first = group("first", &[app.address]);
    first["outlier"] = json!({
        "failing_answers": "5xx", "consecutive_answers": 1, "consecutive_connections": 1,
        "failing_share": { "percent": 1, "attempts": 1, "answers": true }, "interval": "100ms", "ejection": "1h" });
    let reserve = App::start("reserve", address()).await;
    let config = json!({
        "listeners": [http_listener(bind, "app", route)],
        "upstreams": { "app": upstream(&[first, group("second", &[reserve.address])]) },
    });
    world.start("proxy", config);
    world.keep(reserve);
    (world, bind)
}

/// What comes back for these bytes, until the proxy closes the connection.
async fn say(bind: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(bind).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut said)).await;
    ended.expect("the proxy closes the connection").unwrap();
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn a_body_that_is_none_is_not_the_endpoints_fault() {
    let app = App::start("app", address()).await;
    let (_world, bind) =
        proxy(&app, json!({ "retry": { "attempts": 2, "on": ["5xx"], "methods": ["*"] } })).await;
    for body in ["3\nabc\n", "0x3\r\nabc\r\n", "-3\r\nabc\r\n", "3\r\nabcXX0\r\n", "fffffffffffffffff\r\n"] {
        let head = "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n";
        let said = say(bind, format!("{head}{body}").as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("connection: close"), "{body:?}: {said}");
    }
    assert_eq!(get(bind, "app", "/").await.app(), "app", "it is still used");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_is_not_the_endpoints_fault() {
    let app = App::start("app", address()).await;
    let (_world, bind) = proxy(&app, json!({})).await;
    for _ in 0..10 {
        let mut stream = TcpStream::connect(bind).await.unwrap();
        let half = b"POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 10\r\n\r\nhalf";
        stream.write_all(half).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    // Over HTTP/2 the stream is reset while its connection stays.
    let stream = TcpStream::connect(bind).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..10 {
        let (frames, body) = tokio::sync::mpsc::channel::<Result<http_body::Frame<Bytes>, std::io::Error>>(1);
        let body = StreamBody::new(futures_util::stream::unfold(body, |mut body| async move {
            body.recv().await.map(|frame| (frame, body))
        }));
        let mut sender = sender.clone();
        let request = Request::post("http://app/").body(BodyExt::boxed_unsync(body)).unwrap();
        let asked = tokio::spawn(async move { sender.send_request(request).await });
        frames.send(Ok(http_body::Frame::data(Bytes::from("half")))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        frames.send(Err(std::io::Error::other("changed my mind"))).await.unwrap();
        assert!(asked.await.unwrap().is_err());
    }
    assert_eq!(get(bind, "app", "/").await.app(), "app", "it is still used");
}

#[tokio::test]
async fn a_request_that_stops_in_the_middle_is_given_up() {
    let app = App::start("app", address()).await;
    let (_world, bind) = proxy(&app, json!({ "idle_timeout": "1s" })).await;
    let said = say(bind, b"POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 10\r\n\r\nhalf").await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.ends_with("stream timeout"), "{said}");
    app.takes(Duration::from_secs(5));
    let answer = get(bind, "app", "/").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (504, "stream timeout"));
    app.takes(Duration::ZERO);
    assert_eq!(get(bind, "app", "/").await.app(), "app");
}

#[tokio::test]
async fn a_slow_upload_is_not_the_endpoints_fault() {
    let app = App::start("app", address()).await;
    let retry = json!({ "attempts": 2, "on": ["5xx"], "methods": ["*"], "per_try_timeout": "1s" });
    let (_world, bind) = proxy(&app, json!({ "timeout": "3s", "retry": retry })).await;
    let mut stream = TcpStream::connect(bind).await.unwrap();
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: app\r\nconnection: close\r\ncontent-length: 5\r\n\r\n")
        .await
        .unwrap();
    for byte in b"12345" {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(&[*byte]).await.unwrap();
    }
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("12345"), "{said}");
    assert_eq!(app.requests(), 1, "no attempt was given up");

    app.takes(Duration::from_secs(5));
    let late = Client::http1(bind, "app").await.send(http::Method::POST, "/", &[], "12345").await.unwrap();
    assert_eq!(late.app(), "reserve", "but an application that is late is not waited for");
    app.takes(Duration::ZERO);
    eventually("the ejection", || async { get(bind, "app", "/").await.app() == "reserve" }).await;
}

#[tokio::test]
async fn waiting_for_a_connection_counts_as_waiting() {
    let app = App::start("app", address()).await;
    app.takes(Duration::from_secs(3));
    let (mut world, bind) = (World::new(), address());
    let mut one = upstream(&[group("only", &[app.address])]);
    one["pool"]["max_connections"] = json!(1);
    let route = json!({ "timeout": "400ms" });
    let slow = address();
    let mut listener = http_listener(slow, "app", json!({}));
    listener["name"] = json!("slow");
    let listeners = [http_listener(bind, "app", route), listener];
    let config = json!({ "listeners": listeners, "upstreams": { "app": one } });
    let options = Options { workers: 1, ..world.options(world.write("proxy", config)) };
    world.start_with(options);
    let holds_it = tokio::spawn(async move { get(slow, "app", "/").await.status });
    while app.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = Client::http1(bind, "app").await.send(http::Method::POST, "/", &[], "12345").await.unwrap();
    assert_eq!(answer.status, 504, "also with a body that nobody has read yet");
    assert_eq!(holds_it.await.unwrap(), 200);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let listener = tokio::net::TcpListener::bind(address()).await.unwrap();
    let app = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 64000000\r\n\r\n").await;
                while stream.write_all(&[b'x'; 64_000]).await.is_ok() {}
            });
        }
    });
    let (mut world, bind) = (World::new(), address());
    let mut one = upstream(&[group("only", &[app])]);
    one["protocol"] = json!("http1");
    one["pool"]["max_requests"] = json!(1);
    let route = json!({ "idle_timeout": "2s" });
    let config = json!({ "listeners": [http_listener(bind, "app", route)], "upstreams": { "app": one } });
    world.start("proxy", config);
    let stream = TcpStream::connect(bind).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut ask = async || {
        let request = Request::get("http://app/").body(http_body_util::Empty::<Bytes>::new()).unwrap();
        sender.send_request(request).await.unwrap()
    };
    let unread = ask().await;
    assert_eq!((unread.status().as_u16(), ask().await.status().as_u16()), (200, 503), "its place is taken");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(ask().await.status(), 503, "as long as it may still be read");
    let mut free = false;
    while !free {
        tokio::time::sleep(Duration::from_millis(50)).await;
        free = ask().await.status() == 200;
    }
    assert!(unread.into_body().collect().await.is_err(), "and then it is cut off");
}

#[tokio::test]
async fn two_readings_of_one_request_are_not_forwarded() {
    let app = App::start("app", address()).await;
    let (_world, bind) = proxy(&app, json!({})).await;
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: app\r\n\r\n";
    for (headers, status) in [
        ("content-length: 3\r\ncontent-length: 4\r\n", 400),
        ("content-length: +3\r\n", 400),
        ("transfer-encoding: gzip, chunked\r\n", 501),
        ("transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n", 501),
        ("transfer-encoding : chunked\r\n", 400),
        ("host: other\r\ncontent-length: 0\r\n", 400),
    ] {
        let request = format!("POST / HTTP/1.1\r\nhost: app\r\n{headers}\r\n{smuggled}");
        let said = say(bind, request.as_bytes()).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{headers:?}: {said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{headers:?}: {said}");
    }
    assert_eq!(app.requests(), 0);

    for headers in [
        "content-length: 44\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nhost: app\r\n{headers}\r\n{smuggled}");
        let said = say(bind, request.as_bytes()).await;
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "nothing follows: {said}");
        assert!(said.contains("connection: close") && !said.contains("content-length\""), "{said}");
    }
    assert_eq!(app.requests(), 2);
}

#[tokio::test]
async fn headers_have_bounds() {
    let app = App::start("app", address()).await;
    let (_world, bind) = proxy(&app, json!({})).await;
    let large = "a".repeat(50_000);
    assert_eq!(Client::http1(bind, "app").await.get_with("/", &[("x-a", &large)]).await.status, 200);
    let large = "a".repeat(62_000);
    assert_eq!(Client::http1(bind, "app").await.get_with("/", &[("x-a", &large)]).await.status, 431);
    let names: Vec<String> = (0..101).map(|number| format!("x-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(Client::http1(bind, "app").await.get_with("/", &many).await.status, 431);
    assert_eq!(Client::http2(bind, "app").await.get_with("/", &many).await.status, 431);
}

#[tokio::test]
async fn cookies_that_came_apart_arrive_together() {
    let app = App::start("app", address()).await;
    let (mut world, bind) = (World::new(), address());
    let mut one = upstream(&[group("only", &[app.address])]);
    one["protocol"] = json!("http1");
    let config = json!({ "listeners": [http_listener(bind, "app", json!({}))], "upstreams": { "app": one } });
    world.start("proxy", config);
    let answer =
        Client::http2(bind, "app").await.get_with("/", &[("cookie", "a=1"), ("cookie", "b=2")]).await;
    assert_eq!(answer.said()["version"], "HTTP/1.1");
    assert_eq!(answer.seen("cookie").unwrap(), "a=1; b=2");
}

/// A proxy in front of an application that answers each request with these bytes and closes.
async fn saying(answer: &'static [u8]) -> (World, SocketAddr) {
    let listener = tokio::net::TcpListener::bind(address()).await.unwrap();
    let app = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer).await;
        }
    });
    let (mut world, bind) = (World::new(), address());
    let config = json!({
        "listeners": [http_listener(bind, "app", json!({}))],
        "upstreams": { "app": upstream(&[group("only", &[app])]) },
    });
    world.start("proxy", config);
    (world, bind)
}

#[tokio::test]
async fn what_is_no_answer_is_not_passed_on() {
    for nonsense in [
        &b"nonsense\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nx y: 1\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (_world, bind) = saying(nonsense).await;
        let answer = get(bind, "app", "/").await;
        assert_eq!(answer.status, 502, "{:?}", String::from_utf8_lossy(nonsense));
        assert!(answer.body.ends_with("protocol error"), "{}", answer.body);
    }
}

#[tokio::test]
async fn the_version_of_an_application_stays_behind() {
    let (_world, bind) = saying(b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nold").await;
    let mut client = Client::http1(bind, "app").await;
    for _ in 0..3 {
        let answer = client.get("/").await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "old"), "on one connection");
    }
    let said = say(bind, b"GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    assert!(say(bind, b"GET / HTTP/1.0\r\nhost: app\r\n\r\n").await.contains(" 426 "));
}

/// What comes back when these parts are sent with a silence between them, long enough for the proxy to forget everything
/// about the connection that it can, up to the answer with this number.
async fn say_slowly(bind: SocketAddr, parts: &[&str], answers: usize) -> String {
    let mut stream = TcpStream::connect(bind).await.unwrap();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
        }
        stream.write_all(part.as_bytes()).await.unwrap();
    }
    let mut said = String::new();
    let reading = async {
        while said.matches("HTTP/1.1 200 OK").count() < answers {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "{parts:?}: {said}");
            said.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the answers come");
    said
}

#[tokio::test]
async fn a_silence_anywhere_changes_nothing() {
    const GET: &str = "GET / HTTP/1.1\r\nhost: app\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 10\r\n\r\n01234";
    let app = App::start("app", address()).await;
    let (_world, bind) = proxy(&app, json!({})).await;
    let (half, rest) = GET.split_at(20);
    let beginning = [GET, half].concat();
    let ending = ["56789", GET, half].concat();
    let cases: [(&[&str], usize); 7] = [
        (&["", GET], 1),
        (&[GET, GET, GET], 3),
        (&[half, rest, GET], 2),
        (&[&beginning, rest], 2),
        (&[POST, "56789", GET], 2),
        (&[POST, &ending, rest], 3),
        (&["P", &POST[1..], "56789"], 1),
    ];
    let said = cases.map(|(parts, answers)| say_slowly(bind, parts, answers));
    for (said, (parts, answers)) in futures_util::future::join_all(said).await.into_iter().zip(cases) {
        assert_eq!(said.matches("HTTP/1.1 ").count(), answers, "{parts:?}: {said}");
    }
}
