//! What client and server do about each exchange: it follows from the seed and the exchange's number, so both know it.

use crate::dice::Dice;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body::{Body, Frame, SizeHint};
use meshd_http::BodyError;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// Bytes that do not repeat soon, and not at the border of any buffer.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut dice = Dice::new(1);
    (0..32_749).map(|_| dice.next() as u8).collect()
});

/// How much goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nobody gives up, and no connection breaks.
    Fair,
    Foul,
}

/// What the server does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    /// It reads all and answers.
    All,
    /// It answers with what it reads.
    Echo,
    /// It answers, and throws the body away.
    Early,
    /// It answers, and another task reads the body.
    Beside,
    /// Another task reads so many pieces after the answer, and gives up.
    BesideSome(usize),
    /// It never answers.
    Never,
}

/// What the client does with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    All,
    /// It drops the answer after so many pieces.
    Pieces(usize),
    /// It gives up after so many milliseconds.
    Patience(u64),
}

/// A body to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content {
    /// What its bytes are made of.
    key: u64,
    pub(crate) length: usize,
    is_known: bool,
    pub(crate) has_trailers: bool,
    /// The most bytes of a piece.
    piece: usize,
    /// One in so many pieces is late.
    late: usize,
    /// After so many bytes it breaks off.
    pub(crate) breaks: Option<usize>,
}

impl Content {
    fn new(dice: &mut Dice, weather: Weather) -> Self {
        let length = match dice.below(24) {
            0..9 => 0,
            9..18 => dice.below(200),
            18..23 => dice.below(20_000),
            _ => dice.below(200_000),
        };
        let is_known = dice.one_in(2);
        let piece = [10_000, 1 + dice.below(30_000), 1 + dice.below(300)][dice.below(3)].max(length / 200);
        let breaks = (weather == Weather::Foul && length > 0 && dice.one_in(8)).then(|| dice.below(length));
        Content {
            key: dice.next(),
            length,
            is_known,
            has_trailers: !is_known && dice.one_in(4),
            piece,
            late: 2 + dice.below(20),
            breaks,
        }
    }

    /// Its length, if it is said before.
    pub(crate) fn known(&self) -> Option<u64> {
        self.is_known.then_some(self.length as u64)
    }

    /// The bytes that it consists of.
    pub(crate) fn bytes(&self, from: usize, to: usize) -> Vec<u8> {
        // Another place of the same noise for each body.
        let start = (self.key % NOISE.len() as u64) as usize;
        let mut bytes = Vec::with_capacity(to - from);
        while bytes.len() < to - from {
            let at = (start + from + bytes.len()) % NOISE.len();
            let count = (NOISE.len() - at).min(to - from - bytes.len());
            bytes.extend_from_slice(&NOISE[at..at + count]);
        }
        bytes
    }

    /// Whether this is all of it.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length && self.begins(bytes)
    }

    /// Whether it begins with this.
    pub(crate) fn begins(&self, bytes: &[u8]) -> bool {
        bytes.len() <= self.length && bytes == self.bytes(0, bytes.len())
    }
}

/// The whole plan of an exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) method: Met,
    pub(crate) expects: bool,
    pub(crate) request: Content,
    pub(crate) serves: Serves,
    /// How long the server thinks, in milliseconds.
    pub(crate) thinks: u64,
    pub(crate) status: u16,
    pub(crate) answer: Content,
    pub(crate) wants: Wants,
}

/// The methods that matter to a body's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    Get,
    Head,
    Post,
}

impl Met {
    pub(crate) fn method(self) -> Method {
        match self {
            Met::Get => Method::GET,
            Met::Head => Method::HEAD,
            Met::Post => Method::POST,
        }
    }
}

impl Plan {
    pub(crate) fn new(seed: u64, number: u64, weather: Weather) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(1_000_003) ^ number);
        let serves = match dice.below(10) {
            0 | 1 => Serves::Echo,
            2 => Serves::Early,
            3 | 4 => Serves::Beside,
            5 if weather == Weather::Foul => Serves::BesideSome(dice.below(4)),
            6 if weather == Weather::Foul && dice.one_in(4) => Serves::Never,
            _ => Serves::All,
        };
        let wants = match dice.below(6) {
            0 if weather == Weather::Foul => Wants::Pieces(dice.below(5)),
            1 if weather == Weather::Foul => Wants::Patience(dice.below(300) as u64),
            _ => Wants::All,
        };
        Plan {
            method: [Met::Get, Met::Head, Met::Post, Met::Post][dice.below(4)],
            expects: dice.one_in(6),
            request: Content::new(&mut dice, weather),
            serves,
            thinks: if dice.one_in(3) { dice.below(100) as u64 } else { 0 },
            status: if dice.one_in(10) { 204 } else { 200 },
            answer: Content::new(&mut dice, weather),
            wants,
        }
    }

    /// What the client must get, unless something breaks off.
    pub(crate) fn expected(&self) -> Content {
        match self.serves {
            Serves::Echo => self.request,
            Serves::All | Serves::Early | Serves::Beside | Serves::BesideSome(_) | Serves::Never => {
                self.answer
            }
        }
    }

    /// Whether the answer has a body.
    pub(crate) fn has_body(&self) -> bool {
        self.method != Met::Head && self.status != 204
    }

    /// Whether the server reads all of the request, whatever becomes of its answer.
    pub(crate) fn is_read(&self) -> bool {
        match self.serves {
            Serves::All => true,
            // An answer that comes before the leave to send a body ends the connection: it may come or not.
            Serves::Beside => !self.expects,
            // Nobody reads an answer that has no body.
            Serves::Echo => self.has_body() && !self.expects,
            Serves::Early | Serves::BesideSome(_) | Serves::Never => false,
        }
    }
}

/// A body that is made while it is sent.
pub(crate) struct Made {
    content: Content,
    dice: Dice,
    at: usize,
    is_over: bool,
    late: Option<Pin<Box<Sleep>>>,
    /// Called with the length of each piece.
    counts: Box<dyn FnMut(usize)>,
}

impl Made {
    pub(crate) fn new(content: Content, counts: impl FnMut(usize) + 'static) -> Self {
        let is_over = content.length == 0 && content.is_known;
        Made { content, dice: Dice::new(content.key), at: 0, is_over, late: None, counts: Box::new(counts) }
    }
}

/// The trailers of every body that has some.
pub(crate) fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("end"))])
}

impl Body for Made {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let content = this.content;
        if this.late.is_none() && this.dice.one_in(content.late) {
            let time = Duration::from_millis(this.dice.below(60) as u64);
            this.late = Some(Box::pin(tokio::time::sleep(time)));
        }
        if let Some(late) = &mut this.late {
            ready!(late.as_mut().poll(cx));
            this.late = None;
        }
        let until = content.breaks.unwrap_or(content.length);
        if this.at < until {
            let count = 1 + this.dice.below(content.piece.min(until - this.at));
            let piece = content.bytes(this.at, this.at + count);
            this.at += count;
            (this.counts)(count);
            return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
        }
        if content.breaks.is_some() {
            return Poll::Ready(Some(Err("broken off as planned".into())));
        }
        if content.has_trailers && !std::mem::replace(&mut this.is_over, true) {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers()))));
        }
        this.is_over = true;
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        if self.content.is_known {
            SizeHint::with_exact((self.content.length - self.at) as u64)
        } else {
            SizeHint::default()
        }
    }
}
