//! HTTP/2 as it passes by: the headers of its frames, counted, so that a client cannot keep the proxy busy with frames
//! that bring no request forward.
//!
//! Only the nine bytes in front of each frame are looked at (RFC 9113, section 4.1); whether the frames make sense is
//! for the library that reads them. Every frame that brings nothing forward costs a token. Tokens come back with time,
//! with requests, and with bytes that were sent to the client, which it acknowledges by frames of its own.

use std::time::Duration;
use tokio::time::Instant;

/// What HTTP/2 begins with (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The bytes in front of a frame's payload.
const HEADER: usize = 9;

/// The most tokens, and those at the beginning. Browsers open with some ten such frames.
const MOST: u32 = 1000;

/// Tokens for each second, for each request, and for each so many bytes sent. A client acknowledges what it got by two
/// frames for each frame at most, and measures the round trip by a ping; gRPC does that for every few messages.
const PER_SECOND: u32 = 100;
const PER_REQUEST: u32 = 20;
const BYTES_PER_TOKEN: usize = 256;

/// Types of frames (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// Flags (RFC 9113, sections 6.1 and 6.2).
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The error code for a peer that generates excessive load (RFC 9113, section 7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Which frames were too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flood(pub(crate) &'static str);

/// What a client has sent so far.
#[derive(Debug)]
pub(crate) struct Frames {
    at: At,
    tokens: u32,
    /// Bytes sent that make no token yet.
    sent: usize,
    /// Up to when time has brought its tokens.
    filled: Option<Instant>,
    /// The highest stream that the client opened.
    last_stream: u32,
    /// Whether a request's headers have begun, and go on in another frame.
    in_headers: bool,
    /// Whether the payload is of headers.
    is_of_headers: bool,
}

/// The position in what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// So many bytes of the preface were seen.
    Preface(usize),
    /// It is not HTTP/2.
    Other,
    /// In the header of a frame.
    Header([u8; HEADER], usize),
    /// So many bytes of a payload are left.
    Payload(u32),
}

impl Default for Frames {
    fn default() -> Self {
        Frames {
            at: At::Preface(0),
            tokens: MOST,
            sent: 0,
            filled: None,
            last_stream: 0,
            in_headers: false,
            is_of_headers: false,
        }
    }
}

impl Frames {
    /// Whether a request's headers have begun and not ended. This is about HTTP/2 alone.
    pub(crate) fn in_headers(&self) -> bool {
        match self.at {
            At::Preface(_) | At::Other => false,
            // What has begun may be a request.
            At::Header(_, filled) => self.in_headers || filled > 0,
            At::Payload(_) => self.in_headers || self.is_of_headers,
        }
    }

    /// Looks at what came from the client.
    pub(crate) fn received(&mut self, mut bytes: &[u8], now: impl Fn() -> Instant) -> Result<(), Flood> {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.at {
                At::Other => return Ok(()),
                At::Preface(seen) => {
                    if PREFACE.get(*seen) != Some(first) {
                        self.at = At::Other;
                        return Ok(());
                    }
                    *seen += 1;
                    if *seen == PREFACE.len() {
                        self.at = At::Header([0; HEADER], 0);
                    }
                    bytes = rest;
                }
                At::Payload(left) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= u32::try_from(skipped).unwrap_or(*left);
                    bytes = bytes.get(skipped..).unwrap_or_default();
                    if *left == 0 {
                        self.at = At::Header([0; HEADER], 0);
                    }
                }
                At::Header(header, filled) => {
                    if let Some(byte) = header.get_mut(*filled) {
                        *byte = *first;
                    }
                    *filled += 1;
                    bytes = rest;
                    if *filled == HEADER {
                        let header = *header;
                        self.frame(header, &now)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Bytes were sent to the client.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes);
        let earned = self.sent / BYTES_PER_TOKEN;
        self.sent %= BYTES_PER_TOKEN;
        self.earn(u32::try_from(earned).unwrap_or(MOST));
    }

    /// The frame that tells the client why it is left.
    pub(crate) fn goaway(&self) -> Vec<u8> {
        let reason = b"too many frames";
        let length = u32::try_from(8 + reason.len()).unwrap_or(8);
        let mut frame = length.to_be_bytes().get(1..).unwrap_or_default().to_vec();
        frame.extend([GOAWAY, 0, 0, 0, 0, 0]);
        frame.extend(self.last_stream.to_be_bytes());
        frame.extend(ENHANCE_YOUR_CALM.to_be_bytes());
        frame.extend(reason);
        frame
    }

    fn frame(&mut self, header: [u8; HEADER], now: &impl Fn() -> Instant) -> Result<(), Flood> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = header;
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        self.at = if length == 0 { At::Header([0; HEADER], 0) } else { At::Payload(length) };
        self.is_of_headers = kind == HEADERS || kind == CONTINUATION;
        let name = match kind {
            DATA if length > 0 || flags & END_STREAM != 0 => return Ok(()),
            DATA => "empty DATA",
            HEADERS => {
                self.in_headers = flags & END_HEADERS == 0;
                // Trailers come on a stream that is open already.
                if stream > self.last_stream {
                    self.last_stream = stream;
                    self.earn(PER_REQUEST);
                    return Ok(());
                }
                "HEADERS"
            }
            CONTINUATION => {
                self.in_headers = self.in_headers && flags & END_HEADERS == 0;
                "CONTINUATION"
            }
            PRIORITY => "PRIORITY",
            RST_STREAM => "RST_STREAM",
            SETTINGS => "SETTINGS",
            PING => "PING",
            WINDOW_UPDATE => "WINDOW_UPDATE",
            _ => "other",
        };
        if self.tokens == 0 {
            self.refill(now());
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                Ok(())
            }
            None => Err(Flood(name)),
        }
    }

    fn earn(&mut self, tokens: u32) {
        self.tokens = self.tokens.saturating_add(tokens).min(MOST);
    }

    /// What time has brought. The clock is asked only when there is nothing left.
    fn refill(&mut self, now: Instant) {
        let Some(filled) = self.filled else {
            self.filled = Some(now);
            return;
        };
        let passed = now.saturating_duration_since(filled);
        let tokens = u32::try_from(passed.as_millis() * u128::from(PER_SECOND) / 1000).unwrap_or(MOST);
        if tokens > 0 {
            self.filled =
                Some(filled + Duration::from_millis(u64::from(tokens) * 1000 / u64::from(PER_SECOND)));
            self.earn(tokens);
        }
    }
}

/// Where frames begin and end in what is sent to a client, so that nothing is put into the middle of one.
#[derive(Debug, Default)]
pub(crate) struct Boundary {
    header: [u8; HEADER],
    filled: usize,
    payload: usize,
}

impl Boundary {
    /// Whether what was sent ends with a whole frame.
    pub(crate) fn is_between(&self) -> bool {
        self.filled == 0 && self.payload == 0
    }

    /// Follows what was sent.
    pub(crate) fn sent(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let skipped = self.payload.min(bytes.len());
                self.payload -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            if let Some(byte) = self.header.get_mut(self.filled) {
                *byte = *first;
            }
            self.filled += 1;
            bytes = rest;
            if self.filled == HEADER {
                let [l0, l1, l2, ..] = self.header;
                self.payload = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).unwrap_or(usize::MAX);
                self.filled = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// A client that has said its preface and settings.
    fn client(now: Instant) -> Frames {
        let mut frames = Frames::default();
        let hello = [PREFACE, &frame(SETTINGS, 0, 0, &[0; 6])].concat();
        frames.received(&hello, || now).unwrap();
        frames
    }

    /// How many of these frames it may send at once.
    fn how_many(frames: &mut Frames, one: &[u8], now: Instant) -> (u32, Flood) {
        let mut count = 0;
        loop {
            if let Err(flood) = frames.received(one, || now) {
                // It stopped at the header; a connection would end here, the test goes on.
                frames.received(&one[HEADER..], || now).unwrap();
                return (count, flood);
            }
            count += 1;
            assert!(count < 100_000, "there is no end");
        }
    }

    #[test]
    fn frames_that_bring_nothing_forward_are_bounded() {
        let now = Instant::now();
        for (name, one) in [
            ("PING", frame(PING, 0, 0, &[0; 8])),
            ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
            ("PRIORITY", frame(PRIORITY, 0, 3, &[0; 5])),
            ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
            ("empty DATA", frame(DATA, 0, 1, &[])),
            ("CONTINUATION", frame(CONTINUATION, 0, 1, b"x")),
            ("RST_STREAM", frame(RST_STREAM, 0, 1, &[0; 4])),
            ("other", frame(0x16, 0, 0, b"anything")),
        ] {
            assert_eq!(how_many(&mut client(now), &one, now), (999, Flood(name)), "the settings took one");
        }
    }

    #[test]
    fn requests_bytes_and_time_allow_more() {
        let now = Instant::now();
        let ping = frame(PING, 0, 0, &[0; 8]);
        let mut frames = client(now);
        how_many(&mut frames, &ping, now);
        frames.received(&frame(HEADERS, END_HEADERS | END_STREAM, 1, b"x"), || now).unwrap();
        assert_eq!(how_many(&mut frames, &ping, now).0, 20);
        let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, b"x");
        assert_eq!(how_many(&mut frames, &trailers, now), (0, Flood("HEADERS")), "the stream is not new");
        frames.sent(256 * 10 - 1);
        assert_eq!(how_many(&mut frames, &ping, now).0, 9);
        frames.sent(1);
        assert_eq!(how_many(&mut frames, &ping, now).0, 1);
        assert_eq!(how_many(&mut frames, &ping, now + Duration::from_millis(500)).0, 50);
        assert_eq!(how_many(&mut frames, &ping, now + Duration::from_millis(509)).0, 0);
        assert_eq!(
            how_many(&mut frames, &ping, now + Duration::from_secs(100)).0,
            1000,
            "and no more than that"
        );
    }

    #[test]
    fn acknowledging_pings_pays_for_no_pings() {
        let now = Instant::now();
        let (mut frames, ping) = (client(now), frame(PING, 0, 0, &[0; 8]));
        let mut count = 0;
        while frames.received(&ping, || now).is_ok() {
            frames.sent(ping.len());
            count += 1;
        }
        assert!(count < 1100, "{count}");
    }

    #[test]
    fn a_large_upload_and_its_answer_cost_nothing() {
        let now = Instant::now();
        let mut frames = client(now);
        let before = frames.tokens;
        frames.received(&frame(HEADERS, END_HEADERS, 1, b"x"), || now).unwrap();
        for _ in 0..10_000 {
            frames.received(&frame(DATA, 0, 1, &[0; 100]), || now).unwrap();
        }
        frames.received(&frame(DATA, END_STREAM, 1, &[]), || now).unwrap();
        assert!(frames.tokens >= before);
    }

    #[test]
    fn headers_are_unfinished_until_they_end() {
        let now = Instant::now();
        let mut frames = Frames::default();
        frames.received(b"PRI * HT", || now).unwrap();
        assert!(!frames.in_headers());
        frames.received(b"TP/2.0\r\n\r\nSM\r\n\r\n", || now).unwrap();
        assert!(!frames.in_headers());
        frames.received(&[0, 0], || now).unwrap();
        assert!(frames.in_headers(), "a frame that has begun may be a request");
        frames.received(&[1, HEADERS, 0, 0, 0, 0, 1], || now).unwrap();
        assert!(frames.in_headers());
        frames.received(b"x", || now).unwrap();
        assert!(frames.in_headers());
        frames.received(&[0, 0, 2, HEADERS, END_HEADERS, 0, 0, 0, 3, b'x'], || now).unwrap();
        assert!(frames.in_headers(), "half of the payload");
        frames.received(b"y", || now).unwrap();
        assert!(!frames.in_headers());
        frames.received(&frame(HEADERS, 0, 5, b"x"), || now).unwrap();
        assert!(frames.in_headers());
        frames.received(&frame(CONTINUATION, END_HEADERS, 1, b"y"), || now).unwrap();
        assert!(!frames.in_headers());
    }

    #[test]
    fn what_is_not_http2_is_left_alone() {
        let now = Instant::now();
        let mut frames = Frames::default();
        for _ in 0..10_000 {
            frames.received(b"GET / HTTP/1.1\r\n\r\n", || now).unwrap();
        }
        assert!(!frames.in_headers());
    }

    #[test]
    fn the_farewell_is_a_goaway_that_names_the_last_stream() {
        let now = Instant::now();
        let mut frames = client(now);
        frames.received(&frame(HEADERS, END_HEADERS, 0x0102_0305, b"x"), || now).unwrap();
        let expected = frame(GOAWAY, 0, 0, &[&[1, 2, 3, 5, 0, 0, 0, 0xb][..], b"too many frames"].concat());
        assert_eq!(frames.goaway(), expected);
    }

    proptest! {
        /// Bytes in any pieces are the same bytes, and none of them is too strange.
        #[test]
        fn pieces_make_no_difference(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            kinds in proptest::collection::vec((0u8..12, any::<u8>(), 0u32..5, 0usize..20), 0..100),
            cuts in proptest::collection::vec(1usize..30, 1..20),
        ) {
            let now = Instant::now();
            let mut all = PREFACE.to_vec();
            for (kind, flags, stream, length) in kinds {
                all.extend(frame(kind, flags, stream, &vec![0; length]));
            }
            all.extend(&bytes);
            let (mut whole, mut pieces) = (Frames::default(), Frames::default());
            let (mut whole_sent, mut pieces_sent) = (Boundary::default(), Boundary::default());
            whole.received(&all, || now).unwrap();
            whole_sent.sent(&all);
            let mut rest = all.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.received(piece, || now).unwrap();
                pieces_sent.sent(piece);
                rest = after;
            }
            prop_assert_eq!((whole.at, whole.tokens, whole.in_headers), (pieces.at, pieces.tokens, pieces.in_headers));
            prop_assert_eq!(whole_sent.is_between(), pieces_sent.is_between());
        }

        #[test]
        fn whole_frames_end_between_frames(
            kinds in proptest::collection::vec((any::<u8>(), 0usize..40), 0..50),
        ) {
            let mut boundary = Boundary::default();
            for (kind, length) in kinds {
                let frame = frame(kind, 0, 0, &vec![0; length]);
                for byte in &frame[..frame.len() - 1] {
                    boundary.sent(&[*byte]);
                    prop_assert!(!boundary.is_between());
                }
                boundary.sent(&frame[frame.len() - 1..]);
                prop_assert!(boundary.is_between());
            }
        }
    }
}
