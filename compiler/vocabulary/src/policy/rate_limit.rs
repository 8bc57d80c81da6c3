//! `rate_limit`: how many requests are admitted.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{
    Attribute, Constant, Count, Kind, Label, Name, Nested, Part, Pattern, Relation, Rule, Type,
};
use lang_syntax::ast::Rate;

use crate::codes;
use crate::forms;
use crate::kind::http_match;
use crate::kind::wildcard::{self, Purpose};
use crate::model::policy::{Each, Enforcement, LimitKey, OnError, RateLimit, RateLimitScope, Tier};
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// Who counts.
    SCOPES: RateLimitScope {
        "pod" => RateLimitScope::Pod, "each pod by itself. On Envoy, a pod begins to count anew with every change of what \
            its port admits or limits; on meshd, only with a change of this limit";
        "cluster" => RateLimitScope::Cluster, "all pods of a cluster together, through its rate-limit service";
        "mesh" => RateLimitScope::Mesh, "all pods of the mesh together, through the rate-limit service of the cluster that \
            `rate_limits` of the mesh names: each request waits for a round trip to it";
    }
}

symbols! {
    /// What happens when the rate-limit service does not answer.
    ON_ERROR: OnError {
        "allow" => OnError::Allow, "the request passes, and it is counted";
        "deny" => OnError::Deny, "the request is answered with 429, over gRPC with `RESOURCE_EXHAUSTED`";
    }
}

symbols! {
    /// Whether a limit is enforced.
    MODES: Enforcement {
        "enforce" => Enforcement::Enforced, "requests beyond it are answered with 429";
        "audit" => Enforcement::Audited, "no request is refused: those that would be are counted (Envoy: \
            `http_local_rate_limit_rate_limited`, `ratelimit_over_limit`; meshd: the outcome `would_be_over`)";
    }
}

symbols! {
    /// What requests have without a name.
    KEYS: LimitKey {
        "caller" => LimitKey::Caller, "the identity of the caller; those without one share a counter";
        "address" => LimitKey::Address, "on a route or a gateway the address of the client, behind as many proxies as \
            `trusted_hops` says; on a service the address that connects to its sidecar, as in `allow`: behind a gateway \
            that of its pod. IPv6 addresses count by their first 64 bits, which one site has to itself";
        "path" => LimitKey::Path, "the path after normalisation, without the query";
    }
}

/// The name of a header, a cookie or a parameter that tells counters apart.
static KEY_NAME: Pattern = Pattern { name: "a name", check: |text| forms::plain_word(text, 64) };
static NAME_OF_KEY: Type = Type::Text(&KEY_NAME);

/// The same of a header.
static HEADER_KEY_NAME: Pattern = Pattern {
    name: "the name of a header that clients send",
    check: |text| forms::plain_word(text, 64).or_else(|| (forms::SENT_HEADER_NAME.check)(text)),
};
static NAME_OF_HEADER_KEY: Type = Type::Text(&HEADER_KEY_NAME);

static EACH: Kind = Kind {
    word: "each",
    documentation: "A counter for each combination of values that requests have. A value that is missing is empty, and the \
                    first of several of one name counts; of a value the first 256 bytes. Requests with bytes that are no \
                    printable ASCII in what is looked at share one more counter. With `scope = pod` a pod keeps the 10,000 \
                    counters that were used last, for each block, and one that is dropped begins anew; the rate-limit \
                    service keeps a million in a window, and beyond them does what `on_error` says. A `total` bounds what \
                    many values get together.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[Relation {
        rule: Rule::AtLeastOne(&[
            Part::Attribute(words::BY),
            Part::Attribute(words::HEADERS),
            Part::Attribute(words::COOKIES),
            Part::Attribute(words::QUERIES),
        ]),
        code: codes::LIMIT_WITHOUT_KEY,
        reason: "it has one counter for each value of these",
        help: "add `by = [caller]` or `headers = [\"x-user\"]`, or write `total = …` instead",
    }],
    attributes: &[
        Attribute::optional(words::BY, Type::some(&Type::Symbol(KEYS)), "What requests have without a name."),
        Attribute::optional(words::HEADERS, Type::some(&NAME_OF_HEADER_KEY), "Headers, by name."),
        Attribute::optional(
            words::COOKIES,
            Type::some(&NAME_OF_KEY),
            "Cookies, by name; quotes around a value do not count.",
        ),
        Attribute::optional(
            words::QUERIES,
            Type::some(&NAME_OF_KEY),
            "Parameters of the query, by name; values are compared unescaped.",
        ),
        Attribute::required(words::RATE, Type::Rate, "How many requests each counter admits."),
    ],
    blocks: &[],
};

pub(crate) static KIND: Kind = Kind {
    word: "rate_limit",
    documentation: "A limit of requests; `0/min` admits none of those that it counts, and answers them with 429. Several limits at one place apply all at once, and so do the parts of one; a request \
                    that one counter refuses may have been counted by another one. Each service that a policy applies \
                    to has a count of its own: `10/s` with two targets admits 10 requests a second to either. So has each \
                    route at gateways that it names, for all its rules together, and each gateway that it names, for all \
                    that arrives at its ports. They count before a request is sent anywhere: with `scope = pod` each pod and \
                    port of a gateway by itself (on Envoy also each certificate of the port), whatever becomes of the \
                    request; with the other scopes only requests that are sent on, and none that the gateway answers by \
                    itself. Calls are bounded where they arrive, so a route for calls inside the mesh has no limit. An answer with \
                    429 says in `retry-after` after how many seconds the next request is admitted, or the window ends. Several `match` blocks differ in their paths only: a \
                    request is counted once.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[
        Relation {
            rule: Rule::Requires(Part::Attribute(words::TIERS), &[Part::Attribute(words::HEADER)]),
            code: codes::RATE_LIMIT_WITHOUT_RATE,
            reason: "the header chooses among the tiers",
            help: "add `header = \"…\"`",
        },
        Relation {
            rule: Rule::Requires(Part::Attribute(words::HEADER), &[Part::Attribute(words::TIERS)]),
            code: codes::RATE_LIMIT_WITHOUT_RATE,
            reason: "a header chooses among tiers only",
            help: "add `tiers = { … }`, or remove `header` so that `otherwise` counts all requests",
        },
        Relation {
            rule: Rule::AtLeastOne(&[
                Part::Attribute(words::TIERS),
                Part::Attribute(words::OTHERWISE),
                Part::Attribute(words::TOTAL),
                Part::Block("each"),
            ]),
            code: codes::RATE_LIMIT_WITHOUT_RATE,
            reason: "without a rate the limit admits everything",
            help: "add `otherwise = 10/min`, `each { by = [caller], rate = 10/min }`, or `header` and `tiers`",
        },
        Relation {
            rule: Rule::Requires(Part::Attribute(words::BURST), &[Part::Is(words::SCOPE, "pod")]),
            code: codes::BURST_OF_WINDOWS,
            reason: "the rate-limit service counts in windows, which have no burst",
            help: "use `scope = pod`, or a rate of a longer unit: `600/min` admits what comes of it at once",
        },
    ],
    attributes: &[
        Attribute::required(words::SCOPE, Type::Symbol(SCOPES), "Who counts."),
        Attribute::optional(
            words::HEADER,
            Type::Text(&forms::SENT_HEADER_NAME),
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
        Attribute::optional(
            words::TOTAL,
            Type::Rate,
            "How many requests are admitted in all, beside what tiers, `otherwise` and `each` admit.",
        ),
        Attribute::optional(
            words::BURST,
            Type::Integer(1, u32::MAX as u64),
            "How many requests each counter admits at once, after a pause; without it as many as its rate says. One that \
             admits none has none either. With `scope = pod` only: the rate-limit service counts in windows, which save nothing up.",
        ),
        Attribute::defaulted(
            words::MODE,
            Type::Symbol(MODES),
            Constant::Symbol("enforce"),
            "Whether the limit is enforced.",
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
            "How long the rate-limit service may take, the way there and back included: with `scope = mesh` that between the \
             clusters.",
        ),
        Attribute::derived(
            words::DOMAIN,
            Type::Text(&forms::LIMIT_DOMAIN),
            "made of the names of namespace and policy",
            "The domain at the rate-limit service.",
        ),
    ],
    blocks: &[
        Nested { kind: &http_match::KIND, count: Count::Many },
        Nested { kind: &EACH, count: Count::Many },
    ],
};

/// The limits of a policy.
pub(crate) fn convert(policy: &Block, sink: &mut Sink) -> Option<Vec<RateLimit>> {
    let mut limits = Vec::new();
    for block in policy.blocks(&KIND) {
        let header =
            block.get::<String>(words::HEADER).map(|header| header.map(|name| name.to_ascii_lowercase()));
        let tiers = block.get::<Vec<(Spanned<String>, Spanned<Rate>)>>(words::TIERS);
        let otherwise = block.get::<Rate>(words::OTHERWISE);
        let total = block.get::<Rate>(words::TOTAL);
        let each = block.blocks(&EACH).map(|inner| each(inner, sink)).collect::<Option<Vec<_>>>()?;
        let scope = block.get::<RateLimitScope>(words::SCOPE)?;
        let burst = block.get::<u64>(words::BURST);
        let tiers = tiers.map(|tiers| tiers.value).unwrap_or_default();
        tiers.iter().for_each(|(value, _)| wildcard::check_tier(value, sink));
        limits.push(RateLimit {
            origin: block.origin(),
            scope,
            matches: http_match::one(block, Purpose::Protection, sink)?,
            header,
            tiers: tiers.into_iter().map(|(value, rate)| Tier { value, rate: rate.value }).collect(),
            otherwise,
            total,
            each,
            burst,
            mode: block.get::<Enforcement>(words::MODE)?.value,
            on_error: block.get::<OnError>(words::ON_ERROR)?.value,
            timeout: block.get::<Duration>(words::TIMEOUT)?.value,
            domain: block.get::<String>(words::DOMAIN),
        });
    }
    Some(limits)
}

/// A counter for each combination of values.
fn each(block: &Block, sink: &mut Sink) -> Option<Each> {
    let names = |name: Name| {
        let list = block.get::<Vec<Spanned<String>>>(name).map(|list| list.value).unwrap_or_default();
        list.into_iter().map(|name| name.value)
    };
    let by = block.get::<Vec<Spanned<LimitKey>>>(words::BY).map(|list| list.value).unwrap_or_default();
    let mut keys: Vec<LimitKey> = by.into_iter().map(|key| key.value).collect();
    keys.extend(names(words::HEADERS).map(|name| LimitKey::Header(name.to_ascii_lowercase())));
    keys.extend(names(words::COOKIES).map(LimitKey::Cookie));
    keys.extend(names(words::QUERIES).map(LimitKey::Query));
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = keys.iter().find(|key| !seen.insert(*key)) {
        let message = format!("`each` names {} twice", named(twice));
        sink.push(
            Diagnostic::error(codes::LIMIT_WITHOUT_KEY, block.kind_span, message)
                .label("the second one tells nothing apart")
                .help("remove one of them"),
        );
    }
    Some(Each { origin: block.origin(), keys, rate: block.get::<Rate>(words::RATE)? })
}

fn named(key: &LimitKey) -> String {
    match key {
        LimitKey::Caller => String::from("`caller`"),
        LimitKey::Address | LimitKey::Client => String::from("`address`"),
        LimitKey::Path => String::from("`path`"),
        LimitKey::Header(name) => format!("the header `{name}`"),
        LimitKey::Cookie(name) => format!("the cookie `{name}`"),
        LimitKey::Query(name) => format!("the parameter `{name}`"),
    }
}
