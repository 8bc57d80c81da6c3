//! Where a body ends, and its pieces.

use super::chunks::Chunks;
use crate::{Fault, Limits};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes follow; none for most requests.
    Length(u64),
    /// Chunks follow, and an empty one.
    Chunked,
    /// It ends with the connection.
    UntilEnd,
}

impl Framing {
    /// No body.
    pub const EMPTY: Framing = Framing::Length(0);
}

/// A piece of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Some bytes of it, at least one.
    Data(Bytes),
    /// What follows the last chunk. This is the end.
    Trailers(HeaderMap),
    /// It is complete.
    End,
}

/// Takes a body out of what comes.
#[derive(Debug)]
pub(super) enum Body {
    Length(u64),
    Chunked(Chunks),
    UntilEnd,
    Over,
}

impl Body {
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::EMPTY => Body::Over,
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked => Body::Chunked(Chunks::default()),
            Framing::UntilEnd => Body::UntilEnd,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Body::Over)
    }

    /// Whether what has come may be the beginning of it.
    pub(super) fn begins(&self, input: &[u8]) -> Result<(), Fault> {
        match self {
            Body::Chunked(chunks) => chunks.begins(input),
            Body::Length(_) | Body::UntilEnd | Body::Over => Ok(()),
        }
    }

    /// How many bytes are left, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Body::Over => Some(0),
            Body::Length(left) => Some(*left),
            Body::Chunked(_) | Body::UntilEnd => None,
        }
    }

    /// How many bytes of data are sure to come next.
    pub(super) fn expected(&self) -> u64 {
        match self {
            Body::Over => 0,
            Body::Length(left) => *left,
            Body::Chunked(chunks) => chunks.left(),
            Body::UntilEnd => u64::MAX,
        }
    }

    /// The next piece; `None` until more has come. `ended` says that nothing more comes.
    pub(super) fn next(
        &mut self,
        input: &mut BytesMut,
        ended: bool,
        limits: Limits,
    ) -> Result<Option<Part>, Fault> {
        let part = match self {
            Body::Over => return Ok(Some(Part::End)),
            Body::Length(left) => {
                let data = at_most(input, *left);
                *left -= data.len() as u64;
                if *left == 0 {
                    *self = Body::Over;
                }
                Some(data).filter(|data| !data.is_empty()).map(Part::Data)
            }
            Body::UntilEnd => {
                let data = at_most(input, u64::MAX);
                if data.is_empty() && ended {
                    *self = Body::Over;
                    return Ok(Some(Part::End));
                }
                Some(data).filter(|data| !data.is_empty()).map(Part::Data)
            }
            Body::Chunked(chunks) => {
                let part = chunks.next(input, limits)?;
                if matches!(part, Some(Part::Trailers(_) | Part::End)) {
                    *self = Body::Over;
                }
                part
            }
        };
        if part.is_none() && ended {
            return Err(Fault::Truncated);
        }
        Ok(part)
    }
}

/// Up to so many bytes from the beginning of `input`. All of it is taken as it is, without a copy.
pub(super) fn at_most(input: &mut BytesMut, most: u64) -> Bytes {
    if input.len() as u64 <= most {
        return std::mem::take(input).freeze();
    }
    input.split_to(usize::try_from(most).unwrap_or(usize::MAX)).freeze()
}
