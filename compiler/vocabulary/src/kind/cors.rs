//! `cors`: which pages may read answers.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink, Span, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Name, Part, Relation, Rule, Type};

use crate::codes;
use crate::expressions;
use crate::forms;
use crate::model::StringMatch;
use crate::model::filter::Cors;
use crate::words;

/// All of them.
const ANY: &str = "*";

pub(crate) static KIND: Kind = Kind {
    word: "cors",
    documentation: "Lets pages of other origins read answers, as browsers ask for it (CORS). The proxy answers preflight \
                    requests by itself, with 200; one of an origin that is not listed gets no permission. Other requests are sent on \
                    whatever their origin is, and the answer says whether a page of that origin may read it. A rule that \
                    names methods takes the preflight requests for these too; conditions on headers and cookies are for them \
                    as well, and a browser sends none of its own with them. It holds for what `redirect` and `respond` answer, too; \
                    a browser follows a redirect only if its new address allows the page as well. What refuses a request before \
                    it is answered so, a limit or a `fault`, says nothing to pages.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::ALLOW_ORIGINS),
    relations: &[Relation {
        rule: Rule::AtLeastOne(&[
            Part::Attribute(words::ALLOW_ORIGINS),
            Part::Attribute(words::ALLOW_ORIGIN_REGEXES),
        ]),
        code: codes::FILTER_WITHOUT_EFFECT,
        reason: "it allows no origin otherwise",
        help: "add `allow_origins = [\"https://shop.example\"]`",
    }],
    attributes: &[
        Attribute::optional(
            words::ALLOW_ORIGINS,
            Type::some(&Type::Text(&forms::ORIGIN)),
            "The origins, as browsers send them: `https://shop.example`, `https://*.shop.example` for any name below, or \
             `*` for all.",
        ),
        Attribute::optional(
            words::ALLOW_ORIGIN_REGEXES,
            Type::some(&Type::Text(&forms::REGEX)),
            "Further origins: those that one of these expressions (RE2 syntax) matches as a whole.",
        ),
        Attribute::optional(
            words::ALLOW_METHODS,
            Type::some(&Type::Text(&forms::ANY_METHOD)),
            "The methods beside GET, HEAD and POST, which need no permission; `*` for all: the answer names what was asked for.",
        ),
        Attribute::optional(
            words::ALLOW_HEADERS,
            Type::some(&Type::Text(&forms::CORS_HEADER)),
            "The headers of a request that a page may set; `*` for all: the answer names those that were asked for.",
        ),
        Attribute::optional(
            words::EXPOSE_HEADERS,
            Type::some(&Type::Text(&forms::CORS_HEADER)),
            "The headers of an answer that a page may read; `*` for all.",
        ),
        Attribute::optional(
            words::MAX_AGE,
            Type::Duration,
            "How long a browser may remember the answer to a preflight request, in whole seconds. Without it, browsers take \
             five seconds.",
        ),
        Attribute::defaulted(
            words::ALLOW_CREDENTIALS,
            Type::Boolean,
            Constant::Boolean(false),
            "Whether requests may carry cookies. Not together with `*` in `allow_origins` or `expose_headers`.",
        ),
    ],
    blocks: &[],
};

/// The permission, whose mistakes are reported.
pub(super) fn convert(block: &Block, sink: &mut Sink) -> Option<Cors> {
    let texts =
        |name: Name| block.get::<Vec<Spanned<String>>>(name).map(|list| list.value).unwrap_or_default();
    let (origins, regexes) = (texts(words::ALLOW_ORIGINS), texts(words::ALLOW_ORIGIN_REGEXES));
    for regex in &regexes {
        // Envoy takes an expression that matches this text for one that allows all origins.
        if expressions::matches(&regex.value, ANY) && !expressions::matches(&regex.value, "https://a") {
            sink.push(
                Diagnostic::error(
                    codes::UNCLEAR_CONDITION,
                    regex.span,
                    "this expression matches the text `*`",
                )
                .label("no origin is this text; are all of them meant?")
                .help("begin the expression with `https://`, or write `allow_origins = [\"*\"]`"),
            );
        }
    }
    let credentials = block.get::<bool>(words::ALLOW_CREDENTIALS)?;
    let (methods, headers) = (texts(words::ALLOW_METHODS), texts(words::ALLOW_HEADERS));
    let exposed = texts(words::EXPOSE_HEADERS);
    if credentials.value {
        let all = [&origins, &exposed].into_iter().flatten().find(|text| text.value == ANY);
        if let Some(all) = all {
            sink.push(everybody(all.span, block.written(words::ALLOW_CREDENTIALS).unwrap_or(all.span)));
        }
    }
    let plain = |list: Vec<Spanned<String>>| list.into_iter().map(|text| text.value).collect::<Vec<_>>();
    let allow_origins = origins.iter().map(|text| origin(&text.value));
    let regexes = regexes.into_iter().map(|regex| StringMatch::Regex(regex.value));
    Some(Cors {
        origin: block.origin(),
        allow_origins: allow_origins.chain(regexes).collect(),
        allow_methods: all_or(plain(methods)),
        allow_headers: all_or(plain(headers)),
        expose_headers: plain(exposed),
        max_age: block.get::<Duration>(words::MAX_AGE).map(|age| age.value),
        allow_credentials: credentials.value,
    })
}

/// `*` alone, where it is among others.
fn all_or(names: Vec<String>) -> Vec<String> {
    if names.iter().any(|name| name == ANY) { vec![ANY.to_owned()] } else { names }
}

fn everybody(all: Span, credentials: Span) -> Diagnostic {
    Diagnostic::error(codes::IMPOSSIBLE_ANSWER, all, "`*` does not hold for requests with cookies")
        .label("browsers refuse it, or take it for a name")
        .also(credentials, "these are allowed here")
        .help("name what is meant, or leave `allow_credentials` out")
}

/// The condition on an origin.
fn origin(text: &str) -> StringMatch {
    if text == ANY {
        return StringMatch::Regex(String::from(".+"));
    }
    match text.split_once("://*") {
        None => StringMatch::Exact(text.to_owned()),
        Some((scheme, rest)) => {
            let (scheme, rest) = (expressions::literal(scheme), expressions::literal(rest));
            StringMatch::Regex(format!("{scheme}://[A-Za-z0-9._-]+{rest}"))
        }
    }
}
