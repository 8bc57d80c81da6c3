//! `rate_limit`: how many requests are admitted.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Count, Kind, Label, Name, Nested, Type};
use lang_syntax::ast::Rate;

use crate::codes;
use crate::forms;
use crate::kind::http_match;
use crate::kind::wildcard::{self, Purpose};
use crate::model::policy::{OnError, RateLimit, RateLimitScope, Tier};
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// Who counts.
    SCOPES: RateLimitScope {
        "pod" => RateLimitScope::Pod, "each pod by itself. On Envoy, a pod begins to count anew with every change of what \
            its port admits or limits; on meshd, only with a change of this limit";
        "cluster" => RateLimitScope::Cluster, "all pods of a cluster together, through its rate-limit service";
        "mesh" => RateLimitScope::Mesh, "all pods of the mesh together";
    }
}

symbols! {
    /// What happens when the rate-limit service does not answer.
    ON_ERROR: OnError {
        "allow" => OnError::Allow, "the request passes, and it is counted";
        "deny" => OnError::Deny, "the request is answered with 429, over gRPC with `RESOURCE_EXHAUSTED`";
    }
}

pub(crate) static KIND: Kind = Kind {
    word: "rate_limit",
    documentation: "A limit of requests. Several limits at one place apply all at once. Each service that a policy applies \
                    to has a count of its own: `10/s` with two targets admits 10 requests a second to either. Several `match` blocks \
                    differ in their paths only: a request is counted once.",
    label: Label::None,
    space: None,
    reopen: false,
    attributes: &[
        Attribute::required(words::SCOPE, Type::Symbol(SCOPES), "Who counts."),
        Attribute::optional(
            words::HEADER,
            Type::Text(&forms::HEADER_NAME),
            "The header whose value chooses the tier. Needed for `tiers`.",
        ),
        Attribute::optional(
            words::TIERS,
            Type::Map { key: &forms::HEADER_VALUE, of: &Type::Rate },
            "How many requests with each value of the header are admitted: `{ gold = 10/min }`.",
        ),
        Attribute::optional(
            words::OTHERWISE,
            Type::Rate,
            "How many requests are admitted that no tier counts, all together; without it they are free.",
        ),
        Attribute::defaulted(
            words::ON_ERROR,
            Type::Symbol(ON_ERROR),
            Constant::Symbol("allow"),
            "What happens when the rate-limit service does not answer.",
        ),
        Attribute::defaulted(
            words::TIMEOUT,
            Type::Duration,
            Constant::Milliseconds(100),
            "How long the rate-limit service may take.",
        ),
        Attribute::derived(
            words::DOMAIN,
            Type::Text(&forms::LIMIT_DOMAIN),
            "made of the names of namespace and policy",
            "The domain at the rate-limit service.",
        ),
    ],
    blocks: &[Nested { kind: &http_match::KIND, count: Count::Many }],
};

/// The limits of a policy.
pub(crate) fn convert(policy: &Block, sink: &mut Sink) -> Option<Vec<RateLimit>> {
    let mut limits = Vec::new();
    for block in policy.blocks(&KIND) {
        let header =
            block.get::<String>(words::HEADER).map(|header| header.map(|name| name.to_ascii_lowercase()));
        let tiers = block.get::<Vec<(Spanned<String>, Spanned<Rate>)>>(words::TIERS);
        let otherwise = block.get::<Rate>(words::OTHERWISE);
        check(block, header.is_some(), tiers.as_ref().is_some_and(|tiers| !tiers.value.is_empty()), sink);
        let tiers = tiers.map(|tiers| tiers.value).unwrap_or_default();
        tiers.iter().for_each(|(value, _)| wildcard::check_tier(value, sink));
        limits.push(RateLimit {
            origin: block.origin(),
            scope: block.get::<RateLimitScope>(words::SCOPE)?,
            matches: http_match::one(block, Purpose::Protection, sink)?,
            header,
            tiers: tiers.into_iter().map(|(value, rate)| Tier { value, rate: rate.value }).collect(),
            otherwise,
            on_error: block.get::<OnError>(words::ON_ERROR)?.value,
            timeout: block.get::<Duration>(words::TIMEOUT)?.value,
            domain: block.get::<String>(words::DOMAIN),
        });
    }
    Some(limits)
}

/// A limit must limit something, and tiers need the header that chooses among them.
fn check(block: &Block, header: bool, tiers: bool, sink: &mut Sink) {
    let report = |name: Option<Name>, message: &str, help: &str| {
        let span = name.and_then(|name| block.written(name)).unwrap_or(block.kind_span);
        Diagnostic::error(codes::RATE_LIMIT_WITHOUT_RATE, span, message.to_owned()).help(help.to_owned())
    };
    match (header, tiers, block.written(words::OTHERWISE).is_some()) {
        (false, true, _) => sink.push(
            report(
                Some(words::TIERS),
                "these tiers have no header to choose among them",
                "add `header = \"…\"`",
            )
            .label("chosen by which header?"),
        ),
        (true, false, _) => sink.push(
            report(
                Some(words::HEADER),
                "this header chooses among no tiers",
                "add `tiers = { … }`, or remove `header` so that `otherwise` counts all requests",
            )
            .label("there are no `tiers`"),
        ),
        (false, false, false) => sink.push(
            report(None, "this limit admits everything", "add `otherwise = 10/min`, or `header` and `tiers`")
                .label("no rate"),
        ),
        (true, true, _) | (false, false, true) => {}
    }
}
