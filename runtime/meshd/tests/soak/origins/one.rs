//! An origin that speaks HTTP/1.1.

use super::{GIVEN_UP, UnderWay};
use crate::ledger::{Fault, Ledger, body};
use crate::wire::{self, Head};
use std::io::Result;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Serves one connection; whether it shall be reset.
pub(super) async fn serve(stream: &mut TcpStream, ledger: &Ledger, under_way: &UnderWay) -> Result<bool> {
    let mut stream = BufReader::new(stream);
    while let Some(head) = wire::head(&mut stream).await? {
        let id = head.get("x-id").unwrap_or_default().to_owned();
        under_way.begin(&id);
        let first = ledger.execute(&id) == 1;
        let fault = if first { Fault::of(head.get("x-fault").unwrap_or("none")) } else { Fault::None };
        if fault != Fault::None {
            ledger.strike(&id, fault);
        }
        if head.is("upgrade", "websocket") {
            return repeat(&mut stream, fault, &id).await;
        }
        if fault == Fault::Early {
            answer(&mut stream, &head, &id, usize::MAX).await?;
        }
        if head.is("expect", "100-continue") && fault != Fault::Early {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut upload = Vec::new();
        wire::body(&mut stream, &head, Duration::ZERO, &mut upload).await?;
        if upload != body(&id, "up", head.number("x-upload")) {
            ledger.wrong(format!("{id}: the upload of {} bytes is not its own", upload.len()));
        }
        match fault {
            Fault::Early => {}
            Fault::None => answer(&mut stream, &head, &id, usize::MAX).await?,
            Fault::Status => {
                stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await?;
            }
            Fault::Reset => return Ok(true),
            Fault::Cut => {
                answer(&mut stream, &head, &id, head.number("x-answer") / 2).await?;
                // What was written is to come before the end of it.
                tokio::time::sleep(Duration::from_millis(20)).await;
                return Ok(true);
            }
            Fault::Hang => {
                if tokio::time::timeout(GIVEN_UP, stream.read(&mut [0; 1])).await.is_err() {
                    ledger.wrong(format!("{id} is not given up"));
                }
                return Ok(false);
            }
            Fault::Close => {
                answer(&mut stream, &head, &id, usize::MAX).await?;
                under_way.end(&id);
                return late(&mut stream, ledger).await;
            }
        }
        under_way.end(&id);
    }
    Ok(false)
}

/// Closes its side, and tells of the request that crosses that, if there is one.
async fn late(stream: &mut BufReader<&mut TcpStream>, ledger: &Ledger) -> Result<bool> {
    stream.shutdown().await?;
    if let Ok(Ok(Some(head))) = tokio::time::timeout(GIVEN_UP, wire::head(stream)).await {
        ledger.count("crossed a closed connection");
        ledger.strike(head.get("x-id").unwrap_or_default(), Fault::Reset);
    }
    Ok(true)
}

/// Answers with so much of the body.
async fn answer(stream: &mut BufReader<&mut TcpStream>, head: &Head, id: &str, most: usize) -> Result<()> {
    let length = head.number("x-answer");
    let chunked = length.is_multiple_of(3);
    let said =
        if chunked { "transfer-encoding: chunked".to_owned() } else { format!("content-length: {length}") };
    let head = format!("HTTP/1.1 200 OK\r\nx-id: {id}\r\n{said}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let body = body(id, "down", length);
    if most < length {
        let piece = &body[..most];
        if chunked {
            stream.write_all(format!("{most:x}\r\n").as_bytes()).await?;
        }
        stream.write_all(piece).await?;
        return stream.flush().await;
    }
    wire::write_body(stream, &body, chunked, Duration::ZERO).await
}

/// Changes the protocol, and repeats what comes.
async fn repeat(stream: &mut BufReader<&mut TcpStream>, fault: Fault, id: &str) -> Result<bool> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-id: {id}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    super::bytes::repeat(stream, fault).await
}
