//! What a stand-in application says over plain TCP: a line with its name, then every byte back.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Behaviour, Told, awake};

/// Serves one connection as the application is told to behave.
pub(super) async fn converse(stream: impl AsyncRead + AsyncWrite, mut told: Told) -> io::Result<()> {
    if awake(&mut told.behaviour).await != Behaviour::Well {
        return Ok(());
    }
    let banner = format!("{} in {}\n", told.instance.service, told.instance.cluster);
    let (mut reader, mut writer) = tokio::io::split(stream);
    writer.write_all(banner.as_bytes()).await?;
    tokio::io::copy(&mut reader, &mut writer).await?;
    writer.shutdown().await
}

/// Passes one connection on to the process that stands in the application's place, unless it is told to fail.
pub(super) async fn pass_on(mut stream: TcpStream, process: SocketAddr, mut told: Told) -> io::Result<()> {
    if awake(&mut told.behaviour).await != Behaviour::Well {
        return Ok(());
    }
    let mut process = TcpStream::connect(process).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut process).await.map(drop)
}
