//! One client's connection, seen from the server.

use super::body::{Body, Framing, Part};
use super::head::{self, Head, Search};
use super::write::{self, Asked, Sending, Size};
use crate::{Fault, Limits, spare};
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, Version};

/// Reads requests and writes answers, one after the other. Requests that were sent ahead wait in its input.
#[derive(Debug)]
pub struct Server {
    limits: Limits,
    input: BytesMut,
    search: Search,
    /// Whether nothing more comes.
    ended: bool,
    exchange: Option<Exchange>,
    /// Whether another request may follow.
    stays: bool,
    /// Whether the one that is coming or being answered is the last one.
    closing: bool,
}

/// A request, and how far it and its answer have come.
#[derive(Debug)]
struct Exchange {
    body: Body,
    asked: Asked,
    /// Whether the client waits for leave to send the body.
    expects_continue: bool,
    answer: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Owed,
    Begun(Sending),
    Complete,
}

impl Server {
    /// Of a connection that has just been opened.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Server {
            limits,
            input: BytesMut::new(),
            search: Search::default(),
            ended: false,
            exchange: None,
            stays: true,
            closing: false,
        }
    }

    /// These bytes came.
    pub fn received(&mut self, bytes: &[u8]) {
        if self.input.is_empty() {
            self.input = spare::came(bytes);
        } else {
            self.input.extend_from_slice(bytes);
        }
    }

    /// Where the next bytes may be put, instead of [`Server::received`].
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// Nothing more comes.
    pub fn ended(&mut self) {
        self.ended = true;
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// How much has come that was not used.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.input.len()
    }

    /// Whether the next thing that comes is a request.
    #[must_use]
    pub fn awaits_request(&self) -> bool {
        self.exchange.is_none() && self.stays && !(self.closing && self.input.is_empty())
    }

    /// Whether no request has begun to come, and no answer is owed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.exchange.is_none() && self.input.is_empty()
    }

    /// Whether the connection carries nothing more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let is_quiet = (self.ended || self.closing) && self.input.is_empty();
        self.exchange.is_none() && (!self.stays || is_quiet)
    }

    /// The connection ends after the request that is coming or being answered, or now if there is none.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// The next request; `None` until it is complete.
    ///
    /// # Errors
    /// What is wrong with it. Nothing more can be read then.
    pub fn request(&mut self) -> Result<Option<(Request<()>, Framing)>, Fault> {
        if !self.awaits_request() {
            return Ok(None);
        }
        let read = head::request(&mut self.input, &mut self.search, self.limits);
        let Some(Head { message, fields }) = read.inspect_err(|_| self.stays = false)? else {
            if self.ended && !self.input.is_empty() {
                self.stays = false;
                return Err(Fault::Truncated);
            }
            return Ok(None);
        };
        let framing = match (fields.coding, fields.length) {
            (Some(_), _) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length),
            (None, None) => Framing::EMPTY,
        };
        let is_old = message.version() == Version::HTTP_10;
        // What follows a request for a tunnel is its body to some, and the tunnel's to others.
        let is_clear = *message.method() != Method::CONNECT || framing == Framing::EMPTY;
        self.stays = fields.stays(is_old) && is_clear;
        let asked = Asked {
            is_head: message.method() == Method::HEAD,
            is_connect: message.method() == Method::CONNECT,
            is_old,
            stays: true,
        };
        let expects_continue = fields.expects_continue && framing != Framing::EMPTY;
        let body = Body::new(framing);
        self.exchange = Some(Exchange { body, asked, expects_continue, answer: Answer::Owed });
        Ok(Some((message, framing)))
    }

    /// Whether all of the request's body has been taken.
    #[must_use]
    pub fn has_request(&self) -> bool {
        self.exchange.as_ref().is_none_or(|exchange| exchange.body.is_over())
    }

    /// How many bytes of the request's body are left, if that is known.
    #[must_use]
    pub fn body_left(&self) -> Option<u64> {
        self.exchange.as_ref().map_or(Some(0), |exchange| exchange.body.left())
    }

    /// How many bytes of the body are sure to come next: worth a buffer of its own.
    #[must_use]
    pub fn body_expected(&self) -> u64 {
        self.exchange.as_ref().map_or(0, |exchange| exchange.body.expected())
    }

    /// The next piece of the request's body; `None` until more has come.
    ///
    /// # Errors
    /// What is wrong with it. Nothing more can be read then.
    pub fn body(&mut self) -> Result<Option<Part>, Fault> {
        let Some(exchange) = &mut self.exchange else { return Ok(Some(Part::End)) };
        let part = exchange.body.next(&mut self.input, self.ended, self.limits);
        part.inspect_err(|_| self.stays = false)
    }

    /// Somebody wants the request's body: writes the leave to send it, if the client waits for that. Whether it did.
    pub fn wants_body(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(exchange) = &mut self.exchange else { return false };
        let waits = std::mem::take(&mut exchange.expects_continue);
        let waits = waits && exchange.answer == Answer::Owed && self.input.is_empty();
        if waits {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        waits
    }

    /// Writes the answer's head. `exact` is the length of its body, if that is known, and `date` is now, in its form of HTTP.
    pub fn answer(&mut self, head: &Response<()>, exact: Option<u64>, date: &[u8], out: &mut Vec<u8>) {
        let Some(exchange) = &mut self.exchange else { return };
        if exchange.answer != Answer::Owed {
            return;
        }
        // A client that still waits for leave to send its body may or may not send it now.
        self.stays &= !exchange.expects_continue || exchange.body.is_over();
        let asked = Asked { stays: self.stays && !self.closing, ..exchange.asked };
        let (sending, stays) = write::answer(head, asked, Size { exact }, date, out);
        self.stays = stays;
        exchange.answer = Answer::Begun(sending);
    }

    /// Frames so many bytes of the answer's body, see [`Sending::frame`].
    #[must_use]
    pub fn data(&mut self, length: usize, out: &mut Vec<u8>) -> (usize, &'static [u8]) {
        match &mut self.exchange {
            Some(Exchange { answer: Answer::Begun(sending), .. }) => sending.frame(length, out),
            Some(_) | None => (0, b""),
        }
    }

    /// Whether all of the answer that was announced has been sent, so that its body need not be asked for more.
    #[must_use]
    pub fn has_answer(&self) -> bool {
        let answer = self.exchange.as_ref().map(|exchange| exchange.answer);
        answer.is_none_or(|answer| answer == Answer::Begun(Sending::NOTHING) || answer == Answer::Complete)
    }

    /// The answer's body is over.
    pub fn answered(&mut self, trailers: Option<&http::HeaderMap>, out: &mut Vec<u8>) {
        let Some(exchange) = &mut self.exchange else { return };
        if let Answer::Begun(sending) = exchange.answer {
            self.stays &= sending.end(trailers, out);
            exchange.answer = Answer::Complete;
        }
    }

    /// The answer was sent; whether the next request can be read. What is left of the body of this one is thrown away as far as
    /// it has come; a connection on which more is to come ends.
    pub fn finish(&mut self) -> bool {
        let Some(exchange) = &mut self.exchange else { return self.stays };
        while self.stays && !exchange.body.is_over() {
            match exchange.body.next(&mut self.input, self.ended, self.limits) {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => self.stays = false,
            }
        }
        self.exchange = None;
        self.stays &= !self.closing;
        self.stays
    }

    /// What came and was not used, once the connection speaks another protocol.
    pub fn take_unread(&mut self) -> Bytes {
        std::mem::take(&mut self.input).freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn server(bytes: &[u8]) -> Server {
        let mut server = Server::new(Limits::default());
        server.received(bytes);
        server
    }

    fn reply(server: &mut Server, status: u16, text: &str) -> String {
        let mut out = Vec::new();
        let mut head = Response::new(());
        *head.status_mut() = StatusCode::from_u16(status).unwrap();
        head.headers_mut().insert("date", http::HeaderValue::from_static("now"));
        server.answer(&head, Some(text.len() as u64), b"", &mut out);
        let (sent, after) = server.data(text.len(), &mut out);
        out.extend_from_slice(&text.as_bytes()[..sent]);
        out.extend_from_slice(after);
        server.answered(None, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn requests_follow_each_other() {
        let mut server = server(b"POST /1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nabGET /2 HTTP/1.1\r\n\r\n");
        let (request, framing) = server.request().unwrap().unwrap();
        assert_eq!((request.uri().path(), framing), ("/1", Framing::Length(2)));
        assert!(server.request().unwrap().is_none(), "one at a time");
        assert_eq!(server.body().unwrap(), Some(Part::Data(Bytes::from_static(b"ab"))));
        assert_eq!(server.body().unwrap(), Some(Part::End));
        assert!(reply(&mut server, 200, "x").ends_with("\r\n\r\nx"));
        assert!(server.finish());
        let (request, framing) = server.request().unwrap().unwrap();
        assert_eq!((request.uri().path(), framing), ("/2", Framing::EMPTY));
        reply(&mut server, 200, "");
        assert!(server.finish() && server.is_idle() && !server.is_over());
        server.ended();
        assert!(server.is_over());
    }

    #[test]
    fn what_is_left_of_a_body_is_thrown_away_if_it_is_there_and_ends_the_connection_if_not() {
        for (rest, stays) in [("ab", true), ("a", false)] {
            let mut server = server(format!("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{rest}").as_bytes());
            server.request().unwrap().unwrap();
            reply(&mut server, 200, "");
            assert_eq!(server.finish(), stays);
            assert_eq!(server.is_over(), !stays);
        }
    }

    #[test]
    fn leave_to_send_a_body_is_given_when_somebody_wants_it() {
        let head = b"POST / HTTP/1.1\r\nexpect: 100-Continue\r\ncontent-length: 1\r\n\r\n";
        let mut out = Vec::new();
        let mut asked = server(head);
        asked.request().unwrap().unwrap();
        assert!(asked.wants_body(&mut out) && !asked.wants_body(&mut out));
        assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
        let mut refused = server(head);
        refused.request().unwrap().unwrap();
        assert!(
            reply(&mut refused, 401, "").contains("connection: close"),
            "the body may still come, or not"
        );
        let mut impatient = server(&[&head[..], b"x"].concat());
        impatient.request().unwrap().unwrap();
        assert!(!impatient.wants_body(&mut out), "it has begun already");
    }

    #[test]
    fn what_is_no_request_is_named() {
        for (bytes, fault) in [
            ("GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", Fault::TransferEncoding),
            ("GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", Fault::TransferEncoding),
            ("GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", Fault::Length),
            ("GET / HTTP/1.1\r\ncontent-length: +1\r\n\r\n", Fault::Length),
            ("GET / HTTP/2.0\r\n\r\n", Fault::Version),
            ("GET http://u@v@a.test/ HTTP/1.1\r\n\r\n", Fault::Target),
            ("GET /a b HTTP/1.1\r\n\r\n", Fault::Version),
            ("G@T / HTTP/1.1\r\n\r\n", Fault::Method),
            ("GET / HTTP/1.1\r\na b: c\r\n\r\n", Fault::Header),
            ("GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", Fault::Header),
            ("GET / HTTP/1.1\r\na : b\r\n\r\n", Fault::Header),
        ] {
            let mut server = server(bytes.as_bytes());
            assert_eq!(server.request().map(drop), Err(fault), "{bytes:?}");
            assert!(server.is_over());
        }
    }

    #[test]
    fn nothing_follows_a_request_for_a_tunnel_that_has_a_body() {
        for (length, stays) in [("", true), ("content-length: 0\r\n", true), ("content-length: 1\r\n", false)]
        {
            let mut server = server(format!("CONNECT a.test:80 HTTP/1.1\r\n{length}\r\nx").as_bytes());
            server.request().unwrap().unwrap();
            assert_eq!(reply(&mut server, 404, "").contains("connection: close"), !stays);
            assert_eq!(server.finish(), stays);
        }
    }

    #[test]
    fn empty_lines_before_a_request_are_taken_away() {
        for piece in [1, 3, 100] {
            let mut server = Server::new(Limits { headers: 3, bytes: 64 });
            let mut request = None;
            for piece in b"\r\n\n\r\nGET /a HTTP/1.1\r\n\r\n\r\n".chunks(piece) {
                server.received(piece);
                request = request.or(server.request().unwrap());
            }
            assert_eq!(request.unwrap().0.uri(), "/a");
        }
        let mut server = Server::new(Limits { headers: 3, bytes: 64 });
        for _ in 0..32 {
            server.received(b"\r\n");
            assert_eq!(server.request().map(drop), Ok(()));
            assert!(server.is_idle());
        }
        server.received(b"\r\n");
        assert_eq!(server.request().map(drop), Err(Fault::HeadTooLarge));
    }

    #[test]
    fn nothing_follows_a_request_that_states_its_length_twice() {
        for lengths in [
            "transfer-encoding: chunked\r\ncontent-length: 1",
            "content-length: 1\r\ntransfer-encoding: chunked",
        ] {
            let mut server = server(format!("POST / HTTP/1.1\r\n{lengths}\r\n\r\n0\r\n\r\n").as_bytes());
            let (request, framing) = server.request().unwrap().unwrap();
            assert_eq!(
                (framing, request.headers().contains_key("content-length")),
                (Framing::Chunked, false)
            );
            assert_eq!(server.body().unwrap(), Some(Part::End));
            assert!(reply(&mut server, 200, "").contains("connection: close"));
            assert!(!server.finish());
        }
    }

    #[test]
    fn heads_have_bounds_however_they_come() {
        let limits = Limits { headers: 3, bytes: 200 };
        let head = |headers: usize, length: usize| {
            let lines = "a: b\r\n".repeat(headers - 1);
            format!("GET / HTTP/1.1\r\n{lines}c: {}\r\n\r\n", "x".repeat(length))
        };
        let long = 200 - head(1, 0).len();
        for (head, fits) in [
            (head(3, 1), true),
            (head(4, 1), false),
            (head(1, long), true),
            (head(1, long + 1), false),
            (format!("GET /{} HTTP/1.1\r\n", "x".repeat(1000)), false),
        ] {
            for piece in [1, 7, 5000] {
                let mut server = Server::new(limits);
                let mut read = Ok(None);
                for piece in head.as_bytes().chunks(piece) {
                    server.received(piece);
                    read = server.request();
                    if read.is_err() {
                        break;
                    }
                }
                let expected = if fits { Ok(true) } else { Err(Fault::HeadTooLarge) };
                assert_eq!(read.map(|request| request.is_some()), expected, "{head:?} by {piece}");
            }
        }
    }
}
