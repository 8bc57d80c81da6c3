//! `external`: a host outside the mesh.

use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Count, Kind, Label, Nested, Type};

use super::port::PROTOCOLS;
use crate::forms;
use crate::model::{Bind, ExternalHost, Id, Mtls, Namespace, Port, Protocol};
use crate::words;

static PORT: Kind = Kind {
    word: words::kind::PORT,
    documentation: "A port of the host.",
    label: Label::Required(&forms::NAME),
    space: Some("port"),
    reopen: false,
    attributes: &[
        Attribute::required(words::NUMBER, Type::PORT, "Its number."),
        Attribute::defaulted(
            words::PROTOCOL,
            Type::Symbol(PROTOCOLS),
            Constant::Symbol("tcp"),
            "What is spoken on it. TLS that the application itself begins is `tcp`.",
        ),
    ],
    blocks: &[],
};

pub(crate) static KIND: Kind = Kind {
    word: words::kind::EXTERNAL,
    documentation: "A host outside the mesh that services may call.",
    label: Label::Required(&forms::NAME),
    space: Some("callee"),
    reopen: false,
    attributes: &[Attribute::required(words::HOST, Type::Text(&forms::DNS_NAME), "Its DNS name.")],
    blocks: &[Nested { kind: &PORT, count: Count::Some }],
};

pub(crate) fn convert(block: &Block, namespace: Id<Namespace>) -> Option<ExternalHost> {
    Some(ExternalHost {
        origin: block.origin(),
        name: block.name().to_owned(),
        namespace,
        host: block.get::<String>(words::HOST)?.value,
        ports: block.blocks(&PORT).map(port).collect::<Option<_>>()?,
    })
}

/// Nobody outside the mesh proves an identity to it, so that `mtls` is off; where it listens is its own affair.
fn port(block: &Block) -> Option<Port> {
    let number = block.get::<u16>(words::NUMBER)?.value;
    Some(Port {
        origin: block.origin(),
        name: block.name().to_owned(),
        number,
        target: number,
        protocol: block.get::<Protocol>(words::PROTOCOL)?.value,
        bind: Bind::Any,
        mtls: Mtls::Off,
    })
}
