//! HTTP from a client: requests are decided about, forwarded and logged.

use crate::access_log::Line;
use crate::body::{Body, text};
use crate::decide::{Decided, Outcome, app, bounds, decide};
use crate::drain::Phase;
use crate::filter::{change_response, copy_request};
use crate::forward::{Answer, forward};
use crate::frames::Flood;
use crate::from_client::{Arriving, FromClient};
use crate::http_connection;
use crate::limit::Left;
use crate::local_reply::{Form, Why, headers_only};
use crate::metrics::Metrics;
use crate::outcome::Failure;
use crate::outgoing::Outgoing;
use crate::outlier::Report;
use crate::place::Leaving;
use crate::presence::{Asking, Presence};
use crate::relay::Breaks;
use crate::route::Route;
use crate::serve::{Connection, Entry};
use crate::taken::Taken;
use crate::tunnel::{Next, Over, Tunnel};
use crate::upgrade;
use crate::watched::Ending;
use crate::worker::Worker;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use meshd_config::Upgrade;
use meshd_http::h2::Stream;
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Serves HTTP/1.1 or HTTP/2 on a connection until it ends.
pub(crate) async fn serve<S>(worker: Rc<Worker>, connection: Connection, stream: S)
where
    S: Breaks + 'static,
{
    let mut phase = worker.shared.phase.subscribe();
    let mut left = connection.slot.left.subscribe();
    // Whoever may come without a certificate.
    let is_stranger = connection.entry == Entry::Plaintext
        || app(&connection.slot.state.load(), &connection.entry).is_some_and(|app| app.edge.is_some());
    let presence = Presence::new(is_stranger, &connection.place);
    let bounds = bounds(&connection.entry);
    let connection = Rc::new(connection);
    let next = Next::default();
    let service = {
        let (worker, connection) = (Rc::clone(&worker), Rc::clone(&connection));
        let (presence, next) = (Rc::clone(&presence), next.clone());
        move |request: Request<Arriving>, stream: Option<Rc<Stream>>| {
            let is_http2 = request.version() == Version::HTTP_2;
            let asking = Asking::new(&presence, is_http2);
            let request = request.map(|arriving| FromClient::new(arriving, &presence));
            let (worker, connection, presence, next) =
                (Rc::clone(&worker), Rc::clone(&connection), Rc::clone(&presence), next.clone());
            async move {
                let answer = answer(&worker, &connection, asking, &next, request, stream.as_ref()).await;
                answer.map(|body| Taken::new(body, &presence, stream))
            }
        }
    };
    // HTTP/2 says GOAWAY as soon as the proxy drains; HTTP/1.1 says `connection: close` with its next answer, and an
    // idle connection is closed only at the end, since closing it earlier races with the client's next request.
    let leave = async {
        let draining = async {
            let _ = phase.wait_for(|phase| phase.is_leaving()).await;
            if !presence.is_http2() {
                let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
            }
        };
        tokio::select! {
            () = draining => {}
            _ = left.wait_for(|left| *left) => {}
        }
    };
    http_connection::serve(stream, service, &presence, &next, bounds, leave).await;
    tell_flood(&worker, &connection, &presence);
}

/// Says in the log and the metrics that a client sent too many frames, if it did.
fn tell_flood(worker: &Worker, connection: &Connection, presence: &Presence) {
    let Some(Flood(frame)) = presence.flood() else { return };
    worker.shared.metrics.floods.add(&[&connection.slot.state.load().name, frame], 1);
    if let Some(log) = worker.shared.log.load().as_ref() {
        let details = Some(format!("too many {frame} frames").into());
        log.write(&Line { flags: "DPE", details, ..connection.line() });
    }
}

/// The answer to one request, with its line in the log and its place in the metrics.
async fn answer(
    worker: &Rc<Worker>,
    connection: &Rc<Connection>,
    asking: Asking,
    next: &Next,
    request: Request<FromClient>,
    stream: Option<&Rc<Stream>>,
) -> Response<Body> {
    let start = Instant::now();
    let state = connection.slot.state.load_full();
    let presence = asking.presence();
    let mut line = Box::new(connection.line());
    let Begun { parts, incoming, version, form, is_head, stays } = begun(request, &mut line);
    let reply = |status, body, why| {
        let reply = form.reply(status, body, why);
        if is_head { headers_only(reply) } else { reply }
    };
    // It goes from hand to hand until the answer has passed.
    // Nothing can follow a request that makes no sense, or one whose body may never be read.
    let is_last;
    let taken;
    let mut outcome = Outcome::default();
    let mut response = match decide(worker, connection, &state, parts, &mut line, &mut outcome).await {
        Ok(Decided { route, outgoing }) => {
            let (outgoing, incoming, agreement) = ready(worker, &route, outgoing, incoming);
            let forwarded = forward(worker, &route, outgoing, incoming).await;
            taken = Some(route);
            line.attempts = Some(forwarded.attempts);
            if let Some(picked) = &forwarded.picked {
                line.upstream = Some(Arc::clone(&picked.upstream));
                line.picked = Some(picked.clone());
            }
            let unremarkable = if outcome.is_delayed { "DI" } else { "" };
            match forwarded.result {
                Ok(answer) if answer.is_switched() => {
                    is_last = false;
                    let tell = Telling { worker: Rc::clone(worker), line, start, asking };
                    let mut response = switched(*answer, version, agreement, tell, next, stream);
                    response
                        .headers_mut()
                        .extend(forwarded.cookie.map(|cookie| (header::SET_COOKIE, cookie)));
                    response
                }
                Ok(answer) => {
                    is_last = answer.is_early();
                    let (worker, status) = (Rc::clone(worker), answer.status());
                    let stream = stream.cloned();
                    let cookie = forwarded.cookie;
                    let mut response = answer.into_response(version, move |ending, bytes| {
                        line.bytes = bytes;
                        let upstreams_fault;
                        (line.flags, upstreams_fault) = match ending {
                            Ending::Complete => (unremarkable, false),
                            Ending::UpstreamReset => ("UC", true),
                            Ending::CutOff | Ending::Unread => ("UC", false),
                            // The answer had begun: a client that reads slowly ends it as well as a slow endpoint.
                            Ending::TimedOut => ("UT", false),
                            Ending::ClientGone if stream.is_some_and(|stream| stream.is_given_up()) => {
                                worker.shared.metrics.shed_streams.add(&[line.listener_name()], 1);
                                line.details = Some(Leaving::Unread.sentence().into());
                                ("OM", false)
                            }
                            Ending::ClientGone => ("DC", false),
                        };
                        if let Some(picked) = forwarded.picked.filter(|_| upstreams_fault) {
                            picked.report(Report::BrokenOff, &worker.shared.metrics);
                        }
                        finish(&worker, line, status, start);
                        drop(asking);
                    });
                    if let Some(cookie) = cookie {
                        response.headers_mut().append(header::SET_COOKIE, cookie);
                    }
                    response
                }
                Err(failure) => {
                    let (status, body) = failure.answer();
                    is_last = failure == Failure::BadBody;
                    line.flags = failure.flag();
                    line.details = forwarded.details.map(Cow::Owned).or(Some(Cow::Borrowed(body)));
                    let why = if failure == Failure::Deadline { Why::Deadline } else { Why::Other };
                    let response = reply(status, Cow::Borrowed(body), why);
                    finish(worker, line, response.status(), start);
                    response
                }
            }
        }
        Err(refusal) => {
            incoming.refuse().await;
            is_last = refusal.flags == "DPE";
            line.flags = refusal.flags;
            line.details = Some(refusal.details).filter(|details| !details.is_empty());
            let mut response = reply(refusal.status, refusal.body, refusal.why);
            finish(worker, line, response.status(), start);
            for (name, value) in refusal.headers {
                response.headers_mut().insert(name, value);
            }
            taken = refusal.route;
            response
        }
    };
    if let Some(route) = taken {
        change_response(&route.filters, response.headers_mut(), outcome.known.as_ref());
    }
    for (name, value) in outcome.readable {
        response.headers_mut().insert(name, value);
    }
    for (name, value) in outcome.left.iter().flat_map(Left::headers) {
        response.headers_mut().insert(name, value);
    }
    let is_last = is_last || presence.has_unread() || worker.shared.phase.borrow().is_leaving();
    if version < Version::HTTP_11 {
        answer_old(&mut response, stays && !is_last);
    } else if version < Version::HTTP_2 && is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is known of a request before anything is decided.
struct Begun {
    parts: Parts,
    incoming: FromClient,
    version: Version,
    /// What it wants to be told in.
    form: Form,
    is_head: bool,
    /// Whether a client that speaks HTTP/1.0 keeps the connection.
    stays: bool,
}

/// Takes a request apart: not in [`answer`], whose future would keep room for what it has handed on.
fn begun(request: Request<FromClient>, line: &mut Line) -> Begun {
    let (parts, incoming) = request.into_parts();
    let version = parts.version;
    let form = Form::of(&parts.headers);
    let is_head = parts.method == Method::HEAD;
    let stays = |name: &[u8]| name.eq_ignore_ascii_case(b"keep-alive");
    let stays = version > Version::HTTP_10 || upgrade::lists(&parts.headers, &header::CONNECTION, stays);
    line.method = Some(parts.method.clone());
    line.protocol = Some(version);
    Begun { parts, incoming, version, form, is_head, stays }
}

/// What an upgrade was asked for with: its protocol and key.
type Agreement = Option<(Upgrade, Option<HeaderValue>)>;

/// Copies a request where its route says so, and notes what it asks for; not in [`answer`] for the same reason.
fn ready(
    worker: &Rc<Worker>,
    route: &Route,
    outgoing: Outgoing,
    mut incoming: FromClient,
) -> (Outgoing, FromClient, Agreement) {
    let agreement = outgoing.upgrade.map(|upgrade| (upgrade, upgrade::key(&outgoing.headers)));
    copy_request(worker, &route.filters, &outgoing, &mut incoming);
    (outgoing, incoming, agreement)
}

/// Makes an answer one in HTTP/1.0. What has no length there ends with the connection, which otherwise stays if the client
/// wants that.
fn answer_old(response: &mut Response<Body>, stays: bool) {
    let has_length = response.headers().contains_key(header::CONTENT_LENGTH)
        || response.body().size_hint().exact().is_some();
    let next = if stays && has_length { "keep-alive" } else { "close" };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static(next));
    *response.version_mut() = Version::HTTP_10;
}

/// What is told at the end of a tunnel.
struct Telling {
    worker: Rc<Worker>,
    line: Box<Line>,
    start: Instant,
    asking: Asking,
}

/// The answer to a client whose connection or stream becomes a tunnel with this answer. Its line in the log, and whatever
/// was counted for the request, wait for the end of the tunnel.
fn switched(
    answer: Answer,
    version: Version,
    agreement: Agreement,
    telling: Telling,
    next: &Next,
    stream: Option<&Rc<Stream>>,
) -> Response<Body> {
    let mut response = Response::new(text(""));
    let (Some((headers, upper, kept)), Some((upgrade, key))) = (answer.into_switched(), agreement) else {
        return response;
    };
    *response.headers_mut() = headers;
    *response.status_mut() = upgrade::agree(version, response.headers_mut(), upgrade, key.as_ref());
    let presence = telling.asking.presence();
    let own = stream.cloned();
    let tunnel = Tunnel::new(upper, kept.idle, &presence, own.clone(), move |over, (up, down)| {
        let Telling { worker, mut line, start, asking } = telling;
        (line.bytes, line.received) = (down, Some(up));
        match over {
            Over::Complete => {}
            Over::Silent => line.flags = "SI",
            Over::Broken(error) => {
                line.flags = "UC";
                line.details = Some(error.to_string().into());
            }
            Over::GivenUp if own.is_some_and(|stream| stream.is_given_up()) => {
                worker.shared.metrics.shed_streams.add(&[line.listener_name()], 1);
                line.details = Some(Leaving::Unread.sentence().into());
                line.flags = "OM";
            }
            Over::GivenUp => line.flags = "DC",
        }
        finish(&worker, line, StatusCode::SWITCHING_PROTOCOLS, start);
        drop((asking, kept));
    });
    match stream {
        None => next.set(tunnel),
        Some(stream) => stream.switch(move |client| Box::pin(tunnel.run(client))),
    }
    response
}

fn finish(worker: &Worker, mut line: Box<Line>, status: StatusCode, start: Instant) {
    // Checks are counted by whoever makes them.
    if line.is_of_check {
        return;
    }
    count(&worker.shared.metrics, &line, status);
    line.status = Some(status);
    line.duration = start.elapsed();
    if let Some(log) = worker.shared.log.load().as_ref() {
        log.write(&line);
    }
}

/// Counts an answer where its route does, or its listener if it has none.
fn count(metrics: &Metrics, line: &Line, status: StatusCode) {
    let upstream = line.upstream.as_ref();
    let by_status = match &line.route {
        Some(route) => route.counted(upstream),
        None => line.listener.as_ref().filter(|_| upstream.is_none()).map(|listener| &listener.counted.1),
    };
    let upstream = upstream.map_or("-", |upstream| upstream.name.as_str());
    let labels = [line.listener_name(), upstream, status.as_str()];
    match by_status.and_then(|by_status| by_status.of(status)) {
        Some(found) => metrics.requests.count(found, &labels),
        None => metrics.requests.add(&labels, 1),
    }
}
