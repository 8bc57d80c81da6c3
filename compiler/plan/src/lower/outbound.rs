//! The outbound side of a sidecar: a listener for each callee port at the callee's virtual address.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use lang_diagnostics::{Diagnostic, Origin, Sink, Span};
use meshc_resolve::{CalledPort, Conduct, Through, covers_all};
use meshc_topology::{Asked, Reach};
use meshc_vocabulary::model::{
    Callee, Capture, Cluster, DeadShare, HttpMatch, Id, Port, Protocol, Route, Service,
};

use super::Extent;
use super::context::Context;
use super::headers::{self, Known};
use super::policy::AtCaller;
use super::policy::balance::{self, Sender};
use super::policy::conduct::Handling;
use super::rule::{self, Reaches};
use super::shared::Vicinity;
use super::{calls, outside, upgrade, upstream};
use crate::{
    Entrance, HttpAction, HttpListener, HttpRoute, Listener, ListenerKind, Socket, TcpListener, Upstream,
    VirtualHost, VirtualRange, WeightedUpstream, codes, outbound_listener, paths, virtual_address,
};

/// How many endpoints a TCP connection is tried at: once more than the first, as HTTP requests are by default.
pub(super) const CONNECT_ATTEMPTS: u32 = 2;

/// What a sidecar's outbound side adds to its plan.
pub(super) struct Outbound {
    pub(super) listeners: Vec<Listener>,
    pub(super) upstreams: Vec<Arc<Upstream>>,
    pub(super) host_aliases: Vec<(IpAddr, Arc<[String]>)>,
    /// The lowest number that is called; none if nothing is.
    pub(super) lowest_port: Option<u16>,
}

impl Outbound {
    /// With room for so many callees, and for what a sidecar has besides: there are as many of these lists as proxies, so
    /// they do not grow step by step.
    fn with_capacity(callees: usize) -> Self {
        let besides = 3;
        Self {
            listeners: Vec::with_capacity(callees + besides),
            upstreams: Vec::with_capacity(callees + besides),
            host_aliases: Vec::with_capacity(callees),
            lowest_port: None,
        }
    }
}

pub(super) fn lower(
    context: &Context<'_>,
    cluster: Id<Cluster>,
    caller_id: Id<Service>,
    reaches: &[Reach],
    sink: &mut Sink,
) -> Outbound {
    let caller = context.model.services.at(caller_id);
    let capture = context.resolved.captured_in(caller_id, cluster).capture();
    let range = VirtualRange::of(capture, context.family(cluster));
    // Most sidecars have no route to follow.
    let by_port = OnceCell::new();
    // Most routes tell nobody who calls.
    let identity = OnceCell::new();
    let mut outbound = Outbound::with_capacity(match context.extent {
        Extent::Whole => reaches.len(),
        Extent::Findings => 0,
    });
    let mut addresses: BTreeMap<IpAddr, Callee> = BTreeMap::new();
    let mut names: BTreeMap<String, Callee> = BTreeMap::new();
    // Names of services are apart by their making.
    let outside = reaches.iter().any(|reach| is_outside(reach.callee));
    for reach in reaches {
        let Some(port) = context.called(reach.callee).ports.get(reach.port) else { continue };
        match context.extent {
            Extent::Whole => {
                let upstreams = context.shared.upstreams(context, cluster, reach, port);
                outbound.upstreams.extend(upstreams.iter().cloned());
            }
            Extent::Findings => {}
        }
        match reach.asked {
            Asked::ByName => {}
            Asked::ByRoute => continue,
        }
        let call = reach.origins.first().unwrap_or(&port.origin);
        let address = address(context, range, reach.callee, call, sink);
        match addresses.get(&address) {
            Some(other) if *other != reach.callee => {
                same_address(context, address, range, [*other, reach.callee], sink);
                continue;
            }
            Some(_) => {}
            None => {
                addresses.insert(address, reach.callee);
                if outside || context.extent == Extent::Whole {
                    let vicinity = vicinity(context, caller, reach.callee);
                    let aliases = context.shared.names(context, cluster, reach.callee, vicinity);
                    for alias in aliases.iter().filter(|_| outside) {
                        if let Some(other) = names.insert(alias.clone(), reach.callee) {
                            same_name(context, alias, [other, reach.callee], sink);
                        }
                    }
                    if !aliases.is_empty() {
                        outbound.host_aliases.push((address, aliases));
                    }
                }
            }
        }
        outbound.lowest_port = outbound.lowest_port.into_iter().chain([port.number]).min();
        let route = route_of(context, caller_id, reach);
        match (context.extent, route) {
            // Nobody wrote anything about how these are sent.
            (Extent::Findings, None) => continue,
            (Extent::Findings, Some(_)) | (Extent::Whole, _) => {}
        }
        let told = route.is_some_and(|route| headers::tells_caller(context.model.routes.at(route)));
        let called = Called {
            cluster,
            reach,
            port,
            routed: route.map(|route| (route, by_port.get_or_init(|| rule::by_port(reaches)))),
            caller: told.then(|| {
                let identity =
                    identity.get_or_init(|| context.model.service_identity(caller_id, cluster).to_string());
                identity.as_str()
            }),
        };
        outbound.listeners.push(listener(context, &called, capture, address, sink));
    }
    outbound.host_aliases.sort();
    if capture == Capture::Redirect && outbound.lowest_port.is_some() {
        outbound.listeners.push(redirected(context, cluster, &caller.origin));
    }
    outbound
}

/// A callee port as the callers of one cluster see it whose calls the same route takes.
pub(super) struct Called<'a> {
    /// Where the callers run.
    pub(super) cluster: Id<Cluster>,
    pub(super) reach: &'a Reach,
    pub(super) port: &'a Port,
    /// The route that takes their calls, with what they reach.
    pub(super) routed: Option<(Id<Route>, &'a Reaches<'a>)>,
    /// The identity of one of the callers, where the route says to others who it is.
    pub(super) caller: Option<&'a str>,
}

/// The route that takes a caller's calls of a port.
fn route_of(context: &Context<'_>, caller: Id<Service>, reach: &Reach) -> Option<Id<Route>> {
    match reach.callee {
        Callee::Service(callee) => context.resolved.route_of(CalledPort { caller, callee, port: reach.port }),
        Callee::External(_) => None,
    }
}

fn listener(
    context: &Context<'_>,
    call: &Called<'_>,
    capture: Capture,
    address: IpAddr,
    sink: &mut Sink,
) -> Listener {
    let Called { cluster: _, reach, port, routed, caller: _ } = *call;
    let called = context.called(reach.callee);
    let kind = if port.protocol.is_http() {
        let virtual_hosts = context.shared.virtual_hosts(context, call, sink);
        ListenerKind::Http(HttpListener {
            edge: false,
            tls: None,
            http10: None,
            entrance: Entrance::default(),
            limits: Vec::new(),
            virtual_hosts,
        })
    } else if let (Callee::External(id), Protocol::Tls) = (reach.callee, port.protocol) {
        ListenerKind::PassThrough(outside::pass_through(context, id, port))
    } else {
        let shares = routed.and_then(|(route, reaches)| calls::shares(context, route, reaches, sink));
        let (to, dead_share, idle_timeout) = shares.unwrap_or_else(|| {
            // A connection is not sent again, and what it carries has no bound but on silence.
            let Conduct { timeout: _, idle, retry: _ } =
                context.resolved.conduct(Through::Call, reach.callee, port);
            let (to, dead_share) = destination(context, reach, port);
            (to, dead_share, idle.value)
        });
        ListenerKind::Tcp(TcpListener {
            tls: None,
            to,
            connect_attempts: CONNECT_ATTEMPTS,
            dead_share,
            idle_timeout,
            clients: None,
        })
    };
    Listener {
        name: outbound_listener(called.name, called.namespace, port.number),
        address: SocketAddr::new(address, port.number),
        socket: match capture {
            Capture::Loopback => Socket::Own,
            Capture::Redirect => Socket::Redirected,
        },
        proxy_protocol: false,
        kind,
        origin: reach.origins.first().unwrap_or(&port.origin).clone(),
    }
}

/// The one host of an outbound HTTP listener: the callee, whatever the application calls it if it is a service. Each callee has an address
/// of its own, so whoever connects to it has said whom it means. What no rule of a route takes goes to the callee.
pub(super) fn virtual_host(context: &Context<'_>, call: &Called<'_>, sink: &mut Sink) -> VirtualHost {
    let Called { cluster: _, reach, port, routed, caller } = *call;
    let called = context.called(reach.callee);
    let known = Known { port: port.number, caller };
    let mut routes = Vec::new();
    let mut rest = true;
    if let Some((id, reaches)) = routed {
        let Route { origin: _, name: _, namespace: _, scope: _, rules } = context.model.routes.at(id);
        for (position, rule) in rules.iter().enumerate() {
            let through = Through::Rule { route: id, position, rule };
            routes.extend(rule::http_routes(context, through, rule, reaches, known, sink));
            rest &= !covers_all(&rule.matches, &[HttpMatch::EVERYTHING]);
        }
    }
    if rest {
        routes.push(to_callee(context, reach, port));
    }
    routes.shrink_to_fit();
    let all = VirtualHost {
        name: [called.name, ".", called.namespace].concat(),
        hosts: Arc::from([String::from("*")]),
        // Who may call is the callee's affair, and what its callers count, each for itself, would bound nothing.
        entrance: Entrance::default(),
        limits: Vec::new(),
        routes,
        origin: upstream::origin(context, reach.callee, port),
    };
    match reach.callee {
        Callee::Service(_) => all,
        Callee::External(id) => outside::of_hosts(context, id, all),
    }
}

/// Every request, to the callee itself.
fn to_callee(context: &Context<'_>, reach: &Reach, port: &Port) -> HttpRoute {
    let callee = reach.callee;
    let beside = upstream::beside(context, reach);
    let Handling { timeout, idle_timeout, retry } =
        Handling::of(context, Through::Call, callee, port, beside);
    let (to, dead_share) = destination(context, reach, port);
    HttpRoute {
        matches: HttpMatch::default(),
        filters: Vec::new(),
        action: HttpAction::Forward {
            to,
            dead_share,
            hash: balance::keys(AtCaller::of(context, callee).balance, port, Sender::Sidecar),
            timeout,
            idle_timeout,
            retry,
            upgrades: upgrade::by_default([port]),
            deadlines: upgrade::deadlines([port]),
        },
        origin: upstream::origin(context, callee, port),
    }
}

/// Where calls of a port go by themselves.
pub(super) fn destination(
    context: &Context<'_>,
    reach: &Reach,
    port: &Port,
) -> (Vec<WeightedUpstream>, DeadShare) {
    if let Some(shares) = upstream::shares(context, reach, port) {
        return (shares, DeadShare::ToOthers);
    }
    let upstream = upstream::callee_name(context, reach.callee, port);
    (vec![WeightedUpstream { upstream, weight: 1 }], DeadShare::Kept)
}

/// Where the pod's rules send connections to virtual addresses. The kernel's REDIRECT turns the destination of what
/// the pod itself sends into the address of loopback, so nobody outside the pod needs to reach it.
fn redirected(context: &Context<'_>, cluster: Id<Cluster>, origin: &Origin) -> Listener {
    Listener {
        name: String::from("outbound"),
        address: SocketAddr::new(context.localhost(cluster), paths::OUTBOUND_PORT),
        socket: Socket::Own,
        proxy_protocol: false,
        kind: ListenerKind::Redirected,
        origin: origin.clone(),
    }
}

fn vicinity(context: &Context<'_>, caller: &Service, callee: Callee) -> Vicinity {
    if context.called(callee).namespace_id == caller.namespace {
        Vicinity::SameNamespace
    } else {
        Vicinity::OtherNamespace
    }
}

/// Every name by which an application may know a callee, the shortest first. The long forms end in the
/// domain of the caller's cluster, and in `cluster.local` too, so that the same application runs in every cluster.
pub(super) fn names(
    context: &Context<'_>,
    cluster: Id<Cluster>,
    callee: Callee,
    vicinity: Vicinity,
) -> Vec<String> {
    let called = context.called(callee);
    if let Callee::External(id) = callee {
        return context.model.externals.at(id).names().map(str::to_owned).collect();
    }
    let mut names = Vec::with_capacity(5);
    match vicinity {
        Vicinity::SameNamespace => names.push(called.name.to_owned()),
        Vicinity::OtherNamespace => {}
    }
    let qualified = [called.name, ".", called.namespace].concat();
    let service = [&qualified, ".svc"].concat();
    let domain = &context.model.clusters.at(cluster).domain;
    let own = [&service, ".", domain].concat();
    let common = [&service, ".cluster.local"].concat();
    names.extend([qualified, service]);
    if own != common {
        names.push(own);
    }
    names.push(common);
    names
}

/// The callee's virtual address: the declared one or the derived one.
fn address(
    context: &Context<'_>,
    range: VirtualRange,
    callee: Callee,
    call: &Origin,
    sink: &mut Sink,
) -> IpAddr {
    let called = context.called(callee);
    let declared = match callee {
        Callee::Service(id) => context.model.services.at(id).vip.as_ref(),
        Callee::External(id) => context.model.externals.at(id).vip.as_ref(),
    };
    let Some(declared) = declared else {
        return virtual_address(called.name, called.namespace, range);
    };
    if !range.holds(declared.value) {
        let range = range.text();
        sink.push(
            Diagnostic::error(
                codes::VIRTUAL_ADDRESS_OUT_OF_RANGE,
                declared.span,
                format!("`{}` is not a virtual address that this caller's sidecar can take", declared.value),
            )
            .label(format!("not in {range}"))
            .also(call.span, format!("{} reaches its callees in {range}", call.name))
            .help(format!("choose an address in {range}, or leave `vip` out")),
        );
    }
    declared.value
}

/// Two callees of one caller at one address: the fix is an address of its own for one of them.
fn same_address(
    context: &Context<'_>,
    address: IpAddr,
    range: VirtualRange,
    callees: [Callee; 2],
    sink: &mut Sink,
) {
    let [first, second] = callees.map(|callee| context.called(callee));
    let [first_span, second_span] = callees.map(|callee| declaration(context, callee));
    let free = virtual_address(second.name, &format!("{}.other", second.namespace), range);
    sink.push(
        Diagnostic::error(
            codes::SAME_VIRTUAL_ADDRESS,
            second_span,
            format!(
                "`{}.{}` and `{}.{}` have the same virtual address, and one caller calls both",
                first.namespace, first.name, second.namespace, second.name
            ),
        )
        .label(format!("is reached at {address}"))
        .also(first_span, format!("is reached at {address} too"))
        .help(format!("give one of them an address of its own, such as `vip = {free}`")),
    );
}

const fn is_outside(callee: Callee) -> bool {
    match callee {
        Callee::Service(_) => false,
        Callee::External(_) => true,
    }
}

/// Two callees of one caller by one name: a hosts file maps it to one address.
fn same_name(context: &Context<'_>, name: &str, callees: [Callee; 2], sink: &mut Sink) {
    let [first_span, second_span] = callees.map(|callee| declaration(context, callee));
    let [first, second] = callees.map(|callee| context.model.callee_name(callee));
    let message =
        format!("`{first}` and `{second}` are both called by the name `{name}`, and one caller calls both");
    sink.push(
        Diagnostic::error(codes::SAME_NAME, second_span, message)
            .label("called by this name")
            .also(first_span, "called by it too")
            .help("declare both ports in one `external`"),
    );
}

fn declaration(context: &Context<'_>, callee: Callee) -> Span {
    match callee {
        Callee::Service(id) => context.model.services.at(id).origin.span,
        Callee::External(id) => context.model.externals.at(id).origin.span,
    }
}
