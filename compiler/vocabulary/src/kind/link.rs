//! `link`: a way between two networks.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Kind, Label, Reference, Type};
use lang_evaluate::{Block, Target};

use crate::build::Ids;
use crate::codes;
use crate::model::Link;
use crate::words;

pub(crate) static KIND: Kind = Kind {
    word: "link",
    documentation: "A way between two networks, in both directions: what is in one of them reaches the gateways in the \
                    other. As soon as one link is declared, networks without a link do not reach each other; without \
                    any, all of them do.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::BETWEEN),
    relations: &[],
    attributes: &[
        Attribute::required(
            words::BETWEEN,
            Type::List { of: &Type::Reference(&Reference::to(&[words::kind::NETWORK])), min: 2, max: 2 },
            "The two networks.",
        ),
        Attribute::optional(
            words::LATENCY,
            Type::Duration,
            "One-way latency, for `failover { by = [latency] }`.",
        ),
        Attribute::optional(
            words::COST,
            Type::Integer(0, u64::MAX),
            "Relative cost, for `failover { by = [cost] }`.",
        ),
    ],
    blocks: &[],
};

pub(crate) fn convert(block: &Block, ids: &Ids, sink: &mut Sink) -> Option<Link> {
    let between = block.get::<Vec<Spanned<Target>>>(words::BETWEEN)?;
    let [from, to] = between.value.as_slice() else { return None };
    if from.value.entity == to.value.entity {
        sink.push(
            Diagnostic::error(codes::LINK_TO_ITSELF, to.span, "this link joins a network to itself")
                .label("the same network")
                .also(from.span, "the first one")
                .help("name two networks; pods of one network reach each other without a link"),
        );
    }
    let network = |target: &Spanned<Target>| ids.networks.get(&target.value.entity).copied();
    let (mut from, mut to) = (network(from)?, network(to)?);
    // A link has no direction, so that `[a, b]` and `[b, a]` must come out alike.
    if to < from {
        std::mem::swap(&mut from, &mut to);
    }
    Some(Link {
        origin: block.origin(),
        from,
        to,
        latency: block.get::<Duration>(words::LATENCY).map(|latency| latency.value),
        cost: block.get::<u64>(words::COST).map(|cost| cost.value),
    })
}
