//! What came out of two connections, and how it differs.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use http_body::Frame;
use meshd_http::Fault;

/// The first line of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum First {
    Request(Method, Uri),
    Answer(StatusCode),
}

/// How far a body came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// It is not over.
    Open,
    Complete,
    Broken,
}

/// A message that was read.
#[derive(Debug)]
pub(crate) struct Seen {
    first: First,
    version: Version,
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: HeaderMap,
    pub(crate) end: BodyEnd,
}

impl Seen {
    pub(crate) fn new(first: First, version: Version, headers: HeaderMap) -> Self {
        Seen { first, version, headers, body: Vec::new(), trailers: HeaderMap::new(), end: BodyEnd::Open }
    }

    /// A piece of the body.
    pub(crate) fn frame(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) => self.body.extend_from_slice(&data),
            Err(frame) => self.trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }

    fn has_head_of(&self, other: &Seen) -> bool {
        let Seen { first, version, headers, body: _, trailers: _, end: _ } = self;
        *first == other.first && *version == other.version && *headers == other.headers
    }
}

/// What came of a connection.
#[derive(Debug)]
pub(crate) struct Run {
    seen: Vec<Seen>,
    /// What was wrong, where it is known.
    fault: Option<Fault>,
    /// Whether the connection waits for more.
    stays: bool,
    /// How many answers were written that are no refusal.
    answers: usize,
}

impl Run {
    pub(crate) fn new(seen: Vec<Seen>, fault: Option<Fault>, stays: bool, out: &[u8]) -> Self {
        let is_answer = |start: &[u8]| {
            matches!(start, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', rest @ ..]
                if rest.starts_with(b"200") || rest.starts_with(b"405"))
        };
        let answers = out.windows(12).filter(|start| is_answer(start)).count();
        Run { seen, fault, stays, answers }
    }
}

impl Run {
    /// How many messages were read to their end.
    pub(crate) fn complete(&self) -> usize {
        self.seen.iter().filter(|seen| seen.end == BodyEnd::Complete).count()
    }
}

/// How two connections differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Difference {
    None,
    /// We refuse what hyper accepts.
    Refused(&'static str),
    /// We end the connection, and hyper keeps it.
    Ends(&'static str),
    /// We wait for the end of a head or of trailers in which hyper has found the fault, and find it then.
    Later,
    /// We ended the connection after an answer to a body that was not read, or hyper did: that depends on what has come.
    Unread,
    /// A mistake of ours: accepted by us alone.
    Laxer(&'static str),
    /// A mistake of one of us: both accept, and read something else.
    Other(&'static str),
}

impl Difference {
    /// Whether it may be.
    pub(crate) fn is_allowed(self) -> bool {
        match self {
            Difference::None
            | Difference::Refused(_)
            | Difference::Ends(_)
            | Difference::Later
            | Difference::Unread => true,
            Difference::Laxer(_) | Difference::Other(_) => false,
        }
    }
}

/// The name of a fault.
fn name(fault: Option<Fault>) -> &'static str {
    match fault {
        None => "no fault",
        Some(fault) => match fault {
            Fault::Method => "Method",
            Fault::Target => "Target",
            Fault::TargetTooLong => "TargetTooLong",
            Fault::Version => "Version",
            Fault::Status => "Status",
            Fault::Header => "Header",
            Fault::HeadTooLarge => "HeadTooLarge",
            Fault::Length => "Length",
            Fault::TransferEncoding => "TransferEncoding",
            Fault::Chunk => "Chunk",
            Fault::ChunkExtensions => "ChunkExtensions",
            Fault::Trailer => "Trailer",
            Fault::TrailersTooLarge => "TrailersTooLarge",
            Fault::Truncated => "Truncated",
            Fault::Unasked => "Unasked",
            Fault::Interim => "Interim",
        },
    }
}

/// Compares what came of the same bytes. `closes` says that they were followed by the end of the stream.
pub(crate) fn compare(ours: &Run, theirs: &Run, closes: bool, is_early: bool) -> Difference {
    let fault = name(ours.fault);
    for number in 0..ours.seen.len().max(theirs.seen.len()) {
        match (ours.seen.get(number), theirs.seen.get(number)) {
            (Some(_), None) if is_early => return Difference::Unread,
            (None, Some(_)) if is_early && !ours.stays => return Difference::Unread,
            (Some(_), None) => return Difference::Laxer("a message"),
            (None, Some(_)) if ours.stays => {
                return Difference::Other("we wait for a message that hyper has");
            }
            (None, Some(_)) if ours.fault.is_some() => return Difference::Refused(fault),
            (None, Some(_)) => return Difference::Ends("before a message"),
            (None, None) => break,
            (Some(ours), Some(theirs)) => {
                if !ours.has_head_of(theirs) {
                    return Difference::Other("heads");
                }
                let is_prefix = ours.body.starts_with(&theirs.body) || theirs.body.starts_with(&ours.body);
                match (ours.end, theirs.end) {
                    _ if !is_prefix => return Difference::Other("bodies"),
                    (BodyEnd::Complete, BodyEnd::Complete) => {
                        if ours.body != theirs.body {
                            return Difference::Other("lengths of bodies");
                        }
                        if ours.trailers != theirs.trailers {
                            return Difference::Other("trailers");
                        }
                    }
                    (BodyEnd::Open, BodyEnd::Open) => {
                        if ours.body != theirs.body {
                            return Difference::Other("lengths of open bodies");
                        }
                    }
                    (BodyEnd::Broken, BodyEnd::Broken) => {}
                    (BodyEnd::Broken, BodyEnd::Complete | BodyEnd::Open) => {
                        return Difference::Refused(fault);
                    }
                    (BodyEnd::Complete, BodyEnd::Open | BodyEnd::Broken) => {
                        return Difference::Laxer("a body");
                    }
                    (BodyEnd::Open, BodyEnd::Complete) => {
                        return Difference::Other("we wait for the end of a body that hyper has");
                    }
                    (BodyEnd::Open, BodyEnd::Broken) => return Difference::Later,
                }
            }
        }
    }
    match (ours.stays, theirs.stays) {
        _ if is_early => Difference::None,
        _ if ours.answers != theirs.answers => Difference::Other("numbers of answers"),
        _ if closes => Difference::None,
        (true, false) => Difference::Later,
        (false, true) if ours.fault.is_some() => Difference::Refused(fault),
        (false, true) => Difference::Ends("after a message"),
        (true, true) | (false, false) => Difference::None,
    }
}
