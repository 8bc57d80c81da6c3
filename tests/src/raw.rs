//! Requests written byte by byte, over HTTP/1.1 and HTTP/2, for what no client library would send.
//!
//! One request on a connection of its own, and what came back: a status, or that there was none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long any single read or write may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status; `None` if the stream or the connection ended without one.
    pub status: Option<u16>,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Whether it was given up because nothing came: the proxy waits for more of the request.
    pub waits: bool,
}

impl Outcome {
    /// The body as JSON; `Null` if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The status as text; without one, `none`, or `waits` if the connection is still open.
    #[must_use]
    pub fn word(&self) -> String {
        match (self.status, self.waits) {
            (Some(status), _) => status.to_string(),
            (None, true) => String::from("waits"),
            (None, false) => String::from("none"),
        }
    }

    fn new(status: Option<u16>, body: &[u8]) -> Self {
        Self { status, body: body.to_vec(), waits: false }
    }
}

/// A connection to a loopback address.
///
/// # Panics
/// If the address is not on loopback, or nothing listens there.
fn open(address: SocketAddr) -> TcpStream {
    assert!(address.ip().is_loopback(), "{address} is not on loopback");
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the proxy listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// Sends these bytes over HTTP/1.1 and reads one answer. The request should say `connection: close` or be refused, so that
/// the answer ends with the connection; otherwise its `content-length` is believed.
///
/// # Panics
/// If nothing listens there.
#[must_use]
pub fn http1(address: SocketAddr, request: &[u8]) -> Outcome {
    http1_with_head(address, request).0
}

/// The same, and the head of the answer as far as it came.
///
/// # Panics
/// If nothing listens there.
#[must_use]
pub fn http1_with_head(address: SocketAddr, request: &[u8]) -> (Outcome, Vec<u8>) {
    let mut stream = open(address);
    // The proxy may answer and close while we still write.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        if let Some(outcome) = whole_answer(&bytes, request.starts_with(b"HEAD ")) {
            return (outcome, split(&bytes).map(|(head, _)| head.to_vec()).unwrap_or_default());
        }
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(_) => return (Outcome { status: None, body: bytes, waits: true }, Vec::new()),
        }
    }
    let (head, body) = split(&bytes).unwrap_or((&bytes, &[]));
    (Outcome::new(status(head), body), head.to_vec())
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((&bytes[..at], &bytes[at + 4..]))
}

fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "))?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

/// An answer that is complete by what its head says, or because no body follows it.
fn whole_answer(bytes: &[u8], head_only: bool) -> Option<Outcome> {
    let (head, body) = split(bytes)?;
    if head_only {
        return Some(Outcome::new(status(head), &[]));
    }
    let lower = String::from_utf8_lossy(head).to_ascii_lowercase();
    if let Some(length) = lower.lines().find_map(|line| line.strip_prefix("content-length:")) {
        let length: usize = length.trim().parse().ok()?;
        return (body.len() >= length).then(|| Outcome::new(status(head), &body[..length]));
    }
    if !lower.contains("transfer-encoding: chunked") {
        return None;
    }
    let mut whole = Vec::new();
    let mut rest = body;
    loop {
        let at = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).ok()?.trim(), 16).ok()?;
        let chunk = rest.get(at + 2..at + 2 + size)?;
        if size == 0 {
            return rest.ends_with(b"\r\n\r\n").then(|| Outcome::new(status(head), &whole));
        }
        whole.extend_from_slice(chunk);
        rest = rest.get(at + 2 + size + 2..)?;
    }
}

/// A name and a value of a header.
pub type Field = (Vec<u8>, Vec<u8>);

/// A header.
#[must_use]
pub fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Field {
    (name.as_ref().to_vec(), value.as_ref().to_vec())
}

/// A request over HTTP/2, with prior knowledge.
#[derive(Clone, Debug, Default)]
pub struct Http2 {
    /// All headers, those that begin with a colon too, in this order.
    pub headers: Vec<Field>,
    /// The body; without one the headers end the stream.
    pub body: Option<Vec<u8>>,
    /// What comes after the body.
    pub trailers: Vec<Field>,
}

impl Http2 {
    /// A request without body.
    #[must_use]
    pub fn new(method: &str, host: &str, path: &str) -> Self {
        let headers = vec![
            field(":method", method),
            field(":scheme", "http"),
            field(":authority", host),
            field(":path", path),
        ];
        Self { headers, ..Self::default() }
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(field(name, value));
        self
    }

    /// Sends it and reads the answer.
    ///
    /// # Panics
    /// If nothing listens there.
    #[must_use]
    pub fn send(&self, address: SocketAddr) -> Outcome {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        frame(&mut bytes, SETTINGS, 0, 0, &[]);
        let ends = self.body.is_none() && self.trailers.is_empty();
        head(&mut bytes, &self.headers, ends);
        if let Some(body) = &self.body {
            frame(&mut bytes, DATA, u8::from(self.trailers.is_empty()) * END_STREAM, 1, body);
        }
        if !self.trailers.is_empty() {
            head(&mut bytes, &self.trailers, true);
        }
        let mut stream = open(address);
        // The proxy may answer and close while we still write.
        let _ = stream.write_all(&bytes);
        answer(&mut stream)
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame (RFC 9113, section 4.1).
fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
    bytes.extend_from_slice(&length[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// Headers or trailers of the first stream, split over as many frames as they need.
fn head(bytes: &mut Vec<u8>, fields: &[Field], ends: bool) {
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal that is not indexed, with a literal name, neither in Huffman's code (RFC 7541, section 6.2.2).
        block.push(0);
        literal(&mut block, name);
        literal(&mut block, value);
    }
    let parts: Vec<&[u8]> = block.chunks(16_000).collect();
    for (position, part) in parts.iter().enumerate() {
        let kind = if position == 0 { HEADERS } else { CONTINUATION };
        let end_stream = u8::from(ends && position == 0) * END_STREAM;
        let end_headers = u8::from(position + 1 == parts.len()) * END_HEADERS;
        frame(bytes, kind, end_stream | end_headers, 1, part);
    }
}

/// A string with its length (RFC 7541, sections 5.1 and 5.2).
fn literal(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).expect("below 127"));
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).expect("below 128") | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).expect("below 128"));
    }
    block.extend_from_slice(text);
}

fn answer(stream: &mut TcpStream) -> Outcome {
    let mut outcome = Outcome::new(None, &[]);
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        while let Some((kind, flags, payload)) = next_frame(&mut bytes) {
            match kind {
                HEADERS if outcome.status.is_none() => outcome.status = first_status(&payload),
                DATA => outcome.body.extend_from_slice(&payload),
                RST_STREAM | GOAWAY => return outcome,
                _ => {}
            }
            if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
                return outcome;
            }
        }
        match stream.read(&mut part) {
            Ok(0) => return outcome,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return outcome,
            Err(_) => return Outcome { waits: true, ..outcome },
        }
    }
}

fn next_frame(bytes: &mut Vec<u8>) -> Option<(u8, u8, Vec<u8>)> {
    let [high, middle, low, kind, flags, ..] = *bytes.get(..9)? else { return None };
    let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
    let payload = bytes.get(9..9 + length)?.to_vec();
    bytes.drain(..9 + length);
    Some((kind, flags, payload))
}

/// The status, which is the first field of an answer's headers (RFC 9113, section 8.3.2).
fn first_status(block: &[u8]) -> Option<u16> {
    match block {
        // A change of the table's size (RFC 7541, section 6.3); a large one goes on until a byte below 128.
        [0x3f, rest @ ..] => first_status(rest.get(rest.iter().position(|byte| *byte < 0x80)? + 1..)?),
        [first, rest @ ..] if first & 0xe0 == 0x20 => first_status(rest),
        // One of the table's own (RFC 7541, appendix A).
        [0x88..=0x8e, ..] => {
            let known = [200, 204, 206, 304, 400, 404, 500];
            known.get(usize::from(block[0] - 0x88)).copied()
        }
        // A literal of this name, indexed or not.
        [0x48 | 0x08 | 0x18, length, value @ ..] => {
            let value = value.get(..usize::from(length & 0x7f))?;
            let digits = if length & 0x80 == 0 { value.to_vec() } else { huffman_digits(value) };
            std::str::from_utf8(&digits).ok()?.parse().ok()
        }
        _ => None,
    }
}

/// Three digits in Huffman's code (RFC 7541, appendix B): `0` to `2` have five bits, the others six.
fn huffman_digits(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0, |number, bit| number << 1 | bit);
    let mut digits = Vec::new();
    let mut rest = bits.as_slice();
    while digits.len() < 3 && rest.len() >= 5 {
        let short = number(&rest[..5]);
        if short <= 2 {
            digits.push(b'0' + short);
            rest = &rest[5..];
        } else if rest.len() >= 6 {
            digits.push(b'3' + number(&rest[..6]).saturating_sub(25));
            rest = &rest[6..];
        } else {
            break;
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_each_of_its_forms() {
        assert_eq!(first_status(&[0x88]), Some(200));
        assert_eq!(first_status(&[0x3f, 0x8e]), None);
        assert_eq!(first_status(&[0x3f, 0xe1, 0x1f, 0x8d]), Some(404));
        assert_eq!(first_status(&[0x20, 0x8d]), Some(404));
        assert_eq!(first_status(&[0x48, 3, b'4', b'3', b'1']), Some(431));
        // 403 and 503 as RFC 7541 encodes them: `4` 011010, `0` 00000, `3` 011001, then ones.
        assert_eq!(first_status(&[0x48, 0x83, 0b0110_1000, 0b0000_1100, 0b1111_1111]), Some(403));
        assert_eq!(first_status(&[0x48, 0x83, 0b0110_1100, 0b0000_1100, 0b1111_1111]), Some(503));
    }
}
