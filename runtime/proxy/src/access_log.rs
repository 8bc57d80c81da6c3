//! The access log: one JSON object per request or connection, written by a thread of its own.
//!
//! Each worker keeps its lines as bytes and hands them over when there are enough of them, and ten times a second; a
//! worker that has not handed over anything for so long does it at once. So a busy worker wakes the writing thread now and
//! then and not for every request. Workers never wait for the disk or the terminal: lines that do not fit into the queue
//! are dropped and counted.

use crate::balance::Picked;
use crate::metrics::Metrics;
use crate::route::Route;
use crate::snapshot::ListenerState;
use crate::tls::Peer;
use crate::upstream::Upstream;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Version};
use meshd_config::AccessLog;
use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How many batches of lines may wait to be written.
const QUEUE: usize = 256;

/// A worker hands over its lines when they come to so many bytes.
const BATCH: usize = 32 * 1024;

/// Room for most lines, in bytes.
const ROOM: usize = 1024;

/// The longest that a worker keeps lines: how often [`hand_over`] is to be called.
pub(crate) const LONGEST: Duration = Duration::from_millis(100);

/// What the writing thread is told.
#[derive(Debug)]
enum Told {
    /// Write this.
    Lines(Batch),
    /// Say when everything before this is written.
    Flush(SyncSender<()>),
}

/// Lines as they are written.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    /// How many they are.
    lines: i64,
}

/// The lines of a worker that were not handed over yet.
#[derive(Debug)]
struct Kept {
    batch: Batch,
    /// Where they belong.
    to: Option<Arc<Writer>>,
    /// When lines were handed over last.
    last: Option<Instant>,
}

impl Kept {
    fn hand_over(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let (true, Some(to)) = (batch.lines > 0, &self.to) else { return };
        self.last = Some(Instant::now());
        to.take(batch);
    }
}

/// A worker that ends has written its last lines.
impl Drop for Kept {
    fn drop(&mut self) {
        self.hand_over();
    }
}

thread_local! {
    static KEPT: RefCell<Kept> =
        const { RefCell::new(Kept { batch: Batch { bytes: Vec::new(), lines: 0 }, to: None, last: None }) };
}

/// Hands over what this worker has written.
pub(crate) fn hand_over() {
    KEPT.with_borrow_mut(|kept| {
        kept.hand_over();
        // A log that nobody writes to is closed.
        kept.to = None;
    });
}

/// One line. It shares what it says with whoever knows it, and nothing is made into text before it is written.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// The listener.
    pub(crate) listener: Option<Arc<ListenerState>>,
    /// The client's address.
    pub(crate) remote: Option<Rc<str>>,
    /// The client.
    pub(crate) peer: Option<Rc<Peer>>,
    /// The server name that the client asked for.
    pub(crate) sni: Option<Rc<str>>,
    /// The method.
    pub(crate) method: Option<Method>,
    /// The HTTP version.
    pub(crate) protocol: Option<Version>,
    /// What the client calls itself.
    pub(crate) user_agent: Option<HeaderValue>,
    /// The client and the proxies in front of an ingress.
    pub(crate) forwarded_for: Option<HeaderValue>,
    /// The host.
    pub(crate) host: Option<Host>,
    /// The normalised path with the query.
    pub(crate) path: Option<PathAndQuery>,
    /// The status that the client got.
    pub(crate) status: Option<StatusCode>,
    /// The upstream.
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// The endpoint, and its group.
    pub(crate) picked: Option<Picked>,
    /// How many attempts ran.
    pub(crate) attempts: Option<u32>,
    /// Envoy's response flags, or `-`.
    pub(crate) flags: &'static str,
    /// What an operator should know.
    pub(crate) details: Option<Cow<'static, str>>,
    /// Bytes of the body, or to the client.
    pub(crate) bytes: u64,
    /// Bytes from the client, where they are only bytes.
    pub(crate) received: Option<u64>,
    /// The route.
    pub(crate) route: Option<Arc<Route>>,
    /// The request's id.
    pub(crate) request_id: Option<HeaderValue>,
    /// The rule that would have refused the request if it were enforced.
    pub(crate) audit: Option<String>,
    /// From the first byte in to the last byte out.
    pub(crate) duration: Duration,
    /// Whether it is about a health check, and not written.
    pub(crate) is_of_check: bool,
}

/// A host in a line.
#[derive(Debug, Clone)]
pub(crate) enum Host {
    /// As the client said it.
    Said(HeaderValue),
    /// As it is sent on.
    Known(Rc<str>),
}

/// The members of an object behind its first one, written one after the other: no tree of it is ever made.
struct Members<'b> {
    out: &'b mut Vec<u8>,
}

/// A member's name as it is written behind another member.
macro_rules! named {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

impl Members<'_> {
    fn text(&mut self, name: &'static str, value: &str) {
        self.out.extend_from_slice(name.as_bytes());
        // Most texts are written as they are.
        if is_plain(value.as_bytes()) {
            self.out.push(b'"');
            self.out.extend_from_slice(value.as_bytes());
            self.out.push(b'"');
        } else {
            // It cannot fail: the value is a text, and the output is memory.
            let _ = serde_json::to_writer(&mut *self.out, value);
        }
    }

    fn text_if(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// What a client sent.
    fn said_if(&mut self, name: &'static str, value: Option<&HeaderValue>) {
        if let Some(value) = value {
            self.text(name, &shown(value.as_bytes()));
        }
    }

    fn number(&mut self, name: &'static str, value: u64) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn number_if(&mut self, name: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }
}

/// Whether a text needs no escapes in JSON. Eight bytes are looked at at once.
fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    // Behind as many spaces as are missing.
    let last = rest.iter().fold(ONES * 0x20, |word, byte| (word << 8) | u64::from(*byte));
    words.iter().all(|word| is_plain_word(u64::from_ne_bytes(*word))) && is_plain_word(last)
}

/// A one in each byte.
const ONES: u64 = u64::MAX / 255;

/// The same of eight bytes. A byte that is less than another has its highest bit set in their difference, and did not before; a
/// difference is wrong only above a byte for which that is so.
fn is_plain_word(word: u64) -> bool {
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & (ONES << 7) == 0
}

thread_local! {
    /// The second of the last line, and how it is written up to its fraction.
    static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Writes the time of a line: RFC 3339, with a fraction that does not end in 0.
fn write_time(now: SystemTime, out: &mut Vec<u8>) {
    let now = OffsetDateTime::from(now);
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.unix_timestamp() {
            *second = now.unix_timestamp();
            let whole = now.replace_nanosecond(0).unwrap_or(now);
            *text = whole.format(&Rfc3339).unwrap_or_default();
            text.truncate(text.len().saturating_sub(1));
        }
        out.extend_from_slice(text.as_bytes());
    });
    let mut fraction = now.nanosecond();
    if fraction > 0 {
        let mut digits = [b'0'; 9];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(fraction % 10).unwrap_or(0);
            fraction /= 10;
        }
        let length = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        out.push(b'.');
        out.extend_from_slice(digits.get(..length).unwrap_or_default());
    }
    out.push(b'Z');
}

impl Line {
    /// The listener's name.
    pub(crate) fn listener_name(&self) -> &str {
        self.listener.as_ref().map_or("", |listener| listener.name.as_str())
    }

    /// Appends the line as a JSON object and a line feed.
    fn write_json(&self, now: SystemTime, out: &mut Vec<u8>) {
        let Self {
            listener: _,
            remote,
            peer,
            sni,
            method,
            protocol,
            user_agent,
            forwarded_for,
            host,
            path,
            status,
            upstream,
            picked,
            attempts,
            flags,
            details,
            bytes,
            received,
            route,
            request_id,
            audit,
            duration,
            is_of_check: _,
        } = self;
        out.reserve(ROOM);
        out.extend_from_slice(b"{\"time\":\"");
        write_time(now, out);
        out.push(b'"');
        let mut members = Members { out };
        members.text(named!("listener"), self.listener_name());
        members.text_if(named!("remote"), remote.as_deref());
        members.text_if(named!("peer"), peer.as_deref().map(Peer::name));
        members.text_if(named!("sni"), sni.as_deref());
        members.text_if(named!("method"), method.as_ref().map(Method::as_str));
        members.text_if(named!("protocol"), protocol.map(protocol_name));
        match host {
            Some(Host::Said(host)) => members.said_if(named!("host"), Some(host)),
            Some(Host::Known(host)) => members.text(named!("host"), host),
            None => {}
        }
        members.text_if(named!("path"), path.as_ref().map(PathAndQuery::as_str));
        members.number_if(named!("status"), status.map(|status| status.as_u16().into()));
        members.text(named!("flags"), if flags.is_empty() { "-" } else { flags });
        members.number(named!("duration_ms"), u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        members.number(named!("bytes"), *bytes);
        members.number_if(named!("received"), *received);
        members.text_if(named!("upstream"), upstream.as_ref().map(|upstream| upstream.name.as_str()));
        members.text_if(named!("group"), picked.as_ref().map(Picked::group_name));
        members.text_if(named!("endpoint"), picked.as_ref().map(|picked| picked.endpoint.name.as_ref()));
        members.number_if(named!("attempts"), attempts.map(u64::from));
        let route = route.as_ref().map(|route| route.name.as_str());
        members.text_if(named!("route"), route.filter(|name| !name.is_empty()));
        members.text_if(named!("details"), details.as_deref());
        members.text_if(named!("audit"), audit.as_deref());
        members.said_if(named!("request_id"), request_id.as_ref());
        members.said_if(named!("forwarded_for"), forwarded_for.as_ref());
        members.said_if(named!("user_agent"), user_agent.as_ref());
        members.out.extend_from_slice(b"}\n");
    }
}

/// What a client sent, as text: UTF-8 if it is that, and otherwise a character for each byte (Latin-1). Envoy's log shows
/// the same; a client cannot keep itself out of the log with a byte that is no text.
fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn protocol_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/0.9",
    }
}

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Log {
    writer: Arc<Writer>,
}

/// The writing thread, as others see it.
#[derive(Debug)]
struct Writer {
    sender: SyncSender<Told>,
    metrics: Arc<Metrics>,
}

impl Writer {
    fn take(&self, batch: Batch) {
        match self.sender.try_send(Told::Lines(batch)) {
            Ok(()) => {}
            Err(TrySendError::Full(told) | TrySendError::Disconnected(told)) => match told {
                Told::Lines(batch) => self.metrics.log_dropped.add(batch.lines),
                Told::Flush(_) => {}
            },
        }
    }
}

impl Log {
    /// Opens the log and starts its thread.
    pub(crate) fn open(target: &AccessLog, metrics: &Arc<Metrics>) -> std::io::Result<Self> {
        let output: Box<dyn Write + Send> = match target {
            AccessLog::Stdout => Box::new(std::io::stdout()),
            AccessLog::File(path) => {
                Box::new(std::fs::OpenOptions::new().append(true).create(true).open(path)?)
            }
        };
        let (sender, receiver) = sync_channel(QUEUE);
        std::thread::Builder::new().name("access-log".into()).spawn({
            let metrics = Arc::clone(metrics);
            move || write_lines(&receiver, output, &metrics)
        })?;
        Ok(Log { writer: Arc::new(Writer { sender, metrics: Arc::clone(metrics) }) })
    }

    /// Writes a line.
    pub(crate) fn write(&self, line: &Line) {
        if line.is_of_check {
            return;
        }
        KEPT.with_borrow_mut(|kept| {
            if !kept.to.as_ref().is_some_and(|to| Arc::ptr_eq(to, &self.writer)) {
                // What is there belongs to a log that was replaced.
                kept.hand_over();
                kept.to = Some(Arc::clone(&self.writer));
            }
            line.write_json(SystemTime::now(), &mut kept.batch.bytes);
            kept.batch.lines += 1;
            if kept.batch.bytes.len() >= BATCH || kept.last.is_none_or(|last| last.elapsed() >= LONGEST) {
                kept.hand_over();
            }
        });
    }

    /// Waits until everything that was handed over is written, but no longer than `limit`.
    pub(crate) fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let (done, written) = sync_channel(1);
        let mut told = Told::Flush(done);
        while let Err(TrySendError::Full(again)) = self.writer.sender.try_send(told) {
            if Instant::now() >= end {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
            told = again;
        }
        let _ = written.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// Writes batches as they come. What cannot be written is lost and counted, and the next lines are tried again: a full disk
/// does not stay full.
fn write_lines(receiver: &Receiver<Told>, mut output: Box<dyn Write + Send>, metrics: &Metrics) {
    while let Ok(told) = receiver.recv() {
        match told {
            Told::Lines(Batch { bytes, lines }) => {
                if output.write_all(&bytes).and_then(|()| output.flush()).is_err() {
                    metrics.log_dropped.add(lines);
                }
            }
            Told::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::sync::Mutex;

    /// A disk that is full until it has refused so many writes.
    #[derive(Clone)]
    struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut disk = self.0.lock().unwrap();
            if disk.0 > 0 {
                disk.0 -= 1;
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            disk.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_byte_that_needs_an_escape_is_seen_wherever_it_is() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    let needs_one = byte < 0x20 || byte == b'"' || byte == b'\\';
                    assert_eq!(is_plain(&text), !needs_one, "{byte} at {at} of {length}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn texts_are_plain_or_not_as_their_bytes_are(text in proptest::collection::vec(0x1e..=0x5d_u8, 0..40)) {
            let needs_one = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            prop_assert_eq!(is_plain(&text), !text.iter().any(needs_one));
        }
    }

    #[test]
    fn a_full_disk_costs_lines_and_not_the_log() {
        let disk = Disk(Arc::new(Mutex::new((1, Vec::new()))));
        let metrics = Arc::new(Metrics::default());
        let (sender, receiver) = sync_channel(QUEUE);
        let log = Log { writer: Arc::new(Writer { sender, metrics: Arc::clone(&metrics) }) };
        let (output, counts) = (Box::new(disk.clone()), Arc::clone(&metrics));
        let thread = std::thread::spawn(move || write_lines(&receiver, output, &counts));
        let listener = |name: &str| {
            let kind = crate::snapshot::KindState::Redirected;
            let (name, counted) = (name.to_owned(), Default::default());
            Arc::new(ListenerState { name, has_socket: false, proxy_protocol: false, kind, counted })
        };
        for name in ["lost", "a\"b\n"] {
            log.write(&Line { listener: Some(listener(name)), ..Line::default() });
            hand_over();
            log.flush(Duration::from_secs(10));
        }
        assert_eq!(metrics.log_dropped.value(), 1);
        drop(log);
        thread.join().unwrap();
        let written = String::from_utf8(disk.0.lock().unwrap().1.clone()).unwrap();
        assert_eq!(written.lines().count(), 1, "{written}");
        let line: Value = serde_json::from_str(&written).unwrap();
        assert_eq!((&line["listener"], &line["flags"]), (&Value::from("a\"b\n"), &Value::from("-")));
    }

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        let times = [(0, 0), (1, 1), (1, 120_000_000), (1_700_000_000, 999_999_999), (1_700_000_000, 5)];
        for (seconds, nanoseconds) in times {
            let at = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
            let mut out = Vec::new();
            write_time(at, &mut out);
            let expected = OffsetDateTime::from(at).format(&Rfc3339).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_busy_worker_hands_over_batches_and_its_end_loses_nothing() {
        let metrics = Arc::new(Metrics::default());
        let (sender, receiver) = sync_channel(QUEUE);
        let log = Log { writer: Arc::new(Writer { sender, metrics: Arc::clone(&metrics) }) };
        let worker = std::thread::spawn(move || {
            for number in 0..2000 {
                log.write(&Line { path: format!("/{number}").parse().ok(), ..Line::default() });
            }
        });
        worker.join().unwrap();
        let mut batches = Vec::new();
        while let Ok(Told::Lines(batch)) = receiver.recv() {
            batches.push(batch);
        }
        assert_eq!(batches[0].lines, 1, "the first line of a quiet worker does not wait");
        assert!(batches.len() < 200, "{}", batches.len());
        let bytes: Vec<u8> = batches.iter().flat_map(|batch| batch.bytes.clone()).collect();
        let paths: Vec<String> = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice::<Value>(line).unwrap()["path"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(paths, (0..2000).map(|number| format!("/{number}")).collect::<Vec<_>>());
        assert_eq!(metrics.log_dropped.value(), 0);
    }
}
