//! HTTP from a client: what is decided about a request, in order, before it is forwarded.
//!
//! Normalise the path, drop what only proxies may say, authorise, route, limit, forward. The order is Envoy's and the
//! compiler relies on it: authorization comes before limits, and both see the normalised path.

use crate::access_log::{Line, shown};
use crate::authorize::{self, Asker};
use crate::body::{Body, text};
use crate::bounds::Bounds;
use crate::drain::Phase;
use crate::filter::answer::{Answered, Asked};
use crate::filter::{Filter, change_request, change_response, copy_request, rewrite};
use crate::forward::{Answer, forward};
use crate::frames::Flood;
use crate::from_client::FromClient;
use crate::headers::{
    Arrival, join_cookies, remove_hop_by_hop, remove_untrusted, scheme, tell_arrival, tell_caller,
};
use crate::http_connection;
use crate::limit::Left;
use crate::local_reply::{Form, Why};
use crate::outcome::Failure;
use crate::outgoing::Outgoing;
use crate::outlier::Report;
use crate::place::Leaving;
use crate::presence::{Asking, Presence};
use crate::refusal::{Refusal, within};
use crate::relay::Breaks;
use crate::route::{Route, Seen, without_port};
use crate::serve::{Connection, Entry};
use crate::snapshot::{App, HttpApp, KindState, ListenerState};
use crate::stream::{Stream, Streams};
use crate::taken::Taken;
use crate::target::{Connected, Target, UPGRADE_REFUSED, Unfit, target};
use crate::tunnel::{Next, Over, Tunnel};
use crate::upgrade;
use crate::watched::Ending;
use crate::worker::Worker;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use meshd_config::Upgrade;
use std::borrow::Cow;
use std::convert::Infallible;
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
        service_fn(move |request: Request<Incoming>| {
            let is_http2 = request.version() == Version::HTTP_2;
            let asking = Asking::new(&presence, is_http2);
            let request = request.map(|incoming| FromClient::new(incoming, is_http2, &presence));
            let (worker, connection, presence, next) =
                (Rc::clone(&worker), Rc::clone(&connection), Rc::clone(&presence), next.clone());
            async move {
                let answer = answer(&worker, &connection, asking, &next, request).await;
                Ok::<_, Infallible>(answer.map(|body| Taken::new(body, &presence)))
            }
        })
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
        let details = Some(format!("too many {frame} frames"));
        log.write(Line { flags: "DPE", details, ..connection.line() });
    }
}

/// How large a request may be: another proxy has measured it before and added headers of its own.
fn bounds(entry: &Entry) -> Bounds {
    match entry {
        Entry::Listener => Bounds::OUTSIDE,
        Entry::Chain(_) | Entry::Plaintext => Bounds::BETWEEN_PROXIES,
    }
}

/// The answer to one request, with its line in the log and its place in the metrics.
async fn answer(
    worker: &Rc<Worker>,
    connection: &Rc<Connection>,
    asking: Asking,
    next: &Next,
    request: Request<FromClient>,
) -> Response<Body> {
    let start = Instant::now();
    let state = connection.slot.state.load_full();
    let presence = asking.presence();
    let (mut parts, mut incoming) = request.into_parts();
    let stream = parts.extensions.remove::<OnUpgrade>().filter(|_| parts.version == Version::HTTP_2);
    let version = parts.version;
    let form = Form::of(&parts.headers);
    let mut line = connection.line();
    line.method = Some(parts.method.to_string());
    line.protocol = Some(format!("{version:?}"));
    // Nothing can follow a request that makes no sense, or one whose body may never be read.
    let is_last;
    let left_of_limits;
    let taken;
    let mut response = match decide(worker, connection, &state, parts, &mut line).await {
        Ok(Decided { route, outgoing, left }) => {
            left_of_limits = left;
            let agreement = outgoing.upgrade.map(|upgrade| (upgrade, upgrade::key(&outgoing.headers)));
            copy_request(worker, &route.filters, &outgoing, &mut incoming);
            let forwarded = forward(worker, &route, outgoing, incoming).await;
            taken = Some(route);
            line.attempts = Some(forwarded.attempts);
            if let Some(picked) = &forwarded.picked {
                line.upstream = Some(picked.upstream.name.clone());
                line.group = Some(picked.group_name().to_owned());
                line.endpoint = Some(picked.endpoint.address.to_string());
            }
            match forwarded.result {
                Ok(answer) if answer.is_switched() => {
                    is_last = false;
                    let tell = Telling { worker: Rc::clone(worker), line, start, asking };
                    let mut response = switched(answer, version, agreement, tell, next, stream);
                    response
                        .headers_mut()
                        .extend(forwarded.cookie.map(|cookie| (header::SET_COOKIE, cookie)));
                    response
                }
                Ok(answer) => {
                    is_last = answer.is_early();
                    let (worker, status) = (Rc::clone(worker), answer.status());
                    let stream = Stream::current();
                    let cookie = forwarded.cookie;
                    let mut response = answer.into_response(version, move |ending, bytes| {
                        line.bytes = bytes;
                        let upstreams_fault;
                        (line.flags, upstreams_fault) = match ending {
                            Ending::Complete => ("", false),
                            Ending::UpstreamReset => ("UC", true),
                            Ending::CutOff | Ending::Unread => ("UC", false),
                            // The answer had begun: a client that reads slowly ends it as well as a slow endpoint.
                            Ending::TimedOut => ("UT", false),
                            Ending::ClientGone if stream.is_some_and(|stream| stream.is_given_up()) => {
                                worker.shared.metrics.shed_streams.add(&[&line.listener], 1);
                                line.details = Some(Leaving::Unread.sentence().to_owned());
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
                    line.details = forwarded.details.or_else(|| Some(body.to_owned()));
                    let why = if failure == Failure::Deadline { Why::Deadline } else { Why::Other };
                    let response = form.reply(status, body, why);
                    finish(worker, line, response.status(), start);
                    response
                }
            }
        }
        Err(refusal) => {
            incoming.refuse().await;
            is_last = refusal.flags == "DPE";
            line.flags = refusal.flags;
            line.details = Some(refusal.details.into_owned()).filter(|details| !details.is_empty());
            let why = if refusal.flags == "RL" { Why::OverLimit } else { Why::Other };
            let mut response = form.reply(refusal.status, refusal.body, why);
            finish(worker, line, response.status(), start);
            for (name, value) in refusal.headers {
                response.headers_mut().insert(name, value);
            }
            left_of_limits = refusal.left;
            taken = refusal.route;
            response
        }
    };
    if let Some(route) = taken {
        change_response(&route.filters, response.headers_mut());
    }
    for (name, value) in left_of_limits.iter().flat_map(Left::headers) {
        response.headers_mut().insert(name, value);
    }
    let is_last = is_last || presence.has_unread() || worker.shared.phase.borrow().is_leaving();
    if version < Version::HTTP_2 && is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is told at the end of a tunnel.
struct Telling {
    worker: Rc<Worker>,
    line: Line,
    start: Instant,
    asking: Asking,
}

/// The answer to a client whose connection or stream becomes a tunnel with this answer. Its line in the log, and whatever
/// was counted for the request, wait for the end of the tunnel.
fn switched(
    answer: Answer,
    version: Version,
    agreement: Option<(Upgrade, Option<HeaderValue>)>,
    telling: Telling,
    next: &Next,
    stream: Option<OnUpgrade>,
) -> Response<Body> {
    let mut response = Response::new(text(""));
    let (Some((headers, upper, kept)), Some((upgrade, key))) = (answer.into_switched(), agreement) else {
        return response;
    };
    *response.headers_mut() = headers;
    *response.status_mut() = upgrade::agree(version, response.headers_mut(), upgrade, key.as_ref());
    let presence = telling.asking.presence();
    let task = Stream::current();
    let tunnel = Tunnel::new(upper, kept.idle, &presence, move |over, (up, down)| {
        let Telling { worker, mut line, start, asking } = telling;
        (line.bytes, line.received) = (down, Some(up));
        match over {
            Over::Complete => {}
            Over::Silent => line.flags = "SI",
            Over::Broken(error) => {
                line.flags = "UC";
                line.details = Some(error.to_string());
            }
            Over::GivenUp if task.is_some_and(|task| task.is_given_up()) => {
                worker.shared.metrics.shed_streams.add(&[&line.listener], 1);
                line.details = Some(Leaving::Unread.sentence().to_owned());
                line.flags = "OM";
            }
            Over::GivenUp => line.flags = "DC",
        }
        finish(&worker, line, StatusCode::SWITCHING_PROTOCOLS, start);
        drop((asking, kept));
    });
    match stream {
        None => next.set(tunnel),
        // The task of the stream ends with the answer.
        Some(stream) => hyper::rt::Executor::execute(&Streams, async move {
            if let Ok(client) = stream.await {
                tunnel.run(TokioIo::new(client)).await;
            }
        }),
    }
    response
}

fn finish(worker: &Worker, mut line: Line, status: StatusCode, start: Instant) {
    let upstream = line.upstream.as_deref().unwrap_or("-");
    worker.shared.metrics.requests.add(&[&line.listener, upstream, status.as_str()], 1);
    line.status = Some(status.as_u16());
    line.duration = start.elapsed();
    if let Some(log) = worker.shared.log.load().as_ref() {
        log.write(line);
    }
}

/// What a connection's requests are for, if the listener still has it.
fn app<'a>(state: &'a ListenerState, entry: &Entry) -> Option<&'a HttpApp> {
    let app = match (&state.kind, entry) {
        (KindState::Http { app, .. }, Entry::Listener) => return Some(app),
        (KindState::Inbound { chains, .. }, Entry::Chain(name)) => chains.get(name).map(|chain| &chain.app),
        (KindState::Inbound { plaintext, .. }, Entry::Plaintext) => plaintext.as_ref(),
        (
            KindState::Http { .. }
            | KindState::Tcp(_)
            | KindState::Inbound { .. }
            | KindState::PassThrough { .. }
            | KindState::Readiness(_)
            | KindState::Metrics(_)
            | KindState::Redirected,
            Entry::Listener | Entry::Chain(_) | Entry::Plaintext,
        ) => None,
    };
    match app {
        Some(App::Http(app)) => Some(app),
        Some(App::Tcp(_)) | None => None,
    }
}

/// A request that may be forwarded.
struct Decided {
    route: Arc<Route>,
    outgoing: Outgoing,
    /// What is left of the limit that has least left.
    left: Option<Left>,
}

async fn decide(
    worker: &Worker,
    connection: &Connection,
    state: &ListenerState,
    mut parts: Parts,
    line: &mut Line,
) -> Result<Decided, Refusal> {
    let gone = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "", "NR", "the listener has changed");
    let app = app(state, &connection.entry).ok_or_else(gone)?;
    // A request that is refused for its host is found in the log by what it said.
    line.host = parts.headers.get(header::HOST).map(|host| shown(host.as_bytes()));
    let bounds = bounds(&connection.entry);
    let target = target(&parts, Connected { bounds, tls: connection.tls }, &mut line.host);
    let refused = |unfit: Unfit| Refusal::new(unfit.status, "", unfit.flags, unfit.details);
    let Target { mut authority, mut path, upgrade } = target.map_err(refused)?;
    line.path = Some(path.to_string());
    if let KindState::Http { tls: Some(tls), app: _ } = &state.kind
        && !tls.is_for(connection.server_name.as_deref(), without_port(&authority))
    {
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "", "", "direct_response"));
    }
    if upgrade.is_some() {
        // Whatever the client's hop made of it.
        parts.method = Method::GET;
        line.method = Some(parts.method.to_string());
    }

    if parts.version == Version::HTTP_2 {
        join_cookies(&mut parts.headers);
    }
    remove_untrusted(&mut parts.headers);
    remove_hop_by_hop(&mut parts.headers);
    parts.headers.remove(header::HOST);
    tell_arrival(
        &mut parts.headers,
        Arrival { remote: connection.remote.ip(), tls: connection.tls, edge: app.edge },
    );
    let said = |name: &str| parts.headers.get(name).map(|value| shown(value.as_bytes()));
    line.request_id = said("x-request-id");
    line.user_agent = said("user-agent");
    line.forwarded_for = app.edge.and_then(|_| said("x-forwarded-for"));

    let seen = Seen {
        host: &authority,
        path: path.path(),
        query: path.query(),
        method: parts.method.as_str(),
        headers: &parts.headers,
    };
    let peer = connection.peer.as_ref();
    let route = app.routes.find(&authority, &seen);
    let route = route.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "", "NR", "route_not_found"))?;
    if route.answer.is_none() && upgrade.is_some_and(|upgrade| !route.upgrades.contains(&upgrade)) {
        return Err(refused(UPGRADE_REFUSED).on(route));
    }
    line.upstream = route.upstream_names();
    line.route = Some(route.name.clone()).filter(|name| !name.is_empty());
    let asker = || Asker {
        peer: peer.map(|peer| &peer.spiffe),
        address: connection.remote.ip(),
        host: &authority,
        seen,
    };
    let mut least: Option<Left> = None;
    for filter in &route.filters {
        match filter {
            Filter::Authorize(authorization) => {
                if let Some(rule) = authorize::refuses(authorization, &asker()) {
                    let sni = line.sni.as_deref().unwrap_or("-");
                    worker.shared.metrics.denied.add(&[&state.name, sni, rule], 1);
                    let details = format!("rbac_access_denied_matched_policy[{rule}]");
                    let refusal = Refusal::new(StatusCode::FORBIDDEN, "RBAC: access denied", "", details);
                    return Err(refusal.on(route));
                }
            }
            Filter::Audit(rules) => {
                if let Some(rule) = authorize::refuses(rules, &asker()) {
                    let sni = line.sni.as_deref().unwrap_or("-");
                    worker.shared.metrics.audited.add(&[&state.name, sni, rule], 1);
                    line.audit = Some(rule.to_owned());
                }
            }
            Filter::Limit(limit) => {
                let left = within(worker, limit, seen).await.map_err(|refusal| refusal.on(route))?;
                least = least.into_iter().chain(left).min_by_key(Left::remaining);
            }
            Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Rewrite(_)
            | Filter::Mirror(_) => {}
        }
    }
    if let Some(answer) = &route.answer {
        let scheme = scheme(&parts, connection.tls);
        let asked = Asked { scheme, authority: &authority, path: &path, form: Form::of(&parts.headers) };
        let refusal = asked.answer(answer).map_or_else(unfit_address, |made| answered(made, line));
        return Err(Refusal { left: least, ..refusal.on(route) });
    }
    let route = Arc::clone(route);
    if let (Some(peer), Some(credentials)) = (peer, &worker.shared.snapshot.load().credentials) {
        tell_caller(&mut parts.headers, &credentials.spiffe, peer);
    }
    if change_request(&route.filters, &mut parts.headers) {
        // As on Envoy, the log has what was sent on.
        line.user_agent = parts.headers.get(header::USER_AGENT).map(|value| shown(value.as_bytes()));
    }
    if rewrite(&route.filters, &mut path, &mut authority).map_err(|why| unfit_address(why).on(&route))? {
        (line.host, line.path) = (Some(authority.clone()), Some(path.to_string()));
    }
    let outgoing = Outgoing {
        method: parts.method,
        authority,
        path,
        headers: parts.headers,
        version: parts.version,
        upgrade,
        bounds,
    };
    Ok(Decided { route, outgoing, left: least })
}

fn unfit_address(why: &'static str) -> Refusal {
    Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "", "", why)
}

/// The answer of a route that answers by itself.
fn answered(answered: Answered, line: &mut Line) -> Refusal {
    // What Envoy's log says of such an answer.
    const DETAILS: &str = "direct_response";
    let Answered { status, body, header, path } = answered;
    if let Some(path) = path {
        line.path = Some(path.to_string());
    }
    Refusal {
        body: Cow::Owned(body),
        headers: header.into_iter().collect(),
        ..Refusal::new(status, "", "", DETAILS)
    }
}
