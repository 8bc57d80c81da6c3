//! `rewrite`: another path or host for what is sent on, and the new paths of redirects.

use lang_diagnostics::{Diagnostic, Sink, Span};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Kind, Label, Name, Type};

use super::http_match::only_one;
use crate::codes;
use crate::expressions;
use crate::forms;
use crate::model::answer::NewPath;
use crate::model::filter::Rewrite;
use crate::model::{HttpMatch, PathMatch};
use crate::words;

/// The host, as rewrites and redirects have it.
pub(super) const HOST: Attribute =
    Attribute::optional(words::HOST, Type::Text(&forms::HOST), "The host, without a port.");

/// The whole path.
pub(super) const PATH: Attribute =
    Attribute::optional(words::PATH, Type::Text(&forms::NEW_PATH), "The path. The query is kept.");

/// What the matched prefix becomes.
pub(super) const PREFIX: Attribute = Attribute::optional(
    words::PREFIX,
    Type::Text(&forms::NEW_PATH),
    "What the `prefix` of the rule's `match` becomes, by whole segments: with `/a` matched and `/x` here, `/a/b` is `/x/b`, \
     and with `/` here it is `/b`. A rule without a condition on the path has the prefix `/`.",
);

/// Which paths are changed by substitution.
pub(super) const REGEX: Attribute = Attribute::optional(
    words::REGEX,
    Type::Text(&forms::REGEX),
    "An expression (RE2 syntax) that the whole path must match to become the `substitution`; another path is kept.",
);

/// What they become.
pub(super) const SUBSTITUTION: Attribute = Attribute::optional(
    words::SUBSTITUTION,
    Type::Text(&forms::SUBSTITUTION),
    "The path in the place of one that `regex` matches. `\\1` to `\\9` are what the groups of the expression matched, \
     `\\0` is the whole path.",
);

/// The ways to say a path.
const PATHS: [Name; 3] = [words::PATH, words::PREFIX, words::REGEX];

pub(crate) static KIND: Kind = Kind {
    word: "rewrite",
    documentation: "Changes the path or the host of what is sent on. The rule itself, and whatever else chooses or refuses \
                    requests, sees what the client sent; access logs, copies and the destination see what is sent on, so \
                    that the `allow` and `deny` of a callee judge the path that it receives.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    attributes: &[HOST, PATH, PREFIX, REGEX, SUBSTITUTION],
    blocks: &[],
};

/// A rewrite, whose mistakes are reported.
pub(super) fn convert(block: &Block, matches: &[HttpMatch], sink: &mut Sink) -> Rewrite {
    if [words::HOST].iter().chain(&PATHS).all(|name| block.written(*name).is_none()) {
        sink.push(
            Diagnostic::error(
                codes::FILTER_WITHOUT_EFFECT,
                block.kind_span,
                "this `rewrite` changes nothing",
            )
            .help("name a `path`, `prefix`, `regex` or `host`, or leave the block out"),
        );
    }
    let host = block.get::<String>(words::HOST).map(|host| host.value.to_ascii_lowercase());
    Rewrite { origin: block.origin(), path: new_path(block, matches, sink), host }
}

/// The path that a block names; `matches` are the conditions of the rule around it.
pub(super) fn new_path(block: &Block, matches: &[HttpMatch], sink: &mut Sink) -> Option<NewPath> {
    only_one(block, &PATHS, sink);
    let text = |name: Name| block.get::<String>(name).map(|text| text.value);
    let unclear = |span: Span, message: &str| Diagnostic::error(codes::UNCLEAR_PATH, span, message);
    let substitution = text(words::SUBSTITUTION);
    if let (Some(span), None) = (block.written(words::SUBSTITUTION), block.written(words::REGEX)) {
        sink.push(
            unclear(span, "`substitution` has no `regex`")
                .label("which paths become this?")
                .help("add `regex`, or write `path` for all of them"),
        );
    }
    if let Some(path) = text(words::PATH) {
        return Some(NewPath::Full(path));
    }
    if let Some(prefix) = text(words::PREFIX) {
        let has_prefix = |matches: &HttpMatch| match matches.path {
            PathMatch::Any | PathMatch::Prefix(_) => true,
            PathMatch::Exact(_) | PathMatch::StartsWith(_) | PathMatch::Regex(_) => false,
        };
        if !matches.iter().all(has_prefix) {
            let span = block.written(words::PREFIX).unwrap_or(block.kind_span);
            sink.push(
                unclear(span, "the rule matches no `prefix` that this could replace")
                    .label("the prefix that a `match` of the rule names would become this")
                    .help("write `prefix` in each `match` of the rule, or `regex` and `substitution` here"),
            );
        }
        return Some(NewPath::Prefix(prefix));
    }
    let expression = text(words::REGEX)?;
    let span = block.written(words::REGEX).unwrap_or(block.kind_span);
    let Some(substitution) = substitution else {
        sink.push(
            unclear(span, "`regex` has no `substitution`")
                .label("what does a path become that it matches?")
                .help("add `substitution = \"/…\"`"),
        );
        return None;
    };
    let groups = expressions::groups(&expression);
    if let Some(group) = references(&substitution).find(|group| *group > groups) {
        let span = block.written(words::SUBSTITUTION).unwrap_or(span);
        sink.push(
            unclear(span, &format!("`\\{group}` refers to a group that `regex` does not have"))
                .label(match groups {
                    0 => String::from("the expression has no groups"),
                    groups => format!("the last one is `\\{groups}`"),
                })
                .help("put parentheses around the part of the expression that is meant"),
        );
    }
    Some(NewPath::Regex { expression, substitution })
}

/// The groups that a substitution refers to.
fn references(substitution: &str) -> impl Iterator<Item = usize> {
    let after = substitution.split('\\').skip(1);
    after.filter_map(|rest| usize::try_from(rest.chars().next()?.to_digit(10)?).ok())
}
