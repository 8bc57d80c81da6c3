//! The parts of a proxy that behaviours are about, each with what asked for it.

use lang_diagnostics::Origin;
use meshc_plan::filter::Filter;
use meshc_plan::{
    AccessRule, Audit, Authorization, Entrance, InboundChain, InboundProtocol, Limit, LimitBucket,
    ListenerKind, ProxyPlan, Role, UpstreamProtocol,
};
use meshc_vocabulary::model::HttpMatch;

/// What a proxy is told, sorted.
#[derive(Default)]
pub(super) struct Parts<'p> {
    /// Conditions on requests, of routes and limits.
    pub(super) routes: Vec<(&'p HttpMatch, &'p Origin)>,
    /// Those of rules about who may send them.
    pub(super) rules: Vec<(&'p HttpMatch, &'p Origin)>,
    /// The counters of limits, whoever counts.
    pub(super) buckets: Vec<(&'p LimitBucket, &'p Origin)>,
    /// Limits, whoever counts.
    pub(super) limits: Vec<&'p Origin>,
    /// Ports at which HTTP is taken.
    pub(super) http: Vec<&'p Origin>,
    /// Ports at which bytes are taken that go from sidecar to sidecar over mTLS, or outside.
    pub(super) bytes: Vec<&'p Origin>,
    /// Upstreams that are sent gRPC, or other requests over HTTP/2.
    pub(super) grpc: Vec<&'p Origin>,
    /// Ports of egress gateways at which TLS inside the mesh's own is ended up to its names.
    pub(super) inside: Vec<&'p Origin>,
}

impl<'p> Parts<'p> {
    pub(super) fn of(proxy: &'p ProxyPlan) -> Self {
        let http2 = proxy.upstreams.iter().filter(|upstream| match upstream.protocol {
            UpstreamProtocol::Http2 => true,
            UpstreamProtocol::HttpLikeDownstream | UpstreamProtocol::Http1 | UpstreamProtocol::Tcp => false,
        });
        let grpc = http2.map(|upstream| &upstream.origin).collect();
        let mut parts = Self { grpc, ..Self::default() };
        for listener in &proxy.listeners {
            match &listener.kind {
                ListenerKind::Http(http) => {
                    parts.http.push(&listener.origin);
                    parts.entrance(&http.entrance);
                    parts.limits(&http.limits);
                    for host in http.virtual_hosts.iter() {
                        parts.entrance(&host.entrance);
                        parts.limits(&host.limits);
                        for route in &host.routes {
                            parts.routes.push((&route.matches, &route.origin));
                            parts.filters(&route.filters);
                        }
                    }
                }
                ListenerKind::Inbound(inbound) => {
                    inbound.chains.iter().for_each(|chain| parts.chain(chain, proxy.role));
                }
                ListenerKind::Tcp(_) => parts.bytes.push(&listener.origin),
                ListenerKind::PassThrough(_)
                | ListenerKind::Redirected
                | ListenerKind::Readiness(_)
                | ListenerKind::Metrics(_) => {}
            }
        }
        parts
    }

    fn chain(&mut self, chain: &'p InboundChain, role: Role) {
        for protocol in std::iter::once(&chain.protocol).chain(&chain.plain) {
            match protocol {
                InboundProtocol::Http {
                    app_http2: _,
                    upgrades: _,
                    vouching: _,
                    told: _,
                    retry: _,
                    filters,
                } => {
                    self.http.push(&chain.origin);
                    self.filters(filters);
                }
                InboundProtocol::Tcp { connect_attempts: _ } => self.bytes.push(&chain.origin),
                InboundProtocol::Tls { names: _, hello_timeout: _, connect_attempts: _ } => {
                    self.bytes.push(&chain.origin);
                    match role {
                        Role::EgressGateway(_) => self.inside.push(&chain.origin),
                        Role::Sidecar(_) | Role::IngressGateway(_) | Role::EastWestGateway(_) => {}
                    }
                }
            }
        }
    }

    fn filters(&mut self, filters: &'p [Filter]) {
        for filter in filters {
            match filter {
                Filter::Authorize(rules) => self.authorization(rules),
                Filter::Audit(audit) => self.audit(audit),
                Filter::LocalLimit(limit) => self.limit(&limit.matches, &limit.buckets, &limit.origin),
                Filter::GlobalLimit(limit) => self.limit(&limit.matches, &limit.buckets, &limit.origin),
                Filter::RequestHeaders(_)
                | Filter::ResponseHeaders(_)
                | Filter::Cors(_)
                | Filter::Delay(_)
                | Filter::Abort(_)
                | Filter::Rewrite(_)
                | Filter::Mirror(_) => {}
            }
        }
    }

    fn limits(&mut self, limits: &'p [Limit]) {
        for limit in limits {
            match limit {
                Limit::Local(limit) => self.limit(&limit.matches, &limit.buckets, &limit.origin),
                Limit::Global(limit) => self.limit(&limit.matches, &limit.buckets, &limit.origin),
            }
        }
    }

    fn limit(&mut self, matches: &'p HttpMatch, buckets: &'p [LimitBucket], origin: &'p Origin) {
        self.limits.push(origin);
        self.routes.push((matches, origin));
        self.buckets.extend(buckets.iter().map(|bucket| (bucket, origin)));
    }

    fn entrance(&mut self, entrance: &'p Entrance) {
        let Entrance { rules, tried } = entrance;
        rules.iter().for_each(|rules| self.authorization(rules));
        tried.iter().for_each(|audit| self.audit(audit));
    }

    fn authorization(&mut self, rules: &'p Authorization) {
        let Authorization { deny, allow } = rules;
        self.rules(deny.iter().chain(allow));
    }

    fn audit(&mut self, audit: &'p Audit) {
        let Audit { deny, allow } = audit;
        self.rules(deny.iter().chain(allow.iter().flatten()));
    }

    fn rules(&mut self, rules: impl Iterator<Item = &'p AccessRule>) {
        for rule in rules {
            self.rules.extend(rule.matches().map(|matches| (matches, &rule.origin)));
        }
    }
}
