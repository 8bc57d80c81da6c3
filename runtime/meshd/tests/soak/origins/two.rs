//! An origin that speaks HTTP/2, and answers calls of gRPC with trailers.

use super::{GIVEN_UP, UnderWay};
use crate::frames;
use crate::ledger::{Fault, Ledger, body};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use std::io::Result;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Serves one connection. Its requests die with it.
pub(super) async fn serve(stream: TcpStream, ledger: &Arc<Ledger>, under_way: &UnderWay) -> Result<bool> {
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(256 << 10).initial_connection_window_size(1 << 20);
    let mut connection = builder.handshake(stream).await.map_err(std::io::Error::other)?;
    let mut requests = JoinSet::new();
    while let Some(next) = connection.accept().await {
        let (request, respond) = next.map_err(std::io::Error::other)?;
        let (ledger, under_way) = (Arc::clone(ledger), under_way.clone());
        requests.spawn(async move {
            let id = text(&request, "x-id").to_owned();
            under_way.begin(&id);
            let _ = answer(request, respond, &ledger, &id).await;
            under_way.end(&id);
        });
        while requests.try_join_next().is_some() {}
    }
    Ok(false)
}

fn text<'r>(request: &'r Request<RecvStream>, name: &str) -> &'r str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    ledger: &Ledger,
    id: &str,
) -> std::result::Result<(), h2::Error> {
    let first = ledger.execute(id) == 1;
    let fault = if first { Fault::of(text(&request, "x-fault")) } else { Fault::None };
    let number = |name: &str| text(&request, name).parse::<usize>().unwrap_or(0);
    let (upload, length) = (number("x-upload"), number("x-answer"));
    let is_grpc = text(&request, "content-type") == "application/grpc";
    if fault != Fault::None {
        ledger.strike(id, fault);
    }
    let mut came = Vec::new();
    let mut incoming = request.into_body();
    let mut received = Ok(());
    if fault != Fault::Early {
        received = frames::read(&mut incoming, &mut came).await.map(drop);
    }
    received?;
    if fault != Fault::Early && came != body(id, "up", upload) {
        ledger.wrong(format!("{id}: the upload of {} bytes is not its own", came.len()));
    }
    let mut response = Response::new(());
    response.headers_mut().insert("x-id", HeaderValue::try_from(id).unwrap());
    if is_grpc {
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    }
    match fault {
        Fault::Status => {
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            respond.send_response(response, true)?;
            return Ok(());
        }
        Fault::Reset => {
            respond.send_reset(Reason::INTERNAL_ERROR);
            return Ok(());
        }
        Fault::Hang => {
            let reset = std::future::poll_fn(|cx| respond.poll_reset(cx));
            if tokio::time::timeout(GIVEN_UP, reset).await.is_err() {
                ledger.wrong(format!("{id} is not given up"));
            }
            return Ok(());
        }
        Fault::None | Fault::Cut | Fault::Close | Fault::Early => {}
    }
    let mut stream = respond.send_response(response, false)?;
    let whole = Bytes::from(body(id, "down", length));
    if fault == Fault::Cut {
        frames::write(&mut stream, whole.slice(..length / 2), false).await?;
        stream.send_reset(Reason::INTERNAL_ERROR);
        return Ok(());
    }
    frames::write(&mut stream, whole, !is_grpc).await?;
    if is_grpc {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        trailers.insert("x-id", HeaderValue::try_from(id).unwrap());
        stream.send_trailers(trailers)?;
    }
    if fault == Fault::Early {
        frames::read(&mut incoming, &mut came).await?;
    }
    Ok(())
}
