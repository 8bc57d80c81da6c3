//! `outlier`: ejection of endpoints that fail.

use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Kind, Label, Type};

use super::value_or;
use crate::model::policy::Outlier;
use crate::words;

pub(crate) static KIND: Kind = Kind {
    word: "outlier",
    documentation: "Ejection of endpoints that fail. All endpoints of a locality may be ejected at once; then the next \
                    locality takes over.",
    label: Label::None,
    space: None,
    reopen: false,
    attributes: &[
        Attribute::inherited(
            words::CONSECUTIVE_5XX,
            Type::Integer(1, 1_000_000),
            "How many failures in a row (5xx answers, failed connections, resets) eject an endpoint.",
        ),
        Attribute::inherited(
            words::INTERVAL,
            Type::Duration,
            "How often it is looked at which endpoints come back.",
        ),
        Attribute::inherited(words::EJECTION, Type::Duration, "How long an endpoint stays ejected."),
    ],
    blocks: &[],
};

pub(crate) fn convert(block: &Block, defaults: Option<&Outlier>) -> Option<Outlier> {
    Some(Outlier {
        origin: block.origin(),
        consecutive_5xx: value_or(
            block,
            words::CONSECUTIVE_5XX,
            defaults.map(|defaults| defaults.consecutive_5xx),
        )?,
        interval: value_or(block, words::INTERVAL, defaults.map(|defaults| defaults.interval))?,
        ejection: value_or(block, words::EJECTION, defaults.map(|defaults| defaults.ejection))?,
    })
}
