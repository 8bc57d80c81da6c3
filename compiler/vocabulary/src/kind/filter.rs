//! The blocks of a rule that change what is sent on or answered.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink, Span, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Kind, Label, Type};

use crate::codes;
use crate::forms;
use crate::model::filter::{HeaderChanges, RouteFilter};
use crate::words;

/// What a header is changed to.
static VALUE: Type = Type::Text(&forms::HEADER_VALUE);

/// Which header is changed.
static NAME: Type = Type::Text(&forms::HEADER_NAME);

const SET: Attribute = Attribute::optional(
    words::SET,
    Type::Map { key: &forms::HEADER_NAME, of: &VALUE },
    "Headers and the one value that each has afterwards, whatever it had before.",
);

const ADD: Attribute = Attribute::optional(
    words::ADD,
    Type::Map { key: &forms::HEADER_NAME, of: &VALUE },
    "Headers that get a further line with this value.",
);

const REMOVE: Attribute =
    Attribute::optional(words::REMOVE, Type::some(&NAME), "Headers that are removed with all their lines.");

/// Changes of the request's headers.
pub(crate) static REQUEST_HEADERS: Kind = Kind {
    word: "request_headers",
    documentation: "Changes of the request's headers, made after the rule was chosen: other rules and `match` see what the client \
                    sent. Headers of the connection and those by which proxies tell each other something cannot be changed.",
    label: Label::None,
    space: None,
    reopen: false,
    attributes: &[SET, ADD, REMOVE],
    blocks: &[],
};

/// Changes of the answer's headers.
pub(crate) static RESPONSE_HEADERS: Kind = Kind {
    word: "response_headers",
    documentation: "Changes of the answer's headers, also of an answer that the gateway gives by itself because the destination \
                    gave none. The same headers as in `request_headers` cannot be changed.",
    label: Label::None,
    space: None,
    reopen: false,
    attributes: &[SET, ADD, REMOVE],
    blocks: &[],
};

/// The filters of a rule, in order. What it leaves out comes from the route around it, whose mistakes [`check`] reports.
pub(crate) fn convert(block: &Block, route: &Block, sink: &mut Sink) -> Vec<RouteFilter> {
    let mut known = Sink::default();
    let mut declared = |kind| match block.block(kind) {
        Some(own) => Some(changes(own, sink)),
        None => route.block(kind).map(|inherited| changes(inherited, &mut known)),
    };
    let request = declared(&REQUEST_HEADERS).map(RouteFilter::RequestHeaders);
    let response = declared(&RESPONSE_HEADERS).map(RouteFilter::ResponseHeaders);
    request.into_iter().chain(response).collect()
}

/// Reports the mistakes in the filters of a route with rules.
pub(crate) fn check(route: &Block, sink: &mut Sink) {
    for block in [&REQUEST_HEADERS, &RESPONSE_HEADERS].into_iter().filter_map(|kind| route.block(kind)) {
        changes(block, sink);
    }
}

fn changes(block: &Block, sink: &mut Sink) -> HeaderChanges {
    let mut names = Names { known: BTreeMap::new(), sink };
    let mut lines = |attribute| {
        let lines = block.get::<Vec<(Spanned<String>, Spanned<String>)>>(attribute);
        let lines = lines.map(|lines| lines.value).unwrap_or_default();
        let checked = lines.into_iter().map(|(name, value)| (names.check(&name), value.value));
        checked.collect::<Vec<_>>()
    };
    let (set, add) = (lines(words::SET), lines(words::ADD));
    let remove = block.get::<Vec<Spanned<String>>>(words::REMOVE).map(|names| names.value);
    let remove: Vec<String> = remove.unwrap_or_default().iter().map(|name| names.check(name)).collect();
    if set.is_empty() && add.is_empty() && remove.is_empty() {
        sink.push(
            Diagnostic::error(
                codes::FILTER_WITHOUT_EFFECT,
                block.kind_span,
                format!("this `{}` changes nothing", block.kind.word),
            )
            .help("name headers in `set`, `add` or `remove`, or leave the block out"),
        );
    }
    HeaderChanges { origin: block.origin(), set, add, remove }
}

/// The names that were changed so far.
struct Names<'s> {
    known: BTreeMap<String, Span>,
    sink: &'s mut Sink,
}

impl Names<'_> {
    /// The name in lower case. One that is a proxy's own is reported, and so is one that is changed twice.
    fn check(&mut self, name: &Spanned<String>) -> String {
        let lower = name.value.to_ascii_lowercase();
        if forms::is_proxies_header(&lower) {
            self.sink.push(
                Diagnostic::error(
                    codes::RESERVED_HEADER,
                    name.span,
                    format!("proxies own the header `{lower}`"),
                )
                .label("cannot be changed")
                .help("use another name; `meshc explain E0220` lists the headers that proxies own"),
            );
        } else if let Some(first) = self.known.insert(lower.clone(), name.span) {
            self.sink.push(
                Diagnostic::error(codes::REPEATED, name.span, format!("two changes of the header `{lower}`"))
                    .label("the second one")
                    .also(first, "the first one")
                    .help("keep one of them"),
            );
        }
        lower
    }
}
