//! The cores of HTTP/1.1 ask for no memory for a request on a connection that is warm: bytes in, events and bytes out.

use http::header::HeaderName;
use http::{HeaderValue, Request, Response};
use meshd_http::h1::{Client, Framing, Part, Server};
use meshd_http::{Limits, give_back_headers};

const REQUEST: &[u8] =
    b"POST /items/1?a=b HTTP/1.1\r\nHost: app.test\r\nuser-agent: bench\r\naccept: */*\r\n\
    X-Request-Id: 7f2c\r\nx-forwarded-for: 192.0.2.7\r\ncontent-length: 3\r\n\r\nabc";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nserver: app\r\nX-App-Version: 3\r\ncontent-length: 2\r\n\r\nok";
const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nabc\r\n0\r\n\r\n";

/// How often memory is asked for in each of many rounds, after a few.
fn asked(mut round: impl FnMut()) -> u64 {
    (0..50).for_each(|_| round());
    let before = meshd_heap::asked();
    (0..1000).for_each(|_| round());
    meshd_heap::asked() - before
}

/// The bytes of a body, taken to its end.
fn body(mut next: impl FnMut() -> Option<Part>) -> usize {
    let mut length = 0;
    loop {
        match next() {
            Some(Part::Data(data)) => length += data.len(),
            Some(Part::End) => return length,
            // The body is there, and has none.
            Some(Part::Trailers(_)) | None => return usize::MAX,
        }
    }
}

#[test]
fn a_server_asks_for_no_memory_for_a_request() {
    let mut server = Server::new(Limits::default());
    let mut out = Vec::new();
    let mut head = Response::new(());
    head.headers_mut().insert("server", HeaderValue::from_static("app"));
    for pieces in [1, 2] {
        let mut round = || {
            out.clear();
            let (first, rest) = REQUEST.split_at(REQUEST.len() - if pieces == 1 { 0 } else { 3 });
            server.received(first);
            let (request, framing) = server.request().unwrap().unwrap();
            server.received(rest);
            assert_eq!((request.headers().len(), framing), (6, Framing::Length(3)));
            assert_eq!(request.uri().path(), "/items/1");
            assert_eq!(body(|| server.body().unwrap()), 3);
            server.answer(&head, Some(2), b"now", &mut out);
            let (sent, after) = server.data(2, &mut out);
            assert_eq!((sent, after.len()), (2, 0));
            server.answered(None, &mut out);
            assert!(server.finish() && server.is_idle());
            give_back_headers(request.into_parts().0.headers);
        };
        assert_eq!(asked(&mut round), 0, "in {pieces} pieces");
        assert!(out.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn a_client_asks_for_no_memory_for_an_answer() {
    let mut client = Client::new(Limits::default());
    let mut out = Vec::new();
    let mut head = Request::new(());
    head.headers_mut().insert(HeaderName::from_static("x-a"), HeaderValue::from_static("b"));
    for (answer, expected) in [(ANSWER, 2), (CHUNKED, 5)] {
        let mut round = || {
            out.clear();
            client.request(&head, Some(0), &mut out);
            client.received(answer);
            let (response, _) = client.answer().unwrap().unwrap();
            assert_eq!(body(|| client.body().unwrap()), expected);
            assert!(client.finish() && client.is_ready());
            give_back_headers(response.into_parts().0.headers);
        };
        assert_eq!(asked(&mut round), 0, "{}", String::from_utf8_lossy(answer));
    }
}
