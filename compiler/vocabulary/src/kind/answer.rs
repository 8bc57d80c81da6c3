//! `redirect` and `respond`: what a rule answers by itself.

use lang_diagnostics::{Diagnostic, Origin, Sink, Span};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Part, Relation, Rule, Symbol, Type};

use super::one_of;
use super::{filter, rewrite};
use crate::codes;
use crate::forms;
use crate::model::HttpMatch;
use crate::model::answer::{Redirect, Respond, Scheme};
use crate::policy::retry;
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// The schemes.
    SCHEMES: Scheme {
        "http" => Scheme::Http, "without TLS";
        "https" => Scheme::Https, "with TLS";
    }
}

/// The status of `redirect = https`: what browsers may remember.
const MOVED_PERMANENTLY: u16 = 301;

/// The statuses of redirects that a proxy can send (RFC 9110, section 15.4).
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Statuses whose answers have no body (RFC 9110, sections 15.3.5 and 15.3.6). A browser reads what follows as the next
/// answer.
const WITHOUT_BODY: [u16; 2] = [204, 205];

/// `redirect`, as routes and rules have it.
pub(crate) const TO_HTTPS: Attribute = Attribute::optional(
    words::REDIRECT,
    Type::Symbol(&[Symbol::new("https", "to the same address with TLS")]),
    "Tells the client to ask again with TLS: the same as `redirect { scheme = https, status = 301 }`.",
);

/// Another address.
pub(crate) static REDIRECT: Kind = Kind {
    word: "redirect",
    documentation: "Tells the client another address instead of sending its request on. What is left out is as in the \
                    request, and so is the query. The rule has neither `to` nor `respond`.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[
        Relation {
            rule: Rule::AtLeastOne(&[
                Part::Attribute(words::SCHEME),
                Part::Attribute(words::HOST),
                Part::Attribute(words::PORT),
                Part::Attribute(words::PATH),
                Part::Attribute(words::PREFIX),
                Part::Attribute(words::REGEX),
                Part::Attribute(words::STATUS),
            ]),
            code: codes::FILTER_WITHOUT_EFFECT,
            reason: "it leads to where the request came otherwise",
            help: "name a `scheme`, `host`, `port`, `path`, `prefix` or `regex`, or a `status` alone, such as 303 for a GET",
        },
        one_of(rewrite::NEW_PATHS),
        rewrite::REGEX_NEEDS_SUBSTITUTION,
        rewrite::SUBSTITUTION_NEEDS_REGEX,
    ],
    attributes: &[
        Attribute::optional(words::SCHEME, Type::Symbol(SCHEMES), "The scheme."),
        rewrite::HOST,
        Attribute::derived(
            words::PORT,
            Type::Integer(1, 65535),
            "with `host`, none, and with `scheme`, its usual one: 443 or 80, left out where the request's host has none; \
             otherwise that of the request's host",
            "The port.",
        ),
        rewrite::PATH,
        rewrite::PREFIX,
        rewrite::REGEX,
        rewrite::SUBSTITUTION,
        Attribute::defaulted(
            words::STATUS,
            Type::Integer(301, 308),
            Constant::Integer(302),
            "The status: 301 or 308 may be remembered by clients, 302, 303 and 307 not; with 307 and 308 the method stays \
             the same. Alone it leads to where the request came: with 303 as a GET, with 307 and 308 for ever.",
        ),
    ],
    blocks: &[],
};

/// An answer.
pub(crate) static RESPOND: Kind = Kind {
    word: "respond",
    documentation: "Answers each request instead of sending it on. A gRPC client gets the status of gRPC that corresponds. \
                    The rule has neither `to` nor `redirect`.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::STATUS),
    relations: &[Relation {
        rule: Rule::Requires(Part::Attribute(words::CONTENT_TYPE), &[Part::Attribute(words::BODY)]),
        code: codes::IMPOSSIBLE_ANSWER,
        reason: "it is what the body is",
        help: "add `body`, or remove it",
    }],
    attributes: &[
        Attribute::required(
            words::STATUS,
            Type::Integer(200, 599),
            "The status; for those from 300 to 399 there is `redirect`.",
        ),
        Attribute::optional(words::BODY, Type::Text(&forms::BODY), "The body, in UTF-8, at most 4096 bytes."),
        Attribute::derived(
            words::CONTENT_TYPE,
            Type::Text(&forms::HEADER_VALUE),
            "`text/plain`",
            "What the body is, such as `application/json`.",
        ),
    ],
    blocks: &[],
};

/// `redirect = https`.
pub(super) fn to_https(block: &Block, span: Span) -> Redirect {
    Redirect {
        origin: Origin::new(span, block.origin().name),
        scheme: Some(Scheme::Https),
        host: None,
        port: None,
        path: None,
        status: MOVED_PERMANENTLY,
    }
}

/// What a rule has that answers by itself, in the place of requests that are sent on.
pub(super) const fn answered_by(answer: Part) -> Relation {
    Relation {
        rule: Rule::Excludes(answer, ABOUT_SENT_ON),
        code: codes::ANSWERED_HERE,
        reason: "it is about requests that are sent on, and these are answered here",
        help: "remove it, or write `to` in the place of the answer",
    }
}

/// What is about requests that are sent on.
const ABOUT_SENT_ON: &[Part] = &[
    Part::Attribute(words::TIMEOUT),
    Part::Attribute(words::FAILOVER),
    Part::Attribute(words::CRITICAL),
    Part::Block(retry::KIND.word),
    Part::Block(filter::REQUEST_HEADERS.word),
    Part::Block(rewrite::KIND.word),
    Part::Block(filter::MIRROR.word),
];

/// A redirect; `matches` are the conditions of the rule around it.
pub(super) fn redirect(block: &Block, matches: &[HttpMatch], sink: &mut Sink) -> Option<Redirect> {
    let status = block.get::<u16>(words::STATUS)?;
    if !REDIRECTS.contains(&status.value) {
        sink.push(
            Diagnostic::error(
                codes::IMPOSSIBLE_ANSWER,
                status.span,
                format!("{} is not a status of a redirect", status.value),
            )
            .label("one of 301, 302, 303, 307 and 308")
            .help("write `status = 302`, or `status = 308` if clients may remember it"),
        );
    }
    Some(Redirect {
        origin: block.origin(),
        scheme: block.get::<Scheme>(words::SCHEME).map(|scheme| scheme.value),
        host: block.get::<String>(words::HOST).map(|host| host.value.to_ascii_lowercase()),
        port: block.get::<u16>(words::PORT).map(|port| port.value),
        path: rewrite::new_path(block, matches, sink),
        status: status.value,
    })
}

/// An answer.
pub(super) fn respond(block: &Block, sink: &mut Sink) -> Option<Respond> {
    let status = block.get::<u16>(words::STATUS)?;
    let body = block.get::<String>(words::BODY);
    let mut impossible = |span: Span, message: String, help: &str| {
        sink.push(Diagnostic::error(codes::IMPOSSIBLE_ANSWER, span, message).help(help));
    };
    if (300..400).contains(&status.value) {
        impossible(
            status.span,
            format!("{} tells the client another address, and this answer has none", status.value),
            "write `redirect { … }`",
        );
    }
    if let Some(body) = body.as_ref().filter(|body| !body.value.is_empty())
        && WITHOUT_BODY.contains(&status.value)
    {
        let message = format!("an answer with the status {} has no body", status.value);
        impossible(body.span, message, "remove `body`, or write `status = 200`");
    }
    Some(Respond {
        origin: block.origin(),
        status: status.value,
        body: body.map(|body| body.value).unwrap_or_default(),
        content_type: block.get::<String>(words::CONTENT_TYPE).map(|kind| kind.value),
    })
}
