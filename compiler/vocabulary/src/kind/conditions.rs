//! `header`, `cookie` and `query` in a `match`.

use lang_diagnostics::{Diagnostic, Sink};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Name, Part, Type};

use super::one_of;
use super::wildcard::{self, Purpose};
use crate::codes;
use crate::expressions::{literal, matches_nothing};
use crate::forms;
use crate::model::{HeaderMatch, QueryMatch, QueryValue, StringMatch};
use crate::words;

const NOT: Attribute = Attribute::defaulted(
    words::NOT,
    Type::Boolean,
    Constant::Boolean(false),
    "Whether nothing may meet the condition; without another attribute, that it is absent.",
);

pub(crate) static HEADER: Kind = Kind {
    word: "header",
    documentation: "A condition on a header; without attributes, that it is there. Values are compared as bytes, each line of a \
                    header by itself.",
    label: Label::Required(&forms::SENT_HEADER_NAME),
    space: None,
    reopen: false,
    principal: Some(words::EXACT),
    relations: &[one_of(&[
        Part::Attribute(words::EXACT),
        Part::Attribute(words::PREFIX),
        Part::Attribute(words::REGEX),
    ])],
    attributes: &[
        Attribute::optional(
            words::EXACT,
            Type::Text(&forms::HEADER_VALUE),
            "The value is this one, in UTF-8.",
        ),
        Attribute::optional(
            words::PREFIX,
            Type::Text(&forms::HEADER_VALUE),
            "The value begins with this, in UTF-8.",
        ),
        Attribute::optional(
            words::REGEX,
            Type::Text(&forms::REGEX),
            "The whole value matches this regular expression (RE2 syntax), byte by byte.",
        ),
        NOT,
    ],
    blocks: &[],
};

pub(crate) static COOKIE: Kind = Kind {
    word: "cookie",
    documentation: "A condition on a cookie; without attributes, that it is there. Of several cookies of one name any one will \
                    do.",
    label: Label::Required(&forms::COOKIE_NAME),
    space: None,
    reopen: false,
    principal: Some(words::EXACT),
    relations: &[one_of(&[
        Part::Attribute(words::EXACT),
        Part::Attribute(words::PREFIX),
        Part::Attribute(words::REGEX),
    ])],
    attributes: &[
        Attribute::optional(
            words::EXACT,
            Type::Text(&forms::COOKIE_VALUE),
            "The value is this one, quotes included.",
        ),
        Attribute::optional(words::PREFIX, Type::Text(&forms::COOKIE_VALUE), "The value begins with this."),
        Attribute::optional(
            words::REGEX,
            Type::Text(&forms::COOKIE_REGEX),
            "The whole value matches this regular expression (RE2 syntax), in which nothing may match `;`: `[^;]` instead \
             of `.`.",
        ),
        NOT,
    ],
    blocks: &[],
};

pub(crate) static QUERY: Kind = Kind {
    word: "query",
    documentation: "A condition on a parameter of the query; without attributes, that it is there. Name and value are \
                    compared as they are sent, escapes included, and `?a` is `?a=`. Of several parameters of one name any \
                    one will do.",
    label: Label::Required(&forms::QUERY_NAME),
    space: None,
    reopen: false,
    principal: Some(words::EXACT),
    relations: &[one_of(&[
        Part::Attribute(words::EXACT),
        Part::Attribute(words::PREFIX),
        Part::Attribute(words::REGEX),
    ])],
    attributes: &[
        Attribute::optional(words::EXACT, Type::Text(&forms::QUERY_VALUE), "The value is this one."),
        Attribute::optional(words::PREFIX, Type::Text(&forms::QUERY_VALUE), "The value begins with this."),
        Attribute::optional(
            words::REGEX,
            Type::Text(&forms::QUERY_REGEX),
            "The whole value matches this regular expression (RE2 syntax), in which nothing may match `&`: `[^&]` instead \
             of `.`.",
        ),
        NOT,
    ],
    blocks: &[],
};

/// The conditions on headers and cookies.
pub(super) fn headers(block: &Block, purpose: Purpose, sink: &mut Sink) -> Option<Vec<HeaderMatch>> {
    let mut headers = Vec::new();
    for header in block.blocks(&HEADER) {
        wildcard::check_header(header, purpose, sink);
        let text = |name: Name| header.get::<String>(name).map(|text| text.value);
        let value = if let Some(exact) = text(words::EXACT) {
            StringMatch::Exact(exact)
        } else if let Some(prefix) = text(words::PREFIX) {
            StringMatch::Prefix(prefix)
        } else if let Some(regex) = text(words::REGEX) {
            StringMatch::Regex(regex)
        } else {
            StringMatch::Present
        };
        let negated = header.get::<bool>(words::NOT)?.value;
        if negated && is_met_by_nothing(&value) {
            sink.push(unclear(header));
        }
        // Header names have no case; both data planes compare lower-case ones.
        headers.push(HeaderMatch { name: header.name().to_ascii_lowercase(), negated, value });
    }
    once(block.blocks(&HEADER), str::to_ascii_lowercase, sink);
    for cookie in block.blocks(&COOKIE) {
        wildcard::check_header(cookie, purpose, sink);
        let text = |name: Name| cookie.get::<String>(name).map(|text| text.value);
        let value = match (text(words::EXACT), text(words::PREFIX), text(words::REGEX)) {
            (Some(exact), _, _) => literal(&exact),
            (None, Some(prefix), _) => format!("{}[^;]*", literal(&prefix)),
            (None, None, Some(regex)) => format!("(?:{regex})"),
            (None, None, None) => String::from("[^;]*"),
        };
        // A cookie is one of the parts of the header's value, which semicolons separate (RFC 6265, section 4.2.1).
        let expression = format!("(?:.*;)?[ \\t]*{}={value}[ \\t]*(?:;.*)?", literal(cookie.name()));
        headers.push(HeaderMatch {
            name: String::from("cookie"),
            negated: cookie.get::<bool>(words::NOT)?.value,
            value: StringMatch::Regex(expression),
        });
    }
    once(block.blocks(&COOKIE), str::to_owned, sink);
    Some(headers)
}

/// The conditions on parameters of the query.
pub(super) fn queries(block: &Block, purpose: Purpose, sink: &mut Sink) -> Option<Vec<QueryMatch>> {
    let mut queries = Vec::new();
    for query in block.blocks(&QUERY) {
        wildcard::check_header(query, purpose, sink);
        let text = |name: Name| query.get::<String>(name).map(|text| text.value);
        let value = match (text(words::EXACT), text(words::PREFIX), text(words::REGEX)) {
            (Some(exact), _, _) => QueryValue::Exact(exact),
            (None, Some(prefix), _) => QueryValue::Prefix(prefix),
            (None, None, Some(expression)) => {
                let is_met_by_nothing = matches_nothing(&expression);
                QueryValue::Regex { expression, is_met_by_nothing }
            }
            (None, None, None) => QueryValue::Present,
        };
        let negated = query.get::<bool>(words::NOT)?.value;
        queries.push(QueryMatch { name: query.name().to_owned(), negated, value });
    }
    once(block.blocks(&QUERY), str::to_owned, sink);
    Some(queries)
}

/// Reports two conditions on one thing, of which only what must not be can be said several times.
fn once<'b>(blocks: impl Iterator<Item = &'b Block>, name: fn(&str) -> String, sink: &mut Sink) {
    let mut seen: Vec<(String, &Block)> = Vec::new();
    for block in blocks {
        if block.get::<bool>(words::NOT).is_some_and(|not| not.value) {
            continue;
        }
        let name = name(block.name());
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == name) {
            sink.push(
                Diagnostic::error(codes::REPEATED, block.name_span(), format!("two conditions on `{name}`"))
                    .label("the second one")
                    .also(first.name_span(), "the first one")
                    .help("put both into one condition, or into two `match` blocks if either will do"),
            );
            continue;
        }
        seen.push((name, block));
    }
}

/// Whether the empty value meets a condition. That the header is there is a question of its own.
fn is_met_by_nothing(value: &StringMatch) -> bool {
    match value {
        StringMatch::Present => false,
        StringMatch::Exact(text) | StringMatch::Prefix(text) => text.is_empty(),
        StringMatch::Regex(expression) => matches_nothing(expression),
    }
}

fn unclear(header: &Block) -> Diagnostic {
    let span = header.written(words::NOT).unwrap_or(header.kind_span);
    let message = format!("the empty value meets this condition on `{}`", header.name());
    Diagnostic::error(codes::UNCLEAR_CONDITION, span, message)
        .label("is a header that is missing meant, or not?")
        .help("write a condition that no empty value meets, or leave only `not = true` if the header must be absent")
}
