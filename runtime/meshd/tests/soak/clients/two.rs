//! Clients that speak HTTP/2, with several requests at once on a connection, some of them calls of gRPC.

use super::{FOR_EVER, Shared};
use crate::dice::Dice;
use crate::frames;
use crate::ledger::{Ask, End, Place, body};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Rounds of requests on one connection.
const ROUNDS: usize = 10;

/// What a client sees of an answer.
struct Answer {
    status: u16,
    id: Option<String>,
    trailers: Option<HeaderMap>,
    read: Result<(), h2::Error>,
    came: Vec<u8>,
}

async fn exchange(sender: SendRequest<Bytes>, ask: &Ask, grpc: bool) -> Result<Answer, h2::Error> {
    let Ask { id, place, post, upload, answer, fault } = ask;
    let host = if *place == Place::Two { "two" } else { "one" };
    let mut request = Request::builder()
        .method(if *post { Method::POST } else { Method::GET })
        .uri(format!("http://{host}/r/{id}"))
        .header("x-id", id)
        .header("x-upload", *upload)
        .header("x-answer", *answer)
        .header("x-fault", fault.name());
    if grpc {
        request = request.header("content-type", "application/grpc").header("te", "trailers");
    }
    let mut sender = sender.ready().await?;
    let (answer, mut stream) = sender.send_request(request.body(()).unwrap(), !post)?;
    let writing = async {
        if *post {
            // An answer may come first, and the rest be refused.
            let _ = frames::write(&mut stream, Bytes::from(body(id, "up", *upload)), true).await;
        }
    };
    let reading = async {
        let answer = answer.await?;
        let status = answer.status().as_u16();
        let id = answer.headers().get("x-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let mut came = Vec::new();
        let (trailers, read) = match frames::read(&mut answer.into_body(), &mut came).await {
            Ok(trailers) => (trailers, Ok(())),
            Err(error) => (None, Err(error)),
        };
        Ok(Answer { status, id, trailers, read, came })
    };
    tokio::pin!(writing, reading);
    let mut written = false;
    loop {
        tokio::select! {
            () = &mut writing, if !written => written = true,
            answer = &mut reading => return answer,
        }
    }
}

fn verdict(ask: &Ask, grpc: bool, answer: Result<Answer, h2::Error>) -> End {
    let Answer { status, id, trailers, read, came } = match answer {
        Ok(answer) => answer,
        Err(error) => return End::Broken(format!("no answer: {error}")),
    };
    if status != 200 {
        return End::Status(status);
    }
    // A proxy tells a failed call of gRPC with 200 and a status of gRPC.
    if grpc && id.is_none() && came.is_empty() {
        return End::Status(503);
    }
    if id.as_deref() != Some(ask.id.as_str()) {
        return End::Wrong(format!("that of {id:?}"));
    }
    let own = body(&ask.id, "down", ask.answer);
    if !own.starts_with(&came) {
        return End::Wrong(format!("{} bytes that are not its own", came.len()));
    }
    if let Err(error) = read {
        return End::Broken(format!("after {} bytes: {error}", came.len()));
    }
    let trailer = |name: &str| trailers.as_ref()?.get(name)?.to_str().ok();
    if grpc && (trailer("grpc-status") != Some("0") || trailer("x-id") != Some(ask.id.as_str())) {
        return End::Wrong(format!("with the trailers {trailers:?}"));
    }
    if came.len() == own.len() {
        End::Answered
    } else {
        End::Wrong(format!("{} bytes as if all", came.len()))
    }
}

/// Several requests at once, and the next ones when all are answered.
pub(super) async fn shares(shared: Arc<Shared>, number: u32, mut dice: Dice) {
    let mut turn = 0;
    while shared.goes_on() {
        let stream = TcpStream::connect(shared.http).await;
        let Ok(stream) = stream else {
            return shared.ledger.wrong("the caller's sidecar is not there".into());
        };
        let _ = stream.set_nodelay(true);
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(200_000).initial_connection_window_size(1 << 20);
        let (sender, connection) = match builder.handshake::<_, Bytes>(stream).await {
            Ok(both) => both,
            Err(error) => return shared.ledger.wrong(format!("no HTTP/2: {error}")),
        };
        let connection = tokio::spawn(connection);
        for _ in 0..ROUNDS {
            let mut requests = JoinSet::new();
            let many = 1 + dice.below(6);
            for _ in 0..many {
                turn += 1;
                let (place, grpc) = match dice.below(4) {
                    0 => (Place::One, false),
                    1 | 2 => (Place::Two, false),
                    _ => (Place::Two, true),
                };
                let mut ask = Ask::new(format!("h{number}-{turn}"), place, shared.faults(), &mut dice);
                if grpc {
                    // Calls of gRPC are POST requests, which may not be retried.
                    ask.post = true;
                    ask.id = format!("post-h{number}-{turn}");
                }
                let (shared, sender) = (Arc::clone(&shared), sender.clone());
                requests.spawn(async move {
                    let asked = Instant::now();
                    let done = tokio::time::timeout(FOR_EVER, exchange(sender, &ask, grpc)).await;
                    let end = match done {
                        Ok(answer) => verdict(&ask, grpc, answer),
                        Err(_) => End::Wrong("waited for ever".into()),
                    };
                    shared.ledger.settle(if grpc { "gRPC" } else { "HTTP/2" }, &ask, asked, end);
                });
            }
            while requests.join_next().await.is_some() {}
            for _ in 0..many {
                shared.pause(&mut dice).await;
            }
            if connection.is_finished() || !shared.goes_on() {
                break;
            }
        }
        drop(sender);
        let _ = tokio::time::timeout(FOR_EVER, connection).await;
    }
}
