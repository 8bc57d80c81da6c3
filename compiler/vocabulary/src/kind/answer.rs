//! `redirect` and `respond`: what a rule answers by itself.

use lang_diagnostics::{Diagnostic, Origin, Sink, Span};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Symbol, Type};

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

/// A redirect; `matches` are the conditions of the rule around it.
pub(super) fn redirect(block: &Block, matches: &[HttpMatch], sink: &mut Sink) -> Option<Redirect> {
    let all =
        [words::SCHEME, words::HOST, words::PORT, words::PATH, words::PREFIX, words::REGEX, words::STATUS];
    if all.iter().all(|name| block.written(*name).is_none()) {
        sink.push(
            Diagnostic::error(
                codes::FILTER_WITHOUT_EFFECT,
                block.kind_span,
                "this `redirect` leads to where the request came",
            )
            .help("name a `scheme`, `host`, `port`, `path`, `prefix` or `regex`, or a `status` alone, such as 303 for a GET"),
        );
    }
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
    if let Some(body) = body.as_ref().filter(|body| !body.value.is_empty()) {
        if WITHOUT_BODY.contains(&status.value) {
            let message = format!("an answer with the status {} has no body", status.value);
            impossible(body.span, message, "remove `body`, or write `status = 200`");
        }
    } else if let Some(span) = block.written(words::CONTENT_TYPE) {
        let message = String::from("`content_type` has no body to be about");
        impossible(span, message, "add `body`, or remove it");
    }
    Some(Respond {
        origin: block.origin(),
        status: status.value,
        body: body.map(|body| body.value).unwrap_or_default(),
        content_type: block.get::<String>(words::CONTENT_TYPE).map(|kind| kind.value),
    })
}

/// Reports what a rule that answers by itself says about requests that are sent on. `action` is what answers.
pub(super) fn check(block: &Block, action: (Span, &str), sink: &mut Sink) {
    let attributes = [words::TIMEOUT, words::FAILOVER].into_iter();
    let attributes = attributes.filter_map(|name| Some((block.written(name)?, name.text())));
    let kinds = [&retry::KIND, &filter::REQUEST_HEADERS, &rewrite::KIND, &filter::MIRROR];
    let blocks = kinds.into_iter().filter_map(|kind| Some((block.block(kind)?.kind_span, kind.word)));
    for (span, word) in attributes.chain(blocks) {
        let message = format!("`{word}` is about requests that are sent on");
        sink.push(
            Diagnostic::error(codes::ANSWERED_HERE, span, message)
                .label("has no effect here")
                .also(action.0, format!("`{}` answers them", action.1))
                .help(format!("remove `{word}`, or write `to` instead of `{}`", action.1)),
        );
    }
}
