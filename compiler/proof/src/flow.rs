//! What is proved: each call and each rule of a route, at each proxy that sends its requests on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lang_diagnostics::{Origin, Span};
use meshc_answers::{Callees, Truth, World, enters};
use meshc_plan::filter::Filter;
use meshc_plan::{
    GlobalLimit, HttpAction, HttpListener, Limit, ListenerKind, ProxyPlan, RetryPlan, Role, Upstream,
    WeightedUpstream, called_at_listener,
};
use meshc_resolve::covers;
use meshc_topology::{ProxyKey, Reach};
use meshc_vocabulary::model::{Callee, Cluster, DataPlane, DeadShare, Id, Model, RouteRule, Service};

/// One call, or one rule, at one proxy.
#[derive(Clone, Debug)]
pub(crate) struct Flow<'m> {
    /// The proxy.
    pub(crate) from: ProxyKey,
    /// Where it runs.
    pub(crate) cluster: Id<Cluster>,
    /// Which program the proxy is.
    pub(crate) data_plane: DataPlane,
    /// What the application calls; `None` at a gateway.
    pub(crate) called: Option<(Callee, usize)>,
    /// The rule or the call that says so.
    pub(crate) by: &'m Origin,
    /// The rule of a route, if it is one.
    pub(crate) rule: Option<&'m RouteRule>,
    /// Where requests go; never empty.
    pub(crate) to: Vec<Share<'m>>,
    /// What becomes of the share of a destination that is dead.
    pub(crate) dead_share: DeadShare,
    /// When a request is sent again; `None` for connections.
    pub(crate) retry: Option<&'m RetryPlan>,
    /// How long a request may take.
    pub(crate) timeout: Option<Duration>,
    /// Limits that another service counts, at this proxy.
    pub(crate) limits: Vec<&'m GlobalLimit>,
    /// What a gateway's own rules make of its clients' requests.
    pub(crate) enters: Truth,
    /// Where it is said that it is critical.
    pub(crate) critical: Option<Span>,
}

/// One of the destinations of a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share<'m> {
    pub(crate) reach: &'m Reach,
    pub(crate) upstream: &'m Upstream,
    /// The only cluster that is meant, where clusters have shares.
    pub(crate) only: Option<Id<Cluster>>,
    pub(crate) weight: u32,
}

/// Finds flows.
struct Finder<'w, 'm> {
    world: &'w World<'m>,
    callees: &'w Callees,
    rules: BTreeMap<Span, &'m RouteRule>,
    /// Calls that are critical: of a port, or of all.
    critical: Vec<(Id<Service>, Callee, Option<usize>, Span)>,
}

/// All flows of a mesh, in order of the proxy.
pub(crate) fn flows<'m>(world: &World<'m>, callees: &Callees) -> Vec<Flow<'m>> {
    let routes = world.model.routes.iter();
    let rules = routes.flat_map(|(_, route)| &route.rules).map(|rule| (rule.origin.span, rule)).collect();
    let finder = Finder { world, callees, rules, critical: critical_calls(world) };
    let keys = world.topology.reaches.keys();
    let mut flows: Vec<Flow<'m>> = keys
        .filter_map(|key| Some((*key, world.proxy(*key)?)))
        .flat_map(|(key, proxy)| finder.of(key, proxy))
        .collect();
    // A rule with several conditions is several routes, and may be served at several ports.
    let mut known = BTreeSet::new();
    flows.retain(|flow| known.insert((flow.from, flow.called, flow.by.span)));
    flows
}

impl Flow<'_> {
    /// Whether other destinations take the share of one that is dead.
    pub(crate) fn hands_on(&self) -> bool {
        match self.dead_share {
            DeadShare::Kept => false,
            DeadShare::ToOthers => self.to.len() > 1,
        }
    }
}

impl<'m> Finder<'_, 'm> {
    fn of(&self, key: ProxyKey, proxy: &'m ProxyPlan) -> Vec<Flow<'m>> {
        match proxy.role {
            Role::Sidecar(_) | Role::IngressGateway(_) => {}
            // What they pass on is a part of the ways of others.
            Role::EastWestGateway(_) | Role::EgressGateway(_) => return Vec::new(),
        }
        let mut flows = Vec::new();
        for listener in &proxy.listeners {
            let called = called_at_listener(&listener.name).and_then(|(service, namespace, number)| {
                let upstream = meshc_plan::upstream_name(service, namespace, number);
                let called = self.callees.called(self.world, &upstream)?;
                Some((called.callee, called.port))
            });
            match (&listener.kind, key) {
                (ListenerKind::Http(http), _) => flows.extend(self.requests(key, proxy, called, http)),
                (ListenerKind::Tcp(tcp), _) => {
                    let by = &listener.origin;
                    flows.extend(self.connections(key, proxy, called, by, &tcp.to, tcp.dead_share));
                }
                (ListenerKind::PassThrough(pass), _) => {
                    for chain in &pass.chains {
                        let by = &chain.origin;
                        flows.extend(self.connections(key, proxy, called, by, &chain.to, chain.dead_share));
                    }
                }
                (
                    ListenerKind::Inbound(_)
                    | ListenerKind::Redirected
                    | ListenerKind::Readiness(_)
                    | ListenerKind::Metrics(_),
                    _,
                ) => {}
            }
        }
        flows
    }

    fn requests(
        &self,
        key: ProxyKey,
        proxy: &'m ProxyPlan,
        called: Option<(Callee, usize)>,
        http: &'m HttpListener,
    ) -> Vec<Flow<'m>> {
        let mut flows = Vec::new();
        for host in http.virtual_hosts.iter() {
            for (position, route) in host.routes.iter().enumerate() {
                let before = host.routes.get(..position).unwrap_or_default();
                if before.iter().any(|before| covers(&before.matches, &route.matches)) {
                    continue;
                }
                let HttpAction::Forward {
                    to,
                    dead_share,
                    hash: _,
                    timeout,
                    idle_timeout: _,
                    retry,
                    upgrades: _,
                    deadlines: _,
                } = &route.action
                else {
                    continue;
                };
                let limits = http.limits.iter().chain(&host.limits).filter_map(global);
                let limits = limits.chain(route.filters.iter().filter_map(global_filter));
                let rules = [&http.entrance.rules, &host.entrance.rules].into_iter().flatten();
                let rules = rules.chain(route.filters.iter().filter_map(Filter::authorization));
                let found = self.connections(key, proxy, called, &route.origin, to, *dead_share);
                flows.extend(found.map(|flow| Flow {
                    retry: Some(retry),
                    timeout: *timeout,
                    limits: limits.collect(),
                    enters: Truth::all(rules.map(enters)),
                    ..flow
                }));
            }
        }
        flows
    }

    fn connections(
        &self,
        key: ProxyKey,
        proxy: &'m ProxyPlan,
        called: Option<(Callee, usize)>,
        by: &'m Origin,
        to: &[WeightedUpstream],
        dead_share: DeadShare,
    ) -> Option<Flow<'m>> {
        let to: Vec<Share<'m>> = to.iter().filter_map(|one| self.share(key, proxy, one)).collect();
        let rule = self.rules.get(&by.span).copied();
        let critical = rule.and_then(|rule| rule.critical).or_else(|| self.critical(key, called?));
        let flow = Flow {
            from: key,
            cluster: proxy.cluster,
            data_plane: self.world.model.data_plane(proxy.cluster),
            called,
            by,
            rule,
            to,
            dead_share,
            retry: None,
            timeout: None,
            limits: Vec::new(),
            enters: Truth::Yes,
            critical,
        };
        (!flow.to.is_empty()).then_some(flow)
    }

    fn critical(&self, key: ProxyKey, (callee, port): (Callee, usize)) -> Option<Span> {
        let ProxyKey::Sidecar { cluster: _, service } = key else { return None };
        let service = self.world.model.whole(service);
        let mut own = self.critical.iter().filter(|(caller, called, only, _)| {
            (*caller, *called) == (service, callee) && only.is_none_or(|only| only == port)
        });
        own.next().map(|(_, _, _, span)| *span)
    }

    fn share(&self, key: ProxyKey, proxy: &'m ProxyPlan, to: &WeightedUpstream) -> Option<Share<'m>> {
        if to.weight == 0 {
            return None;
        }
        let called = self.callees.called(self.world, &to.upstream)?;
        let reaches = self.world.topology.reaches.get(&key)?;
        let place = reaches.binary_search_by_key(&(called.callee, called.port), |it| (it.callee, it.port));
        let reach = reaches.get(place.ok()?)?;
        let upstream = proxy.upstreams.iter().find(|upstream| upstream.name == to.upstream)?;
        Some(Share { reach, upstream, only: called.only, weight: to.weight })
    }
}

fn critical_calls(world: &World<'_>) -> Vec<(Id<Service>, Callee, Option<usize>, Span)> {
    let model = world.model;
    let mut found = Vec::new();
    for (id, service) in model.services.iter() {
        for call in &service.calls {
            let Some(span) = call.critical else { continue };
            let named = |name: &String| model.ports(call.callee).iter().position(|port| port.name == *name);
            found.push((id, call.callee, call.port.as_ref().and_then(|port| named(&port.value)), span));
        }
    }
    found
}

/// Whether something in a mesh is critical.
pub(crate) fn has_critical(model: &Model) -> bool {
    let calls = model.services.iter().flat_map(|(_, service)| &service.calls);
    let rules = model.routes.iter().flat_map(|(_, route)| &route.rules);
    calls.into_iter().any(|call| call.critical.is_some())
        || rules.into_iter().any(|rule| rule.critical.is_some())
}

fn global(limit: &Limit) -> Option<&GlobalLimit> {
    match limit {
        Limit::Global(limit) => Some(limit),
        Limit::Local(_) => None,
    }
}

/// A limit that another service counts.
pub(crate) fn global_filter(filter: &Filter) -> Option<&GlobalLimit> {
    match filter {
        Filter::GlobalLimit(limit) => Some(limit),
        Filter::Authorize(_)
        | Filter::Audit(_)
        | Filter::LocalLimit(_)
        | Filter::RequestHeaders(_)
        | Filter::ResponseHeaders(_)
        | Filter::Cors(_)
        | Filter::Delay(_)
        | Filter::Abort(_)
        | Filter::Rewrite(_)
        | Filter::Mirror(_) => None,
    }
}
