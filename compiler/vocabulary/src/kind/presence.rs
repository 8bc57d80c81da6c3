//! `in`: what differs for a service in one cluster.

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Reference, Type};
use lang_evaluate::{Block, Target};

use super::listed_twice;
use crate::build::Ids;
use crate::codes;
use crate::forms;
use crate::model::{Host, Presence};
use crate::words;

/// The replicas of a service in a cluster that says nothing else.
const REPLICAS: u32 = 1;

/// `clusters`, as services and clients have it.
pub(crate) const CLUSTERS: Attribute = Attribute::required(
    words::CLUSTERS,
    Type::some(&Type::Reference(&Reference::to(&[words::kind::CLUSTER]))),
    "The clusters that it runs in.",
);

pub(crate) static KIND: Kind = Kind {
    word: "in",
    documentation: "Settings for one of its clusters only: `in east { replicas = 3 }`.",
    label: Label::Reference(&Reference::to(&[words::kind::CLUSTER])),
    space: None,
    reopen: false,
    principal: Some(words::REPLICAS),
    relations: &[],
    attributes: &[
        Attribute::defaulted(
            words::REPLICAS,
            Type::Integer(1, 100_000),
            Constant::Integer(REPLICAS as u64),
            "How many replicas run there: the weight of the cluster among several.",
        ),
        Attribute::optional(
            words::ADDRESSES,
            Type::some(&Type::Host(&forms::DNS_NAME)),
            "The machines, in a cluster with `platform = machines`: their addresses or DNS names, each as good as the others.",
        ),
    ],
    blocks: &[],
};

/// The presences that `clusters` and the `in` blocks of a service declare, in order of cluster. Those of a subset are
/// among its service's, and all of them unless it says otherwise.
pub(crate) fn convert(
    block: &Block,
    service: Option<(&Block, &[Presence])>,
    ids: &Ids,
    sink: &mut Sink,
) -> Option<Vec<Presence>> {
    let listed = block.get::<Vec<Spanned<Target>>>(words::CLUSTERS).map(|list| list.value);
    let mut presences: Vec<Presence> = match (&listed, service) {
        (None, Some((_, all))) => all
            .iter()
            .map(|it| Presence { replicas: REPLICAS, addresses: Vec::new(), ..it.clone() })
            .collect(),
        (None, None) => return None,
        (Some(_), _) => Vec::new(),
    };
    for cluster in listed.into_iter().flatten() {
        let id = *ids.clusters.get(&cluster.value.entity)?;
        if let Some(first) = presences.iter().find(|presence| presence.cluster == id) {
            sink.push(
                listed_twice(cluster.span, "this cluster", first.span)
                    .help("remove one of them; `in` sets how many replicas run there"),
            );
            continue;
        }
        if let Some((around, all)) = service
            && !all.iter().any(|presence| presence.cluster == id)
        {
            let listed = around.written(words::CLUSTERS).unwrap_or(around.name_span());
            sink.push(
                Diagnostic::error(
                    codes::NOT_IN_CLUSTER,
                    cluster.span,
                    format!("{} does not run here", around.origin().name),
                )
                .label("not one of the service's clusters")
                .also(listed, "these are its clusters")
                .help("add the cluster to the `clusters` of the service, or leave it out here"),
            );
        }
        presences.push(Presence {
            cluster: id,
            span: cluster.span,
            replicas: REPLICAS,
            addresses: Vec::new(),
        });
    }
    let mut seen: Vec<&Block> = Vec::new();
    for special in block.blocks(&KIND) {
        let id = *ids.clusters.get(&special.subject?)?;
        if let Some(first) = seen.iter().find(|other| other.subject == special.subject) {
            sink.push(
                Diagnostic::error(
                    codes::REPEATED,
                    special.name_span(),
                    format!("there are two `in {}` blocks", special.name()),
                )
                .label("the second one")
                .also(first.name_span(), "the first one")
                .help("keep one of them"),
            );
            continue;
        }
        seen.push(special);
        match presences.iter_mut().find(|presence| presence.cluster == id) {
            Some(presence) => {
                presence.replicas = special.get::<u32>(words::REPLICAS)?.value;
                let addresses = special.get::<Vec<Spanned<Host>>>(words::ADDRESSES);
                presence.addresses = addresses.map(|list| list.value).unwrap_or_default();
            }
            None => {
                let listed = block.written(words::CLUSTERS).unwrap_or(block.name_span());
                sink.push(
                    Diagnostic::error(
                        codes::NOT_IN_CLUSTER,
                        special.name_span(),
                        format!("{} does not run in `{}`", block.origin().name, special.name()),
                    )
                    .label("not one of its clusters")
                    .also(listed, "these are its clusters")
                    .help(format!("add `{}` to `clusters`, or remove this block", special.name())),
                );
            }
        }
    }
    presences.sort_by_key(|presence| presence.cluster);
    Some(presences)
}
