//! `failover`: the order in which localities take over.

use lang_diagnostics::Spanned;
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Kind, Label, Type};

use super::value_or;
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
    ],
    blocks: &[],
};

pub(crate) fn convert(block: &Block, defaults: Option<&Failover>) -> Option<Failover> {
    let by = block.get::<Vec<Spanned<FailoverBy>>>(words::BY);
    let by = by.map(|list| list.value.into_iter().map(|entry| entry.value).collect());
    Some(Failover {
        origin: block.origin(),
        enabled: value_or(block, words::ENABLED, defaults.map(|defaults| defaults.enabled))?,
        spill: value_or(block, words::SPILL, defaults.map(|defaults| defaults.spill))?,
        by: by.or(defaults.map(|defaults| defaults.by.clone()))?,
    })
}
