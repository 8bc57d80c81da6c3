//! `allow` and `deny`: who may call.

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Count, Kind, Label, Nested, Reference, Symbol, Type};
use lang_evaluate::{Block, FromValue, Target, Value};

use super::Context;
use crate::codes;
use crate::kind::http_match;
use crate::kind::wildcard::Purpose;
use crate::model::GatewayRole;
use crate::model::policy::{AuthorizationRule, Source};
use crate::words;

/// Whatever has identities.
const SOURCE: Reference = Reference {
    kinds: &[words::kind::SERVICE, words::kind::CLIENT, words::kind::GATEWAY, words::kind::NAMESPACE],
    part: None,
    inner: &[],
    refused: &[
        (words::kind::SUBSET, "the subsets of a service have one account; name the service"),
        (
            words::kind::CLUSTER,
            "identities carry no cluster, so that no proxy could tell; name the services or the gateway that may call",
        ),
        (words::kind::EXTERNAL, "a host outside the mesh proves no identity"),
        (
            "*",
            "without any `allow`, everybody who declares the call is admitted; a namespace means everybody in it",
        ),
    ],
};

const UNAUTHENTICATED: &str = "unauthenticated";

/// Who has no identity and can be named all the same.
const NOBODY_KNOWN: &[Symbol] = &[Symbol {
    word: UNAUTHENTICATED,
    documentation: "whoever connects to a permissive port without an identity",
    also: &["anonymous", "unknown", "plain"],
}];

const FROM: Attribute = Attribute::required(
    words::FROM,
    Type::some(&Type::Union(&[Type::Symbol(NOBODY_KNOWN), Type::Reference(&SOURCE)])),
    "Whom it means: services and clients wherever they run, ingress gateways, everybody in a namespace, or callers without \
     an identity.",
);

pub(crate) static ALLOW: Kind = Kind {
    word: "allow",
    documentation: "Who may call. A service with any `allow` admits only those; without one it admits everybody who \
                    declares the call, and a port with `mtls = permissive` admits everybody. With an `allow`, a \
                    permissive port admits callers without an identity only where a rule names `unauthenticated`.",
    label: Label::None,
    space: None,
    reopen: false,
    attributes: &[FROM],
    blocks: &[Nested { kind: &http_match::KIND, count: Count::Many }],
};

pub(crate) static DENY: Kind = Kind {
    word: "deny",
    documentation: "Who may not call, even if a rule of `allow` admits it.",
    label: Label::None,
    space: None,
    reopen: false,
    attributes: &[FROM],
    blocks: &[Nested { kind: &http_match::KIND, count: Count::Many }],
};

/// What `from` names.
#[derive(Clone, Debug)]
enum Named {
    Unauthenticated,
    Entity(Target),
}

impl FromValue for Named {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Symbol(UNAUTHENTICATED) = value {
            return Some(Self::Unauthenticated);
        }
        Target::from_value(value).map(Self::Entity)
    }
}

/// The rules of one kind in a policy.
pub(crate) fn convert(
    policy: &Block,
    kind: &Kind,
    context: Context<'_>,
    sink: &mut Sink,
) -> Option<Vec<AuthorizationRule>> {
    let mut rules = Vec::new();
    for block in policy.blocks(kind) {
        let mut from = Vec::new();
        for named in block.get::<Vec<Spanned<Named>>>(words::FROM)?.value {
            let source = match &named.value {
                Named::Unauthenticated => Source::Unauthenticated,
                Named::Entity(target) => source(&Spanned::new(target.clone(), named.span), context, sink)?,
            };
            from.push(Spanned::new(source, named.span));
        }
        let matches = http_match::convert(block, Purpose::Protection, sink)?;
        rules.push(AuthorizationRule { origin: block.origin(), from, matches });
    }
    Some(rules)
}

fn source(target: &Spanned<Target>, context: Context<'_>, sink: &mut Sink) -> Option<Source> {
    let entity = target.value.entity;
    let ids = context.ids;
    if let Some(service) = ids.services.get(&entity) {
        return Some(Source::Service(*service));
    }
    if let Some(namespace) = ids.namespaces.get(&entity) {
        return Some(Source::Namespace(*namespace));
    }
    let id = *ids.gateways.get(&entity)?;
    let gateway = context.gateways.at(id);
    if gateway.role == GatewayRole::EastWest {
        sink.push(
            Diagnostic::error(
                codes::GATEWAY_WITHOUT_IDENTITY,
                target.span,
                format!("{} has no identity", gateway.origin.name),
            )
            .label("an east-west gateway")
            .also(gateway.origin.span, "declared here")
            .help("it passes mTLS through without ending it; name the services behind it"),
        );
    }
    Some(Source::Gateway(id))
}
