//! An origin that repeats bytes, after a line that says whose they are.

use super::UnderWay;
use crate::ledger::{Fault, Ledger};
use std::io::Result;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Serves one connection; whether it shall be reset.
pub(super) async fn serve(stream: &mut TcpStream, ledger: &Ledger, under_way: &UnderWay) -> Result<bool> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let Some((id, fault)) = line.trim_end().split_once(' ') else { return Ok(false) };
    under_way.begin(id);
    ledger.execute(id);
    let fault = Fault::of(fault);
    if fault != Fault::None {
        ledger.strike(id, fault);
    }
    let reset = repeat(&mut stream, fault).await?;
    if !reset {
        under_way.end(id);
    }
    Ok(reset)
}

/// Repeats what comes; with a fault that breaks, only the beginning of it.
pub(super) async fn repeat(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), fault: Fault) -> Result<bool> {
    let breaks = match fault {
        Fault::Reset | Fault::Cut | Fault::Status | Fault::Hang => true,
        Fault::None | Fault::Close | Fault::Early => false,
    };
    let mut piece = vec![0; 16 << 10];
    loop {
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            stream.shutdown().await?;
            return Ok(false);
        }
        let said = if breaks { count / 2 } else { count };
        stream.write_all(&piece[..said]).await?;
        stream.flush().await?;
        if breaks {
            return Ok(true);
        }
    }
}
