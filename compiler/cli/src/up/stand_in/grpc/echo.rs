//! `meshc.v1.Echo`: answers with what it was asked to say, who it is and who called; waits and fails as a request says.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream;
use tonic::{Code, Request, Status, Streaming};

use super::super::http::{MAX_BYTES, MAX_DELAY, joined};
use super::super::{Told, xfcc};
use super::messages::{EchoAnswer, EchoRequest};
use super::{Answers, once, only, well};

/// The most answers that a request may ask for.
const MAX_TIMES: u32 = 10_000;

/// One message, one answer.
pub(super) async fn say(
    asked: Request<Streaming<EchoRequest>>,
    told: Told,
) -> Result<Answers<EchoAnswer>, Status> {
    let (mut speaker, mut asked) = Speaker::new(asked, told);
    let asked = only(&mut asked).await?;
    speaker.fail(&asked)?;
    let answer = speaker.answer(&asked, asked.text.clone(), 1).await?;
    Ok(once(answer))
}

/// Many messages, one answer: their texts, one a line.
pub(super) async fn collect(
    asked: Request<Streaming<EchoRequest>>,
    told: Told,
) -> Result<Answers<EchoAnswer>, Status> {
    let (mut speaker, mut asked) = Speaker::new(asked, told);
    let (mut text, mut received, mut last) = (String::new(), 0, EchoRequest::default());
    while let Some(next) = asked.message().await? {
        speaker.fail(&next)?;
        if received > 0 {
            text.push('\n');
        }
        text.push_str(&next.text);
        if text.len() > MAX_BYTES {
            return Err(Status::resource_exhausted(format!("all texts may have {MAX_BYTES} bytes")));
        }
        received += 1;
        last = next;
    }
    let answer = speaker.answer(&last, text, received).await?;
    Ok(once(answer))
}

/// One message, many answers; its status comes after them.
pub(super) async fn repeat(
    asked: Request<Streaming<EchoRequest>>,
    told: Told,
) -> Result<Answers<EchoAnswer>, Status> {
    let (speaker, mut asked) = Speaker::new(asked, told);
    let asked = only(&mut asked).await?;
    let times = asked.times.clamp(1, MAX_TIMES);
    let answers = stream::try_unfold((speaker, asked, 0), move |(mut speaker, asked, said)| async move {
        if said == times {
            speaker.fail(&asked)?;
            return Ok(None);
        }
        let answer = speaker.answer(&asked, asked.text.clone(), 1).await?;
        Ok(Some((answer, (speaker, asked, said + 1))))
    });
    Ok(Box::pin(answers))
}

/// An answer to each message as it comes.
pub(super) async fn talk(
    asked: Request<Streaming<EchoRequest>>,
    told: Told,
) -> Result<Answers<EchoAnswer>, Status> {
    let (speaker, asked) = Speaker::new(asked, told);
    let answers = stream::try_unfold((speaker, asked, 0), |(mut speaker, mut asked, received)| async move {
        let Some(next) = asked.message().await? else { return Ok(None) };
        let received = received + 1;
        speaker.fail(&next)?;
        let answer = speaker.answer(&next, next.text.clone(), received).await?;
        Ok(Some((answer, (speaker, asked, received))))
    });
    Ok(Box::pin(answers))
}

/// Who answers a call, and whose call it is.
struct Speaker {
    told: Told,
    caller: String,
    metadata: BTreeMap<String, String>,
}

impl Speaker {
    fn new(asked: Request<Streaming<EchoRequest>>, told: Told) -> (Self, Streaming<EchoRequest>) {
        let (metadata, _, asked) = asked.into_parts();
        let headers = metadata.into_headers();
        let certificate = headers.get("x-forwarded-client-cert").and_then(|value| value.to_str().ok());
        let caller = certificate.and_then(xfcc::uri).unwrap_or_default();
        let metadata = joined(&headers).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        (Self { told, caller, metadata }, asked)
    }

    /// The status that a message asks for.
    fn fail(&self, asked: &EchoRequest) -> Result<(), Status> {
        match i32::try_from(asked.status) {
            Ok(0) => Ok(()),
            Ok(status @ 1..=16) => Err(Status::new(Code::from_i32(status), asked.message.clone())),
            Ok(_) | Err(_) => {
                let message = format!("there is no status {}; gRPC has 0 to 16", asked.status);
                Err(Status::invalid_argument(message))
            }
        }
    }

    async fn answer(
        &mut self,
        asked: &EchoRequest,
        text: String,
        received: u32,
    ) -> Result<EchoAnswer, Status> {
        let delay = Duration::from_millis(asked.delay_ms.into()).min(MAX_DELAY);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        well(&mut self.told).await?;
        Ok(EchoAnswer {
            text,
            service: self.told.instance.service.clone(),
            cluster: self.told.instance.cluster.clone(),
            caller: self.caller.clone(),
            received,
            metadata: self.metadata.clone(),
        })
    }
}
