//! `gateway`: where traffic enters a cluster.

use std::net::IpAddr;

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{
    ANY_TEXT, Attribute, Constant, Count, Kind, Label, Name, Nested, Part, Relation, Rule, Type,
};
use lang_evaluate::{Block, FromValue, Value};

use super::one_of;
use super::{gateway_pods as pods, gateway_tls as tls};
use crate::codes;
use crate::forms;
use crate::model::{Cluster, Gateway, GatewayPort, GatewayProtocol, GatewayRole, Host, Http10, Id};
use crate::symbols::symbols;
use crate::words;

/// Where east-west gateways listen unless said otherwise: Istio's port, so that engineers and firewalls know it.
pub const EAST_WEST_PORT: u16 = 15443;

symbols! {
    /// What a gateway does.
    ROLES: GatewayRole {
        "ingress" => GatewayRole::Ingress, "takes requests from outside the mesh";
        "east_west" => GatewayRole::EastWest, "passes mTLS between clusters through, by SNI, and never ends it";
        "egress" => GatewayRole::Egress,
            "connects to hosts outside the mesh that name it in `through`, for callers that prove who they are";
    }
}

symbols! {
    /// What a port of a gateway does with connections.
    PROTOCOLS: GatewayProtocol {
        "http" | "https" | "http2" | "grpc" => GatewayProtocol::Http, "requests, by host; with `tls` over TLS that ends here";
        "tcp" => GatewayProtocol::Tcp, "bytes: all connections go where the port's one route says; with `tls` over TLS that ends here";
        "tls" | "passthrough" | "sni" => GatewayProtocol::Tls,
            "TLS that is passed through by server name, and ended by the application";
    }
}

static HTTP10: Kind = Kind {
    word: "http10",
    documentation: "Accepts clients that speak HTTP/1.0 at this port of an ingress gateway. Without it, and everywhere else, they are \
                    answered with 426; the ports for probes and metrics always accept them. Applications are asked in the HTTP of their \
                    port. An answer is never chunked: where its length is not known, the end of the connection ends it. A \
                    connection stays open for more requests if the client says `connection: keep-alive`.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[Attribute::optional(
        words::DEFAULT_HOST,
        Type::Text(&forms::HOST),
        "The host of requests that name none, without a port. Without it they are answered with 400.",
    )],
    blocks: &[],
};

pub(crate) static PORT: Kind = Kind {
    word: words::kind::PORT,
    documentation: "A port of the gateway. An east-west or egress gateway has exactly one, 15443 unless declared.",
    label: Label::Required(&forms::NAME),
    space: Some("port"),
    reopen: false,
    principal: Some(words::NUMBER),
    relations: &[
        Relation {
            rule: Rule::Excludes(Part::Is(words::PROTOCOL, "tls"), &[Part::Block(tls::KIND.word)]),
            code: codes::EXCLUSIVE,
            reason: "TLS that passes through ends at the application",
            help: "remove `tls`, or write `protocol = tcp` if it ends here",
        },
        Relation {
            rule: Rule::Requires(Part::Block(HTTP10.word), &[Part::Is(words::PROTOCOL, "http")]),
            code: codes::EXCLUSIVE,
            reason: "no requests are seen at a port of another protocol",
            help: "remove `http10`, or `protocol`",
        },
    ],
    attributes: &[
        Attribute::required(words::NUMBER, Type::PORT, "The number that clients use."),
        Attribute::defaulted(
            words::PROTOCOL,
            Type::Symbol(PROTOCOLS),
            Constant::Symbol("http"),
            "What is done with connections, at an ingress gateway.",
        ),
        Attribute::defaulted(
            words::PROXY_PROTOCOL,
            Type::Boolean,
            Constant::Boolean(false),
            "Whether each connection begins with the header of the PROXY protocol, version 1 or 2, by which a load balancer \
             says who the client is. A connection without one is closed. At an ingress gateway. With `trusted_hops` that client \
             is a proxy, and `x-forwarded-for` says who its own client is.",
        ),
        Attribute::optional(
            words::NODE_PORT,
            Type::PORT,
            "The number at each node (`nodePort`), if Kubernetes shall not choose one: 30000 to 32767, unless the cluster has \
             another range.",
        ),
    ],
    blocks: &[
        Nested { kind: &tls::KIND, count: Count::Optional },
        Nested { kind: &HTTP10, count: Count::Optional },
    ],
};

pub(crate) static KIND: Kind = Kind {
    word: words::kind::GATEWAY,
    documentation: "A gateway of the cluster. Others call it `<cluster>.<gateway>`.",
    label: Label::Required(&forms::NAME),
    space: Some("gateway"),
    reopen: false,
    principal: None,
    relations: &[
        one_of(&[Part::Attribute(words::ADDRESS), Part::Attribute(words::ADDRESSES)]),
        Relation {
            rule: Rule::Excludes(Part::Block(pods::AUTOSCALE.word), &[Part::Attribute(words::REPLICAS)]),
            code: codes::EXCLUSIVE,
            reason: "the autoscaler decides how many replicas run",
            help: "remove `replicas`, or `autoscale`",
        },
    ],
    attributes: &[
        Attribute::required(words::ROLE, Type::Symbol(ROLES), "What it does."),
        Attribute::optional(
            words::ADDRESS,
            Type::Host(&forms::DNS_NAME),
            "The address or host name at which others reach it.",
        ),
        Attribute::optional(
            words::ADDRESSES,
            Type::some(&Type::Host(&forms::DNS_NAME)),
            "The addresses or host names, if there are several. Not together with `address`.",
        ),
        Attribute::defaulted(
            words::REPLICAS,
            Type::Integer(1, 1000),
            Constant::Integer(2),
            "How many replicas of it run.",
        ),
        Attribute::derived(
            words::ACCOUNT,
            Type::Text(&forms::DNS_LABEL),
            "`<cluster>-<gateway>`",
            "The name of its service account in the mesh's namespace, by which callees know an ingress gateway.",
        ),
        Attribute::defaulted(
            words::TRUSTED_HOPS,
            Type::Integer(0, 16),
            Constant::Integer(0),
            "How many proxies in front of an ingress gateway are trusted to have set `x-forwarded-for` and other headers that tell of \
             a request. Without any, such headers of clients are removed, but for `x-forwarded-for`: there the gateway appends \
             the client's address, and only this last entry is true. A proxy that counts is one of HTTP and appends an entry; a \
             load balancer that says in `proxy_protocol` who its client is, is none. An entry with a port is no address: then the \
             client is the nearest proxy.",
        ),
        Attribute::optional(
            words::LABELS,
            Type::Map { key: &forms::GATEWAY_LABEL_KEY, of: &Type::Text(&forms::LABEL_VALUE) },
            "Labels of all its objects: Deployment, pods, Service, service account, disruption budget, autoscaler and \
             NetworkPolicies.",
        ),
        Attribute::optional(
            words::ANNOTATIONS,
            Type::Map { key: &forms::LABEL_KEY, of: &Type::Text(&ANY_TEXT) },
            "Annotations of its pods. Those of its Service are in `service`.",
        ),
    ],
    blocks: &[
        Nested { kind: &PORT, count: Count::Many },
        Nested { kind: &pods::SERVICE, count: Count::Optional },
        Nested { kind: &pods::RESOURCES, count: Count::Optional },
        Nested { kind: &pods::AUTOSCALE, count: Count::Optional },
    ],
};

impl FromValue for Host {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Ip(address) = value {
            return Some(Self::Ip(*address));
        }
        let Value::Text(text) = value else { return None };
        Some(text.parse::<IpAddr>().map_or_else(|_| Self::Name(text.clone()), Self::Ip))
    }
}

pub(crate) fn convert(block: &Block, cluster: Id<Cluster>, sink: &mut Sink) -> Option<Gateway> {
    let role = block.get::<GatewayRole>(words::ROLE)?.value;
    let (replicas, autoscale) = pods::scale(block)?;
    let ports = ports(block, role, sink)?;
    let service = pods::service(block, role)?;
    pods::check_node_ports(&ports, &service, block, sink);
    Some(Gateway {
        origin: block.origin(),
        name: block.name().to_owned(),
        cluster,
        role,
        addresses: addresses(block),
        ports,
        replicas,
        autoscale,
        account: block.get::<String>(words::ACCOUNT),
        service,
        resources: pods::resources(block, sink),
        labels: pods::texts(block, words::LABELS),
        annotations: pods::texts(block, words::ANNOTATIONS),
        trusted_hops: block.get::<u32>(words::TRUSTED_HOPS)?.value,
    })
}

fn addresses(block: &Block) -> Vec<Spanned<Host>> {
    let mut all: Vec<_> = block.get::<Host>(words::ADDRESS).into_iter().collect();
    all.extend(block.get::<Vec<Spanned<Host>>>(words::ADDRESSES).into_iter().flat_map(|list| list.value));
    all
}

/// A role as messages name it.
pub(crate) const fn word(role: GatewayRole) -> &'static str {
    match role {
        GatewayRole::Ingress => "ingress",
        GatewayRole::EastWest => "east-west",
        GatewayRole::Egress => "egress",
    }
}

fn ports(block: &Block, role: GatewayRole, sink: &mut Sink) -> Option<Vec<GatewayPort>> {
    let mut ports = Vec::new();
    for port in block.blocks(&PORT) {
        let number = port.get::<u16>(words::NUMBER)?.value;
        let protocol = port.get::<GatewayProtocol>(words::PROTOCOL)?;
        let tls = match port.block(&tls::KIND) {
            Some(tls) => Some(tls::convert(tls, protocol.value, sink)?),
            None => None,
        };
        let proxy_protocol = port.get::<bool>(words::PROXY_PROTOCOL)?;
        if role != GatewayRole::Ingress {
            let said = |name: Name| (name.text(), port.written(name).unwrap_or(port.origin().span));
            let ingress_only = [
                (protocol.value != GatewayProtocol::Http).then(|| said(words::PROTOCOL)),
                proxy_protocol.value.then(|| said(words::PROXY_PROTOCOL)),
                port.block(&HTTP10).map(|inner| (HTTP10.word, inner.kind_span)),
            ];
            for (name, span) in ingress_only.into_iter().flatten() {
                sink.push(
                    Diagnostic::error(
                        codes::EAST_WEST_PORT,
                        span,
                        format!("`{name}` is for ingress gateways, and {} is none", block.origin().name),
                    )
                    .label("it has no meaning here")
                    .help("remove it; between proxies there is mTLS only"),
                );
            }
        }
        ports.push(GatewayPort {
            origin: port.origin(),
            name: port.name().to_owned(),
            number,
            node_port: port.get::<u16>(words::NODE_PORT),
            protocol: protocol.value,
            proxy_protocol: proxy_protocol.value,
            http10: port.block(&HTTP10).map(|block| Http10 {
                default_host: block
                    .get::<String>(words::DEFAULT_HOST)
                    .map(|host| host.value.to_ascii_lowercase()),
            }),
            tls,
        });
    }
    match (role, ports.as_slice()) {
        (GatewayRole::EastWest | GatewayRole::Egress, []) => {
            ports.push(GatewayPort {
                origin: block.origin(),
                name: String::from("mtls"),
                number: EAST_WEST_PORT,
                node_port: None,
                protocol: GatewayProtocol::Http,
                proxy_protocol: false,
                http10: None,
                tls: None,
            });
        }
        (GatewayRole::EastWest | GatewayRole::Egress, [first, rest @ ..]) => {
            if let Some(second) = rest.first() {
                sink.push(
                    Diagnostic::error(
                        codes::EAST_WEST_PORT,
                        second.origin.span,
                        format!("{} is an {} gateway and has one port", block.origin().name, word(role)),
                    )
                    .label("a second one")
                    .also(first.origin.span, "the first one")
                    .help("everything passes through one port; the SNI tells the callees apart"),
                );
            }
            if let Some(port) = ports.iter().find(|port| port.tls.is_some()) {
                sink.push(
                    Diagnostic::error(
                        codes::EAST_WEST_PORT,
                        port.origin.span,
                        format!(
                            "{} is an {} gateway and shows no certificate of yours",
                            block.origin().name,
                            word(role)
                        ),
                    )
                    .label("`tls` has no meaning here")
                    .help("remove `tls`; proxies prove the identities of the mesh to each other"),
                );
            }
        }
        (GatewayRole::Ingress, []) => sink.push(
            Diagnostic::error(
                codes::NO_GATEWAY_PORT,
                block.name_span(),
                format!("{} is an ingress gateway without a port", block.origin().name),
            )
            .label("it cannot be reached")
            .help("add `port http { number = 80 }`"),
        ),
        (GatewayRole::Ingress, [_, ..]) => {}
    }
    Some(ports)
}
