//! Cases by number: messages as people and attackers write them, changed at random and cut into pieces.

use crate::dice::Dice;
use bytes::Bytes;

/// Which of several spellings is taken.
trait Chooses {
    /// Mostly the first, otherwise any.
    fn mostly<'a>(&mut self, tries: usize, choices: &[&'a [u8]]) -> &'a [u8];
    fn any<'a>(&mut self, choices: &[&'a [u8]]) -> &'a [u8];
}

impl Chooses for Dice {
    fn mostly<'a>(&mut self, tries: usize, choices: &[&'a [u8]]) -> &'a [u8] {
        if self.one_in(tries) { choices[self.below(choices.len())] } else { choices[0] }
    }

    fn any<'a>(&mut self, choices: &[&'a [u8]]) -> &'a [u8] {
        choices[self.below(choices.len())]
    }
}

/// A connection: what the other end sends on it, and how.
#[derive(Debug)]
pub(crate) struct Case {
    /// Whether we are the server.
    pub(crate) is_server: bool,
    pub(crate) input: Bytes,
    pub(crate) cuts: Vec<usize>,
    /// Where the answers to the requests of a client begin and end.
    pub(crate) answers: Vec<usize>,
    pub(crate) closes: bool,
    pub(crate) is_slow: bool,
    /// Whether the server answers without reading.
    pub(crate) is_early: bool,
    /// The methods of a client.
    pub(crate) methods: [http::Method; 2],
}

impl Case {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let is_server = !dice.one_in(3);
        Case::of(dice, is_server, b"")
    }

    /// One in whose requests there mostly are these lines.
    pub(crate) fn of(mut dice: Dice, is_server: bool, lines: &[u8]) -> Self {
        let mut input = Vec::with_capacity(512);
        let mut answers = Vec::new();
        let methods = [(); 2].map(|()| match dice.below(8) {
            0 => http::Method::HEAD,
            1 => http::Method::POST,
            2 => http::Method::CONNECT,
            _ => http::Method::GET,
        });
        if is_server {
            for _ in 0..1 + dice.below(3) {
                request(&mut dice, &mut input, lines);
            }
        } else {
            for _ in 0..2 {
                answer(&mut dice, &mut input);
                answers.push(input.len());
            }
        }
        if dice.one_in(3) {
            let before = input.len();
            for _ in 0..1 + dice.below(3) {
                mutate(&mut dice, &mut input);
            }
            // The border between answers moves with what comes before it.
            let grown = input.len() as i64 - before as i64;
            for end in &mut answers {
                *end = (*end as i64 + grown).clamp(0, input.len() as i64) as usize;
            }
        }
        if let Some(last) = answers.last_mut() {
            *last = input.len();
        }
        let mut cuts = match dice.below(16) {
            0..8 => Vec::new(),
            8..15 => (0..1 + dice.below(5)).map(|_| dice.below(input.len() + 1)).collect(),
            _ => (0..input.len()).collect(),
        };
        cuts.sort_unstable();
        let (closes, is_slow) = (dice.one_in(2), dice.one_in(4));
        let is_early = dice.one_in(12);
        Case { is_server, input: input.into(), cuts, answers, closes, is_slow, is_early, methods }
    }
}

impl Case {
    /// The same with the end of a head, where after so many messages more was awaited, and then the end of the stream.
    pub(crate) fn with_end(&self, after: usize) -> Self {
        let mut input = self.input.to_vec();
        let mut answers = self.answers.clone();
        answers.truncate(after + 1);
        input.truncate(answers.last().copied().unwrap_or(input.len()));
        input.extend_from_slice(b"\r\n\r\n");
        if let Some(last) = answers.last_mut() {
            *last = input.len();
        }
        Case {
            input: input.into(),
            answers,
            closes: true,
            cuts: self.cuts.clone(),
            methods: self.methods.clone(),
            ..*self
        }
    }
}

const METHODS: &[&[u8]] =
    &[b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT", b"get", b"M-SEARCH", b"G@T", b"PRI", b""];
const TARGETS: &[&[u8]] = &[
    b"/",
    b"/a?b=c",
    b"http://a.test/p",
    b"https://a.test:1",
    b"a.test:80",
    b"*",
    b"//a/b",
    b"/a#f",
    b"/%zz",
    b"/\xc3\xa9",
    b"/a b",
    b"",
    b"http:///",
    b"http://u:p@a.test/",
    b"/a\\b",
    b"/a|b\"c",
    b"a",
    b"?x",
    b"/\x01",
];
const VERSIONS: &[&[u8]] = &[
    b" HTTP/1.1",
    b" HTTP/1.0",
    b"  HTTP/1.1",
    b" HTTP/1.2",
    b" HTTP/2.0",
    b" http/1.1",
    b" HTTP/1.1 ",
    b"",
    b" HTTP/01.1",
    b"\tHTTP/1.1",
];
const ENDS: &[&[u8]] = &[b"\r\n", b"\n", b"\r", b"\r\r\n", b" \r\n", b"\r\n "];
const LENGTHS: &[&[u8]] = &[
    b"0",
    b"5",
    b"3",
    b"05",
    b"+5",
    b"-1",
    b"5, 5",
    b"5 ",
    b" 5",
    b"5;",
    b"0x5",
    b"",
    b"5,6",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9223372036854775807",
    b"9223372036854775808",
    b"5\t",
    b"\x0b5",
    b"5\x00",
];
const CODINGS: &[&[u8]] = &[
    b"chunked",
    b"Chunked",
    b"gzip, chunked",
    b"chunked, gzip",
    b"identity",
    b"chunked, chunked",
    b"chunked;q=1",
    b"",
    b"\"chunked\"",
    b" chunked ",
    b"xchunked",
    b"chunked,",
    b",chunked",
    b"\tchunked",
    b"\x0bchunked",
    b"gzip",
];
const CONNECTIONS: &[&[u8]] = &[
    b"keep-alive",
    b"close",
    b"Close",
    b"upgrade",
    b"keep-alive, close",
    b"close, x",
    b"xclose",
    b"content-length",
    b"transfer-encoding, close",
    b"",
    b",",
    b"close\t",
    b"\xffclose, close",
];
const OTHERS: &[&[u8]] = &[
    b"a: b",
    b"host: a.test",
    b"Host: b.test",
    b"expect: 100-continue",
    b"Expect: x",
    b"upgrade: websocket",
    b"x:",
    b"x: \t y \t",
    b"a : b",
    b" a: b",
    b"a: b\r\n c",
    b"a b: c",
    b"a\x00: b",
    b"a: \x00",
    b"a: \x7f",
    b"a: \xff",
    b"a",
    b":",
    b": x",
    b"te: trailers",
    b"trailer: z",
    b"a: b\rc: d",
    b"a: b\nc: d",
    b"cookie: a=b",
    b"date: now",
    b"a:\tb",
    b"A_B: c",
    b"a(b: c",
];
const SIZES: &[&[u8]] = &[
    b"5",
    b"3",
    b"005",
    b"5;a=b",
    b"5 ",
    b"5\t ;x",
    b"0x5",
    b"+5",
    b" 5",
    b"5\n",
    b"A",
    b"5;a\nb",
    b"00000000000000005",
    b"-5",
    b"fffffffffffffffff",
    b"ffffffffffffffff",
    b"5;\"\r\n\"",
    b"5 5",
    b"",
    b"5,",
    b"5;\x00",
];

fn line(dice: &mut Dice, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(dice.mostly(24, &[name, b"Content-Length", b"Transfer-Encoding"]));
    out.extend_from_slice(dice.mostly(24, &[b": ", b":", b" : ", b":\t", b"\t:", b":  "]));
    out.extend_from_slice(value);
    out.extend_from_slice(dice.mostly(40, ENDS));
}

/// Whether the head says where the body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Length,
    Chunked,
    Nothing,
}

impl Told {
    fn new(dice: &mut Dice) -> Self {
        match dice.below(3) {
            0 => Told::Length,
            1 => Told::Chunked,
            _ => Told::Nothing,
        }
    }
}

fn headers(dice: &mut Dice, out: &mut Vec<u8>, told: Told, has_host: bool) {
    if dice.one_in(2) && !has_host {
        line(dice, out, b"host", b"a.test");
    }
    match told {
        Told::Chunked => {
            let value = dice.mostly(6, CODINGS);
            line(dice, out, b"transfer-encoding", value);
        }
        Told::Length => {
            let value = if dice.one_in(6) { dice.any(LENGTHS) } else { b"5" };
            line(dice, out, b"content-length", value);
        }
        Told::Nothing => {}
    }
    if dice.one_in(400) {
        // About as many as are read.
        (0..95 + dice.below(10)).for_each(|_| out.extend_from_slice(b"a: b\r\n"));
    }
    for _ in 0..dice.below(3) {
        match dice.below(12) {
            0 => {
                let value = dice.any(LENGTHS);
                line(dice, out, b"content-length", value);
            }
            1 => {
                let value = dice.any(CODINGS);
                line(dice, out, b"Transfer-Encoding", value);
            }
            2..5 => {
                let value = dice.any(CONNECTIONS);
                line(dice, out, b"Connection", value);
            }
            5 => line(dice, out, b"expect", b"100-continue"),
            _ => {
                let other = dice.any(OTHERS);
                out.extend_from_slice(other);
                out.extend_from_slice(dice.mostly(40, ENDS));
            }
        }
    }
    out.extend_from_slice(dice.mostly(40, ENDS));
}

/// What follows a head; most of the time what it says.
fn body(dice: &mut Dice, out: &mut Vec<u8>, told: Told) {
    let told = if dice.one_in(30) { Told::new(dice) } else { told };
    match told {
        Told::Nothing => {}
        Told::Length => out.extend_from_slice(dice.mostly(20, &[b"hello", b"he", b"hello!", b""])),
        Told::Chunked => {
            for _ in 0..dice.below(3) {
                out.extend_from_slice(dice.mostly(6, SIZES));
                if dice.one_in(4000) {
                    out.push(b';');
                    out.resize(out.len() + 16_380 + dice.below(8), b'x');
                }
                out.extend_from_slice(dice.mostly(40, ENDS));
                out.extend_from_slice(dice.mostly(30, &[b"hello", b"hell", b"hello!", b""]));
                out.extend_from_slice(dice.mostly(40, ENDS));
            }
            out.extend_from_slice(
                dice.mostly(12, &[b"0", b"00", b"0;a", b"0 ", b"", b"0\n", b"00000000000000000"]),
            );
            out.extend_from_slice(dice.mostly(40, ENDS));
            if dice.one_in(2000) {
                (0..95 + dice.below(10)).for_each(|_| out.extend_from_slice(b"a: b\r\n"));
            }
            if dice.one_in(4000) {
                out.extend_from_slice(b"a: ");
                out.resize(out.len() + 15_980 + dice.below(420), b'x');
                out.extend_from_slice(b"\r\n");
            }
            for _ in 0..dice.below(4).saturating_sub(1) {
                let other = dice.mostly(2, OTHERS);
                out.extend_from_slice(other);
                out.extend_from_slice(dice.mostly(30, ENDS));
            }
            out.extend_from_slice(dice.mostly(40, ENDS));
        }
    }
}

fn request(dice: &mut Dice, out: &mut Vec<u8>, lines: &[u8]) {
    out.extend_from_slice(dice.mostly(40, &[b"", b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\r", b"\0"]));
    let method = if dice.one_in(3) { b"POST" } else { dice.mostly(4, METHODS) };
    out.extend_from_slice(method);
    out.extend_from_slice(dice.mostly(40, &[b" ", b"  ", b"\t", b""]));
    out.extend_from_slice(dice.mostly(4, TARGETS));
    out.extend_from_slice(dice.mostly(10, VERSIONS));
    out.extend_from_slice(dice.mostly(40, ENDS));
    let has_lines = !dice.one_in(16) && !lines.is_empty();
    if has_lines {
        out.extend_from_slice(lines);
    }
    let told = Told::new(dice);
    headers(dice, out, told, has_lines);
    body(dice, out, told);
}

fn answer(dice: &mut Dice, out: &mut Vec<u8>) {
    let interim = if dice.one_in(6) { 1 + dice.below(2) } else { 0 };
    for _ in 0..interim {
        out.extend_from_slice(dice.mostly(
            4,
            &[b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 \r\na: b\r\n\r\n", b"HTTP/1.1 102\r\n\r\n"],
        ));
    }
    out.extend_from_slice(dice.mostly(40, &[b"", b"\r\n", b"\n", b" ", b"\r"]));
    out.extend_from_slice(
        dice.mostly(8, &[b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/11", b""]),
    );
    out.extend_from_slice(dice.mostly(30, &[b" ", b"  ", b"\t", b""]));
    let status = dice.mostly(
        3,
        &[
            b"200", b"204", b"304", b"101", b"100", b"199", b"205", b"404", b"500", b"999", b"099", b"20",
            b"2000", b"2x0", b"", b"-20",
        ],
    );
    out.extend_from_slice(status);
    out.extend_from_slice(dice.mostly(6, &[b" OK", b"", b" ", b"  x", b" \xff", b" \x01", b" a\tb"]));
    out.extend_from_slice(dice.mostly(40, ENDS));
    let told = Told::new(dice);
    headers(dice, out, told, false);
    body(dice, out, told);
    out.extend_from_slice(
        dice.mostly(30, &[b"", b"x", b"\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]),
    );
}

/// Pieces that mean something, to be put anywhere.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"0",
    b"0\r\n\r\n",
    b"\r\n\r\n",
    b"content-length: 3\r\n",
    b"transfer-encoding: chunked\r\n",
    b"connection: close\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b";",
    b",",
    b"\xff",
    b"\x0b",
    b"5\r\nhello\r\n",
];

fn mutate(dice: &mut Dice, out: &mut Vec<u8>) {
    if out.is_empty() {
        return;
    }
    let at = dice.below(out.len());
    let end = (at + dice.below(12)).min(out.len());
    match dice.below(6) {
        0 => out[at] ^= 1 << dice.below(8),
        1 => out[at] = dice.next() as u8,
        2 => drop(out.drain(at..end)),
        3 => {
            let again = out[at..end].to_vec();
            out.splice(at..at, again);
        }
        4 => drop(out.splice(at..at, dice.any(WORDS).iter().copied())),
        _ => out.truncate(at),
    }
}
