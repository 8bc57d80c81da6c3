//! A request on its way to an upstream and back: endpoint, connection, attempt, and another attempt if that is wise.

mod hedge;

use crate::affinity::{self, Affinity};
use crate::back_off;
use crate::balance::{Picked, Prefer, Tried, pick};
use crate::body::{Body, Replayable, Rest};
use crate::bounds::Bounds;
use crate::deadline;
use crate::fit::unfit;
use crate::from_client::FromClient;
use crate::headers::{leave, remove_hop_by_hop};
use crate::outcome::{Failure, Told, counted_status, wants_retry};
use crate::outgoing::Outgoing;
use crate::outlier::Report;
use crate::overdue::{Overdue, Patience, has_come};
use crate::pool::{Checkout, FromUpstream, NoConnection, OneAtATime, Unanswered};
use crate::random;
use crate::route::Route;
use crate::trailers::{Trailers, WithTrailers};
use crate::tunnel::Upper;
use crate::upgrade;
use crate::upstream::{Endpoint, Held, Spoken, Upstream};
use crate::watched::{Ending, Watched};
use crate::worker::Worker;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use meshd_config::{Protocol, REPLAYED_BODY, Retry};
use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// How often a request moves on from pooled connections that had died unnoticed. Nothing was sent on them.
const MOST_DEAD_CONNECTIONS: u32 = 8;

/// What came of forwarding a request.
pub(crate) struct Forwarded {
    /// The upstream's answer, or why there is none. In a box, since it goes through many hands.
    pub(crate) result: Result<Box<Answer>, Failure>,
    /// The endpoint of the last attempt.
    pub(crate) picked: Option<Picked>,
    /// How many attempts ran.
    pub(crate) attempts: u32,
    /// What an operator should know about the last attempt that brought no answer.
    pub(crate) details: Option<String>,
    /// The cookie that the answer sets, so that the next request goes to the same endpoint.
    pub(crate) cookie: Option<HeaderValue>,
}

/// An answer whose body has not passed yet.
pub(crate) struct Answer {
    response: Response<FromUpstream>,
    connection: Option<OneAtATime>,
    /// Present if it agrees to another protocol.
    upper: Option<Upper>,
    /// What has not been sent of the request.
    rest: Rest,
    /// Whether it came before all of the request had.
    is_early: bool,
    held: [Option<Counted>; 2],
    deadline: Option<Instant>,
    idle: Option<Duration>,
    /// How large its head and its trailers may be.
    bounds: Bounds,
}

/// What a tunnel keeps until its end.
pub(crate) struct Kept {
    /// How long it may stay silent.
    pub(crate) idle: Option<Duration>,
    _held: [Option<Counted>; 2],
    _connection: Option<OneAtATime>,
    _stream: FromUpstream,
}

/// Counters that stay raised until the answer has passed.
enum Counted {
    Upstream(#[expect(dead_code, reason = "held for its drop")] Held<Upstream>),
    Endpoint(#[expect(dead_code, reason = "held for its drop")] Held<Endpoint>),
}

fn requests(upstream: &Upstream) -> &AtomicU32 {
    &upstream.load.requests
}

fn retries(upstream: &Upstream) -> &AtomicU32 {
    &upstream.load.retries
}

fn active(endpoint: &Endpoint) -> &AtomicU32 {
    &endpoint.active
}

impl Answer {
    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Whether it came before all of the request had: the rest of that may never be read.
    pub(crate) fn is_early(&self) -> bool {
        self.is_early
    }

    /// Whether it agrees to another protocol than HTTP.
    pub(crate) fn is_switched(&self) -> bool {
        self.upper.is_some()
    }

    /// The head of an answer that agrees to another protocol, for a client that speaks `version`, what there is to relay,
    /// and what must be kept until that is over.
    pub(crate) fn into_switched(self) -> Option<(HeaderMap, Upper, Kept)> {
        let Answer { response, connection, upper, rest: _, is_early: _, held, deadline: _, idle, bounds: _ } =
            self;
        let (mut parts, stream) = response.into_parts();
        remove_hop_by_hop(&mut parts.headers);
        Some((parts.headers, upper?, Kept { idle, _held: held, _connection: connection, _stream: stream }))
    }

    /// The status by which it is decided whether to try again.
    fn told(&self) -> Told {
        Told::of(self.response.status(), self.response.headers())
    }

    /// The answer for a client that speaks `version`; `finish` hears how its body ended.
    pub(crate) fn into_response(
        self,
        version: Version,
        finish: impl FnOnce(Ending, u64) + Unpin + 'static,
    ) -> Response<Body> {
        let Answer { response, connection, upper: _, rest, is_early: _, held, deadline, idle, bounds } = self;
        let (mut parts, incoming) = response.into_parts();
        let trailers = match (parts.version, version) {
            (Version::HTTP_2, Version::HTTP_2) => Trailers::OfAnswer(bounds),
            _ => Trailers::Dropped,
        };
        // The version is of the hop behind; the client has its own.
        parts.version = Version::HTTP_11;
        remove_hop_by_hop(&mut parts.headers);
        let finish = move |ending: Ending, bytes: u64| {
            match ending {
                Ending::Complete => {
                    if !rest.is_over() {
                        tokio::task::spawn_local(rest.linger());
                    }
                    if let Some(connection) = connection {
                        connection.give_back();
                    }
                }
                Ending::UpstreamReset
                | Ending::CutOff
                | Ending::Unread
                | Ending::TimedOut
                | Ending::ClientGone => {
                    rest.give_up();
                }
            }
            drop(held);
            finish(ending, bytes);
        };
        let body = WithTrailers::new(Watched::new(incoming, deadline, idle, finish), trailers);
        Response::from_parts(parts, Box::pin(body))
    }
}

/// Forwards a request along a route.
pub(crate) async fn forward(
    worker: &Worker,
    route: &Route,
    outgoing: Outgoing,
    incoming: FromClient,
) -> Forwarded {
    let nowhere =
        |failure| Forwarded { result: Err(failure), picked: None, attempts: 0, details: None, cookie: None };
    let Some(upstream) = route.upstream() else { return nowhere(Failure::NoHealthyUpstream) };
    let Some(held) = Held::below(upstream, requests, upstream.config.pool.max_requests) else {
        return nowhere(Failure::Overflow);
    };
    let most = route.retry.as_ref().map_or(REPLAYED_BODY, |retry| retry.max_body);
    let body = Replayable::new(incoming, usize::try_from(most).unwrap_or(usize::MAX));
    let start = Instant::now();
    // The client's clock runs from the beginning, whoever is slow; what the route allows bounds what it is told.
    let own = if route.grpc_deadlines { deadline::of(&outgoing.headers) } else { None };
    let until = own.map(|own| start + route.timeout.map_or(own, |most| most.min(own)));
    let Affinity { key, cookie } = {
        let Outgoing { method: _, authority: _, path, headers, version: _, upgrade: _, bounds: _ } =
            &outgoing;
        affinity::of(&route.hash, headers, path.query(), random::number)
    };
    let mut exchange = Exchange {
        to: Sending { worker, route, upstream, outgoing: &outgoing, until, body: body.clone() },
        tried: Tried::of(key),
        picked: None,
        attempts: 0,
        retries: 0,
        dead_connections: 0,
        details: None,
        retrying: None,
    };
    let mut limits = Patience::new(route, &body, start, until);
    let late = {
        let mut run = pin!(exchange.run());
        poll_fn(|cx| match run.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Ok(result)),
            // Who is waited for is known as long as the attempt is there.
            Poll::Pending => limits.poll(&body, cx).map(Err),
        })
        .await
    };
    let mut result = late.unwrap_or_else(|failure| {
        let result = Err(failure);
        exchange.settle(&result);
        result
    });
    if let Ok(answer) = &mut result {
        let of_route = route.timeout.map(|limit| body.since() + limit);
        answer.deadline = of_route.into_iter().chain(until).min();
        answer.held[1] = Some(Counted::Upstream(held));
    }
    let Exchange { picked, attempts, details, .. } = exchange;
    meshd_http::give_back_headers(outgoing.headers);
    // Nothing was decided by it in a group that is balanced otherwise.
    let cookie = cookie.filter(|_| picked.as_ref().is_some_and(Picked::is_by_hash));
    Forwarded { result, picked, attempts, details, cookie }
}

/// What all attempts of a request have in common.
#[derive(Clone)]
struct Sending<'a> {
    worker: &'a Worker,
    route: &'a Route,
    upstream: &'a Arc<Upstream>,
    outgoing: &'a Outgoing,
    /// When the client stops waiting, if it says so.
    until: Option<Instant>,
    body: Replayable,
}

/// One request with all its attempts.
struct Exchange<'a> {
    to: Sending<'a>,
    tried: Tried,
    picked: Option<Picked>,
    attempts: u32,
    retries: u32,
    dead_connections: u32,
    details: Option<String>,
    /// Raised while a retry runs.
    retrying: Option<Held<Upstream>>,
}

impl Exchange<'_> {
    async fn run(&mut self) -> Result<Box<Answer>, Failure> {
        if hedge::is_wanted(&self.to) {
            return hedge::run(self).await;
        }
        let mut prefer = Prefer::SameGroup;
        loop {
            self.attempts += 1;
            let outcome = self.attempt(prefer).await;
            self.settle(&outcome);
            match self.next(&outcome) {
                None => return outcome,
                Some(next) => prefer = next,
            }
            let pause = outcome.as_ref().ok().map(|answer| self.pause(answer.response.headers()));
            drop(outcome);
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// How long is waited before the next attempt, after an answer with these headers.
    fn pause(&self, headers: &HeaderMap) -> Duration {
        // Enough of a random number for a part of a time.
        let random = (random::number() >> 32) as u32;
        back_off::pause(self.to.route.retry.as_ref(), self.retries, headers, random)
    }

    /// Tells the endpoint's record and the metrics how an attempt went.
    fn settle(&self, outcome: &Result<Box<Answer>, Failure>) {
        let metrics = &self.to.worker.shared.metrics;
        let (upstream, group) = (&self.to.upstream.name, self.picked.as_ref().and_then(Picked::group));
        match (outcome, group) {
            (Ok(answer), Some(group)) => group.count_answer(upstream, answer.status(), &metrics.attempts),
            // Without a group nothing is picked, and nothing answers.
            (Ok(_), None) => {}
            (Err(failure), group) => {
                let group = group.map_or("", |group| group.config.name.as_str());
                metrics.attempts.add(&[upstream, group, failure.word()], 1);
            }
        }
        let report = match outcome {
            Ok(answer) => Some(Report::Answer(counted_status(answer.status(), answer.response.headers()))),
            Err(failure) => failure.report(),
        };
        if let (Some(picked), Some(report)) = (&self.picked, report) {
            picked.report(report, metrics);
        }
    }

    /// Where to try next, if another attempt is wanted and allowed.
    fn next(&mut self, outcome: &Result<Box<Answer>, Failure>) -> Option<Prefer> {
        let seen = outcome.as_ref().map(|answer| answer.told()).map_err(|failure| *failure);
        let not_sent = seen.is_err_and(Failure::was_not_sent);
        if seen == Err(Failure::NotSent)
            && self.dead_connections < MOST_DEAD_CONNECTIONS
            && self.to.body.is_whole()
        {
            self.dead_connections += 1;
            return Some(Prefer::SameGroup);
        }
        let prefer = match &self.to.route.retry {
            Some(retry) => {
                let wanted = wants_retry(retry, self.to.outgoing.method.as_str(), seen);
                if !wanted || self.retries >= retry.attempts {
                    return None;
                }
                self.elsewhere(retry)
            }
            None if not_sent && self.retries == 0 => Prefer::AnotherEndpoint,
            None => return None,
        };
        // Of a body that nobody was sent, all is left, however large it is.
        let is_left = if not_sent { self.to.body.is_whole() } else { self.to.body.can_replay() };
        self.may_try_again(is_left).then_some(prefer)
    }

    /// Where the next attempt goes: another endpoint comes first. Once that has failed as well, the locality may be the cause.
    fn elsewhere(&self, retry: &Retry) -> Prefer {
        if retry.other_localities || self.retries > 0 {
            Prefer::AnotherGroup
        } else {
            Prefer::AnotherEndpoint
        }
    }

    /// Whether another attempt that is wanted is allowed, where its body is left; it then counts as one that runs.
    fn may_try_again(&mut self, is_left: bool) -> bool {
        let count =
            |outcome: &str| self.to.worker.shared.metrics.retries.add(&[&self.to.upstream.name, outcome], 1);
        if !is_left {
            count("body_too_large");
            return false;
        }
        self.retrying = None;
        if !self.to.upstream.may_retry() {
            count("budget");
            return false;
        }
        count("run");
        self.retrying = Some(Held::raise(self.to.upstream, retries));
        self.retries += 1;
        true
    }

    async fn attempt(&mut self, prefer: Prefer) -> Result<Box<Answer>, Failure> {
        let retry = self.to.route.retry.as_ref();
        let limit = retry.and_then(before_an_answer);
        let mut overdue = limit.map(|limit| Overdue::new(&self.to.body, limit, Instant::now()));
        let picked = self.pick(prefer)?;
        let mut send = pin!(self.to.send(&picked, &mut self.details));
        poll_fn(|cx| match send.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending if has_come(&mut overdue, cx) => Poll::Ready(Err(Failure::AttemptTimeout)),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// The endpoint of the next attempt.
    fn pick(&mut self, prefer: Prefer) -> Result<Picked, Failure> {
        let picked = pick(self.to.upstream, &mut self.tried, prefer).ok_or(Failure::NoHealthyUpstream)?;
        self.picked = Some(picked.clone());
        Ok(picked)
    }
}

impl Sending<'_> {
    /// How long what was answered may stay silent.
    fn idle(&self, is_switched: bool) -> Option<Duration> {
        let of_attempt =
            self.route.retry.as_ref().and_then(|retry| retry.per_try_idle).filter(|_| !is_switched);
        self.route.idle_timeout.into_iter().chain(of_attempt).min()
    }

    /// One attempt at an endpoint. Without an answer, `details` get what an operator should know.
    async fn send(&self, picked: &Picked, details: &mut Option<String>) -> Result<Box<Answer>, Failure> {
        let spoken = match (self.upstream.config.protocol, self.outgoing.version) {
            (Protocol::Http2, _) | (Protocol::Downstream, Version::HTTP_2) => Spoken::Http2,
            (Protocol::Http1 | Protocol::Downstream, _) => Spoken::Http1,
        };
        let checkout = self.worker.pools.checkout(picked, spoken, &self.worker.shared.metrics).await;
        let checkout = checkout.map_err(|failure| match failure {
            NoConnection::Overflow => Failure::Overflow,
            NoConnection::Failed(failure) => {
                let is_endpoints = failure.is_endpoints();
                *details = Some(failure.message);
                if is_endpoints { Failure::Connect } else { Failure::Overflow }
            }
        })?;
        let tls = picked.group().is_some_and(|group| group.config.tls.is_some());
        let is_originated = picked.group().is_some_and(|group| group.config.origination.is_some());
        let change = |headers: &mut HeaderMap| {
            if is_originated {
                leave(headers);
            }
            if let Some(until) = self.until {
                deadline::pass_on(headers, until);
            }
        };
        let endpoint = Held::raise(&picked.endpoint, active);
        let (sent, mut connection) = match checkout {
            Checkout::Http1(connection) => {
                let mut headers = Cow::Borrowed(&self.outgoing.headers);
                if is_originated || self.until.is_some() {
                    change(headers.to_mut());
                }
                if let Some(upgrade) = self.outgoing.upgrade {
                    upgrade::ask1(headers.to_mut(), upgrade);
                }
                let body = self.body.attempt_if_any();
                let body = body.map(|body| Box::pin(WithTrailers::new(body, Trailers::Dropped)) as Body);
                let sent = connection.send(self.outgoing.head(&headers), body).await;
                (sent.map(|response| response.map(FromUpstream::Single)), Some(connection))
            }
            Checkout::Http2(stream) => {
                let mut request = self.outgoing.request(self.body.attempt(), tls);
                change(request.headers_mut());
                // In a box, so that the others need not have room for it.
                (Box::pin(stream.send(request)).await, None)
            }
        };
        let mut response = sent.map_err(|why| {
            let (failure, text) = match why {
                Unanswered::NotSent(text) => (Failure::NotSent, text),
                Unanswered::Refused(text) => (Failure::Refused, text),
                Unanswered::CutOff(text) => (Failure::CutOff, text),
                Unanswered::Protocol(text) => (Failure::Protocol, text),
                Unanswered::Reset(text) => (Failure::Reset, text),
                Unanswered::Client => (Failure::BadBody, "the client broke off".to_owned()),
            };
            *details = Some(format!("{}: {text}", picked.endpoint.address));
            if self.body.is_broken() { Failure::BadBody } else { failure }
        })?;
        // Whoever is behind mutual TLS is a proxy.
        let bounds = if tls { Bounds::BETWEEN_PROXIES } else { Bounds::OUTSIDE };
        let is_asked = self.outgoing.upgrade.is_some();
        if let Some(wrong) = unfit(&response, bounds, is_asked) {
            *details = Some(String::from(wrong));
            return Err(Failure::Protocol);
        }
        let upper = match is_asked && upgrade::is_agreed(&response) {
            false => None,
            true => Some(upper(&mut response, &mut connection).ok_or(Failure::Reset)?),
        };
        let held = [Some(Counted::Endpoint(endpoint)), None];
        let (rest, is_early, idle) = (self.body.rest(), !self.body.has_ended(), self.idle(upper.is_some()));
        let deadline = None;
        Ok(Box::new(Answer { response, connection, upper, rest, is_early, held, deadline, idle, bounds }))
    }
}

/// How long an attempt may take until its answer begins.
fn before_an_answer(retry: &Retry) -> Option<Duration> {
    retry.per_try_timeout.into_iter().chain(retry.per_try_idle).min()
}

/// The upstream's end of what was agreed on.
fn upper(response: &mut Response<FromUpstream>, connection: &mut Option<OneAtATime>) -> Option<Upper> {
    match response.version() {
        Version::HTTP_2 => response.body_mut().take_switched().map(Upper::Shared),
        _ => connection.take()?.into_switched().map(Upper::Single),
    }
}
