//! Chunked bodies: sizes, data, trailers.

use super::body::{Part, at_most};
use super::head::{self, Search};
use crate::{Fault, Limits};
use bytes::{Buf as _, BytesMut};

/// The position in a chunked body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// Bytes of extensions so far.
    extensions: u32,
    search: Search,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the digits of a size, of which there were so many.
    Size(u64, u8),
    /// In white space after a size.
    Space(u64),
    /// In an extension.
    Extension(u64),
    /// Before the line feed after a size.
    SizeEnd(u64),
    /// In data, of which so much is left.
    Data(u64),
    /// After data.
    DataCr,
    DataLf,
    /// After the last chunk.
    Trailers,
}

impl Default for At {
    fn default() -> Self {
        At::Size(0, 0)
    }
}

/// More digits hold no number of bytes.
const MOST_DIGITS: u8 = 16;

impl Chunks {
    /// How many bytes of data are sure to come next.
    pub(super) fn left(&self) -> u64 {
        match self.at {
            At::Data(left) => left,
            At::Size(..)
            | At::Space(_)
            | At::Extension(_)
            | At::SizeEnd(_)
            | At::DataCr
            | At::DataLf
            | At::Trailers => 0,
        }
    }

    /// Whether what has come begins as a chunk does, before any of it is taken.
    pub(super) fn begins(&self, input: &[u8]) -> Result<(), Fault> {
        let mut ahead = Chunks { at: self.at, extensions: self.extensions, search: Search::default() };
        for byte in input {
            match ahead.at {
                At::Data(_) | At::Trailers => break,
                at @ (At::Size(..)
                | At::Space(_)
                | At::Extension(_)
                | At::SizeEnd(_)
                | At::DataCr
                | At::DataLf) => ahead.at = ahead.after(at, *byte)?,
            }
        }
        Ok(())
    }

    /// The next piece; `None` until more has come.
    pub(super) fn next(&mut self, input: &mut BytesMut, limits: Limits) -> Result<Option<Part>, Fault> {
        loop {
            match self.at {
                At::Data(left) => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let data = at_most(input, left);
                    let left = left - data.len() as u64;
                    self.at = if left == 0 { At::DataCr } else { At::Data(left) };
                    return Ok(Some(Part::Data(data)));
                }
                At::Trailers => return self.trailers(input, limits),
                at @ (At::Size(..)
                | At::Space(_)
                | At::Extension(_)
                | At::SizeEnd(_)
                | At::DataCr
                | At::DataLf) => {
                    let Some(byte) = input.first() else { return Ok(None) };
                    self.at = self.after(at, *byte)?;
                    input.advance(1);
                }
            }
        }
    }

    /// Where `byte` leads.
    fn after(&mut self, at: At, byte: u8) -> Result<At, Fault> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(u64::from);
        Ok(match (at, byte) {
            (At::Size(size, digits), _) if let Some(digit) = digit(byte) => {
                if digits >= MOST_DIGITS {
                    return Err(Fault::Chunk);
                }
                At::Size((size << 4) | digit, digits + 1)
            }
            (At::Size(_, 0), _) => return Err(Fault::Chunk),
            (At::Size(size, _) | At::Space(size), b'\t' | b' ') => At::Space(size),
            (At::Size(size, _) | At::Space(size), b';') => At::Extension(size),
            (At::Size(size, _) | At::Space(size) | At::Extension(size), b'\r') => At::SizeEnd(size),
            (At::Extension(_), b'\n') => return Err(Fault::Chunk),
            (At::Extension(size), _) => {
                self.extensions = self.extensions.saturating_add(1);
                if self.extensions >= Limits::EXTENSIONS {
                    return Err(Fault::ChunkExtensions);
                }
                At::Extension(size)
            }
            (At::SizeEnd(0), b'\n') => At::Trailers,
            (At::SizeEnd(size), b'\n') => At::Data(size),
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::default(),
            (
                At::Size(..)
                | At::Space(_)
                | At::SizeEnd(_)
                | At::DataCr
                | At::DataLf
                | At::Data(_)
                | At::Trailers,
                _,
            ) => return Err(Fault::Chunk),
        })
    }

    fn trailers(&mut self, input: &mut BytesMut, limits: Limits) -> Result<Option<Part>, Fault> {
        match (input.first(), input.get(1)) {
            (Some(b'\r'), Some(b'\n')) => {
                input.advance(2);
                Ok(Some(Part::End))
            }
            (Some(b'\r'), Some(_)) => Err(Fault::Trailer),
            (Some(b'\r'), None) | (None, _) => Ok(None),
            (Some(_), _) => Ok(head::trailers(input, &mut self.search, limits)?.map(Part::Trailers)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a body in pieces of this size.
    fn read(body: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), Fault> {
        let (mut chunks, mut input, mut data) = (Chunks::default(), BytesMut::new(), Vec::new());
        for piece in body.chunks(piece) {
            input.extend_from_slice(piece);
            while let Some(part) = chunks.next(&mut input, Limits::default())? {
                match part {
                    Part::Data(bytes) => data.extend_from_slice(&bytes),
                    Part::Trailers(trailers) => return Ok((data, trailers.len(), true)),
                    Part::End => return Ok((data, 0, true)),
                }
            }
        }
        Ok((data, 0, false))
    }

    #[test]
    fn pieces_make_no_difference() {
        for (body, expected) in [
            ("0\r\n\r\n", Ok(("", 0, true))),
            ("5\r\nhello\r\n0\r\n\r\n", Ok(("hello", 0, true))),
            ("5 ;a=b\r\nhello\r\n00A  \r\n0123456789\r\n0;x\r\n\r\n", Ok(("hello0123456789", 0, true))),
            ("1\r\nx\r\n0\r\nA: 1\r\nb: 2\r\n\r\n", Ok(("x", 2, true))),
            ("5\r\nhel", Ok(("hel", 0, false))),
            ("0\r\n", Ok(("", 0, false))),
            ("\r\n0\r\n\r\n", Err(Fault::Chunk)),
            ("-1\r\n", Err(Fault::Chunk)),
            ("0x1\r\n", Err(Fault::Chunk)),
            (" 1\r\nx\r\n", Err(Fault::Chunk)),
            ("1\nx\r\n", Err(Fault::Chunk)),
            ("1\r\nxy\r\n", Err(Fault::Chunk)),
            ("1\r\nx\n", Err(Fault::Chunk)),
            ("1;a\nx\r\n", Err(Fault::Chunk)),
            ("1 1\r\nx", Err(Fault::Chunk)),
            ("00000000000000001\r\nx\r\n", Err(Fault::Chunk)),
            ("0\r\n\rx", Err(Fault::Trailer)),
            ("0\r\na b: 1\r\n\r\n", Err(Fault::Trailer)),
            ("0\r\n\n", Err(Fault::Trailer)),
            ("0\r\na: b\n\r\n", Err(Fault::Trailer)),
            ("0\r\na: b\nc: d\r\n\r\n", Err(Fault::Trailer)),
            ("0\r\na: b\r\n\n", Err(Fault::Trailer)),
        ] {
            for piece in [1, 2, 3, 1000] {
                let expected =
                    expected.map(|(data, trailers, over)| (data.as_bytes().to_vec(), trailers, over));
                assert_eq!(read(body.as_bytes(), piece), expected, "{body:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn extensions_and_trailers_have_bounds() {
        let long = "x".repeat(9000);
        let body = format!("1;{long}\r\nx\r\n1;{long}\r\n");
        assert_eq!(read(body.as_bytes(), 1000), Err(Fault::ChunkExtensions));
        let body = format!("0\r\na: {}\r\n\r\n", "x".repeat(17_000));
        assert_eq!(read(body.as_bytes(), 1000), Err(Fault::TrailersTooLarge));
        let body = format!("0\r\n{}\r\n", "a: 1\r\n".repeat(101));
        assert_eq!(read(body.as_bytes(), 1000), Err(Fault::TrailersTooLarge));
    }
}
