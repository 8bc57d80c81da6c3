//! `external`: a host outside the mesh.

use std::collections::BTreeMap;
use std::net::IpAddr;

use lang_diagnostics::{Diagnostic, Sink, Span, Spanned};
use lang_evaluate::schema::{Attribute, Constant, Count, Kind, Label, Nested, Pattern, Reference, Type};
use lang_evaluate::{Block, Target};

use super::{gateway, gateway_tls, lower_case_hosts, secrets};
use crate::build::Ids;
use crate::codes;
use crate::forms;
use crate::model::{
    Bind, ExternalHost, Gateway, GatewayRole, Host, Id, Mtls, Namespace, OutsideTls, Port, Protocol, Table,
    TlsVersion,
};
use crate::symbols::symbols;
use crate::words;

/// A gateway that connects to hosts outside.
const EGRESS: Reference = Reference {
    kinds: &[words::kind::GATEWAY],
    part: None,
    inner: &[],
    refused: &[(words::kind::CLUSTER, "write the gateway's name behind it: `<cluster>.<gateway>`")],
};

/// A name of a host outside the mesh, possibly beginning with `*.`.
static HOST: Pattern = Pattern { name: "a host name", check: host };

fn host(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    if lower == "*" {
        Some(String::from("a host outside has a name; `*.example.org` stands for all below one"))
    } else if lower == "localhost" || lower.ends_with(".localhost") {
        Some(String::from("this name always means the machine itself (RFC 6761, section 6.3)"))
    } else {
        forms::host_pattern(text)
    }
}

/// What is spoken on a port of a host outside: other words than at a port of a service.
#[derive(Clone, Copy)]
enum Spoken {
    Http,
    Http2,
    Grpc,
    Tls,
    Tcp,
}

symbols! {
    /// What the application speaks on a port of a host outside.
    PROTOCOLS: Spoken {
        "http" | "http1" | "http/1.1" => Spoken::Http, "HTTP/1.1; with a `tls` block the proxy begins TLS, and applications call `http://`";
        "http2" | "h2" | "h2c" => Spoken::Http2, "HTTP/2";
        "grpc" | "grpc-web" => Spoken::Grpc, "gRPC";
        "tls" | "passthrough" | "sni" => Spoken::Tls,
            "TLS that the application begins, such as for `https://`: passed on if it asks for one of the `hosts`, else closed";
        "tcp" | "mysql" | "postgres" | "redis" | "mongo" => Spoken::Tcp, "anything over TCP";
    }
}

impl From<Spoken> for Protocol {
    fn from(spoken: Spoken) -> Self {
        match spoken {
            Spoken::Http => Self::Http,
            Spoken::Http2 => Self::Http2,
            Spoken::Grpc => Self::Grpc,
            Spoken::Tls => Self::Tls,
            Spoken::Tcp => Self::Tcp,
        }
    }
}

static TLS: Kind = Kind {
    word: "tls",
    documentation: "The proxy begins TLS towards the host; the application speaks to it without. So its requests can be \
                    routed, retried and counted, and it needs no roots and no key.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::CA),
    relations: &[],
    attributes: &[
        Attribute::required(
            words::CA,
            Type::Text(&forms::SECRET),
            "The Secret with the roots that the host's certificate descends from, under the key `ca.crt`: in the caller's \
             namespace, and for a gateway in the mesh's. There are no others: for a public authority, put the bundle of a \
             distribution there.",
        ),
        Attribute::derived(
            words::SNI,
            Type::Text(&forms::DNS_NAME),
            "the first of the `hosts` without `*`",
            "The server name to send.",
        ),
        Attribute::derived(
            words::NAMES,
            Type::some(&Type::Text(&forms::DNS_NAME)),
            "`sni`",
            "The names of which the host's certificate must be for one.",
        ),
        Attribute::optional(
            words::CLIENT_CERTIFICATE,
            Type::Text(&forms::SECRET),
            "The Secret (type `kubernetes.io/tls`) with the certificate and key to show to the host, beside that of `ca`.",
        ),
        Attribute::defaulted(
            words::MINIMUM_VERSION,
            Type::Symbol(gateway_tls::VERSIONS),
            Constant::Symbol("tls12"),
            "The oldest version that is spoken.",
        ),
    ],
    blocks: &[],
};

static PORT: Kind = Kind {
    word: words::kind::PORT,
    documentation: "A port of the host.",
    label: Label::Required(&forms::NAME),
    space: Some("port"),
    reopen: false,
    principal: Some(words::NUMBER),
    relations: &[],
    attributes: &[
        Attribute::required(words::NUMBER, Type::PORT, "The number that callers use."),
        Attribute::derived(words::TARGET, Type::PORT, "`number`", "The number that the host listens on."),
        Attribute::required(
            words::PROTOCOL,
            Type::Symbol(PROTOCOLS),
            "What the application speaks on it. Requests are for one of the `hosts`, in their Host header; others are \
             answered with 404.",
        ),
    ],
    blocks: &[Nested { kind: &TLS, count: Count::Optional }],
};

pub(crate) static KIND: Kind = Kind {
    word: words::kind::EXTERNAL,
    documentation: "A host outside the mesh. Only services that name it in `calls`, and routes, reach it, each through its own \
                    proxy. An application calls it by its own name: in the pods of its callers the hosts file maps each of \
                    the `hosts` without `*` to a virtual address, at which the sidecar listens. A name below a `*` is in no \
                    hosts file: it reaches the sidecar where it is listed too, where the application's own DNS gives it the \
                    virtual address (`vip`), or through a gateway. A connection to an address that an application was \
                    configured with, or found in DNS itself, passes the sidecar by: whether it gets out is decided by the \
                    network. No policy names a host outside; those of its namespace and of the mesh hold, and what a route says itself. \
                    `meshc up` never connects to any of it: a stand-in on this machine takes the place of each address.",
    label: Label::Required(&forms::NAME),
    space: Some("callee"),
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::required(
            words::HOSTS,
            Type::some(&Type::Text(&HOST)),
            "The DNS names by which it is called; `*.example.org` is any with one or more leading labels.",
        ),
        Attribute::derived(
            words::ADDRESSES,
            Type::some(&Type::Host(&forms::DNS_NAME)),
            "the first of the `hosts` without `*`",
            "Where to connect: addresses or DNS names, each as good as the others. Names are resolved by the proxy, past the \
             hosts file.",
        ),
        Attribute::optional(
            words::FALLBACK,
            Type::some(&Type::Host(&forms::DNS_NAME)),
            "Addresses or DNS names that take over, in order, when all before them are ejected. With `tls` they have a \
             certificate for the same `names`.",
        ),
        Attribute::optional(
            words::THROUGH,
            Type::Reference(&EGRESS),
            "The egress gateway that connects to it. Callers reach that over mTLS, from its own cluster by the name of its \
             Service and from others at its address; it admits those that have declared their call, and tells the host \
             nothing of their identities. The Secrets of `tls` are then needed in the mesh's namespace of its cluster only. On a port with `protocol = tls` it \
             reads for which server name the TLS inside is, and closes what is for none of the `hosts`, and what is no TLS; \
             its log says who asked for what. On a port with `protocol = tcp` the bytes are not looked at.",
        ),
        Attribute::derived(
            words::VIP,
            Type::Ip,
            "derived from its name",
            "The virtual address by which callers reach it, if the derived one clashes with another callee's.",
        ),
    ],
    blocks: &[Nested { kind: &PORT, count: Count::Some }],
};

pub(crate) fn convert(
    block: &Block,
    namespace: Id<Namespace>,
    gateways: &Table<Gateway>,
    ids: &Ids,
    sink: &mut Sink,
) -> Option<ExternalHost> {
    let hosts = lower_case_hosts(block, sink);
    let own = hosts.iter().find(|host| !host.value.starts_with('*'));
    let mut named = Named::default();
    let mut addresses = named.read(block.get::<Vec<Spanned<Host>>>(words::ADDRESSES), sink);
    match (own, hosts.first()) {
        _ if !addresses.is_empty() => {}
        (Some(own), _) => addresses.push(Host::Name(own.value.clone())),
        (None, Some(pattern)) => sink.push(
            Diagnostic::error(
                codes::WILDCARD_WITHOUT_ADDRESS,
                pattern.span,
                "no address is known for these names",
            )
            .label("this stands for many names, and none of them is where to connect")
            .help("add `addresses = [\"…\"]`, where all of them are served"),
        ),
        (None, None) => {}
    }
    let fallback = named.read(block.get::<Vec<Spanned<Host>>>(words::FALLBACK), sink);
    let (mut ports, mut tls) = (Vec::new(), Vec::new());
    for inner in block.blocks(&PORT) {
        let converted = port(inner)?;
        tls.push(match inner.block(&TLS) {
            Some(begun) => outside_tls(begun, &converted, own, sink)?,
            None => None,
        });
        ports.push(converted);
    }
    Some(ExternalHost {
        origin: block.origin(),
        name: block.name().to_owned(),
        namespace,
        hosts,
        addresses,
        fallback,
        through: match block.get::<Target>(words::THROUGH) {
            Some(target) => Some(through(&target, gateways, ids, sink)?),
            None => None,
        },
        vip: block.get::<IpAddr>(words::VIP),
        ports,
        tls,
    })
}

fn through(
    target: &Spanned<Target>,
    gateways: &Table<Gateway>,
    ids: &Ids,
    sink: &mut Sink,
) -> Option<Spanned<Id<Gateway>>> {
    let id = *ids.gateways.get(&target.value.entity)?;
    let gateway = gateways.at(id);
    match gateway.role {
        GatewayRole::Egress => {}
        role @ (GatewayRole::Ingress | GatewayRole::EastWest) => sink.push(
            Diagnostic::error(
                codes::NOT_AN_EGRESS,
                target.span,
                format!("{} connects to no hosts outside", gateway.origin.name),
            )
            .label(format!("an {} gateway", gateway::word(role)))
            .also(gateway.origin.span, "declared here")
            .help("name a gateway with `role = egress`"),
        ),
    }
    Some(Spanned::new(id, target.span))
}

/// Addresses that were read, each with its place.
#[derive(Default)]
struct Named(BTreeMap<Host, Span>);

impl Named {
    fn read(&mut self, list: Option<Spanned<Vec<Spanned<Host>>>>, sink: &mut Sink) -> Vec<Host> {
        let mut read = Vec::new();
        for Spanned { value: address, span } in list.into_iter().flat_map(|list| list.value) {
            if let Some(first) = self.0.get(&address) {
                sink.push(
                    Diagnostic::error(codes::REPEATED, span, format!("`{address}` is listed twice"))
                        .label("listed again")
                        .also(*first, "listed first")
                        .help("remove one of them"),
                );
                continue;
            }
            self.0.insert(address.clone(), span);
            read.push(address);
        }
        read
    }
}

/// Nobody outside the mesh proves an identity of it, so that `mtls` is off; where it listens is its own affair.
fn port(block: &Block) -> Option<Port> {
    let number = block.get::<u16>(words::NUMBER)?.value;
    Some(Port {
        origin: block.origin(),
        name: block.name().to_owned(),
        number,
        target: block.get::<u16>(words::TARGET).map_or(number, |target| target.value),
        protocol: block.get::<Spoken>(words::PROTOCOL)?.value.into(),
        bind: Bind::Any,
        mtls: Mtls::Off,
    })
}

/// `None` for a mistake inside the block; `Some(None)` for one that was reported here.
#[expect(clippy::option_option, reason = "what cannot be read and what is not there differ")]
fn outside_tls(
    block: &Block,
    port: &Port,
    own: Option<&Spanned<String>>,
    sink: &mut Sink,
) -> Option<Option<OutsideTls>> {
    if port.protocol == Protocol::Tls {
        sink.push(
            Diagnostic::error(codes::TLS_TWICE, block.kind_span, "the application begins TLS already")
                .label("the proxy would begin it once more, inside")
                .also(port.origin.span, "the `protocol` of this port is `tls`")
                .help(
                    "remove the block, or write `protocol = http` and let the application call without TLS",
                ),
        );
        return Some(None);
    }
    let text = |text: Spanned<String>| text.value;
    let Some(sni) = block.get::<String>(words::SNI).map(text).or_else(|| own.map(|own| own.value.clone()))
    else {
        sink.push(
            Diagnostic::error(codes::NO_SERVER_NAME, block.kind_span, "no server name is known to send")
                .label("all of the `hosts` are patterns")
                .help("add `sni = \"…\"`"),
        );
        return Some(None);
    };
    let names = block.get::<Vec<Spanned<String>>>(words::NAMES);
    let names = names.map_or_else(|| vec![sni.clone()], |names| names.value.into_iter().map(text).collect());
    Some(Some(OutsideTls {
        sni,
        names,
        ca: secrets::at_hand(block.get::<String>(words::CA)?, sink).value,
        client: block
            .get::<String>(words::CLIENT_CERTIFICATE)
            .map(|secret| secrets::at_hand(secret, sink).value),
        minimum_version: block.get::<TlsVersion>(words::MINIMUM_VERSION)?.value,
    }))
}
