//! Clients that speak HTTP/1.1: with one connection or many, one request after the other or several at once, over mutual
//! TLS, or byte by byte.

use super::{FOR_EVER, Shared};
use crate::dice::Dice;
use crate::ledger::{Ask, End, Fault, Place, body};
use crate::tls;
use crate::wire::{self, Head};
use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// What is done with a connection after this many requests.
const REQUESTS: usize = 30;

/// A connection.
struct Connection<S> {
    reader: BufReader<ReadHalf<S>>,
    writer: WriteHalf<S>,
}

/// How a request is sent.
#[derive(Debug, Clone, Copy, Default)]
struct Manner {
    chunked: bool,
    waits: bool,
    last: bool,
    pause: Duration,
}

impl Manner {
    fn new(dice: &mut Dice) -> Self {
        Manner { chunked: dice.one_in(3), waits: dice.one_in(5), last: false, pause: Duration::ZERO }
    }
}

/// The host that leads to a place.
fn host(place: Place) -> &'static str {
    match place {
        Place::One | Place::Extra => "one",
        Place::Two => "two",
        Place::Bytes => "bytes",
    }
}

fn head(ask: &Ask, manner: Manner) -> String {
    let Ask { id, place, post, upload, answer, fault } = ask;
    let method = if *post { "POST" } else { "GET" };
    let mut head = format!(
        "{method} /r/{id} HTTP/1.1\r\nhost: {}\r\nx-id: {id}\r\nx-upload: {upload}\r\nx-answer: {answer}\r\nx-fault: {}\r\n",
        host(*place),
        fault.name()
    );
    match (*post, manner.chunked) {
        (false, _) => {}
        (true, true) => head.push_str("transfer-encoding: chunked\r\n"),
        (true, false) => head.push_str(&format!("content-length: {upload}\r\n")),
    }
    if *post && manner.waits {
        head.push_str("expect: 100-continue\r\n");
    }
    if manner.last {
        head.push_str("connection: close\r\n");
    }
    head + "\r\n"
}

/// Whether there is more to come on a connection.
type More = bool;

impl<S: AsyncRead + AsyncWrite> Connection<S> {
    fn new(stream: S) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Connection { reader: BufReader::new(reader), writer }
    }

    /// A request and its answer.
    async fn exchange(&mut self, ask: &Ask, manner: Manner) -> (End, More) {
        let (sender, go_on) = oneshot::channel();
        let writer = &mut self.writer;
        let writing = async move {
            let head = head(ask, manner);
            if manner.pause.is_zero() {
                writer.write_all(head.as_bytes()).await?;
            } else {
                for piece in head.as_bytes().chunks(40) {
                    writer.write_all(piece).await?;
                    writer.flush().await?;
                    tokio::time::sleep(manner.pause).await;
                }
            }
            writer.flush().await?;
            if !ask.post {
                return Ok(true);
            }
            if manner.waits && !go_on.await.unwrap_or(false) {
                return Ok(false);
            }
            let upload = body(&ask.id, "up", ask.upload);
            wire::write_body(writer, &upload, manner.chunked, manner.pause).await?;
            Result::Ok(true)
        };
        let reading = answer(&mut self.reader, ask, sender, manner.pause);
        tokio::pin!(writing, reading);
        let mut sent = None;
        let (end, more) = loop {
            tokio::select! {
                done = &mut writing, if sent.is_none() => sent = Some(matches!(done, Ok(true))),
                answer = &mut reading => break answer,
            }
        };
        // An answer may come before the request's end, which is then sent or refused.
        let sent = match sent {
            Some(sent) => sent,
            None => matches!(tokio::time::timeout(FOR_EVER, writing).await, Ok(Ok(true))),
        };
        (end, more && sent)
    }
}

/// Reads the answer to a request.
async fn answer(
    reader: &mut (impl tokio::io::AsyncBufRead + Unpin),
    ask: &Ask,
    go_on: oneshot::Sender<bool>,
    pause: Duration,
) -> (End, More) {
    let mut go_on = Some(go_on);
    let head = loop {
        match wire::head(reader).await {
            Ok(Some(head)) if head.status() == 100 => {
                let _ = go_on.take().map(|go_on| go_on.send(true));
            }
            Ok(Some(head)) => break head,
            Ok(None) => return (End::Broken("closed before the answer".into()), false),
            Err(error) => return (End::Broken(format!("before the answer: {error}")), false),
        }
    };
    let _ = go_on.take().map(|go_on| go_on.send(false));
    let mut came = Vec::new();
    let read = wire::body(reader, &head, pause, &mut came).await;
    let more = read.is_ok() && !head.is("connection", "close");
    (verdict(ask, &head, &came, read), more)
}

fn verdict(ask: &Ask, head: &Head, came: &[u8], read: Result<()>) -> End {
    if head.status() != 200 {
        return End::Status(head.status());
    }
    if head.get("x-id") != Some(ask.id.as_str()) {
        return End::Wrong(format!("that of {:?}", head.get("x-id")));
    }
    let own = body(&ask.id, "down", ask.answer);
    match read {
        Ok(()) if came == own => End::Answered,
        Ok(()) => End::Wrong(format!("{} bytes that are not its own", came.len())),
        Err(_) if !own.starts_with(came) => End::Wrong("bytes that are not its own, and an end".into()),
        Err(error) => End::Broken(format!("after {} bytes: {error}", came.len())),
    }
}

/// An exchange that is settled, and may not take for ever.
async fn settled<S: AsyncRead + AsyncWrite>(
    shared: &Shared,
    kind: &str,
    connection: &mut Connection<S>,
    ask: &Ask,
    manner: Manner,
) -> More {
    let asked = Instant::now();
    let done = tokio::time::timeout(FOR_EVER, connection.exchange(ask, manner)).await;
    let (end, more) = done.unwrap_or((End::Wrong("waited for ever".into()), false));
    shared.ledger.settle(kind, ask, asked, end);
    more
}

/// Where the next request goes.
fn place(dice: &mut Dice) -> Place {
    if dice.one_in(3) { Place::Two } else { Place::One }
}

/// Asks on one connection, which is replaced now and then.
pub(super) async fn keeps(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    let (mut left, mut connection) = (0, None);
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        if left == 0 || connection.is_none() {
            left = REQUESTS;
            connection = TcpStream::connect(shared.http).await.ok().map(Connection::new);
        }
        let ask = Ask::new(format!("k{number}-{turn}"), place(&mut dice), shared.faults(), &mut dice);
        let manner = Manner::new(&mut dice);
        match &mut connection {
            None => shared.ledger.wrong("the caller's sidecar is not there".into()),
            Some(open) => {
                left -= 1;
                if !settled(&shared, "keep-alive", open, &ask, manner).await {
                    connection = None;
                }
            }
        }
        shared.pause(&mut dice).await;
    }
}

/// Asks once on each connection.
pub(super) async fn once(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        let ask = Ask::new(format!("o{number}-{turn}"), place(&mut dice), shared.faults(), &mut dice);
        let manner = Manner { last: dice.one_in(2), ..Manner::new(&mut dice) };
        match TcpStream::connect(shared.http).await {
            Ok(stream) => {
                let _ = settled(&shared, "once", &mut Connection::new(stream), &ask, manner).await;
            }
            Err(error) => shared.ledger.wrong(format!("the caller's sidecar is not there: {error}")),
        }
        shared.pause(&mut dice).await;
    }
}

/// Asks at the listener that comes and goes.
pub(super) async fn extra(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        if shared.extra_is_open.load(Ordering::SeqCst) {
            let asked = Instant::now();
            let ask = Ask::new(format!("e{number}-{turn}"), Place::Extra, shared.faults(), &mut dice);
            let manner = Manner::new(&mut dice);
            match TcpStream::connect(shared.extra).await {
                Ok(stream) => {
                    let _ = settled(&shared, "extra", &mut Connection::new(stream), &ask, manner).await;
                }
                Err(error) => shared.ledger.settle("extra", &ask, asked, End::Broken(error.to_string())),
            }
        }
        shared.pause(&mut dice).await;
    }
}

/// Asks over mutual TLS, at the gateway or at the callee's sidecar, twice on each connection.
pub(super) async fn with_certificate(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        let (kind, at) = match dice.one_in(2) {
            true => ("pass-through", shared.gateway),
            false => ("mutual TLS", shared.inbound),
        };
        match tls::connect(at, &tls::sni("one"), &shared.leaf).await {
            Err(error) => shared.ledger.wrong(format!("{kind}: no handshake: {error}")),
            Ok(stream) => {
                let mut connection = Connection::new(stream);
                for part in ["a", "b"] {
                    let id = format!("m{number}-{turn}{part}");
                    let mut ask = Ask::new(id, Place::One, shared.faults(), &mut dice);
                    // Nobody gives up for these clients.
                    if ask.fault == Fault::Hang {
                        ask.fault = Fault::Status;
                    }
                    let manner = Manner::new(&mut dice);
                    if !settled(&shared, kind, &mut connection, &ask, manner).await {
                        break;
                    }
                }
            }
        }
        shared.pause(&mut dice).await;
        shared.pause(&mut dice).await;
    }
}

/// Sends several requests at once.
pub(super) async fn pipelines(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        let Ok(stream) = TcpStream::connect(shared.http).await else {
            shared.ledger.wrong("the caller's sidecar is not there".into());
            continue;
        };
        let mut connection = Connection::new(stream);
        let (mut asks, mut bytes) = (Vec::new(), Vec::new());
        for part in 0..2 + dice.below(5) {
            let id = format!("p{number}-{turn}-{part}");
            let mut ask = Ask::new(id, place(&mut dice), shared.faults(), &mut dice);
            // All that is sent fits into the sockets' buffers, since it is sent before anything is read.
            ask.upload = ask.upload.min(2_000);
            let manner = Manner { waits: false, ..Manner::new(&mut dice) };
            bytes.extend(head(&ask, manner).as_bytes());
            if ask.post {
                let upload = body(&ask.id, "up", ask.upload);
                wire::write_body(&mut bytes, &upload, manner.chunked, Duration::ZERO).await.unwrap();
            }
            asks.push(ask);
        }
        let asked = Instant::now();
        let written = connection.writer.write_all(&bytes).await;
        let mut more = true;
        for ask in &asks {
            let (go_on, _) = oneshot::channel();
            let end = match (&written, more) {
                (Err(error), _) => End::Broken(format!("cannot write: {error}")),
                (Ok(()), false) => End::Behind,
                (Ok(()), true) => {
                    let answer = answer(&mut connection.reader, ask, go_on, Duration::ZERO);
                    let done = tokio::time::timeout(FOR_EVER, answer).await;
                    let (end, next) = done.unwrap_or((End::Wrong("waited for ever".into()), false));
                    more = next;
                    end
                }
            };
            shared.ledger.settle("pipelined", ask, asked, end);
        }
        for _ in asks {
            shared.pause(&mut dice).await;
        }
    }
}

/// Sends and reads little by little.
pub(super) async fn slow(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        let mut ask = Ask::new(format!("s{number}-{turn}"), place(&mut dice), shared.faults(), &mut dice);
        (ask.upload, ask.answer) = (ask.upload.min(60_000), ask.answer.min(60_000));
        let manner = Manner { pause: Duration::from_millis(15), ..Manner::new(&mut dice) };
        match TcpStream::connect(shared.http).await {
            Ok(stream) => {
                let _ = settled(&shared, "slow", &mut Connection::new(stream), &ask, manner).await;
            }
            Err(error) => shared.ledger.wrong(format!("the caller's sidecar is not there: {error}")),
        }
    }
}
