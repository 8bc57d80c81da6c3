//! `match`: which requests.

use lang_diagnostics::{Diagnostic, Sink, Span, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{
    Attribute, Constant, Count, Kind, Label, Name, Nested, Part, Relation, Rule, Type,
};

use super::conditions::{self, COOKIE, HEADER, QUERY};
use super::one_of;
use super::wildcard::{self, Purpose};
use crate::codes;
use crate::expressions::literal;
use crate::forms;
use crate::model::{HttpMatch, NotMatch, PathMatch};
use crate::words;

static GRPC: Kind = Kind {
    word: "grpc",
    documentation: "A gRPC service, a method, or one method of one service. The path says which: `/shop.Catalog/List`.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::SERVICE),
    relations: &[],
    attributes: &[
        Attribute::optional(
            words::SERVICE,
            Type::Text(&forms::GRPC_SERVICE),
            "The service with its package: `shop.Catalog`.",
        ),
        Attribute::optional(words::METHOD, Type::Text(&forms::GRPC_METHOD), "The method: `List`."),
    ],
    blocks: &[],
};

/// One of several paths.
static A_PATH: Type = Type::Text(&forms::PATH);

/// One of several methods.
static A_METHOD: Type = Type::Text(&forms::METHOD);

const PATH: Attribute = Attribute::optional(
    words::PATH,
    Type::Text(&forms::PATH),
    "The path is exactly this one; no character stands for others.",
);

const PATHS: Attribute = Attribute::optional(words::PATHS, Type::some(&A_PATH), "The path is one of these.");

const PREFIX: Attribute = Attribute::optional(
    words::PREFIX,
    Type::Text(&forms::PATH),
    "The path is this one or below it, by whole segments: `/items` matches `/items/1` and not `/itemsfoo`. Parameters are \
     a part of their segment: it does not match `/items;v=1`, which some applications take for `/items`; `starts_with` does. \
     No character stands for others.",
);

const STARTS_WITH: Attribute = Attribute::optional(
    words::STARTS_WITH,
    Type::Text(&forms::PATH),
    "The text of the path begins with this: `/items` matches `/itemsfoo` too.",
);

const IGNORE_CASE: Attribute = Attribute::defaulted(
    words::IGNORE_CASE,
    Type::Boolean,
    Constant::Boolean(false),
    "Whether `path`, `paths`, `prefix` and `starts_with` take ASCII letters of either case.",
);

const METHODS: Attribute = Attribute::optional(
    words::METHODS,
    Type::some(&A_METHOD),
    "The method is one of these, such as `[\"GET\", \"HEAD\"]`.",
);

static NOT: Kind = Kind {
    word: "not",
    documentation: "What may not hold: one condition on the path, or methods. Of several blocks none may hold.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[
        one_of(WAYS),
        Relation {
            rule: Rule::Excludes(Part::Attribute(words::METHODS), WAYS),
            code: codes::UNCLEAR_CONDITION,
            reason: "it would be unclear whether neither may hold, or not both at once",
            help: "write a `not` block for each: then neither may hold",
        },
        Relation {
            rule: Rule::AtLeastOne(&[
                Part::Attribute(words::PATH),
                Part::Attribute(words::PATHS),
                Part::Attribute(words::PREFIX),
                Part::Attribute(words::STARTS_WITH),
                Part::Attribute(words::REGEX),
                Part::Attribute(words::METHODS),
            ]),
            code: codes::UNCLEAR_CONDITION,
            reason: "it excludes nothing otherwise",
            help: "add `path`, `prefix` or `methods`, or remove it",
        },
    ],
    attributes: &[
        PATH,
        PATHS,
        PREFIX,
        STARTS_WITH,
        Attribute::optional(
            words::REGEX,
            Type::Text(&forms::NOT_PATH_REGEX),
            "The whole path matches this regular expression (RE2 syntax), in which nothing may match `?`: `[^?]` instead \
             of `.`.",
        ),
        IGNORE_CASE,
        METHODS,
    ],
    blocks: &[],
};

pub(crate) static KIND: Kind = Kind {
    word: "match",
    documentation: "Which requests are meant; all conditions hold at once. Of several blocks any one will do. Paths are \
                    compared after normalisation: dot segments and repeated slashes are merged, and the query is no part \
                    of them.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[
        one_of(WAYS),
        Relation {
            rule: Rule::Excludes(Part::Block(GRPC.word), WAYS),
            code: codes::EXCLUSIVE,
            reason: "the method of gRPC is the path",
            help: "keep one of them",
        },
    ],
    attributes: &[
        PATH,
        PATHS,
        PREFIX,
        STARTS_WITH,
        Attribute::optional(
            words::REGEX,
            Type::Text(&forms::REGEX),
            "The whole path matches this regular expression (RE2 syntax): `/users/[^/]+` for one segment of any name.",
        ),
        IGNORE_CASE,
        METHODS,
    ],
    blocks: &[
        Nested { kind: &NOT, count: Count::Many },
        Nested { kind: &GRPC, count: Count::Optional },
        Nested { kind: &HEADER, count: Count::Many },
        Nested { kind: &COOKIE, count: Count::Many },
        Nested { kind: &QUERY, count: Count::Many },
    ],
};

/// The `match` blocks of a block as alternatives; one for all requests without any.
pub(crate) fn convert(parent: &Block, purpose: Purpose, sink: &mut Sink) -> Option<Vec<HttpMatch>> {
    let mut alternatives = Vec::new();
    for block in parent.blocks(&KIND) {
        let rest = without_path(block, purpose, sink)?;
        alternatives
            .extend(paths(block, purpose, sink).into_iter().map(|path| HttpMatch { path, ..rest.clone() }));
    }
    if alternatives.is_empty() {
        alternatives.push(HttpMatch::default());
    }
    Some(alternatives)
}

/// The same where there is no alternative, since whatever met two of them would count twice: several paths are one
/// expression, and so are blocks that differ in nothing else.
pub(crate) fn one(parent: &Block, purpose: Purpose, sink: &mut Sink) -> Option<HttpMatch> {
    let mut blocks = parent.blocks(&KIND);
    let Some(first) = blocks.next() else { return Some(HttpMatch::default()) };
    let rest = without_path(first, purpose, sink)?;
    let mut paths = self::paths(first, purpose, sink);
    for other in blocks {
        if without_path(other, purpose, sink)? != rest {
            sink.push(
                Diagnostic::error(
                    codes::UNCLEAR_CONDITION,
                    other.kind_span,
                    "this `match` differs from the first one in more than its path",
                )
                .label("a request that meets both would be counted twice")
                .also(first.kind_span, "the first one")
                .help("write a limit for each, or repeat the other conditions here"),
            );
        }
        paths.extend(self::paths(other, purpose, sink));
    }
    let path = match paths.as_slice() {
        [only] => only.clone(),
        several => {
            let expressions: Vec<_> = several.iter().map(expression).collect();
            PathMatch::Regex(expressions.join("|"))
        }
    };
    Some(HttpMatch { path, ..rest })
}

fn without_path(block: &Block, purpose: Purpose, sink: &mut Sink) -> Option<HttpMatch> {
    let methods =
        block.get::<Vec<Spanned<String>>>(words::METHODS).map(|list| list.value).unwrap_or_default();
    Some(HttpMatch {
        path: PathMatch::Any,
        methods: methods.into_iter().map(|method| method.value).collect(),
        headers: conditions::headers(block, purpose, sink)?,
        queries: conditions::queries(block, purpose, sink)?,
        not: excluded(block, purpose, sink),
    })
}

/// What may not hold.
fn excluded(block: &Block, purpose: Purpose, sink: &mut Sink) -> Vec<NotMatch> {
    let mut excluded = Vec::new();
    for not in block.blocks(&NOT) {
        let methods = not.get::<Vec<Spanned<String>>>(words::METHODS).map(|list| list.value);
        excluded.extend(match methods {
            None => paths(not, purpose, sink).into_iter().map(NotMatch::Path).collect(),
            Some(methods) => {
                vec![NotMatch::Methods(methods.into_iter().map(|method| method.value).collect())]
            }
        });
    }
    excluded
}

/// The ways to say a path.
const WAYS: &[Part] = &[
    Part::Attribute(words::PATH),
    Part::Attribute(words::PATHS),
    Part::Attribute(words::PREFIX),
    Part::Attribute(words::STARTS_WITH),
    Part::Attribute(words::REGEX),
];

/// The conditions on the path, any of which will do; never empty.
fn paths(block: &Block, purpose: Purpose, sink: &mut Sink) -> Vec<PathMatch> {
    wildcard::check_path(block, purpose, sink);
    let text = |name: Name| block.get::<String>(name).map(|text| text.value);
    let mut paths: Vec<PathMatch> = if let Some(path) = text(words::PATH) {
        vec![PathMatch::Exact(path)]
    } else if let Some(paths) = block.get::<Vec<Spanned<String>>>(words::PATHS) {
        paths.value.into_iter().map(|path| PathMatch::Exact(path.value)).collect()
    } else if let Some(prefix) = text(words::PREFIX) {
        vec![PathMatch::Prefix(prefix)]
    } else if let Some(start) = text(words::STARTS_WITH) {
        vec![PathMatch::StartsWith(start)]
    } else if let Some(regex) = text(words::REGEX) {
        vec![PathMatch::Regex(regex)]
    } else {
        vec![PathMatch::Any]
    };
    if let Some(grpc) = block.block(&GRPC) {
        paths = vec![called(grpc, sink)];
    }
    match block.get::<bool>(words::IGNORE_CASE) {
        Some(folded) if folded.value => {
            let span = block.written(words::IGNORE_CASE).unwrap_or(block.kind_span);
            paths.into_iter().map(|path| fold(path, span, sink)).collect()
        }
        _ => paths,
    }
}

/// The path of a gRPC service, of a method, or of one method of one service.
fn called(grpc: &Block, sink: &mut Sink) -> PathMatch {
    let text = |name: Name| grpc.get::<String>(name).map(|text| text.value);
    match (text(words::SERVICE), text(words::METHOD)) {
        (Some(service), Some(method)) => PathMatch::Exact(format!("/{service}/{method}")),
        (Some(service), None) => PathMatch::StartsWith(format!("/{service}/")),
        (None, Some(method)) => PathMatch::Regex(format!("/[^/?]+/{method}")),
        (None, None) => {
            sink.push(
                Diagnostic::error(
                    codes::UNCLEAR_CONDITION,
                    grpc.kind_span,
                    "`grpc` names neither a service nor a method",
                )
                .label("which calls?")
                .help("add `service = \"shop.Catalog\"`, or remove it"),
            );
            PathMatch::Any
        }
    }
}

/// The condition for letters of either case.
fn fold(path: PathMatch, span: Span, sink: &mut Sink) -> PathMatch {
    let mut refuse = |why: &str, help: &str| {
        sink.push(
            Diagnostic::error(codes::UNCLEAR_CONDITION, span, why)
                .label("it applies to `path`, `paths`, `prefix` and `starts_with`")
                .help(help),
        );
    };
    match &path {
        PathMatch::Exact(text) | PathMatch::Prefix(text) | PathMatch::StartsWith(text) => {
            if !text.is_ascii() {
                refuse("`ignore_case` is about ASCII", "write the path as it is sent, such as `/%C3%A9`");
                return path;
            }
        }
        PathMatch::Regex(_) => {
            refuse("`ignore_case` is not about expressions", "begin the expression with `(?i)`");
            return path;
        }
        PathMatch::Any => {
            refuse("`ignore_case` has no path to be about", "add `path` or `prefix`, or remove it");
            return path;
        }
    }
    PathMatch::Regex(format!("(?i){}", expression(&path)))
}

/// The condition as an expression.
fn expression(path: &PathMatch) -> String {
    match path {
        PathMatch::Any => String::from(".*"),
        PathMatch::Exact(text) => literal(text),
        PathMatch::Prefix(text) => format!("{}(?:/.*)?", literal(text.trim_end_matches('/'))),
        PathMatch::StartsWith(text) => format!("{}.*", literal(text)),
        PathMatch::Regex(expression) => format!("(?:{expression})"),
    }
}
