//! `match`: which requests.

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Count, Kind, Label, Name, Nested, Type};

use super::exclusive;
use super::wildcard::{self, Purpose};
use crate::codes;
use crate::forms;
use crate::model::{HeaderMatch, HttpMatch, PathMatch, StringMatch};
use crate::words;

static HEADER: Kind = Kind {
    word: "header",
    documentation: "A condition on a header; without attributes, that it is there. Values are compared as bytes, each line of a \
                    header by itself.",
    label: Label::Required(&forms::HEADER_NAME),
    space: None,
    reopen: false,
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
    ],
    blocks: &[],
};

pub(crate) static KIND: Kind = Kind {
    word: "match",
    documentation: "Which requests are meant; all conditions hold at once. Paths are compared after normalisation: dot \
                    segments and repeated slashes are merged, and the query is no part of them.",
    label: Label::None,
    space: None,
    reopen: false,
    attributes: &[
        Attribute::optional(
            words::PATH,
            Type::Text(&forms::PATH),
            "The path is exactly this one; no character stands for others.",
        ),
        Attribute::optional(
            words::PREFIX,
            Type::Text(&forms::PATH),
            "The path is this one or below it, by whole segments: `/items` matches `/items/1` and not `/itemsfoo`. \
             No character stands for others.",
        ),
        Attribute::optional(
            words::REGEX,
            Type::Text(&forms::REGEX),
            "The whole path matches this regular expression (RE2 syntax): `/users/[^/]+` for one segment of any name.",
        ),
        Attribute::optional(
            words::METHODS,
            Type::some(&Type::Text(&forms::METHOD)),
            "The method is one of these, such as `[\"GET\", \"HEAD\"]`.",
        ),
    ],
    blocks: &[Nested { kind: &HEADER, count: Count::Many }],
};

/// The `match` block of a block; all requests without one.
pub(crate) fn convert(parent: &Block, purpose: Purpose, sink: &mut Sink) -> Option<HttpMatch> {
    let Some(block) = parent.block(&KIND) else { return Some(HttpMatch::default()) };
    only_one(block, &[words::PATH, words::PREFIX, words::REGEX], sink);
    wildcard::check_path(block, purpose, sink);
    let text = |name: Name| block.get::<String>(name).map(|text| text.value);
    let path = if let Some(path) = text(words::PATH) {
        PathMatch::Exact(path)
    } else if let Some(prefix) = text(words::PREFIX) {
        PathMatch::Prefix(prefix)
    } else if let Some(regex) = text(words::REGEX) {
        PathMatch::Regex(regex)
    } else {
        PathMatch::Any
    };
    let methods =
        block.get::<Vec<Spanned<String>>>(words::METHODS).map(|list| list.value).unwrap_or_default();
    Some(HttpMatch {
        path,
        methods: methods.into_iter().map(|method| method.value).collect(),
        headers: headers(block, purpose, sink),
    })
}

fn headers(block: &Block, purpose: Purpose, sink: &mut Sink) -> Vec<HeaderMatch> {
    let mut headers: Vec<(HeaderMatch, &Block)> = Vec::new();
    for header in block.blocks(&HEADER) {
        only_one(header, &[words::EXACT, words::PREFIX, words::REGEX], sink);
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
        // Header names have no case; both data planes compare lower-case ones.
        let name = header.name().to_ascii_lowercase();
        if let Some((_, first)) = headers.iter().find(|(other, _)| other.name == name) {
            sink.push(
                Diagnostic::error(codes::REPEATED, header.name_span(), format!("two conditions on `{name}`"))
                    .label("the second one")
                    .also(first.name_span(), "the first one")
                    .help("put both into one regular expression"),
            );
            continue;
        }
        headers.push((HeaderMatch { name, value }, header));
    }
    headers.into_iter().map(|(header, _)| header).collect()
}

/// Reports all but one of several attributes that exclude each other.
fn only_one(block: &Block, names: &[Name], sink: &mut Sink) {
    let mut first: Option<(Name, lang_diagnostics::Span)> = None;
    for name in names {
        let Some(span) = block.written(*name) else { continue };
        match first {
            Some((other, place)) => sink.push(exclusive(span, name.text(), place, other.text())),
            None => first = Some((*name, span)),
        }
    }
}
