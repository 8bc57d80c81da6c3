//! `allow` and `deny`: who may call.

use std::net::IpAddr;

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Constant, Count, Kind, Label, Name, Nested, Reference, Symbol, Type};
use lang_evaluate::{Block, FromValue, Target, Value};

use super::Context;
use crate::codes;
use crate::forms;
use crate::kind::wildcard::Purpose;
use crate::kind::{exclusive, http_match};
use crate::model::GatewayRole;
use crate::model::policy::{AddressRange, AuthorizationRule, Exception, Requests, Source};
use crate::symbols::symbols;
use crate::words;

/// Whatever has identities.
const SOURCE: Reference = Reference {
    kinds: &[words::kind::SERVICE, words::kind::CLIENT, words::kind::GATEWAY, words::kind::NAMESPACE],
    part: None,
    inner: &[],
    refused: &[
        (words::kind::SUBSET, "the subsets of a service have one account; name the service"),
        (
            words::kind::CLUSTER,
            "identities carry no cluster, so that no proxy could tell; name the services or the gateway that may call",
        ),
        (words::kind::EXTERNAL, "a host outside the mesh proves no identity"),
        ("*", "`everyone` means every caller with an identity of the mesh, and a namespace everybody in it"),
    ],
};

const UNAUTHENTICATED: &str = "unauthenticated";

const EVERYONE: &str = "everyone";

/// Who is named by no declaration.
const UNDECLARED: &[Symbol] = &[
    Symbol {
        word: EVERYONE,
        documentation: "every caller with an identity of the mesh, gateways included; in `allow`, all of them that declare the call",
        also: &["anyone", "everybody", "all", "authenticated", "any"],
    },
    Symbol {
        word: UNAUTHENTICATED,
        documentation: "whoever connects to a permissive port without an identity",
        also: &["anonymous", "unknown", "plain"],
    },
];

const FROM: Attribute = Attribute::optional(
    words::FROM,
    Type::some(&Type::Union(&[Type::Symbol(UNDECLARED), Type::Reference(&SOURCE)])),
    "Whom it means: services and clients wherever they run, ingress gateways, everybody in a namespace or in the mesh, or \
     callers without an identity. Required, but for policies of `gateways` or `routes`: their rules are about clients outside \
     the mesh, who have no identity, and take no `from`.",
);

symbols! {
    /// Whether a rule is enforced.
    MODES: Mode {
        "enforce" => Mode::Enforce, "requests are refused";
        "audit" => Mode::Audit, "no request is refused: those that the rules in `audit` would refuse are counted and logged with the \
            name of the rule (`audit`; `none`, if it is that no `allow` in `audit` admits it). They are judged after the \
            rules that are enforced, and are a set of their own: an `allow` in `audit` narrows nothing else";
    }
}

static HOST: Type = Type::Text(&forms::HOST_PATTERN);
static PORT: Type = Type::Text(&forms::NON_EMPTY);

const HOSTS: Attribute = Attribute::optional(
    words::HOSTS,
    Type::some(&HOST),
    "The host that the request names, without its port, is one of these; `*.example.org` matches one or more leading labels.",
);

const PORTS: Attribute = Attribute::optional(
    words::PORTS,
    Type::some(&PORT),
    "The port of the service, or of the gateway, is one of these, by name.",
);

const ADDRESSES: Attribute = Attribute::optional(
    words::ADDRESSES,
    Type::some(&Type::Union(&[Type::Cidr, Type::Ip])),
    "The address that connects to the service's sidecar is in one of these ranges. It is that of the calling pod; for callers \
     in other networks that of the east-west gateway's pod, and for an ingress gateway that of its own pod. What a client \
     says of itself, `x-forwarded-for` included, is not looked at. In policies of `gateways` and `routes` it is the address \
     of the client: the one that connects, or the one that the PROXY protocol or the trusted proxies in front say \
     (`proxy_protocol`, `trusted_hops`). An IPv4 address that is written as one of IPv6 (`::ffff:192.0.2.1`) is the IPv4 \
     address.",
);

const MODE: Attribute = Attribute::defaulted(
    words::MODE,
    Type::Symbol(MODES),
    Constant::Symbol("enforce"),
    "Whether the rule is enforced.",
);

static CLIENT: Type = Type::Text(&forms::CLIENT_NAME);

const CLIENTS: Attribute = Attribute::optional(
    words::CLIENTS,
    Type::some(&CLIENT),
    "URIs or DNS names in the certificates of clients outside the mesh (`client_ca` of a gateway's port), of which one must \
     be there; `*` at the end is any text. The ingress gateways in `from` decide it, by the request as it arrives there, before a \
     destination is drawn: a route's rule asks what each of its destinations asks. A \
     name never means a workload of the mesh. Beside such a rule, rules of the service with `addresses` or `except` admit \
     nothing through the same gateway. Not together with `addresses`, `except` or `mode = audit`, but for policies of \
     `gateways` and `routes`.",
);

static EXCEPT: Kind = Kind {
    word: "except",
    documentation: "Requests that the rule does not mean although they meet the rest of it; all conditions hold at once. Of \
                    several blocks any one will do.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::FROM),
    relations: &[],
    attributes: &[
        Attribute::optional(
            words::FROM,
            Type::some(&Type::Union(&[Type::Symbol(UNDECLARED), Type::Reference(&SOURCE)])),
            "Whose requests; without it, those of everybody whom the rule means.",
        ),
        HOSTS,
        PORTS,
        ADDRESSES,
    ],
    blocks: &[Nested { kind: &http_match::KIND, count: Count::Many }],
};

const BLOCKS: &[Nested] =
    &[Nested { kind: &http_match::KIND, count: Count::Many }, Nested { kind: &EXCEPT, count: Count::Many }];

pub(crate) static ALLOW: Kind = Kind {
    word: "allow",
    documentation: "Who may call. A service with any `allow` admits only those; without one it admits everybody who \
                    declares the call, and a port with `mtls = permissive` admits everybody. With an `allow`, a \
                    permissive port admits callers without an identity only where a rule names `unauthenticated`. In a \
                    policy of `gateways` or `routes`: which clients may come in, at HTTP ports by request, at `tcp` and `tls` \
                    ports by `addresses` when they connect. The rules of a gateway and of the route both hold, before its \
                    limits, and before those of the services behind.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::FROM),
    relations: &[],
    attributes: &[FROM, CLIENTS, HOSTS, PORTS, ADDRESSES, MODE],
    blocks: BLOCKS,
};

pub(crate) static DENY: Kind = Kind {
    word: "deny",
    documentation: "Who may not call, even if a rule of `allow` admits it. The log and the metrics name the rule that refused: \
                    `deny.<policy>`, the second rule of a policy `deny.<policy>.2`.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::FROM),
    relations: &[],
    attributes: &[FROM, CLIENTS, HOSTS, PORTS, ADDRESSES, MODE],
    blocks: BLOCKS,
};

/// Whether a rule is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Enforce,
    Audit,
}

/// What `from` names.
#[derive(Clone, Debug)]
enum Named {
    Everyone,
    Unauthenticated,
    Entity(Target),
}

impl FromValue for AddressRange {
    fn from_value(value: &Value) -> Option<Self> {
        let (address, bits) = if let Value::Cidr(address, bits) = value {
            (*address, *bits)
        } else if let Value::Ip(address) = value {
            (*address, if address.is_ipv4() { 32 } else { 128 })
        } else {
            return None;
        };
        // An IPv4 address that is written as one of IPv6 is the IPv4 address.
        Some(match (address, address.to_canonical(), bits.checked_sub(96)) {
            (IpAddr::V6(_), canonical @ IpAddr::V4(_), Some(bits)) => Self { address: canonical, bits },
            _ => Self { address, bits },
        })
    }
}

impl FromValue for Named {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Symbol(word) = value {
            return match *word {
                EVERYONE => Some(Self::Everyone),
                UNAUTHENTICATED => Some(Self::Unauthenticated),
                _ => None,
            };
        }
        Target::from_value(value).map(Self::Entity)
    }
}

/// The rules of one kind in a policy: those that are enforced, and those that are tried.
pub(crate) fn convert(
    policy: &Block,
    kind: &Kind,
    context: Context<'_>,
    sink: &mut Sink,
) -> Option<[Vec<AuthorizationRule>; 2]> {
    let (mut enforced, mut audited) = (Vec::new(), Vec::new());
    for block in policy.blocks(kind) {
        let from = sources(block, context, sink)?;
        if from.is_empty() && !is_of_clients(policy) {
            sink.push(
                Diagnostic::error(codes::RULE_WITHOUT_CALLERS, block.kind_span, "a rule needs `from`")
                    .label("about whose calls is it?")
                    .help("name the callers, or attach the policy to `gateways` or `routes` if it is about clients outside the mesh"),
            );
        }
        let requests = requests(block, sink)?;
        let except = block.blocks(&EXCEPT).map(|inner| exception(inner, context, sink));
        let except = except.collect::<Option<_>>()?;
        let clients = match block.get::<Vec<Spanned<String>>>(words::CLIENTS) {
            Some(clients) if !from.is_empty() => of_sources(block, clients, &from, context, sink),
            Some(clients) => clients.value,
            None => Vec::new(),
        };
        let rule = AuthorizationRule { origin: block.origin(), from, clients, requests, except };
        match block.get::<Mode>(words::MODE)?.value {
            Mode::Enforce => enforced.push(rule),
            Mode::Audit => audited.push(rule),
        }
    }
    Some([enforced, audited])
}

/// Whether a policy attaches to nothing but gateways and routes, where those who come are clients outside the mesh.
fn is_of_clients(policy: &Block) -> bool {
    let attaches = |name: Name| policy.written(name).is_some();
    !attaches(words::TARGETS) && (attaches(words::ROUTES) || attaches(words::GATEWAYS))
}

/// The names of clients, which only ingress gateways that ask for certificates know.
fn of_sources(
    block: &Block,
    clients: Spanned<Vec<Spanned<String>>>,
    from: &[Spanned<Source>],
    context: Context<'_>,
    sink: &mut Sink,
) -> Vec<Spanned<String>> {
    let at_the_sidecar = [(words::ADDRESSES.text(), block.written(words::ADDRESSES))]
        .into_iter()
        .chain([(EXCEPT.word, block.block(&EXCEPT).map(|except| except.kind_span))])
        .chain([(words::MODE.text(), block.written(words::MODE))]);
    for (name, span) in at_the_sidecar.filter_map(|(name, span)| Some((name, span?))) {
        let diagnostic =
            exclusive(span, name, block.written(words::CLIENTS).unwrap_or(span), words::CLIENTS.text());
        sink.push(
            diagnostic
                .help("gateways decide by `clients`, and the service's sidecar by this; write two rules"),
        );
    }
    for source in from {
        let why = match source.value {
            Source::Gateway(id) => {
                let mut tls = context.gateways.at(id).ports.iter().filter_map(|port| port.tls.as_ref());
                if tls.any(|tls| tls.clients.is_some()) {
                    continue;
                }
                "this gateway asks no client for a certificate"
            }
            Source::Service(_) | Source::Namespace(_) | Source::Everyone | Source::Unauthenticated => {
                "only ingress gateways know certificates of clients"
            }
        };
        sink.push(
            Diagnostic::error(codes::CLIENTS_OF_NOBODY, source.span, why)
                .label("no request from here meets `clients`")
                .also(clients.span, "the names of clients")
                .help(
                    "name ingress gateways with `client_ca` only, and write another rule for everybody else",
                ),
        );
    }
    clients.value
}

/// Whom a block names; nobody without `from`.
fn sources(block: &Block, context: Context<'_>, sink: &mut Sink) -> Option<Vec<Spanned<Source>>> {
    let named = block.get::<Vec<Spanned<Named>>>(words::FROM).map(|list| list.value).unwrap_or_default();
    let mut sources = Vec::with_capacity(named.len());
    for named in named {
        let source = match &named.value {
            Named::Everyone => Source::Everyone,
            Named::Unauthenticated => Source::Unauthenticated,
            Named::Entity(target) => source(&Spanned::new(target.clone(), named.span), context, sink)?,
        };
        sources.push(Spanned::new(source, named.span));
    }
    Some(sources)
}

fn requests(block: &Block, sink: &mut Sink) -> Option<Requests> {
    let texts =
        |name: Name| block.get::<Vec<Spanned<String>>>(name).map(|list| list.value).unwrap_or_default();
    let lower = |text: Spanned<String>| Spanned::new(text.value.to_ascii_lowercase(), text.span);
    let addresses = block.get::<Vec<Spanned<AddressRange>>>(words::ADDRESSES);
    Some(Requests {
        hosts: texts(words::HOSTS).into_iter().map(lower).collect(),
        ports: texts(words::PORTS),
        addresses: addresses.map(|list| list.value).unwrap_or_default(),
        matches: http_match::convert(block, Purpose::Protection, sink)?,
    })
}

fn exception(block: &Block, context: Context<'_>, sink: &mut Sink) -> Option<Exception> {
    let (from, requests) = (sources(block, context, sink)?, requests(block, sink)?);
    if from.is_empty() && requests.ports.is_empty() && !requests.have_conditions() {
        sink.push(
            Diagnostic::error(codes::UNCLEAR_CONDITION, block.kind_span, "`except` excludes everything")
                .label("then the rule means nothing")
                .help("add what is excluded, such as `addresses = [10.0.0.0/8]`, or remove it"),
        );
    }
    Some(Exception { origin: block.origin(), from, requests })
}

fn source(target: &Spanned<Target>, context: Context<'_>, sink: &mut Sink) -> Option<Source> {
    let entity = target.value.entity;
    let ids = context.ids;
    if let Some(service) = ids.services.get(&entity) {
        return Some(Source::Service(*service));
    }
    if let Some(namespace) = ids.namespaces.get(&entity) {
        return Some(Source::Namespace(*namespace));
    }
    let id = *ids.gateways.get(&entity)?;
    let gateway = context.gateways.at(id);
    let (label, help) = match gateway.role {
        GatewayRole::Ingress => return Some(Source::Gateway(id)),
        GatewayRole::EastWest => {
            ("an east-west gateway", "it passes mTLS through without ending it; name the services behind it")
        }
        GatewayRole::Egress => {
            ("an egress gateway", "it connects to hosts outside only; name those who call")
        }
    };
    sink.push(
        Diagnostic::error(
            codes::GATEWAY_WITHOUT_IDENTITY,
            target.span,
            format!("{} calls no services", gateway.origin.name),
        )
        .label(label)
        .also(gateway.origin.span, "declared here")
        .help(help),
    );
    Some(Source::Gateway(id))
}
