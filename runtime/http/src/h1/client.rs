//! One connection to a server, seen from the client.

use super::body::{Body, Framing, Part};
use super::head::{self, Head, Search};
use super::write::{self, RequestHead, Sending, Size};
use crate::{Fault, Limits, spare};
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, Version};

/// Writes requests and reads their answers, one after the other.
#[derive(Debug)]
pub struct Client {
    limits: Limits,
    input: BytesMut,
    search: Search,
    /// Whether nothing more comes.
    ended: bool,
    exchange: Option<Exchange>,
    /// Whether another request may follow.
    stays: bool,
}

#[derive(Debug)]
struct Exchange {
    is_head: bool,
    is_connect: bool,
    /// How much of the request is still to be sent; `None` if all is.
    request: Option<Sending>,
    interim: u32,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Awaited,
    Body(Body),
}

impl Client {
    /// Of a connection that has just been opened.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Client {
            limits,
            input: BytesMut::new(),
            search: Search::default(),
            ended: false,
            exchange: None,
            stays: true,
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

    /// Where the next bytes may be put, instead of [`Client::received`].
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// Nothing more comes.
    pub fn ended(&mut self) {
        self.ended = true;
    }

    /// Whether a request may be sent: the one before it is over with its answer, and nothing came that belongs to none.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.exchange.is_none() && self.stays && !self.ended && self.input.is_empty()
    }

    /// The connection carries no further request.
    pub fn close(&mut self) {
        self.stays = false;
    }

    /// Writes a request's head. `exact` is the length of its body, if that is known.
    pub fn request(&mut self, head: &Request<()>, exact: Option<u64>, out: &mut Vec<u8>) {
        let sending = write::request(head, Size { exact }, out);
        self.asked(head.method(), sending);
    }

    /// The same of a head whose parts are somebody else's.
    pub fn request_head(&mut self, head: &RequestHead<'_>, exact: Option<u64>, out: &mut Vec<u8>) {
        let sending = write::request_head(head, Size { exact }, out);
        self.asked(head.method, sending);
    }

    fn asked(&mut self, method: &Method, sending: Sending) {
        self.exchange = Some(Exchange {
            is_head: *method == Method::HEAD,
            is_connect: *method == Method::CONNECT,
            request: Some(sending).filter(|sending| !sending.is_complete()),
            interim: 0,
            answer: Answer::Awaited,
        });
    }

    /// Whether all of the request has been written.
    #[must_use]
    pub fn has_request(&self) -> bool {
        self.exchange.as_ref().is_none_or(|exchange| exchange.request.is_none())
    }

    /// Frames so many bytes of the request's body, see [`Sending::frame`].
    #[must_use]
    pub fn data(&mut self, length: usize, out: &mut Vec<u8>) -> (usize, &'static [u8]) {
        let Some(exchange) = &mut self.exchange else { return (0, b"") };
        let Some(sending) = &mut exchange.request else { return (0, b"") };
        let framed = sending.frame(length, out);
        if sending.is_complete() {
            exchange.request = None;
        }
        framed
    }

    /// The request's body is over; whether it is as long as was announced. If not, the connection carries nothing more.
    #[must_use]
    pub fn requested(&mut self, trailers: Option<&http::HeaderMap>, out: &mut Vec<u8>) -> bool {
        let request = self.exchange.as_mut().and_then(|exchange| exchange.request.take());
        let is_whole = request.is_none_or(|sending| sending.end(trailers, out));
        self.stays &= is_whole;
        is_whole
    }

    /// The answer's head; `None` until it is complete. Interim answers are passed over.
    ///
    /// # Errors
    /// What is wrong with it. The connection carries nothing more then.
    pub fn answer(&mut self) -> Result<Option<(Response<()>, Framing)>, Fault> {
        let result = self.read_answer();
        if result.is_err() {
            self.stays = false;
        }
        result
    }

    fn read_answer(&mut self) -> Result<Option<(Response<()>, Framing)>, Fault> {
        let Some(exchange) = &mut self.exchange else {
            return if self.input.is_empty() { Ok(None) } else { Err(Fault::Unasked) };
        };
        loop {
            let Some(Head { message, fields }) =
                head::answer(&mut self.input, &mut self.search, self.limits)?
            else {
                return if self.ended { Err(Fault::Truncated) } else { Ok(None) };
            };
            let status = message.status();
            if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                exchange.interim += 1;
                if exchange.interim > Limits::INTERIM {
                    return Err(Fault::Interim);
                }
                continue;
            }
            let is_empty = status == StatusCode::SWITCHING_PROTOCOLS
                || status == StatusCode::NO_CONTENT
                || status == StatusCode::NOT_MODIFIED
                || exchange.is_head
                || (exchange.is_connect && status.is_success());
            let framing = match (fields.coding, fields.length) {
                _ if is_empty => Framing::EMPTY,
                (Some(true), _) => Framing::Chunked,
                (None, Some(length)) => Framing::Length(length),
                (Some(false), _) | (None, None) => Framing::UntilEnd,
            };
            // From here on it may speak something else.
            let is_switched =
                status == StatusCode::SWITCHING_PROTOCOLS || (exchange.is_connect && status.is_success());
            self.stays &= fields.stays(message.version() == Version::HTTP_10)
                && framing != Framing::UntilEnd
                && !is_switched;
            let body = Body::new(framing);
            // An answer that goes wrong at once is none yet, for anybody.
            body.begins(&self.input)?;
            exchange.answer = Answer::Body(body);
            return Ok(Some((message, framing)));
        }
    }

    /// How many bytes of the answer's body are left, if that is known.
    #[must_use]
    pub fn body_left(&self) -> Option<u64> {
        match self.exchange.as_ref().map(|exchange| &exchange.answer) {
            Some(Answer::Body(body)) => body.left(),
            Some(Answer::Awaited) => None,
            None => Some(0),
        }
    }

    /// How many bytes of the body are sure to come next: worth a buffer of its own.
    #[must_use]
    pub fn body_expected(&self) -> u64 {
        match self.exchange.as_ref().map(|exchange| &exchange.answer) {
            Some(Answer::Body(body)) => body.expected(),
            Some(Answer::Awaited) | None => 0,
        }
    }

    /// Whether all of the answer has been taken.
    #[must_use]
    pub fn has_answer(&self) -> bool {
        match self.exchange.as_ref().map(|exchange| &exchange.answer) {
            Some(Answer::Body(body)) => body.is_over(),
            Some(Answer::Awaited) => false,
            None => true,
        }
    }

    /// The next piece of the answer's body; `None` until more has come.
    ///
    /// # Errors
    /// What is wrong with it. The connection carries nothing more then.
    pub fn body(&mut self) -> Result<Option<Part>, Fault> {
        let Some(Exchange { answer: Answer::Body(body), .. }) = &mut self.exchange else {
            return Ok(None);
        };
        let part = body.next(&mut self.input, self.ended, self.limits);
        part.inspect_err(|_| self.stays = false)
    }

    /// Request and answer are over; whether there can be another one. Anything that came behind the answer belongs to no
    /// request, so that the connection carries none.
    pub fn finish(&mut self) -> bool {
        let is_over = self.has_request() && self.has_answer();
        self.exchange = None;
        self.stays &= is_over && self.input.is_empty() && !self.ended;
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

    fn asked(method: Method) -> Client {
        let mut client = Client::new(Limits::default());
        let mut head = Request::new(());
        *head.method_mut() = method;
        client.request(&head, Some(0), &mut Vec::new());
        client
    }

    #[test]
    fn an_answer_ends_where_its_head_says() {
        for (method, head, framing, stays) in [
            (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", Framing::Length(2), true),
            (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Framing::EMPTY, true),
            (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", Framing::EMPTY, true),
            (Method::GET, "HTTP/1.1 204 \r\n\r\n", Framing::EMPTY, true),
            (Method::GET, "HTTP/1.1 304\r\ncontent-length: 9\r\n\r\n", Framing::EMPTY, true),
            (Method::GET, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Framing::Chunked, true),
            (Method::GET, "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", Framing::UntilEnd, false),
            (Method::GET, "HTTP/1.1 200 OK\r\n\r\n", Framing::UntilEnd, false),
            (Method::GET, "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", Framing::EMPTY, false),
            (Method::CONNECT, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n", Framing::EMPTY, false),
            (Method::CONNECT, "HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n", Framing::EMPTY, true),
            (
                Method::GET,
                "HTTP/1.1 200\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                Framing::EMPTY,
                false,
            ),
            (
                Method::GET,
                "HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 \r\na: b\r\n\r\nHTTP/1.1 204 \r\n\r\n",
                Framing::EMPTY,
                true,
            ),
        ] {
            let mut client = asked(method);
            client.received(head.as_bytes());
            let (_, read) = client.answer().unwrap().unwrap();
            assert_eq!(read, framing, "{head:?}");
            if framing == Framing::EMPTY {
                assert_eq!(client.finish(), stays, "{head:?}");
            }
        }
    }

    #[test]
    fn what_belongs_to_no_request_ends_the_connection() {
        let mut client = Client::new(Limits::default());
        client.received(b"HTTP/1.1 200 OK\r\n\r\n");
        assert!(!client.is_ready());
        assert_eq!(client.answer().map(drop), Err(Fault::Unasked));
        let mut client = asked(Method::GET);
        client.received(b"HTTP/1.1 204 \r\n\r\nH");
        client.answer().unwrap().unwrap();
        assert!(!client.finish());
    }

    #[test]
    fn a_connection_carries_more_only_after_all_of_request_and_answer() {
        let mut client = Client::new(Limits::default());
        let mut out = Vec::new();
        client.request(&Request::post("/").body(()).unwrap(), None, &mut out);
        client.received(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx");
        client.answer().unwrap().unwrap();
        assert_eq!(client.body().unwrap(), Some(Part::Data(Bytes::from_static(b"x"))));
        assert!(client.has_answer() && !client.has_request());
        assert!(client.requested(None, &mut out) && client.finish() && client.is_ready());
    }

    #[test]
    fn an_answer_without_a_clear_end_is_none() {
        for (head, fault) in [
            ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Fault::TransferEncoding),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", Fault::Length),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\n", Fault::Length),
        ] {
            let mut client = asked(Method::GET);
            client.received(head.as_bytes());
            assert_eq!(client.answer().map(drop), Err(fault), "{head:?}");
        }
    }

    #[test]
    fn an_answer_whose_body_goes_wrong_at_once_is_none() {
        for (body, expected) in
            [("0x2\r\nok", Err(Fault::Chunk)), ("2;\r\nok", Ok(())), ("", Ok(())), ("0\r\nx", Ok(()))]
        {
            let mut client = asked(Method::GET);
            client
                .received(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}").as_bytes());
            assert_eq!(client.answer().map(drop), expected, "{body:?}");
        }
    }

    #[test]
    fn interim_answers_have_a_bound_and_cut_ones_are_named() {
        let mut client = asked(Method::GET);
        client.received("HTTP/1.1 100 \r\n\r\n".repeat(100).as_bytes());
        assert_eq!(client.answer().map(drop), Err(Fault::Interim));
        let mut client = asked(Method::GET);
        client.received(b"HTTP/1.1 200 OK\r\ncontent-le");
        assert_eq!(client.answer().map(drop), Ok(()));
        client.ended();
        assert_eq!(client.answer().map(drop), Err(Fault::Truncated));
    }
}
