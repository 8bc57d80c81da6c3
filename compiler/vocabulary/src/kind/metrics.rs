//! `metrics`: the application's own metrics.

use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Type};

use crate::forms;
use crate::model::Scrape;
use crate::words;

pub(crate) static KIND: Kind = Kind {
    word: "metrics",
    documentation: "Where the application serves its own metrics; the sidecar serves them at `/app/metrics`, beside its own, and the pod's `prometheus.io/…` annotations lead there.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::defaulted(
            words::PATH,
            Type::Text(&forms::PATH),
            Constant::Text("/metrics"),
            "Path at the application.",
        ),
        Attribute::required(words::PORT, Type::PORT, "Port of the application."),
    ],
    blocks: &[],
};

pub(crate) fn convert(block: &Block) -> Option<Scrape> {
    Some(Scrape {
        origin: block.origin(),
        path: block.get::<String>(words::PATH)?.value,
        port: block.get::<u16>(words::PORT)?.value,
    })
}
