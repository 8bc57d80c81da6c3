//! `namespace`: a Kubernetes namespace, the same in every cluster.

use lang_evaluate::Block;
use lang_evaluate::schema::{Count, Kind, Label, Nested};

use super::{client, external, policy, route, service};
use crate::forms;
use crate::model::Namespace;
use crate::words;

pub(crate) static KIND: Kind = Kind {
    word: words::kind::NAMESPACE,
    documentation: "A Kubernetes namespace, the same in every cluster. It may be opened in several places, which add up.",
    label: Label::Required(&forms::NAME),
    space: Some("namespace"),
    reopen: true,
    principal: None,
    relations: &[],
    attributes: &[],
    blocks: &[
        Nested { kind: &service::KIND, count: Count::Many },
        Nested { kind: &client::KIND, count: Count::Many },
        Nested { kind: &external::KIND, count: Count::Many },
        Nested { kind: &route::KIND, count: Count::Many },
        Nested { kind: &policy::KIND, count: Count::Many },
    ],
};

pub(crate) fn convert(block: &Block) -> Namespace {
    Namespace { origin: block.origin(), name: block.name().to_owned() }
}
