//! `tls` of a gateway's port: which certificates it shows, and to whom.

use std::net::IpAddr;

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Count, Kind, Label, Nested, Part, Relation, Rule, Type};

use super::{exclusive, listed_twice, lower_case_hosts, secrets};
use crate::codes;
use crate::forms;
use crate::model::{
    ClientCertificate, ClientCertificates, GatewayCertificate, GatewayProtocol, GatewayTls, HttpVersion,
    TlsVersion,
};
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// The versions of TLS.
    VERSIONS: TlsVersion {
        "tls12" | "1.2" | "tlsv1_2" | "tls1_2" => TlsVersion::Tls12, "TLS 1.2 and 1.3";
        "tls13" | "1.3" | "tlsv1_3" | "tls1_3" => TlsVersion::Tls13, "TLS 1.3 only";
    }
}

symbols! {
    /// Whether clients show certificates.
    CLIENT_CERTIFICATE: ClientCertificate {
        "required" | "true" | "mutual" => ClientCertificate::Required, "a client without one is refused in the handshake";
        "optional" => ClientCertificate::Optional, "a client may do without";
    }
}

symbols! {
    /// What a client may choose to speak over TLS.
    PROTOCOLS: HttpVersion {
        "http2" | "h2" => HttpVersion::Http2, "HTTP/2, which clients know as `h2`";
        "http1" | "http" | "http/1.1" => HttpVersion::Http1, "HTTP/1.1";
    }
}

static CERTIFICATE: Kind = Kind {
    word: "certificate",
    documentation: "A server certificate and the hosts that it is for. The most specific host decides which one a client is \
                    shown; a client that names none of them is refused in the handshake. A request for a host of another \
                    certificate than the one that was shown is answered with 421, so that a client that shares \
                    connections opens another one.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::required(
            words::SECRET,
            Type::Text(&forms::SECRET),
            "The Secret (type `kubernetes.io/tls`) in the mesh's namespace with the certificate and its key.",
        ),
        Attribute::required(
            words::HOSTS,
            Type::some(&Type::Text(&forms::HOST_PATTERN)),
            "The hosts; `*.example.org` is one or more leading labels, `*` every host, also of clients that send no name.",
        ),
    ],
    blocks: &[],
};

pub(crate) static KIND: Kind = Kind {
    word: "tls",
    documentation: "Ends TLS at this port of an ingress gateway, with one certificate for all hosts (`secret`), or with several \
                    that are chosen by host.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::SECRET),
    relations: &[
        Relation {
            rule: Rule::AtLeastOne(&[Part::Attribute(words::SECRET), Part::Block(CERTIFICATE.word)]),
            code: codes::NO_CERTIFICATE,
            reason: "there is nothing to show to clients",
            help: "add `secret = \"…\"`, the name of a Secret of type `kubernetes.io/tls`, or `certificate` blocks with hosts",
        },
        Relation {
            rule: Rule::Requires(
                Part::Attribute(words::CLIENT_CERTIFICATE),
                &[Part::Attribute(words::CLIENT_CA)],
            ),
            code: codes::NO_CLIENT_CA,
            reason: "there are no roots that clients' certificates could descend from",
            help: "add `client_ca = \"…\"`, the name of a Secret with the key `ca.crt`",
        },
    ],
    attributes: &[
        Attribute::optional(
            words::SECRET,
            Type::Text(&forms::SECRET),
            "The Secret (type `kubernetes.io/tls`) in the mesh's namespace with the server certificate: the only one, or the \
             one for hosts that no `certificate` names.",
        ),
        Attribute::defaulted(
            words::MINIMUM_VERSION,
            Type::Symbol(VERSIONS),
            Constant::Symbol("tls12"),
            "The oldest version that is accepted.",
        ),
        Attribute::defaulted(
            words::ALPN,
            Type::some(&Type::Symbol(PROTOCOLS)),
            Constant::Symbols(&["http2", "http1"]),
            "What is offered to clients, the preferred one first; nothing at a port with `protocol = tcp`.",
        ),
        Attribute::optional(
            words::CLIENT_CA,
            Type::Text(&forms::SECRET),
            "The Secret in the mesh's namespace with the roots of clients' certificates, under the key `ca.crt`. With it \
             clients are asked for a certificate, and services are told in `x-forwarded-client-cert` what it says, before \
             what they are told of the gateway: its hash, URIs and DNS names. A request with a certificate that has a SPIFFE \
             id of the mesh, or a name with a comma, semicolon, quote or equals sign, is answered with 403: services could \
             take it for another.",
        ),
        Attribute::derived(
            words::CLIENT_CERTIFICATE,
            Type::Symbol(CLIENT_CERTIFICATE),
            "`required`",
            "Whether clients must show one. Only with `client_ca`. At a port with `protocol = tcp` the handshake decides, \
             and services are told nothing of it.",
        ),
    ],
    blocks: &[Nested { kind: &CERTIFICATE, count: Count::Many }],
};

pub(crate) fn convert(block: &Block, protocol: GatewayProtocol, sink: &mut Sink) -> Option<GatewayTls> {
    let mut certificates = Vec::new();
    for inner in block.blocks(&CERTIFICATE) {
        let hosts = lower_case_hosts(inner, sink);
        for host in &hosts {
            if host.value.parse::<IpAddr>().is_ok() {
                sink.push(address(host));
            }
        }
        let secret = secrets::at_hand(inner.get::<String>(words::SECRET)?, sink);
        certificates.push(GatewayCertificate { secret, hosts });
    }
    if let Some(secret) = block.get::<String>(words::SECRET) {
        let secret = secrets::at_hand(secret, sink);
        let every = Spanned::new(String::from("*"), secret.span);
        certificates.push(GatewayCertificate { secret, hosts: vec![every] });
    }
    report_shared(&certificates, sink);
    let alpn = block.get::<Vec<Spanned<HttpVersion>>>(words::ALPN)?;
    for (position, one) in alpn.value.iter().enumerate() {
        if let Some(first) = alpn.value.iter().take(position).find(|other| other.value == one.value) {
            sink.push(listed_twice(one.span, "this protocol", first.span));
        }
    }
    let alpn = match protocol {
        GatewayProtocol::Http | GatewayProtocol::Tls => alpn.value,
        GatewayProtocol::Tcp => {
            if let Some(span) = block.written(words::ALPN) {
                let diagnostic = exclusive(span, words::ALPN.text(), block.kind_span, "protocol = tcp");
                sink.push(diagnostic.help("it names versions of HTTP: remove it, or `protocol`"));
            }
            Vec::new()
        }
    };
    let (ca, presence) =
        (block.get::<String>(words::CLIENT_CA), block.get::<ClientCertificate>(words::CLIENT_CERTIFICATE));
    let ca = ca.map(|ca| secrets::at_hand(ca, sink));
    let presence = presence.map_or(ClientCertificate::Required, |presence| presence.value);
    Some(GatewayTls {
        origin: block.origin(),
        clients: ca.map(|ca| ClientCertificates { ca, presence }),
        certificates,
        minimum_version: block.get::<TlsVersion>(words::MINIMUM_VERSION)?.value,
        alpn: alpn.into_iter().map(|one| one.value).collect(),
    })
}

/// Two certificates for one host: which one is shown would be left to chance.
fn report_shared(certificates: &[GatewayCertificate], sink: &mut Sink) {
    let mut seen: Vec<&Spanned<String>> = Vec::new();
    for host in certificates.iter().flat_map(|certificate| &certificate.hosts) {
        match seen.iter().find(|other| other.value == host.value) {
            Some(first) => sink.push(
                Diagnostic::error(
                    codes::REPEATED,
                    host.span,
                    format!("there are two certificates for `{}`", host.value),
                )
                .label("the second one")
                .also(first.span, "the first one")
                .help("name the host at one of them only; `secret` is the certificate for `*`"),
            ),
            None => seen.push(host),
        }
    }
}

fn address(host: &Spanned<String>) -> Diagnostic {
    let message = format!("`{}` is an address, and clients send names only", host.value);
    Diagnostic::error(codes::ADDRESS_OF_CERTIFICATE, host.span, message)
        .label("no client is ever shown this certificate for it")
        .help("a client that connects to an address sends no server name: it is shown the certificate for `*`, or `secret`")
}
