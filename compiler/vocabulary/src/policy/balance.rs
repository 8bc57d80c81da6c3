//! `balance`: which endpoint of a locality gets the next request.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Kind, Label, Name, Part, Relation, Rule, Symbol, Tag, Type};
use lang_evaluate::{Block, FromValue, Value};

use crate::codes;
use crate::forms;
use crate::model::policy::{Balance, BalanceBy, CookieTtl, HashKey};
use crate::words;

const ROUND_ROBIN: &str = "round_robin";
const LEAST_REQUEST: &str = "least_request";
const RANDOM: &str = "random";
const HASH: &str = "hash";
const SESSION: &str = "session";

const LIVES: &[Symbol] = &[Symbol::new(SESSION, "until the client ends")];

const BY: &[Tag] = &[
    Tag { word: ROUND_ROBIN, documentation: "all in turn", attributes: &[] },
    Tag {
        word: LEAST_REQUEST,
        documentation: "of two at random, the one with fewer requests under way from this proxy",
        attributes: &[],
    },
    Tag { word: RANDOM, documentation: "any, at random", attributes: &[] },
    Tag {
        word: HASH,
        documentation: "what has the same value goes to the same endpoint; of several of these, the same values of all. One that a \
                        request does not have is left out. It holds within one destination: which of several destinations \
                        with weights a request goes to is drawn anew each time",
        attributes: &[
            Attribute::optional(
                words::HEADER,
                Type::Text(&forms::SENT_HEADER_NAME),
                "A header; all of its lines count, in any order.",
            ),
            Attribute::optional(words::COOKIE, Type::Text(&forms::COOKIE_NAME), "A cookie."),
            Attribute::optional(
                words::TTL,
                Type::Union(&[Type::Duration, Type::Symbol(LIVES)]),
                "How long the cookie lives that the proxy sets with an answer, where a request has none: path `/`, \
                 HttpOnly. Without it the proxy sets none, and the application may.",
            ),
            Attribute::optional(
                words::QUERY,
                Type::Text(&forms::QUERY_NAME),
                "A parameter of the query; the first of several.",
            ),
            Attribute::optional(
                words::SOURCE,
                Type::Boolean,
                "The client's address, as an ingress gateway sees it beyond its `trusted_hops`. Sidecars see only \
                 their own application, so what services call goes around.",
            ),
        ],
    },
];

pub(crate) static KIND: Kind = Kind {
    word: "balance",
    documentation: "Which endpoint of the nearest locality gets the next request or connection.\n\n\
                    A `hash` gives the same endpoint for the same value at every proxy of one data plane, whatever else \
                    is under way; the two data planes need not agree. A request without the value goes to any endpoint. \
                    When one of n pods goes, its requests move, and fewer than 2/n of all (meshd: only its own, 1/n); \
                    the same when one comes. A pod that is ejected counts as gone. A retry goes to another pod. The \
                    ring of Envoy has at least 4096 points.\n\n\
                    An east-west gateway passes connections through and cannot tell requests apart: behind one, \
                    requests go around the pods whatever their value is, so a `hash` holds in the caller's own network \
                    only. It holds for HTTP and gRPC; TCP connections go around.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::BY),
    relations: &[Relation {
        rule: Rule::Requires(
            Part::Attribute(words::SLOW_START),
            &[Part::Is(words::BY, ROUND_ROBIN), Part::Is(words::BY, LEAST_REQUEST)],
        ),
        code: codes::SLOW_START,
        reason: "any other choice gives every endpoint its share at once",
        help: "leave `slow_start` out, or choose one of the two",
    }],
    attributes: &[
        Attribute::inherited(words::BY, Type::Tagged(BY), "What decides."),
        Attribute::optional(
            words::SLOW_START,
            Type::Duration,
            "How long an endpoint that is new takes to get its full share, for `round_robin` and `least_request`: it \
             begins with a tenth, and the share grows evenly.",
        ),
    ],
    blocks: &[],
};

/// The record behind `hash`, as it was written.
#[derive(Debug)]
struct Written(Vec<(Spanned<String>, Spanned<Value>)>);

impl FromValue for Written {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Tagged(HASH, record) = value else { return None };
        Some(Self(record.clone()))
    }
}

impl FromValue for CookieTtl {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Symbol(SESSION) = value {
            return Some(Self::Session);
        }
        Duration::from_value(value).map(Self::For)
    }
}

impl FromValue for BalanceBy {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Tagged(word, record) = value else { return None };
        match *word {
            ROUND_ROBIN => Some(Self::RoundRobin),
            LEAST_REQUEST => Some(Self::LeastRequest),
            RANDOM => Some(Self::Random),
            HASH => Some(hash(record)).filter(|keys| !keys.is_empty()).map(Self::Hash),
            _ => None,
        }
    }
}

fn found<T: FromValue>(record: &[(Spanned<String>, Spanned<Value>)], name: Name) -> Option<T> {
    let (_, value) = record.iter().find(|(written, _)| written.value == name.text())?;
    T::from_value(&value.value)
}

fn hash(record: &[(Spanned<String>, Spanned<Value>)]) -> Vec<HashKey> {
    let header = found::<String>(record, words::HEADER);
    let cookie = found(record, words::COOKIE);
    let query = found(record, words::QUERY);
    let source = found::<bool>(record, words::SOURCE).filter(|wanted| *wanted);
    let keys = [
        header.map(|header| HashKey::Header(header.to_ascii_lowercase())),
        cookie.map(|name| HashKey::Cookie { name, ttl: found(record, words::TTL) }),
        query.map(HashKey::Query),
        source.map(|_| HashKey::Source),
    ];
    keys.into_iter().flatten().collect()
}

/// Reports a `balance` whose hash names no property, or whose parts exclude each other.
pub(crate) fn check(parent: &Block, sink: &mut Sink) {
    let Some(block) = parent.block(&KIND) else { return };
    let Some(by) = block.written(words::BY) else { return };
    if let Some(written) = block.get::<Written>(words::BY) {
        let Written(record) = &written.value;
        let given = |name: Name| record.iter().find(|(written, _)| written.value == name.text());
        if hash(record).is_empty() {
            sink.push(
                Diagnostic::error(codes::HASH_KEY, by, "`hash` names no property of a request")
                    .label("hashes nothing")
                    .help(
                        "name one: `hash { header = \"x-user\" }`, or `cookie`, `query` or `source = true`",
                    ),
            );
        }
        if let (Some((ttl, _)), None) = (given(words::TTL), given(words::COOKIE)) {
            sink.push(
                Diagnostic::error(
                    codes::HASH_KEY,
                    ttl.span,
                    "`ttl` is about a cookie, and `hash` names none",
                )
                .label("no cookie lives so long")
                .help("name the `cookie`, or leave `ttl` out"),
            );
        }
    }
}

pub(crate) fn convert(block: &Block, defaults: Option<&Balance>) -> Option<Balance> {
    let by = block.get::<BalanceBy>(words::BY).or_else(|| defaults.map(|defaults| defaults.by.clone()))?;
    Some(Balance { origin: block.origin(), by, slow_start: block.get::<Duration>(words::SLOW_START) })
}
