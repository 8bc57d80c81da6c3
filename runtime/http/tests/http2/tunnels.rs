//! Streams of our server that become something else than HTTP.

use crate::servers::{all, world};
use crate::{SETTINGS, on_one_thread, settle, text};
use bytes::Bytes;
use h2::Reason;
use http::{Method, Request, Response, StatusCode};
use meshd_http::h2::{Incoming, Protocol, Stream, Switched, server};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use tokio::io::{AsyncWriteExt as _, duplex};

fn connect(length: Option<&'static str>) -> Request<()> {
    let mut request = Request::builder().method(Method::CONNECT).uri("http://a.test/tunnel");
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    let mut request = request.body(()).unwrap();
    request.extensions_mut().insert(Protocol::from_static("echo"));
    request
}

#[test]
fn a_stream_becomes_a_tunnel_and_ends_as_it_does() {
    on_one_thread(async {
        for is_cut in [false, true] {
            let mut world = world().await;
            settle().await;
            let (answer, mut send) = world.client.send_request(connect(None), false).unwrap();
            let mut answer = answer.await.unwrap();
            assert_eq!(
                (answer.status(), answer.headers().contains_key("content-length")),
                (StatusCode::OK, false)
            );
            send.send_data(Bytes::from_static(b"hello"), false).unwrap();
            assert_eq!(answer.body_mut().data().await.unwrap().unwrap(), "hello");
            settle().await;
            assert_eq!(world.under_way(), 1);
            send.send_data(if is_cut { Bytes::from_static(b"!") } else { Bytes::new() }, !is_cut).unwrap();
            // A tunnel that is dropped has not ended.
            let expected = if is_cut { Err(Some(Reason::CANCEL)) } else { Ok(String::new()) };
            let end = all(answer.body_mut()).await;
            assert_eq!(end.map(|(rest, _)| rest).map_err(|error| error.reason()), expected);
            settle().await;
            assert_eq!(world.under_way(), 0);
        }
    });
}

#[test]
fn an_answer_that_agrees_to_no_tunnel_arrives_with_its_body() {
    on_one_thread(async {
        for (status, said) in [(200, "not a tunnel"), (200, ""), (404, "nothing here")] {
            let (near, far) = duplex(1 << 20);
            let service = move |_: Request<Incoming>, _: Rc<Stream>| async move {
                let mut answer = Response::new(text(said));
                *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                answer.headers_mut().insert("content-length", said.len().into());
                answer
            };
            tokio::task::spawn_local(server::Connection::new(far, service, SETTINGS, 3));
            let (mut client, connection) = h2::client::handshake(near).await.unwrap();
            tokio::task::spawn_local(connection);
            settle().await;
            let (answer, _send) = client.send_request(connect(None), false).unwrap();
            let mut answer = answer.await.unwrap();
            // A length would be about the tunnel.
            let has_length = answer.headers().contains_key("content-length");
            assert_eq!((answer.status().as_u16(), has_length), (status, status != 200));
            assert_eq!(all(answer.body_mut()).await.unwrap().0, said);
            settle().await;
            let (answer, _) = client.send_request(connect(None), false).unwrap();
            assert_eq!(answer.await.unwrap().status(), status, "and the connection goes on");
        }
    });
}

#[test]
fn a_request_for_a_tunnel_that_has_a_body_is_refused_alone() {
    on_one_thread(async {
        let mut world = world().await;
        settle().await;
        for length in ["1", "x"] {
            let refused = world.client.send_request(connect(Some(length)), false);
            let error = match refused {
                Ok((answer, _send)) => answer.await.unwrap_err(),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(error.reason(), Some(Reason::PROTOCOL_ERROR), "{length}");
        }
        world.serves_others().await;
    });
}

#[test]
fn a_tunnel_that_is_given_up_is_reset() {
    on_one_thread(async {
        let mut world = world().await;
        settle().await;
        let (answer, _send) = world.client.send_request(connect(None), false).unwrap();
        let mut answer = answer.await.unwrap();
        settle().await;
        let streams = world.seen.streams.take();
        streams[0].give_up();
        let end = answer.body_mut().data().await.unwrap();
        assert_eq!((end.unwrap_err().reason(), world.under_way()), (Some(Reason::CANCEL), 0));
    });
}

#[test]
fn a_tunnel_takes_no_more_than_there_is_room_for() {
    on_one_thread(async {
        let (near, far) = duplex(1 << 20);
        let written = Rc::new(RefCell::new(0));
        let count = Rc::clone(&written);
        let service = move |_: Request<Incoming>, stream: Rc<Stream>| {
            let count = Rc::clone(&count);
            stream.switch(move |mut tunnel: Switched| {
                Box::pin(async move {
                    while let Ok(sent) = tunnel.write(&[b'z'; 5000]).await {
                        *count.borrow_mut() += sent;
                    }
                }) as Pin<Box<dyn Future<Output = ()>>>
            });
            async { Response::new(text("")) }
        };
        tokio::task::spawn_local(server::Connection::new(far, service, SETTINGS, 3));
        let (mut client, connection) = h2::client::handshake(near).await.unwrap();
        tokio::task::spawn_local(connection);
        settle().await;
        let (answer, _send) = client.send_request(connect(None), false).unwrap();
        let mut answer = answer.await.unwrap();
        settle().await;
        assert_eq!(*written.borrow(), 65_535, "the client's window");
        let piece = answer.body_mut().data().await.unwrap().unwrap();
        answer.body_mut().flow_control().release_capacity(piece.len()).unwrap();
        while *written.borrow() == 65_535 {
            let piece = answer.body_mut().data().await.unwrap().unwrap();
            answer.body_mut().flow_control().release_capacity(piece.len()).unwrap();
            settle().await;
        }
    });
}
