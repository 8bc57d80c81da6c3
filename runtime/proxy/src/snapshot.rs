//! Everything that follows from one configuration: what workers look things up in.
//!
//! A snapshot never changes. A reload builds the next one out of the new configuration and takes over, from the one
//! before, every upstream and every limit whose configuration is the same: their state goes on.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::app::{App, HttpApp};
use crate::counters::{ByStatus, Found};
use crate::filter::Filter;
use crate::filter::cors::Cors;
use crate::filter::headers::Changes;
use crate::filter::mirror::Mirror;
use crate::hosts::Hosts;
use crate::inside::Inside;
use crate::limit::LimitState;
use crate::limiter::{Limiter, Service};
use crate::operators::{Metrics, Readiness};
use crate::route::{Route, Routes, places_to_count};
use crate::shares::{Forwarding, Passing, TcpShares};
use crate::tls::{EdgeTls, Loaded, server_config};
use crate::upstream::{Originations, Upstream};
use meshd_config as config;
use meshd_config::{
    AppMetrics, Bounds, Config, Entrance, HostPattern, Http10, Inbound, InboundApp, InboundChain, Kind,
    Limit, Listener, PassThrough, PassThroughChain, Probe, RequestMatch, VirtualHost, WeightedUpstream,
};
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Everything that follows from one configuration.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The configuration.
    pub(crate) config: Arc<Config>,
    /// The text it was read from.
    pub(crate) source: String,
    /// The certificates in use.
    pub(crate) credentials: Option<Loaded>,
    /// The upstreams by name.
    pub(crate) upstreams: BTreeMap<String, Arc<Upstream>>,
    /// The listeners by address.
    pub(crate) listeners: BTreeMap<SocketAddr, Arc<ListenerState>>,
    /// Who counts for the whole mesh, by the upstream that it is.
    pub(crate) limiters: BTreeMap<String, Asked>,
    /// The limits by listener, chain and name.
    limits: BTreeMap<String, Arc<LimitState>>,
    /// What the groups of each upstream need for TLS towards servers outside.
    originations: Vec<(Arc<Upstream>, Originations)>,
}

/// An upstream that counts for the whole mesh, and the client that asks it.
pub(crate) type Asked = (Arc<Upstream>, Arc<Box<dyn Limiter>>);

/// A listener, ready for connections.
#[derive(Debug)]
pub(crate) struct ListenerState {
    /// The name in logs and metrics.
    pub(crate) name: String,
    /// Whether it has a socket of its own.
    pub(crate) has_socket: bool,
    /// Whether connections begin with the PROXY protocol's header.
    pub(crate) proxy_protocol: bool,
    /// What is done with a connection.
    pub(crate) kind: KindState,
    /// Where its connections are counted, and answers to requests for which there is no route.
    pub(crate) counted: (Found, ByStatus),
}

/// What is done with a connection.
#[derive(Debug)]
pub(crate) enum KindState {
    /// HTTP from the application or from strangers.
    Http {
        /// How to end TLS; `None` is plaintext.
        tls: Option<EdgeTls>,
        /// What is done with requests.
        app: HttpApp,
    },
    /// Bytes: where they go, with their shares.
    Tcp {
        /// How TLS is ended; `None` forwards what comes.
        tls: Option<EdgeTls>,
        /// Where the bytes go.
        shares: TcpShares,
    },
    /// Mutual TLS.
    Inbound {
        /// By server name.
        chains: BTreeMap<String, Arc<Chain>>,
        /// What happens to a connection that is not TLS.
        plaintext: Option<App>,
    },
    /// TLS that is never ended here.
    PassThrough {
        /// How long a client may take to send its ClientHello.
        hello_timeout: Duration,
        /// Which chain is for a server name.
        names: Hosts<usize>,
        /// Where bytes go, with their shares.
        chains: Vec<Passing>,
    },
    /// The readiness probe and the application's probes.
    Readiness(Readiness),
    /// The metrics page, and where the application serves its own.
    Metrics(Metrics),
    /// Connections that are meant for other listeners.
    Redirected,
}

/// Mutual TLS for certain names.
#[derive(Debug)]
pub(crate) struct Chain {
    /// How to end it.
    pub(crate) tls: Arc<ServerConfig>,
    /// What is behind it.
    pub(crate) app: App,
    /// Whether only health checks come here.
    pub(crate) checks: bool,
}

impl Snapshot {
    /// The snapshot of a configuration. The answer to what is wrong is a sentence.
    pub(crate) fn build(
        config: Arc<Config>,
        source: String,
        credentials: Option<Loaded>,
        previous: Option<&Snapshot>,
    ) -> Result<Self, String> {
        let mut builder = Builder {
            upstreams: BTreeMap::new(),
            limiters: BTreeMap::new(),
            limits: BTreeMap::new(),
            previous,
            credentials,
        };
        // The rest is taken up by `control`, which holds what is there once for the whole process.
        let Config {
            node: _,
            identity: _,
            listeners: wanted_listeners,
            upstreams: wanted_upstreams,
            rate_limit_service: _,
            dns: _,
            bounds,
            access_log: _,
            admin: _,
        } = &*config;
        let Bounds { memory: _, connections: _ } = bounds;
        for (name, wanted) in wanted_upstreams {
            let known = previous.and_then(|previous| previous.upstreams.get(name));
            let upstream = match known.filter(|known| known.config == *wanted) {
                Some(known) => Arc::clone(known),
                None => Upstream::new(name, wanted),
            };
            builder.upstreams.insert(name.clone(), upstream);
        }
        let upstreams = builder.upstreams.values();
        let read = upstreams.map(|upstream| Ok((Arc::clone(upstream), upstream.read_originations()?)));
        let originations = read.collect::<Result<_, String>>()?;
        let mut listeners = BTreeMap::new();
        for listener in wanted_listeners {
            let Listener { name, bind, redirected, proxy_protocol, kind } = listener;
            let kind = builder.kind(name, kind)?;
            let state = ListenerState {
                name: name.clone(),
                has_socket: !redirected,
                proxy_protocol: *proxy_protocol,
                kind,
                counted: Default::default(),
            };
            listeners.insert(*bind, Arc::new(state));
        }
        let Builder { upstreams, limiters, limits, credentials, previous: _ } = builder;
        Ok(Snapshot { config, source, credentials, upstreams, listeners, limiters, limits, originations })
    }

    /// What is in force before anything is: nothing.
    pub(crate) fn empty(config: &Arc<Config>) -> Self {
        Snapshot {
            config: Arc::clone(config),
            source: String::new(),
            credentials: None,
            upstreams: BTreeMap::new(),
            listeners: BTreeMap::new(),
            limiters: BTreeMap::new(),
            limits: BTreeMap::new(),
            originations: Vec::new(),
        }
    }

    /// Lets its upstreams connect with its certificates: the last step before it takes effect, since upstreams are
    /// shared with the snapshot before.
    pub(crate) fn adopt(&self) -> Result<(), String> {
        for (upstream, read) in &self.originations {
            upstream.originate(read);
        }
        let Some(credentials) = &self.credentials else { return Ok(()) };
        self.upstreams
            .values()
            .try_for_each(|upstream| upstream.trust(credentials).map_err(|error| error.to_string()))
    }
}

struct Builder<'a> {
    upstreams: BTreeMap<String, Arc<Upstream>>,
    limiters: BTreeMap<String, Asked>,
    limits: BTreeMap<String, Arc<LimitState>>,
    previous: Option<&'a Snapshot>,
    credentials: Option<Loaded>,
}

impl Builder<'_> {
    fn upstream(&self, name: &str) -> Result<Arc<Upstream>, String> {
        self.upstreams.get(name).cloned().ok_or_else(|| format!("there is no upstream `{name}`"))
    }

    fn kind(&mut self, listener: &str, kind: &Kind) -> Result<KindState, String> {
        Ok(match kind {
            Kind::Http { edge, tls, http10, entrance, limits, virtual_hosts } => {
                let limits =
                    limits.iter().map(|limit| self.limit(limit, listener)).collect::<Result<_, String>>()?;
                let mut routes = Routes::default();
                for virtual_host in virtual_hosts {
                    let VirtualHost { name, hosts, entrance, limits, routes: wanted } = virtual_host;
                    let place = format!("{listener}/{name}");
                    let of_all = limits.iter().map(|limit| self.limit(limit, &place));
                    let of_all = of_all.collect::<Result<Vec<_>, String>>()?;
                    let made: Result<Vec<_>, String> = wanted
                        .iter()
                        .enumerate()
                        .map(|(i, route)| self.route(route, (entrance, &of_all), &place, i))
                        .collect();
                    routes.add(hosts, made?);
                }
                let tls = match tls {
                    None => None,
                    Some(tls) => Some(EdgeTls::load(tls)?),
                };
                KindState::Http {
                    tls,
                    app: HttpApp {
                        entrance: Filter::of(entrance),
                        limits,
                        routes,
                        edge: *edge,
                        http10: http10
                            .as_ref()
                            .map(|Http10 { default_host }| Http10 { default_host: default_host.clone() }),
                        vouching: Vec::new(),
                        anonymous: false,
                    },
                }
            }
            Kind::Tcp { tls, to, failover, max_connect_attempts, idle_timeout, clients } => {
                let once = (*max_connect_attempts, *idle_timeout);
                let shares =
                    TcpShares::new((to, *failover), once, clients.as_ref(), |name| self.upstream(name))?;
                KindState::Tcp { tls: tls.as_ref().map(EdgeTls::load).transpose()?, shares }
            }
            Kind::Inbound(inbound) => {
                let Inbound { chains: wanted, plaintext } = inbound;
                let mut chains = BTreeMap::new();
                for chain in wanted {
                    let InboundChain { sni, peers, app, checks } = chain;
                    let app = self.app(app, &format!("{listener}/{}", sni.join(",")))?;
                    let http = matches!(app, App::Http(_));
                    let credentials = self.credentials.as_ref().ok_or("mutual TLS needs an identity")?;
                    let tls = server_config(credentials, peers, http).map_err(|error| error.to_string())?;
                    let chain_state = Arc::new(Chain { tls, app, checks: *checks });
                    for name in sni {
                        chains.insert(name.clone(), Arc::clone(&chain_state));
                    }
                }
                let plaintext = match plaintext {
                    None => None,
                    Some(app) => Some(self.app(app, &format!("{listener}/plaintext"))?),
                };
                KindState::Inbound { chains, plaintext }
            }
            Kind::PassThrough(pass_through) => {
                let PassThrough { hello_timeout, chains: wanted } = pass_through;
                let (mut names, mut chains) = (Hosts::default(), Vec::with_capacity(wanted.len()));
                for chain in wanted {
                    let PassThroughChain {
                        sni,
                        to,
                        failover,
                        idle_timeout,
                        max_connect_attempts,
                        checks,
                        clients,
                    } = chain;
                    names.add(sni, chains.len());
                    let once = (*max_connect_attempts, *idle_timeout);
                    let shares =
                        TcpShares::new((to, *failover), once, clients.as_ref(), |name| self.upstream(name))?;
                    chains.push(Passing { shares, checks: *checks });
                }
                KindState::PassThrough { hello_timeout: *hello_timeout, names, chains }
            }
            Kind::Readiness { ready_path, live_path, probes } => {
                let asked = probes.iter().map(|probe| {
                    let Probe { path: _, upstream, app_path: _, timeout: _ } = probe;
                    Ok((probe.clone(), self.upstream(upstream)?))
                });
                KindState::Readiness(Readiness {
                    ready_path: ready_path.clone(),
                    live_path: live_path.clone(),
                    probes: asked.collect::<Result<_, String>>()?,
                })
            }
            Kind::Metrics { path, app } => KindState::Metrics(Metrics {
                path: path.clone(),
                app: match app {
                    None => None,
                    Some(app) => {
                        let AppMetrics { served_at: _, upstream, path: _, timeout: _ } = app;
                        Some((app.clone(), self.upstream(upstream)?))
                    }
                },
            }),
            Kind::Redirected => KindState::Redirected,
        })
    }

    fn app(&mut self, app: &InboundApp, place: &str) -> Result<App, String> {
        Ok(match app {
            InboundApp::Tcp { upstream, max_connect_attempts } => App::Tcp(Arc::new(Forwarding {
                upstream: self.upstream(upstream)?,
                max_connect_attempts: *max_connect_attempts,
                idle_timeout: None,
            })),
            InboundApp::Tls { upstream, names, hello_timeout, max_connect_attempts } => {
                let mut admitted = Hosts::default();
                admitted.add(names, ());
                App::Tls(Arc::new(Inside {
                    names: admitted,
                    hello_timeout: *hello_timeout,
                    forwarding: Arc::new(Forwarding {
                        upstream: self.upstream(upstream)?,
                        max_connect_attempts: *max_connect_attempts,
                        idle_timeout: None,
                    }),
                }))
            }
            InboundApp::Http { upstream, timeout, upgrades, vouching, anonymous, retry, filters } => {
                let route = Route {
                    name: String::new(),
                    matching: RequestMatch::any(),
                    to: vec![(self.upstream(upstream)?, 1)],
                    hash: Vec::new(),
                    answer: None,
                    failover: false,
                    timeout: *timeout,
                    idle_timeout: None,
                    retry: retry.clone(),
                    upgrades: upgrades.clone(),
                    grpc_deadlines: false,
                    filters: self.filters(filters, place, (*timeout, None))?,
                    counted: places_to_count(1),
                };
                let mut routes = Routes::default();
                routes.add(&[HostPattern::Any], vec![Arc::new(route)]);
                App::Http(HttpApp {
                    entrance: Vec::new(),
                    limits: Vec::new(),
                    routes,
                    edge: None,
                    http10: None,
                    vouching: vouching.clone(),
                    anonymous: *anonymous,
                })
            }
        })
    }

    fn route(
        &mut self,
        route: &meshd_config::Route,
        (entrance, limits): (&Entrance, &[Arc<LimitState>]),
        place: &str,
        position: usize,
    ) -> Result<Arc<Route>, String> {
        let meshd_config::Route {
            name,
            matching,
            to,
            failover,
            hash,
            answer,
            timeout,
            idle_timeout,
            retry,
            upgrades,
            grpc_deadlines,
            filters,
        } = route;
        let mut filters = self.filters(filters, &format!("{place}/{position}"), (*timeout, *idle_timeout))?;
        filters.splice(0..0, Filter::of(entrance));
        let who = filters.iter().take_while(|filter| filter.says_who()).count();
        filters.splice(who..who, limits.iter().cloned().map(Filter::Limit));
        let to = to.iter().map(|to| {
            let WeightedUpstream { upstream, weight } = to;
            Ok((self.upstream(upstream)?, *weight))
        });
        Ok(Arc::new(Route {
            name: name.clone(),
            matching: matching.clone(),
            to: to.collect::<Result<_, String>>()?,
            hash: hash.clone(),
            answer: answer.clone(),
            failover: *failover,
            timeout: *timeout,
            idle_timeout: *idle_timeout,
            retry: retry.clone(),
            upgrades: upgrades.clone(),
            grpc_deadlines: *grpc_deadlines,
            filters,
            counted: places_to_count(route.to.len()),
        }))
    }

    /// The filters of a route. What is copied may take as long as the route.
    fn filters(
        &mut self,
        filters: &[config::filter::Filter],
        place: &str,
        (timeout, idle_timeout): (Option<Duration>, Option<Duration>),
    ) -> Result<Vec<Filter>, String> {
        let made = filters.iter().map(|filter| {
            Ok(match filter {
                config::filter::Filter::Authorize(authorization) => Filter::Authorize(authorization.clone()),
                config::filter::Filter::Audit(rules) => Filter::Audit(rules.clone()),
                config::filter::Filter::Limit(limit) => Filter::Limit(self.limit(limit, place)?),
                config::filter::Filter::RequestHeaders(changes) => {
                    Filter::RequestHeaders(Changes::new(changes)?)
                }
                config::filter::Filter::Mirror(config::filter::Mirror { upstream, share }) => {
                    let route = Route {
                        name: String::new(),
                        matching: RequestMatch::any(),
                        to: vec![(self.upstream(upstream)?, 1)],
                        hash: Vec::new(),
                        answer: None,
                        failover: false,
                        timeout,
                        idle_timeout,
                        retry: None,
                        upgrades: Vec::new(),
                        grpc_deadlines: false,
                        filters: Vec::new(),
                        counted: places_to_count(1),
                    };
                    Filter::Mirror(Mirror { route: Arc::new(route), share: *share })
                }
                config::filter::Filter::Cors(cors) => Filter::Cors(Cors::new(cors)?),
                config::filter::Filter::Delay(delay) => Filter::Delay(delay.clone()),
                config::filter::Filter::Abort(abort) => Filter::Abort(abort.clone()),
                config::filter::Filter::Rewrite(rewrite) => Filter::Rewrite(rewrite.clone()),
                config::filter::Filter::ResponseHeaders(changes) => {
                    Filter::ResponseHeaders(Changes::new(changes)?)
                }
            })
        });
        made.collect()
    }

    /// A limit with its counters, those of the snapshot before where nothing changed.
    fn limit(&mut self, limit: &Limit, place: &str) -> Result<Arc<LimitState>, String> {
        let key = format!("{place}/{}", limit.name);
        let known = self.previous.and_then(|previous| previous.limits.get(&key));
        let state = match known.filter(|known| known.config == *limit) {
            Some(known) => Arc::clone(known),
            None => Arc::new(LimitState::new(limit)),
        };
        if let Some(name) = state.asks() {
            let upstream = self.upstream(name)?;
            let known = self.previous.and_then(|previous| previous.limiters.get(name));
            let same = known.filter(|(known, _)| Arc::ptr_eq(known, &upstream)).cloned();
            let asked =
                || (Arc::clone(&upstream), Arc::new(Box::new(Service::over(&upstream)) as Box<dyn Limiter>));
            self.limiters.entry(name.to_owned()).or_insert_with(|| same.unwrap_or_else(asked));
        }
        self.limits.insert(key, Arc::clone(&state));
        Ok(state)
    }
}
