//! `test`: what a mesh is expected to do.
#![expect(clippy::wildcard_enum_match_arm, reason = "the schema lets two or three forms of value through")]

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{
    ANY_TEXT, Attribute, Count, Kind, Label, Nested, Pattern, Reference, Type, assertion,
};
use lang_evaluate::{Block, Target, Value};
use lang_syntax::ast;

use super::{test_call, test_in_time};
use crate::build::Ids;
use crate::model::{Cluster, Id, Model};
use crate::testing::{Assertion, Expected, Fault, Test};
use crate::{codes, words};

/// The name of a test, which reports have on one line.
static TEST_NAME: Pattern = Pattern {
    name: "a test's name",
    check: |text| {
        if text.trim().is_empty() {
            Some(String::from("it is empty"))
        } else if text.chars().any(char::is_control) {
            Some(String::from("control characters cannot stand in a name"))
        } else {
            None
        }
    },
};

/// What may be at either end of a call.
pub(super) const END: Reference = Reference {
    kinds: &[
        words::kind::SERVICE,
        words::kind::CLIENT,
        words::kind::SUBSET,
        words::kind::EXTERNAL,
        words::kind::GATEWAY,
    ],
    part: Some(words::kind::PORT),
    inner: &[words::kind::SUBSET],
    refused: &[(words::kind::CLUSTER, "write the gateway's name behind it: `<cluster>.<gateway>`")],
};

pub(super) const CLUSTER: Reference = Reference::to(&[words::kind::CLUSTER]);
const PODS: Reference = Reference::to(&[words::kind::SERVICE, words::kind::SUBSET]);
const NETWORK: Reference = Reference::to(&[words::kind::NETWORK]);
const FAILS: Reference = Reference::to(&[
    words::kind::SERVICE,
    words::kind::SUBSET,
    words::kind::CLUSTER,
    words::kind::GATEWAY,
    words::kind::NETWORK,
]);

/// Calls, `A -> B`.
pub(super) const CALLS: Type = Type::some(&Type::Call(&END, &CLUSTER));

pub(crate) static KIND: Kind = Kind {
    word: "test",
    documentation: "What the mesh is expected to do, for `meshc test`. It changes nothing that is built. Each call is `A -> B`, where either may be \
                    narrowed to a cluster, `A in WEST -> B in EAST`; what depends on the request is asked in a `call`.",
    label: Label::Required(&TEST_NAME),
    space: Some("test"),
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::optional(
            words::FAIL,
            Type::some(&Type::Union(&[
                Type::Instance(&PODS, &CLUSTER),
                Type::Call(&NETWORK, &CLUSTER),
                Type::Reference(&FAILS),
            ])),
            "What has failed: all pods of a service (`shop.web`, or `shop.web in east`), a cluster, a gateway, a network with all its \
             clusters, or the way between two networks (`west-net -> east-net`).",
        ),
        Attribute::optional(
            words::ALLOW,
            CALLS,
            "Calls that are sent and admitted, whatever their requests are.",
        ),
        Attribute::optional(
            words::DENY,
            CALLS,
            "Calls that the callee refuses, whatever their requests are, and whether or not the caller's own proxy would send them.",
        ),
        Attribute::optional(
            words::REACHES,
            CALLS,
            "Calls that pods of the callee answer, in the cluster that is given or in any, once proxies have noticed what failed.",
        ),
        Attribute::optional(words::LIMITED, CALLS, "Calls of which every request is counted by some limit."),
    ],
    blocks: &[
        Nested { kind: &test_call::KIND, count: Count::Many },
        Nested { kind: &test_in_time::KIND, count: Count::Many },
        Nested { kind: &ASSERT, count: Count::Many },
    ],
};

static ASSERT: Kind = Kind {
    word: assertion::KIND,
    documentation: "A condition about the resolved mesh, written `assert condition else \"message\"`.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::required(
            assertion::CONDITION,
            Type::Condition,
            "What has to be true, behind the word: `assert shop.web.clusters == [west]`.",
        ),
        Attribute::optional(
            assertion::MESSAGE,
            Type::Text(&ANY_TEXT),
            "What is said if it is not, behind `else`.",
        ),
    ],
    blocks: &[],
};

pub(crate) fn convert(block: &Block, ids: &Ids, model: &Model, sink: &mut Sink) -> Option<Test> {
    let mut calls = Vec::new();
    for (name, expected) in [
        (words::ALLOW, test_call::Listed::Allow),
        (words::DENY, test_call::Listed::Deny),
        (words::REACHES, test_call::Listed::Reaches),
        (words::LIMITED, test_call::Listed::Limited),
    ] {
        for call in block.get::<Vec<Spanned<Value>>>(name).into_iter().flat_map(|list| list.value) {
            calls.extend(test_call::listed(&call, expected, ids, model, sink));
        }
    }
    for inner in block.blocks(&test_in_time::KIND) {
        calls.extend(test_in_time::convert(inner, ids, model, sink));
    }
    for inner in block.blocks(&test_call::KIND) {
        calls.extend(test_call::convert(inner, ids, model, sink));
    }
    calls.sort_by_key(|call| call.origin.span);
    let mut assertions: Vec<Assertion> = block.blocks(&ASSERT).filter_map(assertion).collect();
    assertions.sort_by_key(|assertion| assertion.condition.span);
    Some(Test {
        origin: block.origin(),
        name: block.name().to_owned(),
        fail: faults(block, ids, model, sink)?,
        calls,
        assertions,
    })
}

fn assertion(block: &Block) -> Option<Assertion> {
    Some(Assertion {
        origin: block.origin(),
        condition: block.get::<ast::Value>(assertion::CONDITION)?.value,
        message: block.get::<String>(assertion::MESSAGE).map(|message| message.value),
    })
}

fn faults(block: &Block, ids: &Ids, model: &Model, sink: &mut Sink) -> Option<Vec<Spanned<Fault>>> {
    let listed = block.get::<Vec<Spanned<Value>>>(words::FAIL).into_iter().flat_map(|list| list.value);
    let mut faults = Vec::new();
    for value in listed {
        let fault = match &value.value {
            Value::Instance(target, place) => {
                let service = *ids.services.get(&target.entity)?;
                let cluster = *ids.clusters.get(&place.entity)?;
                runs_there(model, service, cluster, value.span, sink);
                Fault::Service(service, Some(cluster))
            }
            Value::Call(from, to) => {
                let network = |end: &Spanned<Value>| match &end.value {
                    Value::Reference(target) => ids.networks.get(&target.entity).copied(),
                    _ => None,
                };
                match (network(from), network(to)) {
                    (Some(from), Some(to)) => Fault::Link(from, to),
                    _ => {
                        sink.push(
                            Diagnostic::error(
                                codes::NOT_AN_END,
                                value.span,
                                "a network has no parts in clusters",
                            )
                            .label("expected two networks")
                            .help("write `west-net -> east-net`"),
                        );
                        continue;
                    }
                }
            }
            Value::Reference(target) => fault(target, ids)?,
            _ => return None,
        };
        faults.push(Spanned::new(fault, value.span));
    }
    Some(faults)
}

fn fault(target: &Target, ids: &Ids) -> Option<Fault> {
    let entity = &target.entity;
    let service = ids.services.get(entity).map(|id| Fault::Service(*id, None));
    let cluster = || ids.clusters.get(entity).map(|id| Fault::Cluster(*id));
    let gateway = || ids.gateways.get(entity).map(|id| Fault::Gateway(*id));
    let network = || ids.networks.get(entity).map(|id| Fault::Network(*id));
    service.or_else(cluster).or_else(gateway).or_else(network)
}

/// Reports a place where a service does not run.
pub(super) fn runs_there(
    model: &Model,
    service: Id<crate::model::Service>,
    cluster: Id<Cluster>,
    span: lang_diagnostics::Span,
    sink: &mut Sink,
) {
    let entry = model.services.at(service);
    if entry.presence(cluster).is_some() {
        return;
    }
    let there: Vec<String> =
        entry.clusters.iter().map(|it| format!("`{}`", model.clusters.at(it.cluster).name)).collect();
    let (name, cluster) = (model.service_name(service), &model.clusters.at(cluster).name);
    sink.push(
        Diagnostic::error(codes::ELSEWHERE, span, format!("`{name}` does not run in `{cluster}`"))
            .label("not there")
            .also(entry.origin.span, "declared here")
            .help(format!("it runs in {}", there.join(", "))),
    );
}

/// What every form of a call that is listed expects.
pub(super) fn expected(listed: test_call::Listed, cluster: Option<Id<Cluster>>) -> Expected {
    match listed {
        test_call::Listed::Allow => Expected::Allowed,
        test_call::Listed::Deny => Expected::Refused,
        test_call::Listed::Reaches => Expected::Reaches(cluster),
        test_call::Listed::Limited => Expected::Limited,
        test_call::Listed::Within(most) => Expected::Within(most),
    }
}
