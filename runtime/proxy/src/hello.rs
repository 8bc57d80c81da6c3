//! The first bytes of a connection: read until they tell who is asked for, then replayed to whoever goes on.

use crate::patience;
use crate::sni::{Hello, MAX_HELLO, peek};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What the first bytes said.
#[derive(Debug)]
pub(crate) enum First {
    /// A ClientHello and the server name in it.
    Tls(Option<String>),
    /// Something else.
    Other,
    /// The client sent too little in time.
    Late,
    /// The client went away.
    Gone,
}

/// Reads until the first bytes tell what they are, but no longer than `limit`. The bytes are returned as well.
pub(crate) async fn read_hello<S>(stream: &mut S, limit: Duration) -> (First, Vec<u8>)
where
    S: AsyncRead + Unpin,
{
    let mut bytes = Vec::with_capacity(2048);
    let reading = async {
        loop {
            match peek(&bytes) {
                Hello::Tls(name) => return First::Tls(name),
                Hello::NotTls => return First::Other,
                // Records add a few bytes to what `peek` bounds.
                Hello::Incomplete if bytes.len() > 2 * MAX_HELLO => return First::Other,
                Hello::Incomplete => {}
            }
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return First::Gone,
                Ok(_) => {}
            }
        }
    };
    let first = patience::within(limit, reading).await.unwrap_or(First::Late);
    (first, bytes)
}
