//! Attempts beside each other: one that takes too long goes on while another one is sent, and the first answer counts.

use super::{Answer, Exchange, Sending};
use crate::balance::{Picked, Prefer};
use crate::outcome::Failure;
use crate::overdue::Overdue;
use crate::upstream::{Held, Upstream};
use http::HeaderMap;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

type Sent = (Result<Box<Answer>, Failure>, Option<String>);

/// One of the attempts that run.
struct Running<'a> {
    picked: Picked,
    /// Whether it has taken longer than an attempt may before another is sent.
    is_late: bool,
    sent: Pin<Box<dyn Future<Output = Sent> + 'a>>,
    late: Option<Overdue>,
    _counted: Option<Held<Upstream>>,
}

/// What happens to an attempt, by its position.
enum Event {
    Over(usize, Box<Sent>),
    Late(usize),
}

/// Whether a request is sent so. One that asks for another protocol has no end that its time could count from.
pub(super) fn is_wanted(to: &Sending<'_>) -> bool {
    let retry = to.route.retry.as_ref();
    let hedges =
        retry.is_some_and(|retry| retry.hedge && retry.methods.contains(to.outgoing.method.as_str()));
    hedges && to.outgoing.upgrade.is_none()
}

/// Sends a request until one attempt has an answer to pass on, or none can have one any more.
pub(super) async fn run<'a>(exchange: &mut Exchange<'a>) -> Result<Box<Answer>, Failure> {
    let mut running: Vec<Running<'a>> = Vec::new();
    let mut next = Some((Prefer::SameGroup, Duration::ZERO));
    loop {
        if let Some((prefer, pause)) = next.take() {
            exchange.attempts += 1;
            match exchange.pick(prefer) {
                Ok(picked) => running.push(start(exchange, picked, pause)),
                Err(failure) if running.is_empty() => {
                    let outcome = Err(failure);
                    exchange.settle(&outcome);
                    return outcome;
                }
                // Those that run may still be answered.
                Err(_) => exchange.attempts -= 1,
            }
        }
        let (position, outcome) = match event(&mut running).await {
            Event::Over(position, sent) => (position, Some(sent)),
            // The request is still on its way to the endpoint, and cannot be on its way to another.
            Event::Late(position) if !exchange.to.body.has_ended() => {
                (position, Some(Box::new((Err(Failure::AttemptTimeout), None))))
            }
            Event::Late(position) => (position, None),
        };
        let Some(sent) = outcome else {
            if let Some(attempt) = running.get_mut(position) {
                attempt.is_late = true;
                exchange.picked = Some(attempt.picked.clone());
            }
            exchange.settle(&Err(Failure::AttemptTimeout));
            next = another(exchange);
            continue;
        };
        let attempt = running.swap_remove(position);
        let (outcome, details) = *sent;
        exchange.picked = Some(attempt.picked.clone());
        exchange.details = details;
        if !attempt.is_late {
            exchange.settle(&outcome);
        }
        match exchange.next(&outcome) {
            Some(prefer) => {
                let pause = |answer: &Answer| exchange.pause(answer.response.headers());
                next = Some((prefer, outcome.as_deref().map_or(Duration::ZERO, pause)));
            }
            None if outcome.is_err() && !running.is_empty() => {}
            None => return outcome,
        }
    }
}

/// Where another attempt goes beside those that run, and after which time, if there are any left.
fn another(exchange: &mut Exchange<'_>) -> Option<(Prefer, Duration)> {
    let retry = exchange.to.route.retry.as_ref().filter(|retry| exchange.retries < retry.attempts)?;
    let prefer = exchange.elsewhere(retry);
    let is_left = exchange.to.body.can_replay();
    exchange.may_try_again(is_left).then(|| (prefer, exchange.pause(&HeaderMap::new())))
}

/// An attempt after a pause.
fn start<'a>(exchange: &mut Exchange<'a>, picked: Picked, pause: Duration) -> Running<'a> {
    let to = exchange.to.clone();
    // An attempt whose endpoint is silent goes on like any other that takes long.
    let limit = to.route.retry.as_ref().and_then(super::before_an_answer);
    let (begins, endpoint) = (Instant::now() + pause, picked.clone());
    let late = limit.map(|limit| Overdue::new(&to.body, limit, begins));
    let sent = async move {
        tokio::time::sleep_until(begins).await;
        let mut details = None;
        let result = to.send(&endpoint, &mut details).await;
        (result, details)
    };
    let counted = exchange.retrying.take();
    Running { picked, is_late: false, sent: Box::pin(sent), late, _counted: counted }
}

/// The next thing that happens to any of the attempts.
async fn event(running: &mut [Running<'_>]) -> Event {
    std::future::poll_fn(|cx| {
        for (position, attempt) in running.iter_mut().enumerate() {
            if let Poll::Ready(sent) = attempt.sent.as_mut().poll(cx) {
                return Poll::Ready(Event::Over(position, Box::new(sent)));
            }
            if !attempt.is_late && super::has_come(&mut attempt.late, cx) {
                return Poll::Ready(Event::Late(position));
            }
        }
        Poll::Pending
    })
    .await
}
