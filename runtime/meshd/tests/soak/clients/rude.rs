//! Clients that leave in the middle, and clients that never read. Nobody else may notice.

use super::Shared;
use crate::dice::Dice;
use crate::ledger::{Ask, End, Place, body};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of an answer that fits into no buffers on the way.
const LARGE: usize = 3_000_000;

fn head(ask: &Ask) -> String {
    let method = if ask.post { "POST" } else { "GET" };
    format!(
        "{method} /r/{} HTTP/1.1\r\nhost: one\r\nx-id: {}\r\nx-upload: {}\r\nx-answer: {}\r\nx-fault: none\r\ncontent-length: {}\r\n\r\n",
        ask.id, ask.id, ask.upload, ask.answer, ask.upload
    )
}

/// Leaves at any moment: in the request's head, in its body, or in the answer.
pub(super) async fn breaks_off(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        let mut ask = Ask::new(format!("b{number}-{turn}"), Place::One, false, &mut dice);
        ask.answer += 100_000;
        let asked = Instant::now();
        if let Ok(mut stream) = TcpStream::connect(shared.http).await {
            let whole = [head(&ask).as_bytes(), &body(&ask.id, "up", ask.upload)].concat();
            let part = if dice.one_in(2) { whole.len() } else { dice.below(whole.len()) };
            let _ = tokio::time::timeout(Duration::from_secs(5), stream.write_all(&whole[..part])).await;
            if part == whole.len() {
                let mut some = vec![0; 1 + dice.below(50_000)];
                let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut some)).await;
            }
            if dice.one_in(2) {
                let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
        }
        shared.ledger.settle("breaks off", &ask, asked, End::Abandoned);
        shared.pause(&mut dice).await;
    }
}

/// Asks for much, and reads nothing of it for a while.
pub(super) async fn never_reads(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    for turn in 0.. {
        if !shared.goes_on() {
            return;
        }
        let mut ask = Ask::new(format!("n{number}-{turn}"), Place::One, false, &mut dice);
        (ask.id, ask.post, ask.upload, ask.answer) = (format!("get-n{number}-{turn}"), false, 0, LARGE);
        let asked = Instant::now();
        if let Ok(mut stream) = TcpStream::connect(shared.http).await {
            let _ = stream.write_all(head(&ask).as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(500 + dice.below(2_000) as u64)).await;
        }
        shared.ledger.settle("never reads", &ask, asked, End::Abandoned);
    }
}
