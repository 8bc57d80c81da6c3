//! Our server, asked by the library's client.

use crate::{Body, SETTINGS, on_one_thread, send_what_fits, settle, text};
use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use meshd_http::BodyError;
use meshd_http::h2::{Error, Incoming, Protocol, Stream, server};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What the answers share with the test.
#[derive(Default)]
pub(crate) struct Seen {
    /// The streams of the requests so far.
    pub(crate) streams: RefCell<Vec<Rc<Stream>>>,
    /// Bodies of requests that nobody reads.
    unread: RefCell<Vec<Incoming>>,
    /// How their reading went wrong.
    errors: RefCell<Vec<String>>,
    /// As often as it is cloned, something is being answered.
    under_way: Rc<()>,
}

/// A body of pieces of 1,000 bytes without end; how many were asked for is what `pieces` is cloned.
fn endless(pieces: &Rc<RefCell<usize>>, held: Rc<()>) -> Body {
    let pieces = Rc::clone(pieces);
    Box::pin(StreamBody::new(futures_util::stream::poll_fn(move |_| {
        let _held = &held;
        *pieces.borrow_mut() += 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'y'; 1000])))))
    })))
}

async fn answer(
    seen: Rc<Seen>,
    pieces: Rc<RefCell<usize>>,
    request: Request<Incoming>,
    stream: Rc<Stream>,
) -> Response<Body> {
    let held = Rc::clone(&seen.under_way);
    seen.streams.borrow_mut().push(Rc::clone(&stream));
    let (parts, body) = request.into_parts();
    match parts.uri.path() {
        "/endless" => Response::new(endless(&pieces, held)),
        "/never" => {
            seen.unread.borrow_mut().push(body);
            std::future::pending().await
        }
        "/broken" => {
            let mut polled = 0;
            let half = futures_util::stream::poll_fn(move |cx| {
                polled += 1;
                match polled {
                    1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"half"))))),
                    // What was sent must be on its way: a reset takes back what waits.
                    2..50 => {
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                    _ => Poll::Ready(Some(Err(BodyError::from("the disk is full")))),
                }
            });
            Response::new(Box::pin(StreamBody::new(half)) as Body)
        }
        "/headers" => {
            let mut answer = Response::new(text("four"));
            for (name, value) in [
                ("connection", "x-own"),
                ("x-own", "1"),
                ("keep-alive", "5"),
                ("transfer-encoding", "chunked"),
                ("te", "trailers"),
                ("x-else", "2"),
            ] {
                answer.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            answer
        }
        "/dated" => Response::builder().header("date", "today").body(text("")).unwrap(),
        "/tunnel" if parts.extensions.get::<Protocol>().is_some() => {
            stream.switch(move |mut tunnel| {
                Box::pin(async move {
                    let _held = held;
                    let mut piece = [0; 100];
                    loop {
                        match tunnel.read(&mut piece).await.unwrap() {
                            0 => break tunnel.shutdown().await.unwrap(),
                            1 => break,
                            count => tunnel.write_all(piece.get(..count).unwrap()).await.unwrap(),
                        }
                    }
                })
            });
            Response::builder().header("content-length", "7").body(text("")).unwrap()
        }
        path => match body.collect().await {
            Ok(body) => {
                let trailers = body.trailers().cloned();
                let said = format!("{} {path} {:?}", parts.method, body.to_bytes());
                let data = Frame::data(Bytes::from(said));
                let frames = [Some(data), trailers.map(Frame::trailers)].into_iter().flatten().map(Ok);
                Response::new(Box::pin(StreamBody::new(futures_util::stream::iter(
                    frames.collect::<Vec<_>>(),
                ))) as Body)
            }
            Err(error) => {
                seen.errors.borrow_mut().push(error.to_string());
                Response::new(text("broken"))
            }
        },
    }
}

pub(crate) struct World {
    pub(crate) client: SendRequest<Bytes>,
    pub(crate) seen: Rc<Seen>,
    pieces: Rc<RefCell<usize>>,
    /// The connection of the server; told something, it takes its leave.
    serving: JoinHandle<Result<(), Error>>,
    leave: mpsc::UnboundedSender<()>,
    /// That of the client.
    asking: JoinHandle<Result<(), h2::Error>>,
}

pub(crate) async fn world() -> World {
    let (near, far) = duplex(1 << 20);
    let (seen, pieces) = (Rc::<Seen>::default(), Rc::<RefCell<usize>>::default());
    let (leave, mut left) = mpsc::unbounded_channel();
    let (for_answers, counted) = (Rc::clone(&seen), Rc::clone(&pieces));
    let service =
        move |request, stream| answer(Rc::clone(&for_answers), Rc::clone(&counted), request, stream);
    let mut connection = server::Connection::new(far, service, SETTINGS, 3);
    let serving = tokio::task::spawn_local(async move {
        tokio::select! {
            ended = &mut connection => return ended,
            Some(()) = left.recv() => connection.close(),
        }
        connection.await
    });
    let (client, connection) = h2::client::handshake(near).await.unwrap();
    let asking = tokio::task::spawn_local(connection);
    World { client, seen, pieces, serving, leave, asking }
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a.test{path}")).body(()).unwrap()
}

pub(crate) async fn all(body: &mut RecvStream) -> Result<(String, Option<HeaderMap>), h2::Error> {
    let mut data = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        data.extend_from_slice(&piece);
    }
    Ok((String::from_utf8(data).unwrap(), body.trailers().await?))
}

impl World {
    async fn ask(&mut self, path: &str) -> Response<RecvStream> {
        self.client.send_request(get(path), true).unwrap().0.await.unwrap()
    }

    /// The connection goes on.
    pub(crate) async fn serves_others(&mut self) {
        let mut others = self.ask("/others").await;
        assert_eq!(all(others.body_mut()).await.unwrap().0, "GET /others b\"\"");
    }

    /// How many requests have something that is kept for them.
    pub(crate) fn under_way(&self) -> usize {
        Rc::strong_count(&self.seen.under_way) - 1
    }
}

#[test]
fn what_belongs_to_http1_does_not_pass_and_the_rest_is_announced() {
    on_one_thread(async {
        let mut world = world().await;
        let mut answer = world.ask("/headers").await;
        let mut names: Vec<_> = answer.headers().keys().map(ToString::to_string).collect();
        names.sort();
        assert_eq!(names, ["content-length", "date", "x-else"]);
        assert_eq!(answer.headers()["content-length"], "4");
        assert_eq!(all(answer.body_mut()).await.unwrap().0, "four");
        let answer = world.ask("/dated").await;
        assert_eq!(answer.headers()["date"], "today");
        assert!(answer.body().is_end_stream(), "an empty body takes no frame");
    });
}

#[test]
fn bodies_and_trailers_pass_in_both_directions() {
    on_one_thread(async {
        let mut world = world().await;
        let request = Request::post("http://a.test/said").body(()).unwrap();
        let (answer, mut upload) = world.client.send_request(request, false).unwrap();
        upload.send_data(Bytes::from_static(b"one "), false).unwrap();
        upload.send_data(Bytes::from_static(b"two"), false).unwrap();
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("7"))]);
        upload.send_trailers(trailers.clone()).unwrap();
        let said = all(answer.await.unwrap().body_mut()).await.unwrap();
        assert_eq!(said, ("POST /said b\"one two\"".to_owned(), Some(trailers)));
    });
}

#[test]
fn nothing_is_taken_of_a_client_beyond_its_window_until_somebody_reads() {
    on_one_thread(async {
        let mut world = world().await;
        let request = Request::post("http://a.test/never").body(()).unwrap();
        let (_answer, mut upload) = world.client.send_request(request, false).unwrap();
        settle().await;
        assert_eq!(send_what_fits(&mut upload, 50_000).await, 10_000);
        let mut body = world.seen.unread.borrow_mut().pop().unwrap();
        let mut read = 0;
        while read < 10_000 {
            read += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
        settle().await;
        assert_eq!(send_what_fits(&mut upload, 50_000).await, 10_000);
    });
}

#[test]
fn little_is_taken_of_an_answer_that_the_client_does_not_read() {
    on_one_thread(async {
        let mut world = world().await;
        let answer = world.ask("/endless").await;
        settle().await;
        // The client's window of 65,535 bytes, what may wait behind it, and one piece in hand.
        let pieces = *world.pieces.borrow();
        assert!((65..=87).contains(&pieces), "{pieces}");
        let mut quick = world.ask("/dated").await;
        all(quick.body_mut()).await.unwrap();
        drop(answer);
        settle().await;
        assert_eq!(world.under_way(), 0, "a client that is gone has nothing kept for it");
    });
}

#[test]
fn a_stream_that_is_given_up_is_reset_alone_and_keeps_nothing() {
    on_one_thread(async {
        let mut world = world().await;
        let (given_up, _) = world.client.send_request(get("/never"), true).unwrap();
        let mut endless = world.ask("/endless").await;
        settle().await;
        assert_eq!(world.under_way(), 2);
        let streams = world.seen.streams.take();
        streams[0].give_up();
        assert!(streams[0].is_given_up() && !streams[1].is_given_up());
        assert_eq!(given_up.await.unwrap_err().reason(), Some(Reason::CANCEL));
        assert_eq!(world.under_way(), 1);
        streams[1].give_up();
        let reset = loop {
            match endless.body_mut().data().await.unwrap() {
                Ok(piece) => drop(endless.body_mut().flow_control().release_capacity(piece.len())),
                Err(error) => break error,
            }
        };
        assert_eq!((reset.reason(), world.under_way()), (Some(Reason::CANCEL), 0));
        world.serves_others().await;
    });
}

#[test]
fn a_client_that_resets_its_stream_ends_what_is_done_for_it() {
    on_one_thread(async {
        let mut world = world().await;
        let request = Request::post("http://a.test/never").body(()).unwrap();
        let (answer, mut upload) = world.client.send_request(request, false).unwrap();
        settle().await;
        assert_eq!(world.under_way(), 1);
        upload.send_reset(Reason::CANCEL);
        settle().await;
        assert_eq!(world.under_way(), 0);
        assert!(answer.await.is_err());
    });
}

#[test]
fn a_body_that_is_ended_in_the_middle_is_no_whole_one() {
    on_one_thread(async {
        for (reason, said) in
            [(Reason::NO_ERROR, "the message was ended in the middle"), (Reason::CANCEL, "stream error")]
        {
            let mut world = world().await;
            let request = Request::post("http://a.test/never").body(()).unwrap();
            let (_answer, mut upload) = world.client.send_request(request, false).unwrap();
            upload.send_data(Bytes::from_static(b"half"), false).unwrap();
            settle().await;
            let mut body = world.seen.unread.borrow_mut().pop().unwrap();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
            upload.send_reset(reason);
            settle().await;
            let error = body.frame().await.unwrap().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert!(!http_body::Body::is_end_stream(&body));
        }
    });
}

#[test]
fn a_length_is_kept_to() {
    on_one_thread(async {
        for (length, bytes, fits) in [("4", "four", true), ("5", "four", false), ("3", "four", false)] {
            let mut world = world().await;
            let request =
                Request::post("http://a.test/said").header("content-length", length).body(()).unwrap();
            let (answer, mut upload) = world.client.send_request(request, false).unwrap();
            upload.send_data(Bytes::from_static(bytes.as_bytes()), true).unwrap();
            match answer.await {
                Ok(_) => assert!(fits, "{length}"),
                Err(error) => assert_eq!((fits, error.reason()), (false, Some(Reason::PROTOCOL_ERROR))),
            }
        }
    });
}

#[test]
fn an_answer_that_breaks_off_is_reset() {
    on_one_thread(async {
        let mut world = world().await;
        let mut answer = world.ask("/broken").await;
        assert_eq!(all(answer.body_mut()).await.unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
    });
}

#[test]
fn more_requests_than_are_allowed_wait() {
    on_one_thread(async {
        let mut world = world().await;
        settle().await;
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(world.client.send_request(get("/never"), true).unwrap().0);
            settle().await;
        }
        assert_eq!(world.under_way(), 3);
        drop(answers.remove(0));
        settle().await;
        assert_eq!(world.under_way(), 3);
        // Otherwise it would keep the stream for which there was no room.
        world.client = world.client.ready().await.unwrap();
        drop(answers);
        settle().await;
        assert_eq!(world.under_way(), 0);
    });
}

#[test]
fn who_takes_leave_answers_what_is_under_way() {
    on_one_thread(async {
        let mut world = world().await;
        let request = Request::post("http://a.test/said").body(()).unwrap();
        let (answer, mut upload) = world.client.send_request(request, false).unwrap();
        settle().await;
        world.leave.send(()).unwrap();
        settle().await;
        assert!(world.client.clone().ready().await.is_err(), "nothing more is taken");
        upload.send_data(Bytes::from_static(b"late"), true).unwrap();
        let mut answer = answer.await.unwrap();
        assert_eq!(all(answer.body_mut()).await.unwrap().0, "POST /said b\"late\"");
        drop(answer);
        world.serving.await.unwrap().unwrap();
        world.asking.await.unwrap().unwrap();
    });
}

#[test]
fn who_takes_leave_at_the_beginning_leaves() {
    on_one_thread(async {
        let (near, far) = duplex(1 << 20);
        let service = |_: Request<Incoming>, _: Rc<Stream>| async { Response::new(text("")) };
        let mut connection = server::Connection::new(far, service, SETTINGS, 3);
        connection.close();
        let serving = tokio::task::spawn_local(connection);
        let (_client, connection) = h2::client::handshake(near).await.unwrap();
        connection.await.unwrap();
        // Whether it ends before the client is gone is chance.
        let _ = serving.await.unwrap();
    });
}

#[test]
fn a_connection_that_breaks_keeps_nothing() {
    on_one_thread(async {
        let mut world = world().await;
        let _answer = world.client.send_request(get("/never"), true).unwrap();
        settle().await;
        assert_eq!(world.under_way(), 1);
        world.asking.abort();
        let _ = world.serving.await.unwrap();
        settle().await;
        assert_eq!(Rc::strong_count(&world.seen.under_way), 1);
    });
}
