//! The first line and the headers of a message.

use super::fields::Fields;
use crate::{Fault, Limits, spare};
use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use httparse::{Header, ParserConfig, Status};
use std::mem::MaybeUninit;

/// Finds the end of a head once, however small the pieces are in which it comes.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// How much was looked at and is not the end.
    seen: usize,
    /// Whether what came was read as far as it went and makes sense so far.
    is_begun: bool,
    /// Bytes of empty lines before it.
    empty: usize,
}

impl Search {
    /// Takes empty lines away that come before a head: they belong to nothing, and would be looked at with each piece that
    /// comes. Whether there were not too many.
    fn skips_empty_lines(&mut self, input: &mut BytesMut, limits: Limits) -> bool {
        let mut length = 0;
        loop {
            length += match input.get(length..).unwrap_or_default() {
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] => 1,
                _ => break,
            };
        }
        if length > 0 {
            input.advance(length);
            self.empty += length;
            self.seen = 0;
        }
        self.empty <= limits.bytes
    }

    /// Whether it is worth reading `input` as a head: it is new, or its end has come.
    fn is_worth_it(&mut self, input: &[u8]) -> bool {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.seen = input.len();
            return true;
        }
        // An end may lie across two pieces.
        let from = self.seen.saturating_sub(3);
        self.seen = input.len();
        let rest = input.get(from..).unwrap_or_default();
        let mut ends = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        ends.any(|at| {
            let before = rest.get(..at).unwrap_or_default();
            before.ends_with(b"\n") || before.ends_with(b"\n\r")
        })
    }

    /// What came, taken out of `input`, if it is worth reading.
    fn taken(&mut self, input: &mut BytesMut, limits: Limits) -> Result<Option<Bytes>, Fault> {
        if input.is_empty() || !self.is_worth_it(input) {
            return within(input, limits);
        }
        Ok(Some(std::mem::take(input).freeze()))
    }
}

/// A head, and what its headers say.
pub(super) struct Head<T> {
    pub(super) message: T,
    pub(super) fields: Fields,
}

type Space<'a> = [MaybeUninit<Header<'a>>; Limits::MOST_HEADERS];

const NOTHING: MaybeUninit<Header<'static>> = MaybeUninit::uninit();

/// Reads a request's head from the beginning of `input`, and takes it away; `None` until it is complete.
pub(super) fn request(
    input: &mut BytesMut,
    search: &mut Search,
    limits: Limits,
) -> Result<Option<Head<Request<()>>>, Fault> {
    if !search.skips_empty_lines(input, limits) {
        return Err(Fault::HeadTooLarge);
    }
    let Some(bytes) = search.taken(input, limits)? else { return Ok(None) };
    let mut space: Space<'_> = [NOTHING; Limits::MOST_HEADERS];
    let space = space.get_mut(..limits.headers).ok_or(Fault::HeadTooLarge)?;
    let mut parsed = httparse::Request::new(&mut []);
    let status = ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, &bytes, space);
    let length = match status {
        Ok(Status::Complete(length)) if length <= limits.bytes => length,
        Ok(Status::Complete(_)) => return Err(Fault::HeadTooLarge),
        Ok(Status::Partial) => return put_back(bytes, input, limits),
        Err(httparse::Error::Token) if parsed.method.is_some() => return Err(Fault::Target),
        Err(error) => return Err(fault(error, Fault::Method)),
    };
    *search = Search::default();
    let target = parsed.path.unwrap_or_default().as_bytes();
    if target.len() > Limits::TARGET {
        return Err(Fault::TargetTooLong);
    }
    let method =
        Method::from_bytes(parsed.method.unwrap_or_default().as_bytes()).map_err(|_| Fault::Method)?;
    let uri = Uri::from_maybe_shared(bytes.slice_ref(target)).map_err(|_| Fault::Target)?;
    // Where a user ends and the host begins would be anybody's guess.
    let users = uri.authority().map_or(0, |authority| authority.as_str().matches('@').count());
    if users > 1 {
        return Err(Fault::Target);
    }
    let is_old = parsed.version != Some(1);

    let mut fields = Fields::default();
    let mut headers = spare::headers(parsed.headers.len() + ROOM);
    for header in parsed.headers.iter() {
        let (name, value) = pair(&bytes, header)?;
        match name {
            header::CONTENT_LENGTH if !fields.length(&value)? => continue,
            header::TRANSFER_ENCODING => {
                if is_old {
                    return Err(Fault::TransferEncoding);
                }
                fields.coding(&value);
            }
            header::CONNECTION => fields.connection(&value),
            header::EXPECT => {
                fields.expects_continue = !is_old && value.as_bytes().eq_ignore_ascii_case(b"100-continue");
            }
            _ => {}
        }
        headers.append(name, value);
    }
    match fields.coding {
        Some(false) => return Err(Fault::TransferEncoding),
        // Whoever sends both may have been read differently on the way: nothing is read after this (RFC 9112, section 6.3).
        Some(true) if fields.length.is_some() => {
            headers.remove(header::CONTENT_LENGTH);
            fields.close = true;
        }
        Some(true) | None => {}
    }
    *input = rest(&bytes, length);
    let mut message = Request::new(());
    *message.method_mut() = method;
    *message.uri_mut() = uri;
    *message.version_mut() = version(is_old);
    *message.headers_mut() = headers;
    Ok(Some(Head { message, fields }))
}

/// Reads an answer's head from the beginning of `input`, and takes it away; `None` until it is complete.
pub(super) fn answer(
    input: &mut BytesMut,
    search: &mut Search,
    limits: Limits,
) -> Result<Option<Head<Response<()>>>, Fault> {
    if !search.skips_empty_lines(input, limits) {
        return Err(Fault::HeadTooLarge);
    }
    let Some(bytes) = search.taken(input, limits)? else { return Ok(None) };
    let mut space: Space<'_> = [NOTHING; Limits::MOST_HEADERS];
    let space = space.get_mut(..limits.headers).ok_or(Fault::HeadTooLarge)?;
    let mut parsed = httparse::Response::new(&mut []);
    let status = ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, &bytes, space);
    let length = match status {
        Ok(Status::Complete(length)) if length <= limits.bytes => length,
        Ok(Status::Complete(_)) => return Err(Fault::HeadTooLarge),
        Ok(Status::Partial) => return put_back(bytes, input, limits),
        Err(error) => return Err(fault(error, Fault::Status)),
    };
    *search = Search::default();
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Fault::Status)?;
    let is_old = parsed.version != Some(1);

    let mut fields = Fields::default();
    let mut headers = spare::headers(parsed.headers.len() + ROOM);
    for header in parsed.headers.iter() {
        let (name, value) = pair(&bytes, header)?;
        match name {
            header::CONTENT_LENGTH => drop(fields.length(&value)?),
            // Such a server cannot mean it.
            header::TRANSFER_ENCODING if is_old => return Err(Fault::TransferEncoding),
            header::TRANSFER_ENCODING => fields.coding(&value),
            header::CONNECTION => fields.connection(&value),
            _ => {}
        }
        headers.append(name, value);
    }
    *input = rest(&bytes, length);
    let mut message = Response::new(());
    *message.status_mut() = status;
    *message.version_mut() = version(is_old);
    *message.headers_mut() = headers;
    Ok(Some(Head { message, fields }))
}

/// Reads trailers up to the empty line after them, and takes them away; `None` until they are complete.
pub(super) fn trailers(
    input: &mut BytesMut,
    search: &mut Search,
    limits: Limits,
) -> Result<Option<HeaderMap>, Fault> {
    let too_large = |_| Fault::TrailersTooLarge;
    let limits = Limits { bytes: limits.bytes.min(Limits::TRAILERS), ..limits };
    let Some(bytes) = search.taken(input, limits).map_err(too_large)? else { return Ok(None) };
    let mut space = [httparse::EMPTY_HEADER; Limits::MOST_HEADERS];
    let space = space.get_mut(..limits.headers).ok_or(Fault::TrailersTooLarge)?;
    let (length, parsed) = match httparse::parse_headers(&bytes, space) {
        Ok(Status::Complete((length, parsed))) if length <= limits.bytes => (length, parsed),
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Fault::TrailersTooLarge);
        }
        Ok(Status::Partial) => return put_back(bytes, input, limits).map_err(too_large),
        Err(_) => return Err(Fault::Trailer),
    };
    // Their lines end as those of chunks do, or one reader would find the end of the body elsewhere than another.
    let is_bare = |(at, byte): (usize, &u8)| {
        *byte == b'\n' && at.checked_sub(1).and_then(|at| bytes.get(at)) != Some(&b'\r')
    };
    if bytes.iter().take(length).enumerate().any(is_bare) {
        return Err(Fault::Trailer);
    }
    *search = Search::default();
    let mut trailers = HeaderMap::with_capacity(parsed.len());
    for header in parsed {
        let (name, value) = pair(&bytes, header).map_err(|_| Fault::Trailer)?;
        trailers.append(name, value);
    }
    *input = rest(&bytes, length);
    Ok(Some(trailers))
}

fn version(is_old: bool) -> Version {
    if is_old { Version::HTTP_10 } else { Version::HTTP_11 }
}

/// Room for the headers that a proxy adds.
const ROOM: usize = 4;

fn pair(bytes: &Bytes, header: &Header<'_>) -> Result<(HeaderName, HeaderValue), Fault> {
    let name = spare::name(header.name.as_bytes()).map_err(|_| Fault::Header)?;
    // What httparse accepts as a value is one, and has no white space around it.
    let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value)).map_err(|_| Fault::Header)?;
    Ok((name, value))
}

/// What follows a head of this length. A copy, so that no body keeps its head in memory; most have no body.
fn rest(bytes: &Bytes, length: usize) -> BytesMut {
    bytes.get(length..).filter(|rest| !rest.is_empty()).map(spare::came).unwrap_or_default()
}

/// What came is no whole head: it goes back to where more is added.
fn put_back<T>(bytes: Bytes, input: &mut BytesMut, limits: Limits) -> Result<Option<T>, Fault> {
    *input = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
    within(input, limits)
}

/// An incomplete head may still become one within the limits.
fn within<T>(input: &[u8], limits: Limits) -> Result<Option<T>, Fault> {
    if input.len() > limits.bytes { Err(Fault::HeadTooLarge) } else { Ok(None) }
}

fn fault(error: httparse::Error, token: Fault) -> Fault {
    match error {
        httparse::Error::HeaderName | httparse::Error::HeaderValue | httparse::Error::NewLine => {
            Fault::Header
        }
        httparse::Error::Status => Fault::Status,
        httparse::Error::Token => token,
        httparse::Error::TooManyHeaders => Fault::HeadTooLarge,
        httparse::Error::Version => Fault::Version,
    }
}
