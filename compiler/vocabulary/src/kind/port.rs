//! `port`: what a service offers.

use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Type};

use crate::forms;
use crate::model::{Bind, Mtls, Port, Protocol};
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// What is spoken on a port.
    PROTOCOLS: Protocol {
        "http" | "http1" | "http/1.1" => Protocol::Http, "HTTP/1.1 at the application; proxies may speak HTTP/2 between each other";
        "http2" | "h2" | "h2c" => Protocol::Http2, "HTTP/2 at the application";
        "grpc" | "grpc-web" => Protocol::Grpc, "gRPC: HTTP/2 without a route timeout";
        "tcp" | "https" | "tls" | "mysql" | "postgres" | "redis" | "mongo" => Protocol::Tcp,
            "anything over TCP, also TLS that the application itself ends";
    }
}

symbols! {
    /// Which addresses an application listens on.
    BINDS: Bind {
        "loopback" => Bind::Loopback, "127.0.0.1 only (::1 in clusters with `ip_family = ipv6`), so that all connections come from the sidecar";
        "any" => Bind::Any, "all addresses: a NetworkPolicy closes the port to others";
    }
}

symbols! {
    /// Whether callers must prove who they are.
    MTLS: Mtls {
        "strict" => Mtls::Strict, "always";
        "permissive" => Mtls::Permissive, "plain connections are taken too, for adoption";
        "off" => Mtls::Off, "the sidecar stays out of the way";
    }
}

pub(crate) static KIND: Kind = Kind {
    word: words::kind::PORT,
    documentation: "A port that the service offers. Others call it `<service>.<port>` if only this one is meant.",
    label: Label::Required(&forms::NAME),
    space: Some("port"),
    reopen: false,
    principal: Some(words::NUMBER),
    relations: &[],
    attributes: &[
        Attribute::required(words::NUMBER, Type::PORT, "The number that callers use."),
        Attribute::derived(
            words::TARGET,
            Type::PORT,
            "`number`",
            "The number that the application listens on.",
        ),
        Attribute::defaulted(
            words::PROTOCOL,
            Type::Symbol(PROTOCOLS),
            Constant::Symbol("http"),
            "What is spoken on it.",
        ),
        Attribute::defaulted(
            words::BIND,
            Type::Symbol(BINDS),
            Constant::Symbol("any"),
            "Which addresses the application listens on.",
        ),
        Attribute::defaulted(
            words::MTLS,
            Type::Symbol(MTLS),
            Constant::Symbol("strict"),
            "Whether callers must prove who they are.",
        ),
    ],
    blocks: &[],
};

pub(crate) fn convert(block: &Block) -> Option<Port> {
    let number = block.get::<u16>(words::NUMBER)?.value;
    Some(Port {
        origin: block.origin(),
        name: block.name().to_owned(),
        number,
        target: block.get::<u16>(words::TARGET).map_or(number, |target| target.value),
        protocol: block.get::<Protocol>(words::PROTOCOL)?.value,
        bind: block.get::<Bind>(words::BIND)?.value,
        mtls: block.get::<Mtls>(words::MTLS)?.value,
    })
}
