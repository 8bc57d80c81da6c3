//! The kinds of blocks, one file each: its entry in the schema, and how a checked block becomes a part of the model.

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod cluster;
mod conditions;
pub(crate) mod cors;
pub(crate) mod external;
pub(crate) mod fault;
pub(crate) mod filter;
pub(crate) mod gateway;
pub(crate) mod gateway_pods;
mod gateway_tls;
pub(crate) mod http_match;
pub(crate) mod link;
pub(crate) mod mesh;
pub(crate) mod metrics;
pub(crate) mod namespace;
pub(crate) mod network;
pub(crate) mod policy;
pub(crate) mod port;
pub(crate) mod presence;
pub(crate) mod probe;
pub(crate) mod rewrite;
pub(crate) mod route;
pub(crate) mod rule;
mod secrets;
pub(crate) mod service;
pub(crate) mod subset;
pub(crate) mod test;
mod test_call;
mod test_in_time;
pub(crate) mod trust;
pub(crate) mod upgrade;
pub(crate) mod wildcard;
pub(crate) mod workload;

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink, Span, Spanned};
use lang_evaluate::schema::{Count, Kind, Label, Nested, Part, Relation, Rule, Schema};
use lang_evaluate::{Block, EntityId, Target};

use crate::model::{Gateway, GatewayRole};
use crate::{codes, words};

/// The vocabulary of a mesh.
pub const SCHEMA: Schema = Schema { file: &FILE };

/// What stands at the top level of a file.
static FILE: Kind = Kind {
    word: "",
    documentation: "A file. Several files are read as one.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[],
    blocks: &[
        Nested { kind: &mesh::KIND, count: Count::One },
        Nested { kind: &trust::KIND, count: Count::Optional },
        Nested { kind: &network::KIND, count: Count::Some },
        Nested { kind: &link::KIND, count: Count::Many },
        Nested { kind: &cluster::KIND, count: Count::Some },
        Nested { kind: &namespace::KIND, count: Count::Many },
        Nested { kind: &policy::KIND, count: Count::Many },
        Nested { kind: &test::KIND, count: Count::Many },
    ],
};

/// The files of the standard library contain policies only.
pub(crate) const STANDARD_LIBRARY: Schema = Schema { file: &STANDARD_FILE };

static STANDARD_FILE: Kind = Kind {
    word: "",
    documentation: "A file of the standard library.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[],
    blocks: &[Nested { kind: &policy::KIND, count: Count::One }],
};

/// Parts of a block of which at most one says how something is.
pub(crate) const fn one_of(parts: &'static [Part]) -> Relation {
    Relation {
        rule: Rule::AtMostOne(parts),
        code: codes::EXCLUSIVE,
        reason: "they say the same in different ways",
        help: "keep one of them",
    }
}

/// Two attributes of one block that exclude each other.
pub(crate) fn exclusive(span: Span, name: &str, other_span: Span, other: &str) -> Diagnostic {
    Diagnostic::error(codes::EXCLUSIVE, span, format!("`{name}` and `{other}` exclude each other"))
        .label("this one")
        .also(other_span, "and this one")
        .help("keep one of them")
}

/// What a list has for the second time.
pub(crate) fn listed_twice(span: Span, what: &str, first: Span) -> Diagnostic {
    Diagnostic::error(codes::REPEATED, span, format!("{what} is listed twice"))
        .label("listed again")
        .also(first, "listed first")
        .help("remove one of them")
}

/// Up to how many targets of a list are compared with each other.
const SHORT: usize = 32;

/// Reports what a list of names has twice.
pub(crate) fn report_repeated(targets: &[Spanned<Target>], sink: &mut Sink) {
    // Nearly all lists are short, and repeat nothing.
    let earlier = |at: usize| targets.get(..at).unwrap_or_default();
    let repeats = |(at, target): (usize, &Spanned<Target>)| {
        earlier(at).iter().any(|other| other.value.entity == target.value.entity)
    };
    if targets.len() < SHORT && !targets.iter().enumerate().any(repeats) {
        return;
    }
    let mut seen: BTreeMap<(EntityId, Option<&str>), Span> = BTreeMap::new();
    for target in targets {
        let part = target.value.part.as_ref().map(|part| part.value.as_str());
        if let Some(first) = seen.insert((target.value.entity, part), target.span) {
            sink.push(listed_twice(target.span, "this", first));
        }
    }
}

/// Reports a gateway where an ingress is meant.
pub(crate) fn report_no_ingress(gateway: &Gateway, named: Span, sink: &mut Sink) {
    match gateway.role {
        GatewayRole::Ingress => {}
        role @ (GatewayRole::EastWest | GatewayRole::Egress) => sink.push(
            Diagnostic::error(
                codes::NOT_AN_INGRESS,
                named,
                format!("{} takes no requests from outside", gateway.origin.name),
            )
            .label(format!("an {} gateway", gateway::word(role)))
            .also(gateway.origin.span, "declared here")
            .help("name a gateway with `role = ingress`"),
        ),
    }
}

/// The names in `hosts`, in lower case and each once.
pub(crate) fn lower_case_hosts(block: &Block, sink: &mut Sink) -> Vec<Spanned<String>> {
    let mut hosts: Vec<Spanned<String>> = Vec::new();
    for host in block.get::<Vec<Spanned<String>>>(words::HOSTS).into_iter().flat_map(|list| list.value) {
        let host = host.map(|text| text.to_ascii_lowercase());
        if let Some(first) = hosts.iter().find(|other| other.value == host.value) {
            sink.push(listed_twice(host.span, &format!("`{}`", host.value), first.span));
            continue;
        }
        hosts.push(host);
    }
    hosts
}
