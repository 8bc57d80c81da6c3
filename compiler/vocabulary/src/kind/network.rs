//! `network`: where pods reach each other by address.

use lang_evaluate::Block;
use lang_evaluate::schema::{Kind, Label};

use crate::forms;
use crate::model::Network;
use crate::words;

pub(crate) static KIND: Kind = Kind {
    word: words::kind::NETWORK,
    documentation: "A network: the pods in it reach each other by address. From outside, only gateways are reached.",
    label: Label::Required(&forms::NAME),
    space: Some("network"),
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[],
    blocks: &[],
};

pub(crate) fn convert(block: &Block) -> Network {
    Network { origin: block.origin(), name: block.name().to_owned() }
}
