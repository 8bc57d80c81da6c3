//! What is decided about a request, in order, before it is forwarded.
//!
//! Normalise the path, drop what only proxies may say, count what arrives, route, authorise, limit. The order is Envoy's and the
//! compiler relies on it: authorization comes before the limits of routes, and all see the normalised path.

use crate::access_log::{Host, Line};
use crate::app::{App, HttpApp};
use crate::authorize::{self, Asker};
use crate::bounds::Bounds;
use crate::filter::answer::{Answered, Asked};
use crate::filter::cors::{Lines, Told};
use crate::filter::headers::Known;
use crate::filter::{Filter, ask, change_request, fault, rewrite};
use crate::headers::{
    Arrival, FORWARDED_FOR, REQUEST_ID, join_cookies, known, remove_hop_by_hop, remove_untrusted, scheme,
    tell_arrival, tell_caller, tell_client,
};
use crate::limit::{Left, LimitState};
use crate::local_reply::Form;
use crate::outgoing::Outgoing;
use crate::refusal::{Refusal, within};
use crate::route::{Route, Seen, without_port};
use crate::serve::{Connection, Entry};
use crate::snapshot::{KindState, ListenerState};
use crate::target::{Connected, Target, UPGRADE_REFUSED, Unfit, target};
use crate::vouched::{Vouched, vouched};
use crate::worker::Worker;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Version, header};
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

/// How large a request may be: another proxy has measured it before and added headers of its own.
pub(crate) fn bounds(entry: &Entry) -> Bounds {
    match entry {
        Entry::Listener => Bounds::OUTSIDE,
        Entry::Chain(_) | Entry::Plaintext => Bounds::BETWEEN_PROXIES,
    }
}

/// What a connection's requests are for, if the listener still has it.
pub(crate) fn app<'a>(state: &'a ListenerState, entry: &Entry) -> Option<&'a HttpApp> {
    let app = match (&state.kind, entry) {
        (KindState::Http { app, .. }, Entry::Listener) => return Some(app),
        (KindState::Inbound { chains, .. }, Entry::Chain(name)) => {
            chains.get(name.as_ref()).map(|chain| &chain.app)
        }
        (KindState::Inbound { plaintext, .. }, Entry::Plaintext) => plaintext.as_ref(),
        (
            KindState::Http { .. }
            | KindState::Tcp { .. }
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
        Some(App::Tcp(_) | App::Tls(_)) | None => None,
    }
}

/// What the filters of a route say about a request besides whether it is sent on.
#[derive(Default)]
pub(crate) struct Outcome {
    /// What the answer says to a page that asked.
    pub(crate) readable: Lines,
    /// Whether it waited on purpose.
    pub(crate) is_delayed: bool,
    /// What changes of headers ask for.
    pub(crate) known: Option<Known>,
    /// What is left of the limit that has least left, unless one of them refuses and says so itself.
    pub(crate) left: Option<Left>,
}

impl Outcome {
    /// Counts a request.
    async fn count(&mut self, worker: &Worker, limit: &LimitState, asker: &Asker<'_>) -> Result<(), Refusal> {
        let before = self.left.take();
        let left = within(worker, limit, asker).await?;
        self.left = before.into_iter().chain(left).min_by_key(Left::remaining);
        Ok(())
    }

    /// Answers are told what was sent on.
    fn sent_on(&mut self, authority: &str, path: &PathAndQuery) {
        if let Some(known) = &mut self.known {
            known.host = authority.to_owned();
            (known.path, known.path_and_query) = (path.path().to_owned(), path.to_string());
        }
    }
}

/// A request that may be forwarded.
pub(crate) struct Decided {
    /// Where it goes.
    pub(crate) route: Arc<Route>,
    /// As it is sent.
    pub(crate) outgoing: Outgoing,
}

/// Decides about a request. The log's line is filled with what is found on the way.
pub(crate) async fn decide(
    worker: &Worker,
    connection: &Connection,
    state: &ListenerState,
    mut parts: Parts,
    line: &mut Line,
    outcome: &mut Outcome,
) -> Result<Decided, Refusal> {
    let gone = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "", "NR", "the listener has changed");
    let app = app(state, &connection.entry).ok_or_else(gone)?;
    // A request that is refused for its host is found in the log by what it said.
    line.host = parts.headers.get(header::HOST).cloned().map(Host::Said);
    let bounds = bounds(&connection.entry);
    let over = Connected { bounds, tls: connection.tls, http10: app.http10.as_ref() };
    let target = target(&parts, over, &mut line.host);
    let refused = |unfit: Unfit| Refusal::new(unfit.status, "", unfit.flags, unfit.details);
    let Target { mut authority, mut path, upgrade } = target.map_err(refused)?;
    line.path = Some(path.clone());
    if let KindState::Http { tls: Some(tls), app: _ } = &state.kind
        && connection.client.as_deref().is_some_and(|client| !tls.may_be_told(client))
    {
        worker.shared.metrics.denied.add(&[&state.name, "-", "mesh.clients"], 1);
        return Err(Refusal::denied("mesh.clients"));
    }
    if upgrade.is_some() {
        // Whatever the client's hop made of it.
        parts.method = Method::GET;
        line.method = Some(parts.method.clone());
    }

    if parts.version == Version::HTTP_2 {
        join_cookies(&mut parts.headers);
    }
    let vouched = match vouched(app, connection.peer.as_deref(), &parts.headers) {
        Vouched::Nothing => None,
        Vouched::Word(said) => Some(said),
        Vouched::Forged => return Err(Refusal::denied("mesh.vouching")),
    };
    remove_untrusted(&mut parts.headers, app.edge);
    remove_hop_by_hop(&mut parts.headers);
    parts.headers.remove(header::HOST);
    let arrival = Arrival { remote: connection.remote.ip(), tls: connection.tls, edge: app.edge };
    tell_arrival(&mut parts.headers, arrival);
    line.request_id = parts.headers.get(REQUEST_ID).cloned();
    line.user_agent = parts.headers.get(header::USER_AGENT).cloned();
    line.forwarded_for = app.edge.and_then(|_| parts.headers.get(FORWARDED_FOR).cloned());

    let seen = Seen {
        host: &authority,
        path: path.path(),
        query: path.query(),
        method: parts.method.as_str(),
        headers: &parts.headers,
    };
    let peer = connection.peer.as_deref();
    let asker = || Asker {
        peer: peer.map(|peer| &peer.spiffe),
        client: connection.client.as_deref(),
        address: connection.remote.ip(),
        arrival,
        host: &authority,
        seen,
    };
    let found = app.routes.find(&authority, &seen);
    if found.is_some_and(|route| ask(&route.filters)) {
        outcome.known = Some(known(&parts, arrival, connection.client.as_deref(), &authority, &path));
    }
    // As on Envoy, what is refused in front of an answer of the route's own has nothing of the route.
    let before = |refusal: Refusal| match found {
        Some(route) if route.answer.is_none() => refusal.on(route),
        Some(_) | None => refusal,
    };
    let is_misdirected = if let KindState::Http { tls: Some(tls), app: _ } = &state.kind {
        !tls.is_for(connection.server_name.as_deref(), without_port(&authority))
    } else {
        false
    };
    // As on Envoy, a change that the route refuses is refused before anything is counted.
    if !is_misdirected
        && let Some(route) = found
        && route.answer.is_none()
        && upgrade.is_some_and(|upgrade| !route.upgrades.contains(&upgrade))
    {
        return Err(refused(UPGRADE_REFUSED).on(route));
    }
    judge(worker, state, &app.entrance, &asker(), line).map_err(before)?;
    for limit in app.limits.iter().filter(|limit| limit.counts_here()) {
        outcome.count(worker, limit, &asker()).await.map_err(before)?;
    }
    if is_misdirected {
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "", "", "direct_response"));
    }
    let route = found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "", "NR", "route_not_found"))?;
    // As on Envoy, nobody is asked about what is answered here.
    let counts = |limit: &LimitState| limit.counts_here() || route.answer.is_none();
    for limit in app.limits.iter().filter(|limit| !limit.counts_here() && counts(limit)) {
        outcome.count(worker, limit, &asker()).await.map_err(before)?;
    }
    line.upstream = route.only_upstream().cloned();
    line.route = Some(Arc::clone(route));
    judge(worker, state, &route.filters, &asker(), line).map_err(before)?;
    for filter in &route.filters {
        match filter {
            // Asked first.
            Filter::Authorize(_) | Filter::Audit(_) => {}
            Filter::Limit(limit) if !counts(limit) => {}
            Filter::Limit(limit) => {
                outcome.count(worker, limit, &asker()).await.map_err(before)?;
            }
            Filter::Cors(cors) => {
                let Some(Told { answer, preflight }) = cors.judge(&seen) else { continue };
                outcome.readable = answer;
                if let Some(preflight) = preflight {
                    let refusal = Refusal::new(StatusCode::OK, "", "", "cors_response");
                    return Err(Refusal { headers: preflight, ..refusal });
                }
            }
            Filter::Delay(delay) => {
                let Some(time) = fault::delayed(delay, &seen) else { continue };
                outcome.is_delayed = true;
                Box::pin(tokio::time::sleep(time)).await;
            }
            Filter::Abort(abort) => {
                let Some((status, why)) = fault::aborted(abort, &seen) else { continue };
                if route.answer.is_some() {
                    outcome.readable.clear();
                }
                let flags = if outcome.is_delayed { "DI,FI" } else { "FI" };
                let refusal = Refusal::new(status, fault::TEXT, flags, "fault_filter_abort");
                return Err(before(Refusal { why, ..refusal }));
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
        let made = asked.answer(answer);
        if let Ok(Answered { path: Some(path), .. }) = &made {
            outcome.sent_on(&authority, path);
        }
        let refusal = made.map_or_else(unfit_address, |made| answered(made, line));
        return Err(refusal.on(route));
    }
    let route = Arc::clone(route);
    // Whatever it says itself was removed on its way in.
    let peer = if app.anonymous { None } else { peer };
    if let (Some(peer), Some(credentials)) = (peer, &worker.shared.snapshot.load().credentials) {
        tell_caller(&mut parts.headers, &credentials.spiffe, peer, vouched.as_ref());
    }
    if let Some(client) = &connection.client {
        tell_client(&mut parts.headers, client);
    }
    if change_request(&route.filters, &mut parts.headers, outcome.known.as_ref()) {
        // As on Envoy, the log has what was sent on.
        line.user_agent = parts.headers.get(header::USER_AGENT).cloned();
    }
    if rewrite(&route.filters, &mut path, &mut authority).map_err(|why| unfit_address(why).on(&route))? {
        (line.host, line.path) = (Some(Host::Known(Rc::clone(&authority))), Some(path.clone()));
        outcome.sent_on(&authority, &path);
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
    Ok(Decided { route, outgoing })
}

/// Asks those filters that say who may ask, before all others.
fn judge(
    worker: &Worker,
    state: &ListenerState,
    filters: &[Filter],
    asker: &Asker<'_>,
    line: &mut Line,
) -> Result<(), Refusal> {
    let metrics = &worker.shared.metrics;
    for filter in filters {
        let (rules, counter, is_enforced) = match filter {
            Filter::Authorize(rules) => (rules, &metrics.denied, true),
            Filter::Audit(rules) => (rules, &metrics.audited, false),
            Filter::Limit(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Rewrite(_)
            | Filter::Cors(_)
            | Filter::Delay(_)
            | Filter::Abort(_)
            | Filter::Mirror(_) => continue,
        };
        let Some(rule) = authorize::refuses(rules, asker) else { continue };
        let sni = line.sni.as_deref().unwrap_or("-");
        counter.add(&[&state.name, sni, rule], 1);
        if is_enforced {
            return Err(Refusal::denied(rule));
        }
        line.audit = Some(rule.to_owned());
    }
    Ok(())
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
        line.path = Some(path);
    }
    Refusal {
        body: Cow::Owned(body),
        headers: header.into_iter().collect(),
        ..Refusal::new(status, "", "", DETAILS)
    }
}
