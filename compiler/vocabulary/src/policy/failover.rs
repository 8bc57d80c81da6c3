//! `failover`: the order in which localities take over.

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Kind, Label, Part, Relation, Rule, Type};

use super::value_or;
use crate::codes;
use crate::forms;
use crate::model::policy::{Failover, FailoverBy};
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// What makes a locality near.
    BY: FailoverBy {
        "zone" => FailoverBy::Zone, "the same zone of the same region first";
        "region" => FailoverBy::Region, "the same region first";
        "latency" => FailoverBy::Latency, "the lowest declared latency of links first";
        "cost" => FailoverBy::Cost, "the lowest declared cost of links first";
    }
}

pub(crate) static KIND: Kind = Kind {
    word: "failover",
    documentation: "Whether and in which order other localities take over when the nearest one has no healthy endpoint.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::BY),
    relations: &[
        Relation {
            rule: Rule::Excludes(
                Part::Attribute(words::LOCALITY),
                &[Part::Attribute(words::BY), Part::Attribute(words::SPILL)],
            ),
            code: codes::LOCALITY_SHARES,
            reason: "`locality` gives shares in the place of an order",
            help: "keep one of them",
        },
        Relation {
            rule: Rule::Excludes(Part::Attribute(words::LOCALITY), &[Part::Flag(words::ENABLED, false)]),
            code: codes::LOCALITY_SHARES,
            reason: "without failover all requests stay in one locality",
            help: "leave `enabled` out",
        },
    ],
    attributes: &[
        Attribute::inherited(words::ENABLED, Type::Boolean, "Whether other localities may take over at all."),
        Attribute::inherited(
            words::BY,
            Type::some(&Type::Symbol(BY)),
            "What makes a locality near, most important first; the own cluster always comes first.",
        ),
        Attribute::inherited(
            words::SPILL,
            Type::Boolean,
            "Whether a locality hands on a part of the requests as soon as fewer than five in seven of its endpoints are \
             left: for each that is left it keeps 1.4 times its share (of four endpoints three keep all, two 70 %, one \
             35 %), and the next locality takes the rest by the same rule. Without it a locality keeps all requests as \
             long as it has an endpoint.",
        ),
        Attribute::optional(
            words::LOCALITY,
            Type::Map { key: &forms::DNS_LABEL, of: &Type::Integer(0, 1_000_000) },
            "Shares of requests by cluster in the place of an order: `{ west = 80, east = 20 }`, drawn at random for each \
             request and connection of every caller. The share of a cluster that has no endpoint left goes to the others, to \
             each as much of it as it weighs. A cluster that is not listed, or has 0, gets none. At most four may have more. \
             Copies that a `mirror` sends go to the nearest cluster.",
        ),
    ],
    blocks: &[],
};

/// Reports too many shares, or none.
pub(crate) fn check(parent: &Block, sink: &mut Sink) {
    const MOST: usize = 4;
    let Some(block) = parent.block(&KIND) else { return };
    let Some(shares) = block.get::<Shares>(words::LOCALITY) else { return };
    let weighed = shares.value.iter().filter(|(_, share)| share.value > 0).count();
    if weighed == 0 || weighed > MOST {
        sink.push(
            Diagnostic::error(codes::LOCALITY_SHARES, shares.span, format!("{weighed} clusters have a share"))
                .help("give from one to four of them a share: Envoy needs a list of clusters for each order in which they take over"),
        );
    }
}

/// Shares by the name of a cluster.
type Shares = Vec<(Spanned<String>, Spanned<u32>)>;

pub(crate) fn convert(block: &Block, defaults: Option<&Failover>) -> Option<Failover> {
    let by = block.get::<Vec<Spanned<FailoverBy>>>(words::BY);
    let by = by.map(|list| list.value.into_iter().map(|entry| entry.value).collect());
    Some(Failover {
        origin: block.origin(),
        enabled: value_or(block, words::ENABLED, defaults.map(|defaults| defaults.enabled))?,
        spill: value_or(block, words::SPILL, defaults.map(|defaults| defaults.spill))?,
        locality: block
            .get::<Shares>(words::LOCALITY)
            .map(|shares| shares.value.into_iter().map(|(name, share)| (name, share.value)).collect())
            .unwrap_or_default(),
        by: by.or(defaults.map(|defaults| defaults.by.clone()))?,
    })
}
