//! `call`: calls of which more is said than that they are made.

use lang_diagnostics::{Origin, Sink, Span, Spanned};
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Type};
use lang_evaluate::{Block, Target};

use super::service::{CALLEE, callee};
use crate::build::Ids;
use crate::model::Call;
use crate::words;

/// `critical`, as calls, routes and rules have it.
pub(crate) const CRITICAL: Attribute = Attribute::defaulted(
    words::CRITICAL,
    Type::Boolean,
    Constant::Boolean(false),
    "Whether it has to be served after each single loss: of a cluster, a gateway, a zone, a network, a way between \
     networks, the pods of a service in one cluster, or a rate-limit service. `meshc check` proves it, as `meshc prove \
     failover` does, and a loss after which it is not is an error (`E0830`).",
);

pub(crate) static KIND: Kind = Kind {
    word: "call",
    documentation: "Calls of which more is said than that they are made; they need not be in `calls`, too.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::TO),
    relations: &[],
    attributes: &[
        Attribute::required(
            words::TO,
            Type::some(&Type::Reference(&CALLEE)),
            "What is called, as in `calls`.",
        ),
        CRITICAL,
    ],
    blocks: &[],
};

/// Where `critical = true` is said in a block.
pub(crate) fn critical(block: &Block) -> Option<Span> {
    block.get::<bool>(words::CRITICAL).filter(|critical| critical.value).map(|critical| critical.span)
}

/// The calls of the `call` blocks of a service or client.
pub(crate) fn convert(around: &Block, name: &std::sync::Arc<str>, ids: &Ids) -> Option<Vec<Call>> {
    let mut calls = Vec::new();
    for block in around.blocks(&KIND) {
        for call in block.get::<Vec<Spanned<Target>>>(words::TO)?.value {
            calls.push(Call {
                origin: Origin::new(call.span, std::sync::Arc::clone(name)),
                callee: callee(&call.value, ids)?,
                port: call.value.part,
                critical: critical(block),
            });
        }
    }
    Some(calls)
}

/// Reports what a service or client calls twice.
pub(crate) fn listed(around: &Block, mut all: Vec<Spanned<Target>>, sink: &mut Sink) {
    let targets = around.blocks(&KIND).filter_map(|block| block.get::<Vec<Spanned<Target>>>(words::TO));
    all.extend(targets.flat_map(|targets| targets.value));
    super::report_repeated(&all, sink);
}
