//! HTTP/1.1 as bytes: heads and bodies, for origins and clients that do more than a library would let them.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A head that was read.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// The first line.
    pub(crate) first: String,
    fields: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> usize {
        self.get(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.get(name).is_some_and(|known| known.eq_ignore_ascii_case(value))
    }
}

/// The next head; none at the end of the connection.
pub(crate) async fn head(reader: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Head>> {
    let mut head = Head::default();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await? == 0 {
            if head.first.is_empty() {
                return Ok(None);
            }
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end_matches(['\r', '\n']);
        match line.split_once(": ") {
            _ if head.first.is_empty() => line.clone_into(&mut head.first),
            None if line.is_empty() => return Ok(Some(head)),
            None => return Err(Error::other(format!("no field: {line}"))),
            Some((name, value)) => head.fields.push((name.to_ascii_lowercase(), value.to_owned())),
        }
    }
}

/// Reads the body that follows a head into `body`, which has what came when it breaks off. `pause` is made after each piece.
pub(crate) async fn body(
    reader: &mut (impl AsyncBufRead + Unpin),
    head: &Head,
    pause: Duration,
    body: &mut Vec<u8>,
) -> Result<()> {
    if !head.is("transfer-encoding", "chunked") {
        return exactly(reader, head.number("content-length"), pause, body).await;
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        let size = line.trim_end().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| Error::other(format!("no size: {line:?}")))?;
        exactly(reader, size, pause, body).await?;
        if size == 0 {
            // Trailers, if there are any, and the empty line.
            loop {
                line.clear();
                if reader.read_line(&mut line).await? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                if line == "\r\n" {
                    return Ok(());
                }
            }
        }
        let mut end = [0; 2];
        reader.read_exact(&mut end).await?;
        if end != *b"\r\n" {
            return Err(Error::other("a chunk without an end"));
        }
    }
}

async fn exactly(
    reader: &mut (impl AsyncBufRead + Unpin),
    mut left: usize,
    pause: Duration,
    body: &mut Vec<u8>,
) -> Result<()> {
    while left > 0 {
        let piece = reader.fill_buf().await?;
        let taken = piece.len().min(left);
        if taken == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        body.extend(&piece[..taken]);
        reader.consume(taken);
        left -= taken;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(())
}

/// Writes a body, in chunks or of a length that the head has said.
pub(crate) async fn write_body(
    writer: &mut (impl AsyncWrite + Unpin),
    body: &[u8],
    chunked: bool,
    pause: Duration,
) -> Result<()> {
    for piece in body.chunks(7_001) {
        if chunked {
            writer.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        }
        writer.write_all(piece).await?;
        if chunked {
            writer.write_all(b"\r\n").await?;
        }
        if !pause.is_zero() {
            writer.flush().await?;
            tokio::time::sleep(pause).await;
        }
    }
    if chunked {
        writer.write_all(b"0\r\n\r\n").await?;
    }
    writer.flush().await
}
