//! Clients whose bytes are repeated to them: over TCP, and over a connection that changed its protocol.

use super::{FOR_EVER, Shared};
use crate::dice::Dice;
use crate::ledger::{Ask, End, Fault, Place, body};
use crate::wire;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Sends bytes and reads them, closes its side, and reads the end. `Ok` if there was one.
async fn repeated(
    stream: &mut BufReader<TcpStream>,
    bytes: &[u8],
    came: &mut Vec<u8>,
) -> std::io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::new(reader);
    let writing = async {
        for piece in bytes.chunks(9_001) {
            writer.write_all(piece).await?;
        }
        writer.shutdown().await
    };
    let reading = async {
        let mut piece = vec![0; 16 << 10];
        loop {
            match reader.read(&mut piece).await? {
                0 => return Ok(()),
                count => came.extend(&piece[..count]),
            }
        }
    };
    // Where the other end breaks it, neither goes on.
    tokio::try_join!(writing, reading).map(drop)
}

fn verdict(own: &[u8], came: &[u8], done: Result<std::io::Result<()>, tokio::time::error::Elapsed>) -> End {
    match done {
        Err(_) => End::Wrong("waited for ever".into()),
        Ok(_) if !own.starts_with(came) => End::Wrong(format!("{} bytes that are not its own", came.len())),
        Ok(Ok(())) if came.len() == own.len() => End::Answered,
        Ok(Ok(())) => End::Broken(format!("closed after {} of {} bytes", came.len(), own.len())),
        Ok(Err(error)) => End::Broken(format!("after {} of {} bytes: {error}", came.len(), own.len())),
    }
}

/// What to ask: always with bytes to repeat, and no fault that bytes do not have.
fn ask(id: String, place: Place, faults: bool, dice: &mut Dice) -> Ask {
    let mut ask = Ask::new(id, place, faults, dice);
    let most = if dice.one_in(10) { 400_000 } else { 5_000 };
    ask.upload = 1 + dice.below(most);
    ask.answer = ask.upload;
    ask.fault = match ask.fault {
        Fault::None | Fault::Close | Fault::Early | Fault::Hang => Fault::None,
        Fault::Status | Fault::Reset | Fault::Cut => Fault::Reset,
    };
    ask
}

/// Connections that carry bytes.
pub(super) async fn repeats(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        let mut ask = ask(format!("t{number}-{turn}"), Place::Bytes, shared.faults(), &mut dice);
        ask.id = format!("post-t{number}-{turn}");
        let asked = Instant::now();
        match TcpStream::connect(shared.tcp).await {
            Err(error) => shared.ledger.wrong(format!("the caller's sidecar is not there: {error}")),
            Ok(stream) => {
                let (own, mut came) = (body(&ask.id, "up", ask.upload), Vec::new());
                let whole = [format!("{} {}\n", ask.id, ask.fault.name()).as_bytes(), &own].concat();
                let mut stream = BufReader::new(stream);
                let done = tokio::time::timeout(FOR_EVER, repeated(&mut stream, &whole, &mut came)).await;
                shared.ledger.settle("bytes", &ask, asked, verdict(&own, &came, done));
            }
        }
        shared.pause(&mut dice).await;
    }
}

/// Connections that change their protocol.
pub(super) async fn upgrades(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        let mut ask = ask(format!("u{number}-{turn}"), Place::One, shared.faults(), &mut dice);
        (ask.id, ask.post) = (format!("get-u{number}-{turn}"), false);
        let asked = Instant::now();
        let end = match tokio::time::timeout(FOR_EVER, upgraded(&shared, &ask)).await {
            Err(_) => End::Wrong("waited for ever for the change".into()),
            Ok(end) => end,
        };
        shared.ledger.settle("WebSocket", &ask, asked, end);
        shared.pause(&mut dice).await;
    }
}

async fn upgraded(shared: &Shared, ask: &Ask) -> End {
    let broken = |error: std::io::Error| End::Broken(format!("before the change: {error}"));
    let mut stream = match TcpStream::connect(shared.http).await {
        Ok(stream) => BufReader::new(stream),
        Err(error) => return End::Wrong(format!("the caller's sidecar is not there: {error}")),
    };
    let head = format!(
        "GET /ws HTTP/1.1\r\nhost: one\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-id: {}\r\nx-fault: {}\r\n\r\n",
        ask.id,
        ask.fault.name()
    );
    if let Err(error) = stream.write_all(head.as_bytes()).await {
        return broken(error);
    }
    match wire::head(&mut stream).await {
        Ok(Some(head)) if head.status() != 101 => return End::Status(head.status()),
        Ok(Some(head)) if head.get("x-id") != Some(&ask.id) => {
            return End::Wrong(format!("the tunnel of {:?}", head.get("x-id")));
        }
        Ok(Some(_)) => {}
        Ok(None) => return End::Broken("closed before the change".into()),
        Err(error) => return broken(error),
    }
    let (own, mut came) = (body(&ask.id, "up", ask.upload), Vec::new());
    let done = tokio::time::timeout(FOR_EVER, repeated(&mut stream, &own, &mut came)).await;
    verdict(&own, &came, done)
}
