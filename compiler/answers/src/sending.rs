//! What a caller's own proxy does with a request: which of its routes takes it, and where that leads.

use std::time::Duration;

use lang_diagnostics::Origin;
use meshc_plan::filter::Filter;
use meshc_plan::{
    HttpAction, HttpListener, HttpRoute, Listener, ListenerKind, ProxyPlan, VirtualHost, WeightedUpstream,
    outbound_listener,
};
use meshc_resolve::covers;
use meshc_vocabulary::model::{Callee, Cluster, Id};

use crate::admission::{Admission, Peer, Verdict, authorize};
use crate::callees::Callees;
use crate::limits::{self, Counted};
use crate::live::examples;
use crate::log::Log;
use crate::matching;
use crate::normal::without_port;
use crate::sent::Sent;
use crate::truth::Truth;
use crate::wording;
use crate::world::World;

/// One thing that a proxy may do with a request.
#[derive(Clone, Debug)]
pub struct Way<'m> {
    /// Whether it does; never [`Truth::No`].
    pub truth: Truth,
    /// Whether a request is known that goes this way, where rules before it might take all of them.
    pub is_met: bool,
    /// The route's rule, or the call.
    pub by: &'m Origin,
    /// The request as it is sent on.
    pub sent: Sent,
    /// What is done.
    pub handled: Handled,
    /// What the proxy makes of whoever sends it, if it has rules about that.
    pub entrance: Option<Admission<'m>>,
    /// What counts it at this proxy.
    pub counted: Vec<Counted<'m>>,
}

/// What is done with a request.
#[derive(Clone, Debug)]
pub enum Handled {
    /// It is sent to one of these.
    Forwarded {
        /// Where to, with shares; never empty.
        to: Vec<Destination>,
        /// How long it may take.
        timeout: Option<Duration>,
    },
    /// The proxy answers it, with this status.
    Answered(u16),
}

/// Where requests may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The service, subset or host outside.
    pub callee: Callee,
    /// Position of the port in the callee's `ports`.
    pub port: usize,
    /// The only cluster that is meant, where clusters have shares.
    pub only: Option<Id<Cluster>>,
    /// Its share.
    pub weight: u32,
}

/// The answer of a proxy that has no route for a request.
const NOT_FOUND: u16 = 404;

/// Asks what proxies do.
pub(crate) struct Sending<'w, 'm> {
    pub(crate) world: &'w World<'m>,
    pub(crate) callees: &'w Callees,
    pub(crate) log: Log<'w>,
}

impl<'m> Sending<'_, 'm> {
    /// What a sidecar does with calls of one port of a callee; nothing if its service has not declared them.
    pub(crate) fn of_call(
        &self,
        proxy: &'m ProxyPlan,
        callee: Callee,
        port: usize,
        sent: &Sent,
    ) -> Vec<Way<'m>> {
        let model = self.world.model;
        let Some(port) = model.ports(callee).get(port) else { return Vec::new() };
        let (namespace, name) = match callee {
            Callee::Service(id) => (model.services.at(id).namespace, &model.services.at(id).name),
            Callee::External(id) => (model.externals.at(id).namespace, &model.externals.at(id).name),
        };
        let listener = outbound_listener(name, &model.namespaces.at(namespace).name, port.number);
        match proxy.listeners.iter().find(|one| one.name == listener) {
            Some(listener) => self.at(listener, sent),
            None => Vec::new(),
        }
    }

    /// What a gateway does with requests that come from outside: all its ways, on the listener of that name or on all.
    pub(crate) fn of_gateway(&self, proxy: &'m ProxyPlan, port: Option<&str>, sent: &Sent) -> Vec<Way<'m>> {
        let meant = proxy.listeners.iter().filter(|listener| port.is_none_or(|port| listener.name == port));
        let open = meant.filter(|listener| match &listener.kind {
            ListenerKind::Http(_) | ListenerKind::Tcp(_) => true,
            // East-west gateways pass on what sidecars send; routes of an ingress take TLS of clients.
            ListenerKind::PassThrough(_) => proxy.identity.is_some(),
            ListenerKind::Inbound(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => false,
        });
        open.flat_map(|listener| self.at(listener, sent)).collect()
    }

    pub(crate) fn at(&self, listener: &'m Listener, sent: &Sent) -> Vec<Way<'m>> {
        match &listener.kind {
            ListenerKind::Http(http) => self.requests(http, &listener.origin, sent),
            ListenerKind::Tcp(tcp) => self.connections(&tcp.to, Truth::Yes, &listener.origin),
            ListenerKind::PassThrough(pass) => pass
                .chains
                .iter()
                .flat_map(|chain| {
                    self.connections(&chain.to, matching::host(&chain.names, sent), &chain.origin)
                })
                .collect(),
            ListenerKind::Inbound(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => Vec::new(),
        }
    }

    /// Connections have no request, so no route, no timeout and no limit.
    fn connections(&self, to: &[WeightedUpstream], truth: Truth, by: &'m Origin) -> Vec<Way<'m>> {
        let to = self.destinations(to);
        if to.is_empty() || truth == Truth::No {
            return Vec::new();
        }
        let handled = Handled::Forwarded { to, timeout: None };
        vec![Way { truth, is_met: true, by, sent: Sent::ANY, handled, entrance: None, counted: Vec::new() }]
    }

    /// The routes that take a request, or may: of each host that it may be for.
    fn requests(&self, http: &'m HttpListener, by: &'m Origin, sent: &Sent) -> Vec<Way<'m>> {
        if let Some(unfit) = sent.unfit {
            self.log.told(Truth::No, || format!("a request that proxies forward: {}", unfit.why()));
            return vec![answered(unfit.status(), Truth::Yes, by, sent)];
        }
        let fitting = hosts(&http.virtual_hosts, sent);
        if fitting.is_empty() {
            self.log.told(Truth::No, || format!("a route for the host {}", wording::given(&sent.host)));
            return vec![answered(NOT_FOUND, Truth::Yes, by, sent)];
        }
        let mut ways = Vec::new();
        for host in fitting {
            // Applications name the callee that they connect to; clients outside may name anything.
            let named = sent.host.is_some() || !http.edge;
            let sure = if named { Truth::Yes } else { matching::host(&host.hosts, sent) };
            let mut rest = sure;
            let open = self.log.open(
                || format!("host {} (it is {})", host.hosts.join(" or "), wording::given(&sent.host)),
                Some(host.origin.span),
            );
            self.log.close(&open, sure);
            let inside = self.log.inside();
            for (position, route) in host.routes.iter().enumerate() {
                let before = host.routes.get(..position).unwrap_or_default();
                if before.iter().any(|before| covers(&before.matches, &route.matches)) {
                    inside.told(Truth::No, || {
                        format!("{}, after another that takes all of it", route.origin.name)
                    });
                    continue;
                }
                let open = inside.open(|| route.origin.name.to_string(), Some(route.origin.span));
                let takes = matching::matches_told(&route.matches, sent, inside.inside());
                inside.close(&open, takes);
                if takes == Truth::No {
                    continue;
                }
                let way = self.route(http, host, route, takes.and(rest), sent);
                let is_met = rest == Truth::Yes || examples::is_met(host, position, sent);
                ways.extend(way.map(|way| Way { is_met, ..way }));
                if takes == Truth::Yes {
                    rest = Truth::No;
                    break;
                }
                rest = Truth::Depends;
            }
            if rest != Truth::No {
                ways.push(answered(NOT_FOUND, rest, &host.origin, sent));
            }
        }
        ways
    }

    fn route(
        &self,
        http: &'m HttpListener,
        host: &'m VirtualHost,
        route: &'m HttpRoute,
        truth: Truth,
        sent: &Sent,
    ) -> Option<Way<'m>> {
        let HttpRoute { matches: _, filters, action, origin } = route;
        let entrance = [&http.entrance.rules, &host.entrance.rules].into_iter().flatten();
        let entrance = entrance.map(|rules| authorize(rules, Peer::Nobody, sent, self.log.inside()));
        let authorized = filters.iter().filter_map(Filter::authorization);
        let authorized = authorized.map(|rules| authorize(rules, Peer::Nobody, sent, self.log.inside()));
        let entrance = entrance.chain(authorized).reduce(strictest);
        let mut counted = limits::of_limits(&http.limits, sent);
        counted.extend(limits::of_limits(&host.limits, sent));
        counted.extend(limits::of_filters(filters, sent));
        let handled = match action {
            HttpAction::Forward {
                to,
                dead_share: _,
                hash: _,
                timeout,
                idle_timeout: _,
                retry: _,
                upgrades: _,
                deadlines: _,
            } => Handled::Forwarded { to: self.destinations(to), timeout: *timeout },
            HttpAction::Redirect(redirect) => Handled::Answered(redirect.status),
            HttpAction::Respond(respond) => Handled::Answered(respond.status),
        };
        let sent = sent.clone().changed(filters);
        Some(Way { truth, is_met: true, by: origin, sent, handled, entrance, counted })
    }

    fn destinations(&self, to: &[WeightedUpstream]) -> Vec<Destination> {
        let called = to.iter().filter(|one| one.weight > 0).filter_map(|one| {
            let called = self.callees.called(self.world, &one.upstream)?;
            Some(Destination {
                callee: called.callee,
                port: called.port,
                only: called.only,
                weight: one.weight,
            })
        });
        called.collect()
    }
}

fn answered<'m>(status: u16, truth: Truth, by: &'m Origin, sent: &Sent) -> Way<'m> {
    let handled = Handled::Answered(status);
    Way { truth, is_met: true, by, sent: sent.clone(), handled, entrance: None, counted: Vec::new() }
}

fn strictest<'m>(one: Admission<'m>, other: Admission<'m>) -> Admission<'m> {
    let rank = |admission: &Admission<'_>| match admission.verdict {
        Verdict::Admitted => 0,
        Verdict::Depends => 1,
        Verdict::Refused => 2,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

/// The hosts whose routes a request may meet: the most specific one that it is for, or all if its host is left open.
fn hosts<'m>(hosts: &'m [VirtualHost], sent: &Sent) -> Vec<&'m VirtualHost> {
    let Some(wanted) = &sent.host else { return hosts.iter().collect() };
    // Routes have no ports.
    let wanted = without_port(wanted);
    let fits = |pattern: &&String| meshc_vocabulary::model::contains_host(pattern, wanted);
    // A name as it is goes before any pattern, also before one of the same length.
    let nearness = |pattern: &String| (pattern == wanted, pattern.len());
    let nearest = |host: &&VirtualHost| host.hosts.iter().filter(fits).map(nearness).max();
    let fitting = hosts.iter().filter(|host| nearest(host).is_some());
    fitting.max_by_key(|host| nearest(host)).into_iter().collect()
}
