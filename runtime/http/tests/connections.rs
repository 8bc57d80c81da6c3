//! Both drivers over streams in memory: what a client sees of a server, and a server of a client.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at its first surprise")]

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use meshd_http::{BodyError, Error, Incoming, Limits, client, server};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

type Body = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError>>>;

fn text(text: impl Into<Bytes>) -> Body {
    Box::pin(Full::new(text.into()).map_err(|never| match never {}))
}

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let within = async { tokio::time::timeout(Duration::from_secs(20), test).await };
    local.block_on(&runtime, within).expect("nobody waits for ever")
}

/// Answers with what was asked.
async fn echo(request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match parts.uri.path() {
        "/early" => Response::builder().status(413).body(text("too large")).unwrap(),
        "/stream" => Response::new(Box::pin(body.map_err(BodyError::from)) as Body),
        "/switch" => Response::builder().status(101).header("upgrade", "echo").body(text("")).unwrap(),
        path => {
            let said = match body.collect().await {
                Ok(body) => {
                    let trailers = body.trailers().map_or(0, http::HeaderMap::len);
                    format!("{} {path} {:?} {trailers}", parts.method, body.to_bytes())
                }
                Err(error) => return Response::builder().status(400).body(text(error.to_string())).unwrap(),
            };
            Response::new(text(said))
        }
    }
}

/// A client's end of a connection that is served, and what becomes of the connection.
fn served() -> (DuplexStream, tokio::task::JoinHandle<Result<server::End, Error>>) {
    let (ours, theirs) = duplex(64 * 1024);
    let serving = tokio::task::spawn_local(server::Connection::new(theirs, echo, Limits::default()));
    (ours, serving)
}

/// Everything that is answered to these bytes, without dates.
async fn answered(bytes: &[u8]) -> String {
    let (mut stream, serving) = served();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let _ = serving.await.unwrap();
    let lines = answer.split("\r\n").filter(|line| !line.starts_with("date: "));
    lines.collect::<Vec<_>>().join("|")
}

/// The same of a client that stays until the answer is there.
async fn told(bytes: &[u8], pieces: usize, end: &str) -> (String, Result<server::End, Error>) {
    let (mut stream, serving) = served();
    for piece in bytes.chunks(pieces) {
        stream.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{:?}", String::from_utf8_lossy(&answer));
    }
    drop(stream);
    let answer = String::from_utf8(answer).unwrap();
    let lines = answer.split("\r\n").filter(|line| !line.starts_with("date: "));
    (lines.collect::<Vec<_>>().join("|"), serving.await.unwrap())
}

#[test]
fn requests_are_answered_one_after_the_other() {
    on_one_thread(async {
        let bytes =
            b"GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\ncontent-length: 2\r\n\r\nabPOST /3 HTTP/1.1\r\n\
            transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\na: b\r\n\r\nHEAD /4 HTTP/1.1\r\n\r\n";
        let expected = "HTTP/1.1 200 OK|content-length: 12||GET /1 b\"\" 0HTTP/1.1 200 OK|content-length: 15||POST /2 b\"ab\" 0\
            HTTP/1.1 200 OK|content-length: 14||POST /3 b\"x\" 1HTTP/1.1 200 OK|content-length: 13||";
        for pieces in [1, 3, 1000] {
            let (answer, end) = told(bytes, pieces, "13\r\n\r\n").await.said();
            assert_eq!(answer, expected, "{pieces}");
            assert_eq!(end, "Closed");
        }
    });
}

trait Said {
    fn said(self) -> (String, String);
}

impl Said for (String, Result<server::End, Error>) {
    fn said(self) -> (String, String) {
        (self.0, self.1.map_or_else(|error| error.to_string(), |end| format!("{end:?}")))
    }
}

#[test]
fn what_is_no_request_is_answered_and_the_connection_closed() {
    on_one_thread(async {
        for (bytes, expected) in [
            ("GET /\r\n\r\n", "HTTP/1.1 400 Bad Request|connection: close|content-length: 0||"),
            (
                "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
                "HTTP/1.1 400 Bad Request|connection: close|content-length: 0||",
            ),
            ("", ""),
            ("GET /a HTTP/1.1\r\nho", ""),
        ] {
            assert_eq!(answered(bytes.as_bytes()).await, expected, "{bytes:?}");
        }
        let large = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(70_000));
        let refused = "HTTP/1.1 431 Request Header Fields Too Large|connection: close|content-length: 0||";
        let (mut stream, serving) = served();
        let writing = tokio::task::spawn_local(async move {
            let _ = stream.write_all(large.as_bytes()).await;
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            answer
        });
        let _ = serving.await.unwrap();
        let answer = writing.await.unwrap();
        assert_eq!(
            answer.split("\r\n").filter(|line| !line.starts_with("date")).collect::<Vec<_>>().join("|"),
            refused
        );
    });
}

#[test]
fn leave_is_given_to_send_a_body_and_an_early_answer_ends_the_connection() {
    on_one_thread(async {
        let head = "expect: 100-continue\r\ncontent-length: 2\r\n\r\n";
        let (mut stream, _serving) = served();
        stream.write_all(format!("POST /x HTTP/1.1\r\n{head}").as_bytes()).await.unwrap();
        let mut leave = [0; 25];
        stream.read_exact(&mut leave).await.unwrap();
        assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"ab").await.unwrap();
        let mut answer = vec![0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 200 OK");
        let (answer, end) =
            told(format!("POST /early HTTP/1.1\r\n{head}").as_bytes(), 1000, "large").await.said();
        assert_eq!(answer, "HTTP/1.1 413 Payload Too Large|content-length: 9|connection: close||too large");
        assert_eq!(end, "Closed");
        // The client hears of it while it still has something to send.
        let (answer, end) =
            told(b"POST /early HTTP/1.1\r\ncontent-length: 2\r\n\r\na", 1000, "large").await.said();
        assert_eq!(answer, "HTTP/1.1 413 Payload Too Large|content-length: 9|connection: close||too large");
        assert_eq!(end, "Closed");
        // What is there of a body that nobody wants does not cost the connection.
        let bytes = b"POST /early HTTP/1.1\r\ncontent-length: 2\r\n\r\nabGET /1 HTTP/1.1\r\n\r\n";
        let (answer, _) = told(bytes, 1000, "\"\" 0").await.said();
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
    });
}

#[test]
fn old_clients_are_answered_in_their_version() {
    on_one_thread(async {
        let (mut stream, serving) = served();
        stream.write_all(b"POST /stream HTTP/1.0\r\ncontent-length: 2\r\n\r\nab").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("ab"), "{answer}");
        serving.await.unwrap().unwrap();
    });
}

#[test]
fn another_protocol_gets_the_stream_and_what_came_of_it() {
    on_one_thread(async {
        let (mut ours, theirs) = duplex(1024);
        let mut serving = server::Connection::new(theirs, echo, Limits::default());
        ours.write_all(b"GET /switch HTTP/1.1\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nfirst")
            .await
            .unwrap();
        assert_eq!((&mut serving).await.unwrap(), server::End::Switched);
        let (_stream, unread) = serving.into_parts().unwrap();
        assert_eq!(unread, "first");
    });
}

#[test]
fn a_client_that_goes_away_ends_what_is_done_for_it() {
    on_one_thread(async {
        let (mut ours, theirs) = duplex(1024);
        let never = |_: Request<Incoming>| std::future::pending::<Response<Body>>();
        let serving = tokio::task::spawn_local(server::Connection::new(theirs, never, Limits::default()));
        ours.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        tokio::task::yield_now().await;
        drop(ours);
        assert!(matches!(serving.await.unwrap(), Err(Error::Ended)));
    });
}

/// A connection to a server that is this crate's.
fn connected() -> client::Connection<DuplexStream> {
    client::Connection::new(served().0, Limits::default())
}

#[test]
fn a_connection_carries_one_request_after_the_other() {
    on_one_thread(async {
        let connection = connected();
        for (path, body) in [("/1", "a"), ("/2", ""), ("/3", "bc")] {
            assert!(connection.is_ready());
            let answer = connection.send(Request::post(path).body(text(body)).unwrap()).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let said = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(said, format!("POST {path} b{body:?} 0"));
        }
        let large = Bytes::from(vec![b'x'; 1_000_000]);
        let answer =
            connection.send(Request::post("/stream").body(text(large.clone())).unwrap()).await.unwrap();
        assert!(!connection.is_ready());
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), large);
        assert!(connection.ready().await);
    });
}

#[test]
fn an_answer_that_nobody_reads_ends_the_connection() {
    on_one_thread(async {
        let connection = connected();
        let answer = connection.send(Request::get("/1").body(text("")).unwrap()).await.unwrap();
        drop(answer);
        assert!(!connection.is_ready());
    });
}

#[test]
fn a_connection_that_has_ended_sends_nothing() {
    on_one_thread(async {
        let (mut ours, theirs) = duplex(1024);
        let connection = client::Connection::new(theirs, Limits::default());
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(connection.poll_ended(cx).is_pending())).await
        );
        ours.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
        let unanswered = connection.send(Request::get("/").body(text("")).unwrap()).await.unwrap_err();
        assert!(unanswered.is_unsent);
        drop(connection);
        let mut sent = Vec::new();
        ours.read_to_end(&mut sent).await.unwrap();
        assert!(sent.is_empty());
    });
}

#[test]
fn a_body_that_breaks_off_is_never_complete() {
    on_one_thread(async {
        let (mut ours, theirs) = duplex(1024);
        let connection = client::Connection::new(theirs, Limits::default());
        let broken = http_body_util::StreamBody::new(futures_util::stream::iter([
            Ok(http_body::Frame::data(Bytes::from_static(b"ab"))),
            Err(BodyError::from("the client broke off")),
        ]));
        let request = Request::post("/").body(Box::pin(broken) as Body).unwrap();
        let unanswered = connection.send(request).await.unwrap_err();
        assert!(matches!(unanswered.error, Error::Body(_)), "{unanswered:?}");
        drop(connection);
        let mut sent = String::new();
        ours.read_to_string(&mut sent).await.unwrap();
        assert!(!sent.contains("0\r\n\r\n"), "{sent}");
    });
}

#[test]
fn an_upload_goes_on_beside_its_answer() {
    on_one_thread(async {
        let (mut ours, theirs) = duplex(64);
        let connection = client::Connection::new(theirs, Limits::default());
        let server = tokio::task::spawn_local(async move {
            ours.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx").await.unwrap();
            let mut all = Vec::new();
            while !all.ends_with(b"y") {
                assert_ne!(ours.read_buf(&mut all).await.unwrap(), 0);
            }
            ours
        });
        let body = format!("{}y", "x".repeat(10_000));
        let answer = connection.send(Request::post("/").body(text(body)).unwrap()).await.unwrap();
        assert!(connection.is_uploading());
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "x");
        assert!(connection.ready().await);
        drop(server.await.unwrap());
    });
}

/// A service that answers early, while another task reads so many pieces of the request's body.
fn reads_beside(pieces: usize, answer: &'static str) -> impl FnMut(Request<Incoming>) -> Ready {
    move |request: Request<Incoming>| {
        let mut body = request.into_body();
        tokio::task::spawn_local(async move {
            for _ in 0..pieces {
                let _ = body.frame().await;
            }
            if pieces < usize::MAX {
                std::future::pending::<()>().await;
            }
        });
        std::future::ready(Response::new(text(answer)))
    }
}

type Ready = std::future::Ready<Response<Body>>;

#[test]
fn a_body_that_another_task_reads_makes_room_for_the_next_request() {
    on_one_thread(async {
        let (mut ours, theirs) = duplex(1024);
        let reads = reads_beside(2, "early");
        tokio::task::spawn_local(server::Connection::new(theirs, reads, Limits::default()));
        for _ in 0..3 {
            ours.write_all(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\na").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"early") {
                assert_ne!(ours.read_buf(&mut answer).await.unwrap(), 0);
            }
            ours.write_all(b"b").await.unwrap();
        }
    });
}

#[test]
fn who_reads_in_another_task_does_not_keep_the_answer_from_being_written() {
    on_one_thread(async {
        let (mut ours, theirs) = duplex(64);
        let answer: &str = "x".repeat(1000).leak();
        tokio::task::spawn_local(server::Connection::new(theirs, reads_beside(2, answer), Limits::default()));
        ours.write_all(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\na").await.unwrap();
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        ours.write_all(b"b").await.unwrap();
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let mut got = Vec::new();
        while !got.ends_with(answer.as_bytes()) {
            assert_ne!(ours.read_buf(&mut got).await.unwrap(), 0);
        }
    });
}

/// A stream to a server that answers without reading all, and closes: it takes so many bytes, then writing fails.
struct Deaf {
    takes: usize,
    answer: &'static [u8],
}

impl AsyncRead for Deaf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.takes > 0 { Poll::Pending } else { Pin::new(&mut this.answer).poll_read(cx, into) }
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let takes = bytes.len().min(self.takes);
        self.takes -= takes;
        Poll::Ready(if takes > 0 { Ok(takes) } else { Err(io::ErrorKind::BrokenPipe.into()) })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn an_answer_counts_although_the_server_takes_no_more_of_the_request() {
    on_one_thread(async {
        let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig";
        for takes in [1, 1000] {
            let connection = client::Connection::new(Deaf { takes, answer }, Limits::default());
            let request = Request::post("/").body(text(vec![b'x'; 10_000])).unwrap();
            let answer = connection.send(request).await.unwrap();
            assert_eq!(answer.status(), 413);
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "big");
            assert!(!connection.is_ready() && !connection.ready().await);
        }
        let connection = client::Connection::new(Deaf { takes: 1, answer: b"" }, Limits::default());
        let unanswered = connection.send(Request::get("/").body(text("")).unwrap()).await.unwrap_err();
        assert!(!unanswered.is_unsent, "{unanswered:?}");
    });
}

#[test]
fn an_empty_body_is_none() {
    on_one_thread(async {
        let connection = connected();
        let empty =
            Box::pin(Empty::new().map_err(|never: std::convert::Infallible| -> BodyError { match never {} }))
                as Body;
        let answer = connection.send(Request::get("/e").body(empty).unwrap()).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "GET /e b\"\" 0");
    });
}
