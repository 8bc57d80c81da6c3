//! `service`: what is called.

use std::net::IpAddr;
use std::sync::Arc;

use lang_diagnostics::{Origin, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Count, Kind, Label, Nested, Part, Reference, Relation, Rule, Type};
use lang_evaluate::{Block, Target};

use super::{call, mesh, metrics, port, presence, probe, subset, workload};
use crate::build::Ids;
use crate::codes;
use crate::forms;
use crate::model::{Call, Callee, CaptureChoice, Id, Namespace, Service};
use crate::words;

/// Why clients and gateways are not called.
const CLIENT: (&str, &str) =
    (words::kind::CLIENT, "a client has no ports; declare it as a `service` with a `port`");
const GATEWAY: (&str, &str) =
    (words::kind::GATEWAY, "services call each other, not gateways; the compiler finds the way through them");
/// Why subsets are not called.
const SUBSET: (&str, &str) = (
    words::kind::SUBSET,
    "call the service; a route with `callee = reviews` and `to = reviews.v2` sends its calls to a subset",
);

/// What may be called: a service or a host outside the mesh, or one port of it.
pub(crate) const CALLEE: Reference = Reference {
    kinds: &[words::kind::SERVICE, words::kind::EXTERNAL],
    part: Some(words::kind::PORT),
    inner: &[],
    refused: &[CLIENT, GATEWAY, SUBSET],
};

/// Where a rule may send requests: what may be called, or a subset of a service.
pub(crate) const DESTINATION: Reference = Reference {
    kinds: &[words::kind::SERVICE, words::kind::SUBSET, words::kind::EXTERNAL],
    part: Some(words::kind::PORT),
    inner: &[words::kind::SUBSET],
    refused: &[CLIENT, GATEWAY],
};

/// `calls`, as services and clients have it.
pub(crate) const CALLS: Attribute = Attribute::optional(
    words::CALLS,
    Type::list(&Type::Reference(&CALLEE)),
    "What it calls: services and external hosts, or one port of them (`catalog.http`). Its sidecar has the configuration of nothing else.",
);

/// `account`, as services and clients have it.
pub(crate) const ACCOUNT: Attribute = Attribute::derived(
    words::ACCOUNT,
    Type::Text(&forms::DNS_LABEL),
    "its name",
    "Its Kubernetes service account, and thereby its identity. Services that share one are one principal.",
);

/// `capture`, as services and clients have it.
pub(crate) const CAPTURE: Attribute = Attribute::derived(
    words::CAPTURE,
    Type::Symbol(mesh::CAPTURES),
    "the mesh's",
    "How its outbound connections reach its sidecar.",
);

pub(crate) static KIND: Kind = Kind {
    word: words::kind::SERVICE,
    documentation: "Something that is called, and that may call others. Services, clients and external hosts of one \
                    namespace share their names.",
    label: Label::Required(&forms::NAME),
    space: Some("callee"),
    reopen: false,
    principal: None,
    relations: &[Relation {
        rule: Rule::Excludes(Part::Block(subset::KIND.word), &[Part::Block(presence::KIND.word)]),
        code: codes::EXCLUSIVE,
        reason: "a service with subsets has their replicas",
        help: "write `in` in the subsets",
    }],
    attributes: &[
        presence::CLUSTERS,
        CALLS,
        ACCOUNT,
        CAPTURE,
        Attribute::derived(
            words::VIP,
            Type::Ip,
            "derived from its name",
            "The virtual address by which callers reach it, if the derived one clashes with another callee's.",
        ),
        mesh::MAX_AMPLIFICATION,
    ],
    blocks: &[
        Nested { kind: &port::KIND, count: Count::Some },
        Nested { kind: &call::KIND, count: Count::Many },
        Nested { kind: &presence::KIND, count: Count::Many },
        Nested { kind: &workload::KIND, count: Count::Many },
        Nested { kind: &subset::KIND, count: Count::Many },
        Nested { kind: &probe::KIND, count: Count::Many },
        Nested { kind: &metrics::KIND, count: Count::Optional },
    ],
};

/// A service or client without its calls, which may point at services that come later.
pub(crate) fn convert(
    block: &Block,
    namespace: Id<Namespace>,
    capture: CaptureChoice,
    ids: &Ids,
    sink: &mut Sink,
) -> Option<Service> {
    Some(Service {
        origin: block.origin(),
        name: block.name().to_owned(),
        namespace,
        documentation: block.documentation.as_ref().map(|text| text.value.clone()),
        clusters: presence::convert(block, None, ids, sink)?,
        ports: block.blocks(&port::KIND).map(port::convert).collect::<Option<_>>()?,
        calls: Vec::new(),
        account: block
            .get::<String>(words::ACCOUNT)
            .map_or_else(|| block.name().to_owned(), |name| name.value),
        workloads: match block.block(&subset::KIND) {
            Some(_) => Vec::new(),
            None => workload::convert(block, block.name(), sink)?,
        },
        subset_of: None,
        subsets: Vec::new(),
        capture: block.get::<CaptureChoice>(words::CAPTURE).map_or(capture, |capture| capture.value),
        vip: block.get::<IpAddr>(words::VIP),
        max_amplification: mesh::max_amplification(block),
        probes: probe::convert(block, sink)?,
        scrape: match block.block(&metrics::KIND) {
            Some(metrics) => Some(metrics::convert(metrics)?),
            None => None,
        },
    })
}

/// The calls of a service or client, when all callees have their ids.
pub(crate) fn calls(block: &Block, ids: &Ids, sink: &mut Sink) -> Option<Vec<Call>> {
    let calls = block.get::<Vec<Spanned<Target>>>(words::CALLS).map(|calls| calls.value).unwrap_or_default();
    call::listed(block, calls.clone(), sink);
    let name: Arc<str> = format!("a call of {}", block.origin().name).into();
    let plain = calls.into_iter().map(|call| {
        Some(Call {
            origin: Origin::new(call.span, Arc::clone(&name)),
            callee: callee(&call.value, ids)?,
            port: call.value.part,
            critical: None,
        })
    });
    let mut all = plain.collect::<Option<Vec<Call>>>()?;
    all.extend(call::convert(block, &name, ids)?);
    Some(all)
}

/// What a target of [`CALLEE`] is in the model.
pub(crate) fn callee(target: &Target, ids: &Ids) -> Option<Callee> {
    let service = ids.services.get(&target.entity).map(|id| Callee::Service(*id));
    service.or_else(|| ids.externals.get(&target.entity).map(|id| Callee::External(*id)))
}
