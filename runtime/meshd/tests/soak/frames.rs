//! Bodies over HTTP/2, for origins and clients.

use bytes::Bytes;
use h2::{Error, Reason, RecvStream, SendStream};
use http::HeaderMap;
use std::future::poll_fn;

/// Reads a body into `body`, which has what came when it breaks off; the trailers.
pub(crate) async fn read(stream: &mut RecvStream, body: &mut Vec<u8>) -> Result<Option<HeaderMap>, Error> {
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        body.extend(&piece);
        stream.flow_control().release_capacity(piece.len())?;
    }
    stream.trailers().await
}

/// Writes a body.
pub(crate) async fn write(stream: &mut SendStream<Bytes>, mut body: Bytes, end: bool) -> Result<(), Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = match poll_fn(|cx| stream.poll_capacity(cx)).await {
            Some(room) => room?,
            None => return Err(Reason::CANCEL.into()),
        };
        let piece = body.split_to(room.min(body.len()));
        if !piece.is_empty() {
            let last = end && body.is_empty();
            stream.send_data(piece, last)?;
            if last {
                return Ok(());
            }
        }
    }
    if end { stream.send_data(Bytes::new(), true) } else { Ok(()) }
}
