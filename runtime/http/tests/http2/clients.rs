//! Our client, asking the library's server.

use crate::{Body, SETTINGS, on_one_thread, settle, text};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use meshd_http::BodyError;
use meshd_http::h2::client::{self, Answering, NOT_TOLD, Sender};
use meshd_http::h2::{Error, Protocol};
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

type Asked = (Request<RecvStream>, SendResponse<Bytes>);

struct World {
    sender: Sender,
    /// How many streams the server allows.
    allowed: Rc<Cell<usize>>,
    asking: JoinHandle<Result<(), Error>>,
    asked: mpsc::UnboundedReceiver<Asked>,
    /// The server takes its leave once it is told something.
    leave: mpsc::UnboundedSender<()>,
}

async fn world() -> World {
    let (near, far) = duplex(1 << 20);
    let (came, asked) = mpsc::unbounded_channel();
    let (leave, mut left) = mpsc::unbounded_channel();
    tokio::task::spawn_local(async move {
        let mut builder = h2::server::Builder::new();
        builder.max_concurrent_streams(7).enable_connect_protocol();
        let mut connection = builder.handshake::<_, Bytes>(far).await.unwrap();
        loop {
            tokio::select! {
                request = connection.accept() => match request {
                    Some(Ok(request)) => drop(came.send(request)),
                    Some(Err(_)) | None => return,
                },
                Some(()) = left.recv() => connection.graceful_shutdown(),
            }
        }
    });
    let (sender, mut connection) = client::open(near, SETTINGS).await.unwrap();
    let allowed = Rc::new(Cell::new(connection.allowed()));
    let told = Rc::clone(&allowed);
    let asking = tokio::task::spawn_local(poll_fn(move |cx| {
        let polled = std::pin::Pin::new(&mut connection).poll(cx);
        told.set(connection.allowed());
        polled
    }));
    World { sender, allowed, asking, asked, leave }
}

impl World {
    /// Sends a request with a body, which is sent in a task of its own.
    fn send(&mut self, request: Request<()>, body: Body) -> Answering {
        let (answering, sending) = self.sender.send(request, body).unwrap();
        sending.into_iter().for_each(|sending| drop(tokio::task::spawn_local(sending)));
        answering
    }

    async fn came(&mut self) -> Asked {
        self.asked.recv().await.unwrap()
    }
}

fn request(method: Method, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://a.test{path}")).body(()).unwrap()
}

fn nothing() -> Body {
    Box::pin(Empty::new().map_err(|never| match never {}))
}

#[test]
fn a_request_says_its_length_where_it_has_one_and_nothing_of_http1() {
    on_one_thread(async {
        for (method, body, length) in [
            (Method::GET, "", None),
            (Method::DELETE, "", None),
            (Method::POST, "", Some("0")),
            (Method::PUT, "", Some("0")),
            (Method::POST, "four", Some("4")),
            (Method::GET, "four", Some("4")),
        ] {
            let mut world = world().await;
            let mut asks = request(method.clone(), "/a");
            asks.headers_mut().insert("connection", HeaderValue::from_static("x-own"));
            asks.headers_mut().insert("x-own", HeaderValue::from_static("1"));
            asks.headers_mut().insert("te", HeaderValue::from_static("trailers"));
            let answering = world.send(asks, text(body));
            let (seen, mut respond) = world.came().await;
            assert_eq!(
                seen.headers().get("content-length").map(|value| value.to_str().unwrap()),
                length,
                "{method}"
            );
            assert_eq!(
                seen.headers().keys().filter(|name| *name != "content-length").collect::<Vec<_>>(),
                ["te"]
            );
            assert_eq!(seen.body().is_end_stream(), body.is_empty());
            respond.send_response(Response::new(()), true).unwrap();
            let answer = answering.await.unwrap();
            assert!(answer.body().is_end_stream() && answer.body().size_hint().exact() == Some(0));
        }
    });
}

#[test]
fn what_a_server_allows_is_known_once_it_has_said_so() {
    on_one_thread(async {
        let world = world().await;
        assert_eq!(world.allowed.get(), NOT_TOLD);
        settle().await;
        assert_eq!(world.allowed.get(), 7);
    });
}

#[test]
fn an_answer_comes_while_the_request_is_still_sent() {
    on_one_thread(async {
        let mut world = world().await;
        let (pieces, mut piece) = mpsc::unbounded_channel::<Bytes>();
        let upload = futures_util::stream::poll_fn(move |cx| {
            piece.poll_recv(cx).map(|piece| piece.map(|piece| Ok::<_, BodyError>(Frame::data(piece))))
        });
        let answering = world.send(request(Method::POST, "/"), Box::pin(StreamBody::new(upload)));
        pieces.send(Bytes::from_static(b"one")).unwrap();
        let (mut seen, mut respond) = world.came().await;
        assert_eq!(seen.body_mut().data().await.unwrap().unwrap(), "one");
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        let mut answer = answering.await.unwrap();
        send.send_data(Bytes::from_static(b"first"), false).unwrap();
        assert_eq!(answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "first");
        pieces.send(Bytes::from_static(b"two")).unwrap();
        assert_eq!(seen.body_mut().data().await.unwrap().unwrap(), "two");
        drop(pieces);
        assert!(seen.body_mut().data().await.is_none_or(|last| last.unwrap().is_empty()));
        let trailers =
            HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
        send.send_trailers(trailers.clone()).unwrap();
        let last = answer.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(last.into_trailers().unwrap(), trailers);
        assert!(answer.body().is_end_stream());
    });
}

#[test]
fn whoever_waits_no_more_resets_the_stream() {
    on_one_thread(async {
        let mut world = world().await;
        let answering = world.send(request(Method::GET, "/"), nothing());
        let (_seen, mut respond) = world.came().await;
        drop(answering);
        let reason = poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
        assert_eq!(reason, Reason::CANCEL);
    });
}

#[test]
fn a_body_that_breaks_off_resets_the_stream() {
    on_one_thread(async {
        let mut world = world().await;
        let pieces = [Ok(Frame::data(Bytes::from_static(b"half"))), Err(BodyError::from("gone"))];
        let body = Box::pin(StreamBody::new(futures_util::stream::iter(pieces)));
        let answering = world.send(request(Method::POST, "/"), body);
        let (mut seen, _respond) = world.came().await;
        let error = loop {
            match seen.body_mut().data().await.unwrap() {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
        assert!(answering.await.is_err());
    });
}

#[test]
fn an_answer_that_is_ended_in_the_middle_is_no_whole_one() {
    on_one_thread(async {
        let mut world = world().await;
        let answering = world.send(request(Method::GET, "/"), nothing());
        let (_seen, mut respond) = world.came().await;
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        send.send_data(Bytes::from_static(b"half"), false).unwrap();
        let mut answer = answering.await.unwrap();
        assert_eq!(answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "half");
        send.send_reset(Reason::NO_ERROR);
        let error = answer.body_mut().frame().await.unwrap().unwrap_err();
        assert!(matches!(error, Error::CutShort) && !answer.body().is_end_stream());
        assert!(answer.body_mut().frame().await.is_none(), "it is said once");
        assert!(!answer.body().is_end_stream(), "and it never was whole");
    });
}

#[test]
fn a_server_that_takes_its_leave_answers_what_it_has() {
    on_one_thread(async {
        let mut world = world().await;
        let answering = world.send(request(Method::GET, "/"), nothing());
        let (_seen, mut respond) = world.came().await;
        assert!(poll_fn(|cx| Poll::Ready(world.sender.over(cx))).await.is_none());
        world.leave.send(()).unwrap();
        settle().await;
        let over = poll_fn(|cx| Poll::Ready(world.sender.over(cx))).await;
        assert!(over.is_some_and(|error| error.is_farewell()));
        respond.send_response(Response::new(()), true).unwrap();
        answering.await.unwrap();
        drop(world.sender);
        world.asking.await.unwrap().unwrap();
    });
}

#[test]
fn a_refused_stream_is_told_apart_from_one_that_broke() {
    on_one_thread(async {
        for (reason, is_refused) in [(Reason::REFUSED_STREAM, true), (Reason::CANCEL, false)] {
            let mut world = world().await;
            let answering = world.send(request(Method::GET, "/"), nothing());
            let (_seen, mut respond) = world.came().await;
            respond.send_reset(reason);
            let error = answering.await.map(drop).unwrap_err();
            assert_eq!(
                (error.is_refused(), error.is_reset(), error.is_farewell()),
                (is_refused, true, false)
            );
        }
    });
}

#[test]
fn the_connection_closes_with_its_last_sender() {
    on_one_thread(async {
        let mut world = world().await;
        let answering = world.send(request(Method::GET, "/"), nothing());
        let (_seen, mut respond) = world.came().await;
        drop(world.sender);
        settle().await;
        assert!(!world.asking.is_finished(), "somebody waits for an answer");
        respond.send_response(Response::new(()), true).unwrap();
        drop(answering.await.unwrap());
        world.asking.await.unwrap().unwrap();
    });
}

/// A tunnel with what the server has of it.
async fn tunnel(world: &mut World) -> (meshd_http::h2::Switched, RecvStream, h2::SendStream<Bytes>) {
    settle().await;
    let mut asks = request(Method::CONNECT, "/");
    asks.extensions_mut().insert(Protocol::from_static("echo"));
    let answering = world.send(asks, nothing());
    let (seen, mut respond) = world.came().await;
    let send = respond.send_response(Response::new(()), false).unwrap();
    let mut answer = answering.await.unwrap();
    (answer.body_mut().take_switched().unwrap(), seen.into_body(), send)
}

#[test]
fn a_stream_becomes_a_tunnel() {
    on_one_thread(async {
        let mut world = world().await;
        let (mut ours, mut received, mut send) = tunnel(&mut world).await;
        ours.write_all(b"to the server").await.unwrap();
        assert_eq!(received.data().await.unwrap().unwrap(), "to the server");
        send.send_data(Bytes::from_static(b"to the client"), true).unwrap();
        let mut said = String::new();
        ours.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "to the client");
        ours.shutdown().await.unwrap();
        assert!(received.data().await.is_none_or(|last| last.unwrap().is_empty()));
        assert!(received.is_end_stream());
    });
}

#[test]
fn a_tunnel_that_is_dropped_is_reset() {
    on_one_thread(async {
        let mut world = world().await;
        let (ours, mut received, _send) = tunnel(&mut world).await;
        drop(ours);
        assert_eq!(received.data().await.unwrap().unwrap_err().reason(), Some(Reason::CANCEL));
    });
}

#[test]
fn an_agreement_with_a_body_is_none() {
    on_one_thread(async {
        let mut world = world().await;
        settle().await;
        let mut asks = request(Method::CONNECT, "/");
        asks.extensions_mut().insert(Protocol::from_static("echo"));
        let answering = world.send(asks, nothing());
        let (_seen, mut respond) = world.came().await;
        let answer = Response::builder().header("content-length", "3").body(()).unwrap();
        let _send = respond.send_response(answer, false).unwrap();
        assert_eq!(answering.await.map(drop).unwrap_err().reason(), Some(Reason::PROTOCOL_ERROR));
    });
}

#[test]
fn what_speaks_something_else_is_no_server() {
    on_one_thread(async {
        let (near, mut far): (DuplexStream, DuplexStream) = duplex(1 << 16);
        let (mut sender, connection) = client::open(near, SETTINGS).await.unwrap();
        let asking = tokio::task::spawn_local(connection);
        far.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let sent = sender.send(request(Method::GET, "/"), nothing());
        if let Ok((answering, _)) = sent {
            assert!(answering.await.is_err());
        }
        assert!(asking.await.unwrap().is_err());
    });
}
