//! `rewrite`: another path or host for what is sent on, and the new paths of redirects.

use lang_diagnostics::{Diagnostic, Sink, Span};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Kind, Label, Name, Part, Relation, Rule, Type};

use super::one_of;
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
pub(super) const NEW_PATHS: &[Part] =
    &[Part::Attribute(words::PATH), Part::Attribute(words::PREFIX), Part::Attribute(words::REGEX)];

/// What a path becomes that an expression matches.
pub(super) const REGEX_NEEDS_SUBSTITUTION: Relation = Relation {
    rule: Rule::Requires(Part::Attribute(words::REGEX), &[Part::Attribute(words::SUBSTITUTION)]),
    code: codes::UNCLEAR_PATH,
    reason: "it is what a path becomes that the expression matches",
    help: "add `substitution = \"/…\"`",
};

/// Which paths are replaced.
pub(super) const SUBSTITUTION_NEEDS_REGEX: Relation = Relation {
    rule: Rule::Requires(Part::Attribute(words::SUBSTITUTION), &[Part::Attribute(words::REGEX)]),
    code: codes::UNCLEAR_PATH,
    reason: "it says which paths are replaced",
    help: "add `regex`, or write `path` for all of them",
};

pub(crate) static KIND: Kind = Kind {
    word: "rewrite",
    documentation: "Changes the path or the host of what is sent on. The rule itself, and whatever else chooses or refuses \
                    requests, sees what the client sent; access logs, copies and the destination see what is sent on, so \
                    that the `allow` and `deny` of a callee judge the path that it receives.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[
        Relation {
            rule: Rule::AtLeastOne(&[
                Part::Attribute(words::HOST),
                Part::Attribute(words::PATH),
                Part::Attribute(words::PREFIX),
                Part::Attribute(words::REGEX),
            ]),
            code: codes::FILTER_WITHOUT_EFFECT,
            reason: "it changes nothing otherwise",
            help: "name a `path`, `prefix`, `regex` or `host`, or leave the block out",
        },
        one_of(NEW_PATHS),
        REGEX_NEEDS_SUBSTITUTION,
        SUBSTITUTION_NEEDS_REGEX,
    ],
    attributes: &[HOST, PATH, PREFIX, REGEX, SUBSTITUTION],
    blocks: &[],
};

/// A rewrite, whose mistakes are reported.
pub(super) fn convert(block: &Block, matches: &[HttpMatch], sink: &mut Sink) -> Rewrite {
    let host = block.get::<String>(words::HOST).map(|host| host.value.to_ascii_lowercase());
    Rewrite { origin: block.origin(), path: new_path(block, matches, sink), host }
}

/// The path that a block names; `matches` are the conditions of the rule around it.
pub(super) fn new_path(block: &Block, matches: &[HttpMatch], sink: &mut Sink) -> Option<NewPath> {
    let text = |name: Name| block.get::<String>(name).map(|text| text.value);
    let unclear = |span: Span, message: &str| Diagnostic::error(codes::UNCLEAR_PATH, span, message);
    let substitution = text(words::SUBSTITUTION);
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
    let substitution = substitution?;
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
