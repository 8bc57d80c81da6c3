//! `route`: where requests go, from outside the mesh and inside it.

use std::collections::BTreeSet;

use lang_diagnostics::{Diagnostic, Sink, Span, Spanned, suggest};
use lang_evaluate::schema::{Attribute, Kind, Label, Name, Part, Reference, Relation, Rule, Type};
use lang_evaluate::{Block, Target};

use super::one_of;
use super::{
    answer, call, filter, http_match, listed_twice, lower_case_hosts, report_repeated, rule, upgrade,
};
use crate::build::Ids;
use crate::codes;
use crate::forms;
use crate::model::{
    AtGateways, CallSource, Gateway, GatewayPortName, GatewayProtocol, GatewayRole, Id, Namespace, OfCalls,
    Route, RouteScope, RoutedCallee, Table,
};
use crate::policy::retry;
use crate::words;

/// A gateway, or one port of it.
const GATEWAY: Reference = Reference {
    kinds: &[words::kind::GATEWAY],
    part: Some(words::kind::PORT),
    inner: &[],
    refused: &[(words::kind::CLUSTER, "write the gateway's name behind it: `<cluster>.<gateway>`")],
};

/// A service, or one port of it.
const CALLEE: Reference = Reference {
    kinds: &[words::kind::SERVICE],
    part: Some(words::kind::PORT),
    inner: &[],
    refused: &[
        (
            words::kind::SUBSET,
            "callers call the service; a rule sends their requests to a subset: `to = reviews.v2`",
        ),
        (words::kind::CLIENT, "a client is not called"),
        (words::kind::EXTERNAL, "a route is for calls to services of the mesh"),
        (words::kind::GATEWAY, "requests at a gateway are named with `gateway = …`"),
    ],
};

/// Whoever calls services.
const CALLER: Reference = Reference {
    kinds: &[words::kind::SERVICE, words::kind::CLIENT, words::kind::NAMESPACE],
    part: None,
    inner: &[],
    refused: &[
        (words::kind::SUBSET, "the subsets of a service make the same calls; name the service"),
        (words::kind::GATEWAY, "what a gateway calls is in the routes that name it with `gateway = …`"),
        (words::kind::CLUSTER, "name the services that call"),
        (words::kind::EXTERNAL, "a host outside the mesh calls through a gateway"),
        ("*", "without `from`, the calls of everybody are meant"),
    ],
};

/// What names the gateways of a route.
const AT_GATEWAYS: &[Part] = &[
    Part::Attribute(words::GATEWAY),
    Part::Attribute(words::GATEWAYS),
    Part::Attribute(words::EVERY_GATEWAY),
];

pub(crate) static KIND: Kind = Kind {
    word: words::kind::ROUTE,
    documentation: "Where requests go. With `gateway`, those from outside, by host name. With `callee`, the calls of services to \
                    a service of the mesh: the callers' sidecars apply the rules, whatever host a request names, and a \
                    request that no rule matches goes to the callee itself. A destination is final: a route for its \
                    calls does not apply to what a route sends there, nor to what a gateway sends. The destination admits \
                    the callers as if they had declared the call, and its own `allow`, `deny` and `rate_limit` \
                    apply, not the callee's. A simple route says `to`; others have ordered `rule` blocks.",
    label: Label::Required(&forms::NAME),
    space: Some("route"),
    reopen: false,
    principal: None,
    relations: &[
        Relation {
            rule: Rule::AtLeastOne(&[
                Part::Attribute(words::GATEWAY),
                Part::Attribute(words::GATEWAYS),
                Part::Attribute(words::EVERY_GATEWAY),
                Part::Attribute(words::CALLEE),
                Part::Attribute(words::CALLEES),
            ]),
            code: codes::NO_ROUTE_GATEWAY,
            reason: "it applies to no requests otherwise",
            help: "add `gateway = west.ingress` for requests from outside, or `callee = catalog` for calls inside the mesh",
        },
        one_of(AT_GATEWAYS),
        one_of(&[Part::Attribute(words::CALLEE), Part::Attribute(words::CALLEES)]),
        Relation {
            rule: Rule::Excludes(Part::Attribute(words::CALLEE), AT_GATEWAYS),
            code: codes::EXCLUSIVE,
            reason: "a route is for clients of gateways, or for calls of services",
            help: "keep one of them",
        },
        Relation {
            rule: Rule::Excludes(Part::Attribute(words::CALLEES), AT_GATEWAYS),
            code: codes::EXCLUSIVE,
            reason: "a route is for clients of gateways, or for calls of services",
            help: "keep one of them",
        },
        Relation {
            rule: Rule::Excludes(Part::Attribute(words::FROM), AT_GATEWAYS),
            code: codes::EXCLUSIVE,
            reason: "clients of a gateway have no identity",
            help: "remove `from`",
        },
        Relation {
            rule: Rule::Excludes(
                Part::Attribute(words::HOSTS),
                &[Part::Attribute(words::CALLEE), Part::Attribute(words::CALLEES)],
            ),
            code: codes::EXCLUSIVE,
            reason: "the address of the callee says whom a request is for",
            help: "remove `hosts`",
        },
        rule::ONE_ACTION,
        answer::answered_by(Part::Attribute(words::REDIRECT)),
        answer::answered_by(Part::Block(answer::REDIRECT.word)),
        answer::answered_by(Part::Block(answer::RESPOND.word)),
        rule::beside_rules(rule::ACTIONS),
        rule::beside_rules(&[Part::Block(http_match::KIND.word)]),
    ],
    attributes: &[
        Attribute::optional(
            words::GATEWAY,
            Type::Reference(&GATEWAY),
            "The ingress gateway that serves it, at all its ports that take requests, or one port of it (`west.ingress.http`). At \
             a port with `protocol = tcp` or `tls` it takes connections: one rule, with destinations only.",
        ),
        Attribute::optional(
            words::GATEWAYS,
            Type::some(&Type::Reference(&GATEWAY)),
            "The ingress gateways, or ports of them, if there are several. Not together with `gateway`.",
        ),
        Attribute::optional(
            words::EVERY_GATEWAY,
            Type::Text(&forms::GATEWAY_NAME),
            "The name of ingress gateways, in every cluster that has one, or of one port of each (`\"ingress.https\"`). Not \
             together with `gateway` or `gateways`.",
        ),
        Attribute::optional(
            words::HOSTS,
            Type::some(&Type::Text(&forms::HOST_PATTERN)),
            "Host names, required at gateways but for ports with `protocol = tcp`; `*.example.org` matches one or more leading \
             labels, `*` everything.",
        ),
        Attribute::optional(
            words::CALLEE,
            Type::Reference(&CALLEE),
            "The service whose calls it takes, or one port of it (`reviews.http`); without a port, all that carry \
             requests. Of a TCP port it takes connections: one rule, with destinations only. Not together with \
             `gateway`.",
        ),
        Attribute::optional(
            words::CALLEES,
            Type::some(&Type::Reference(&CALLEE)),
            "The services whose calls it takes, if there are several. Not together with `callee`.",
        ),
        Attribute::optional(
            words::FROM,
            Type::some(&Type::Reference(&CALLER)),
            "Whose calls: services, clients, everybody in a namespace. Without it, everybody's.",
        ),
        rule::TO,
        answer::TO_HTTPS,
        rule::FAILOVER,
        rule::TIMEOUT,
        upgrade::UPGRADE,
        call::CRITICAL,
    ],
    blocks: &rule::WITH_RULES,
};

pub(crate) fn convert(
    block: &Block,
    namespace: Id<Namespace>,
    gateways: &Table<Gateway>,
    ids: &Ids,
    sink: &mut Sink,
) -> Option<Route> {
    Some(Route {
        origin: block.origin(),
        name: block.name().to_owned(),
        namespace,
        scope: scope(block, gateways, ids, sink)?,
        rules: rules(block, ids, sink)?,
    })
}

/// Whose requests: what gateways take, or calls of services.
fn scope(block: &Block, gateways: &Table<Gateway>, ids: &Ids, sink: &mut Sink) -> Option<RouteScope> {
    let written = |names: &[Name]| {
        names.iter().find_map(|name| block.written(*name).map(|span| Spanned::new(*name, span)))
    };
    let gateway = written(&[words::GATEWAY, words::GATEWAYS, words::EVERY_GATEWAY]);
    match gateway {
        Some(gateway) => {
            let Served { gateways: served, ports } = gateways_of(block, gateways, ids, sink)?;
            let protocol = protocol_of(block, gateways, (&served, &ports), sink);
            match (protocol, block.written(words::HOSTS)) {
                (GatewayProtocol::Http | GatewayProtocol::Tls, None) => {
                    sink.push(no_hosts(block, gateway.span))
                }
                (GatewayProtocol::Tcp, Some(hosts)) => sink.push(hosts_of_bytes(hosts, gateway.span)),
                (GatewayProtocol::Http | GatewayProtocol::Tls, Some(_)) | (GatewayProtocol::Tcp, None) => {}
            }
            Some(RouteScope::Gateways(AtGateways {
                gateways: served,
                ports,
                protocol,
                hosts: lower_case_hosts(block, sink),
            }))
        }
        None => Some(RouteScope::Calls(OfCalls {
            callees: callees_of(block, ids, sink)?,
            from: callers_of(block, ids, sink)?,
        })),
    }
}

fn no_hosts(block: &Block, gateway: Span) -> Diagnostic {
    let message = format!("{} has no host names", block.origin().name);
    Diagnostic::error(codes::NO_ROUTE_HOSTS, block.name_span(), message)
        .label("it answers for no host")
        .also(gateway, "a gateway chooses the route by the host name")
        .help("add `hosts = [\"shop.example\"]`, or `hosts = [\"*\"]` for all")
}

fn hosts_of_bytes(hosts: Span, gateway: Span) -> Diagnostic {
    Diagnostic::error(codes::MIXED_PORTS, hosts, "connections of bytes carry no host")
        .label("there is nothing to compare these with")
        .also(gateway, "the protocol of this port is `tcp`")
        .help("remove `hosts`, or name a port with `protocol = tls` to choose by server name")
}

/// What the ports of a route do, which must be one thing. Without names, those that take requests are meant.
fn protocol_of(
    block: &Block,
    table: &Table<Gateway>,
    (gateways, ports): (&[Spanned<Id<Gateway>>], &[GatewayPortName]),
    sink: &mut Sink,
) -> GatewayProtocol {
    let named = |id: Id<Gateway>| ports.iter().filter(move |port| port.gateway == id);
    let mut found: Option<(GatewayProtocol, Span)> = None;
    for gateway in gateways {
        let declared = &table.at(gateway.value).ports;
        let mut meant: Vec<(GatewayProtocol, Span)> = Vec::new();
        for name in named(gateway.value) {
            let port = declared.iter().find(|port| port.name == name.port.value);
            meant.extend(port.map(|port| (port.protocol, name.port.span)));
        }
        if named(gateway.value).next().is_none() {
            meant.push((GatewayProtocol::Http, gateway.span));
            if let Some(other) = declared.first()
                && declared.iter().all(|port| port.protocol != GatewayProtocol::Http)
            {
                sink.push(
                    Diagnostic::error(
                        codes::MIXED_PORTS,
                        gateway.span,
                        "no port of this gateway takes requests",
                    )
                    .label(format!("{} is served at none of them", block.origin().name))
                    .also(other.origin.span, "its first port")
                    .help("name a port: `<cluster>.<gateway>.<port>`"),
                );
            }
        }
        for (protocol, span) in meant {
            match found {
                Some((first, place)) if first != protocol => sink.push(different_ports(block, span, place)),
                Some(_) => {}
                None => found = Some((protocol, span)),
            }
        }
    }
    found.map_or(GatewayProtocol::Http, |(protocol, _)| protocol)
}

fn different_ports(block: &Block, span: Span, first: Span) -> Diagnostic {
    let message = format!("{} is served at ports that do different things", block.origin().name);
    Diagnostic::error(codes::MIXED_PORTS, span, message)
        .label("another protocol than at the first port")
        .also(first, "the first port")
        .help("write a route for each; a gateway without a port stands for all its ports that take requests")
}

/// What an attribute for one thing and its like for several name.
fn one_or_several(block: &Block, one: Name, several: Name) -> Vec<Spanned<Target>> {
    let mut targets: Vec<_> = block.get::<Target>(one).into_iter().collect();
    targets.extend(block.get::<Vec<Spanned<Target>>>(several).into_iter().flat_map(|list| list.value));
    targets
}

fn callees_of(block: &Block, ids: &Ids, sink: &mut Sink) -> Option<Vec<RoutedCallee>> {
    let targets = one_or_several(block, words::CALLEE, words::CALLEES);
    report_repeated(&targets, sink);
    let callee = |target: Spanned<Target>| {
        let service = *ids.services.get(&target.value.entity)?;
        Some(RoutedCallee { span: target.span, service, port: target.value.part })
    };
    targets.into_iter().map(callee).collect()
}

fn callers_of(block: &Block, ids: &Ids, sink: &mut Sink) -> Option<Vec<Spanned<CallSource>>> {
    let targets = block.get::<Vec<Spanned<Target>>>(words::FROM).map(|list| list.value).unwrap_or_default();
    report_repeated(&targets, sink);
    let caller = |target: Spanned<Target>| {
        let entity = target.value.entity;
        let service = ids.services.get(&entity).map(|id| CallSource::Service(*id));
        let source = service.or_else(|| ids.namespaces.get(&entity).map(|id| CallSource::Namespace(*id)));
        Some(Spanned::new(source?, target.span))
    };
    targets.into_iter().map(caller).collect()
}

/// The gateways of a route, each once, and the ports that it names of some of them.
#[derive(Default)]
struct Served {
    gateways: Vec<Spanned<Id<Gateway>>>,
    ports: Vec<GatewayPortName>,
}

fn gateways_of(block: &Block, table: &Table<Gateway>, ids: &Ids, sink: &mut Sink) -> Option<Served> {
    let mut served = Served::default();
    // What was listed: the gateway as a whole or one port of it.
    let mut listed: Vec<Spanned<(Id<Gateway>, Option<String>)>> = Vec::new();
    let targets = one_or_several(block, words::GATEWAY, words::GATEWAYS);
    for target in targets {
        let id = *ids.gateways.get(&target.value.entity)?;
        let gateway = table.at(id);
        super::report_no_ingress(gateway, target.span, sink);
        let port = target.value.part.as_ref().map(|port| port.value.clone());
        let same = |other: &&Spanned<(Id<Gateway>, Option<String>)>| {
            let (gateway, named) = &other.value;
            *gateway == id && (named.is_none() || port.is_none() || *named == port)
        };
        let bytes = |name: &Option<String>| {
            let declared = gateway.ports.iter().find(|port| name.as_ref() == Some(&port.name));
            declared.is_some_and(|port| port.protocol != GatewayProtocol::Http)
        };
        if let Some(first) = listed.iter().find(same) {
            let (_, named) = &first.value;
            // The one as a whole is its ports that take requests, and the other a port that takes none.
            if port.is_none() != named.is_none() && (bytes(&port) || bytes(named)) {
                sink.push(different_ports(block, target.span, first.span));
                continue;
            }
            let what = if port.is_some() { "this port of the gateway" } else { "this gateway" };
            sink.push(listed_twice(target.span, what, first.span).help(
                "remove one of them; a gateway without a port stands for all its ports that take requests",
            ));
            continue;
        }
        listed.push(Spanned::new((id, port), target.span));
        served.add(id, target.span, target.value.part);
    }
    if let Some(name) = block.get::<String>(words::EVERY_GATEWAY) {
        every_gateway(&name, table, &mut served, sink);
    }
    Some(served)
}

impl Served {
    fn add(&mut self, gateway: Id<Gateway>, span: Span, port: Option<Spanned<String>>) {
        if !self.gateways.iter().any(|other| other.value == gateway) {
            self.gateways.push(Spanned::new(gateway, span));
        }
        self.ports.extend(port.map(|port| GatewayPortName { gateway, port }));
    }
}

/// The ingress gateways of one name, in whatever cluster, or one port of each.
fn every_gateway(name: &Spanned<String>, table: &Table<Gateway>, served: &mut Served, sink: &mut Sink) {
    let (wanted, port) = match name.value.split_once('.') {
        Some((gateway, port)) => (gateway, Some(port)),
        None => (name.value.as_str(), None),
    };
    let ingress = || table.iter().filter(|(_, gateway)| gateway.role == GatewayRole::Ingress);
    let mut found = false;
    for (id, gateway) in ingress().filter(|(_, gateway)| gateway.name == wanted) {
        found = true;
        if let Some(port) = port.filter(|port| !gateway.ports.iter().any(|other| other.name == *port)) {
            sink.push(
                Diagnostic::error(
                    codes::NO_SUCH_GATEWAY,
                    name.span,
                    format!("{} has no port `{port}`", gateway.origin.name),
                )
                .label("every gateway of this name is meant")
                .also(gateway.origin.span, "declared here")
                .help("declare the port at each of them, or list the gateways with `gateways = [...]`"),
            );
        }
        served.add(id, name.span, port.map(|port| Spanned::new(port.to_owned(), name.span)));
    }
    if !found {
        let names: BTreeSet<&str> = ingress().map(|(_, gateway)| gateway.name.as_str()).collect();
        let help = match suggest(wanted, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => String::from("declare a gateway with `role = ingress` in a cluster"),
            None => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("there is {}", names.join(", "))
            }
        };
        sink.push(
            Diagnostic::error(
                codes::NO_SUCH_GATEWAY,
                name.span,
                format!("no cluster has an ingress gateway `{wanted}`"),
            )
            .label("not declared")
            .help(help),
        );
    }
}

/// The rules; a route without `rule` blocks is its own only rule.
fn rules(block: &Block, ids: &Ids, sink: &mut Sink) -> Option<Vec<crate::model::RouteRule>> {
    if block.block(&rule::KIND).is_none() {
        return Some(vec![rule::convert(block, block, ids, sink)?]);
    }
    retry::check(block, sink);
    upgrade::check(block, sink);
    filter::check(block, sink);
    block.blocks(&rule::KIND).map(|inner| rule::convert(inner, block, ids, sink)).collect()
}
