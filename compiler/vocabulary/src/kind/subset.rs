//! `subset`: some of a service's pods, such as one of its versions.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Count, Kind, Label, Nested};

use super::{presence, workload};
use crate::build::Ids;
use crate::codes;
use crate::forms;
use crate::model::{Cluster, Id, Service, SubsetOf, Table};
use crate::words;

pub(crate) static KIND: Kind = Kind {
    word: words::kind::SUBSET,
    documentation: "Some of the service's pods, such as one of its versions: those of its workloads. Rules of routes send \
                    requests to it by its name (`to = reviews.v2`); a call to the service itself reaches the pods of \
                    all subsets. It has the service's ports, account, calls, access rules and limits, and fails over \
                    within itself. A service with subsets has no workloads beside theirs.",
    label: Label::Required(&forms::NAME),
    space: Some("subset"),
    reopen: false,
    principal: Some(words::CLUSTERS),
    relations: &[],
    attributes: &[Attribute::derived(
        words::CLUSTERS,
        presence::CLUSTERS.ty,
        "those of the service",
        "The clusters that it runs in, all of them among the service's.",
    )],
    blocks: &[
        Nested { kind: &presence::KIND, count: Count::Many },
        Nested { kind: &workload::KIND, count: Count::Many },
    ],
};

/// A subset of a service. It has the service's properties, and makes no calls of its own.
pub(crate) fn convert(
    block: &Block,
    around: &Block,
    (id, service): (Id<Service>, &Service),
    ids: &Ids,
    sink: &mut Sink,
) -> Option<Service> {
    let name = block.name().to_owned();
    Some(Service {
        origin: block.origin(),
        name: format!("{}.{name}", service.name),
        documentation: block.documentation.as_ref().map(|text| text.value.clone()),
        clusters: presence::convert(block, Some((around, &service.clusters)), ids, sink)?,
        workloads: workload::convert(block, &format!("{}-{name}", service.name), sink)?,
        subset_of: Some(SubsetOf { service: id, service_name: service.name.clone(), name }),
        calls: Vec::new(),
        subsets: Vec::new(),
        vip: None,
        ..service.clone()
    })
}

/// Tells a service of its subsets, whose replicas are its own. What it declares besides is reported: a workload outside
/// of all subsets, and a cluster in which none of them runs.
pub(crate) fn join(id: Id<Service>, services: &mut Table<Service>, block: &Block, sink: &mut Sink) {
    let Some(first) = block.block(&KIND) else { return };
    let subsets: Vec<_> = services.ids().filter(|subset| *subset > id).collect();
    for workload in block.blocks(&workload::KIND) {
        sink.push(
            Diagnostic::error(
                codes::OUTSIDE_SUBSETS,
                workload.label.as_ref().map_or(workload.kind_span, |label| label.span),
                format!("this workload of {} belongs to no subset", block.origin().name),
            )
            .label("no rule could send requests to its pods alone")
            .also(first.name_span(), "the service has subsets")
            .help("put it into a `subset` block, such as `subset stable { … }`"),
        );
    }
    let mut replicas: BTreeMap<Id<Cluster>, u32> = BTreeMap::new();
    for presence in subsets.iter().flat_map(|subset| &services.at(*subset).clusters) {
        let sum = replicas.entry(presence.cluster).or_default();
        *sum = sum.saturating_add(presence.replicas);
    }
    let Some(service) = services.get_mut(id) else { return };
    for presence in &mut service.clusters {
        match replicas.get(&presence.cluster) {
            Some(sum) => presence.replicas = *sum,
            None => sink.push(
                Diagnostic::error(
                    codes::CLUSTER_WITHOUT_SUBSET,
                    presence.span,
                    format!("no subset of {} runs in this cluster", block.origin().name),
                )
                .label("no pods are here")
                .also(first.name_span(), "all its pods are in subsets")
                .help("add the cluster to the `clusters` of a subset, or leave it out here"),
            ),
        }
    }
    service.subsets = subsets;
}
