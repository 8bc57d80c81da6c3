//! The blocks of a rule that change what is sent on or answered.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Origin, Sink, Span, Spanned};
use lang_evaluate::schema::{Attribute, Kind, Label, Template, Type};
use lang_evaluate::{Block, FromValue, Piece, Target, Value};
use lang_syntax::ast::Decimal;

use super::service::{DESTINATION as TARGET, callee};
use super::{cors, fault, rewrite};
use crate::build::Ids;
use crate::codes;
use crate::forms;
use crate::forwarded;
use crate::model::filter::{HeaderChanges, HeaderPart, Mirror, RequestProperty, RouteFilter};
use crate::model::{Destination, HttpMatch};
use crate::symbols::symbols;
use crate::words;

/// What a header is changed to.
static VALUE: Type =
    Type::Template(&Template { pattern: &forms::HEADER_VALUE, root: "request", properties: PROPERTIES });

symbols! {
    /// What a value may say of the request. Before a rule's `rewrite` in requests, and after it in answers.
    PROPERTIES: RequestProperty {
        "method" => RequestProperty::Method, "the method";
        "path" => RequestProperty::Path, "the normalised path, without its query";
        "path_and_query" => RequestProperty::PathAndQuery, "the normalised path with its query";
        "host" => RequestProperty::Host, "the host, with its port if it was sent with one";
        "scheme" => RequestProperty::Scheme, "`http` or `https`: what `x-forwarded-proto` says";
        "protocol" => RequestProperty::Protocol, "`HTTP/1.1` or `HTTP/2`, as the proxy was asked; `HTTP/1.0` where that is accepted";
        "id" => RequestProperty::Id, "the request's id: what `x-request-id` says";
        "client_address" => RequestProperty::ClientAddress,
            "the address of the client, without a port: of the connection, or what the `trusted_hops` in front of a gateway say; \
             inside the mesh the last one in `x-forwarded-for`";
        "caller" => RequestProperty::Caller,
            "who sends the request: for calls the SPIFFE id of the service or client that calls, at a gateway the URIs in the \
             client's certificate with commas between them, and the empty text where it shows none";
        "port" => RequestProperty::Port, "the number of the port that is asked: the gateway's, or the callee's";
    }
}

/// The property that a word of the schema stands for.
fn property(word: &'static str) -> Option<RequestProperty> {
    RequestProperty::from_value(&Value::Symbol(word))
}

/// A value as the model has it.
fn parts(pieces: Vec<Piece>) -> Vec<HeaderPart> {
    let parts = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(HeaderPart::Text(text)),
        Piece::Property(word) => property(word).map(HeaderPart::Property),
    });
    parts.collect()
}

/// Which header is changed.
static NAME: Type = Type::Text(&forms::HEADER_NAME);

/// All requests.
const MILLION: u64 = 1_000_000;

/// A millionth of all in billionths of a percent.
const NANOS_OF_A_MILLIONTH: u64 = 100_000;

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
    principal: None,
    relations: &[],
    attributes: &[SET, ADD, REMOVE],
    blocks: &[],
};

/// Changes of the answer's headers.
pub(crate) static RESPONSE_HEADERS: Kind = Kind {
    word: "response_headers",
    documentation: "Changes of the answer's headers, also of an answer that the proxy gives by itself because the destination \
                    gave none. The same headers as in `request_headers` cannot be changed.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[SET, ADD, REMOVE],
    blocks: &[],
};

/// Copies of requests.
pub(crate) static MIRROR: Kind = Kind {
    word: "mirror",
    documentation: "Sends a copy of each request elsewhere as well, as it is sent on: with its body, and with the changes of \
                    `request_headers`. The client does not wait for the copy, and nothing that becomes of it reaches the \
                    client. With Envoy a copy names the proxy as one more hop in `x-forwarded-for`; with meshd one breaks off \
                    that is a MiB behind its request.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::TO),
    relations: &[],
    attributes: &[
        Attribute::required(
            words::TO,
            Type::Reference(&TARGET),
            "What gets the copies: a service, one port of it, or a subset.",
        ),
        Attribute::derived(
            words::SHARE,
            Type::Percentage,
            "all of them",
            "How many of the requests are copied, such as `0.5%`; each request is drawn anew.",
        ),
    ],
    blocks: &[],
};

/// The filters of a rule with these conditions, in order. What it leaves out comes from the route around it, whose mistakes
/// [`check`] reports. Where requests are answered and not sent on, only what concerns answers is left.
pub(crate) fn convert(
    (block, route): (&Block, &Block),
    (matches, forwards): (&[HttpMatch], bool),
    ids: &Ids,
    sink: &mut Sink,
) -> Option<Vec<RouteFilter>> {
    let mut known = Sink::default();
    let mut declared = |kind| match block.block(kind) {
        Some(own) => Some(changes(own, sink)),
        None => route.block(kind).map(|inherited| changes(inherited, &mut known)),
    };
    let request = declared(&REQUEST_HEADERS).map(RouteFilter::RequestHeaders);
    let response = declared(&RESPONSE_HEADERS).map(RouteFilter::ResponseHeaders);
    let cors = match block.block(&cors::KIND) {
        Some(own) => Some(cors::convert(own, sink)?),
        None => route.block(&cors::KIND).and_then(|inherited| cors::convert(inherited, &mut known)),
    };
    let fault = match block.block(&fault::KIND) {
        Some(own) => Some(fault::convert(own, sink)?),
        None => route.block(&fault::KIND).and_then(|inherited| fault::convert(inherited, &mut known)),
    };
    let fault = fault.map(RouteFilter::Fault);
    // Browsers are told something before anything goes wrong on purpose.
    let asked = response.into_iter().chain(cors.map(RouteFilter::Cors)).chain(fault);
    if !forwards {
        return Some(asked.collect());
    }
    let rewrite = block.block(&rewrite::KIND).or_else(|| route.block(&rewrite::KIND));
    let rewrite = rewrite.map(|rewrite| RouteFilter::Rewrite(rewrite::convert(rewrite, matches, sink)));
    let around = if block.block(&MIRROR).is_some() { block } else { route };
    let mirrors: Option<Vec<_>> = around.blocks(&MIRROR).map(|mirror| self::mirror(mirror, ids)).collect();
    Some(request.into_iter().chain(asked).chain(rewrite).chain(mirrors?).collect())
}

/// How many of a million requests a block says; all without a word. A share that is smaller than any that can be drawn is
/// the smallest, and not none.
pub(super) fn share(block: &Block) -> u32 {
    let share = block.get::<Decimal>(words::SHARE).map(|share| share.value.nanos);
    let share = share.map_or(MILLION, |nanos| nanos.div_ceil(NANOS_OF_A_MILLIONTH).min(MILLION));
    u32::try_from(share).unwrap_or(u32::MAX)
}

fn mirror(block: &Block, ids: &Ids) -> Option<RouteFilter> {
    let to = block.get::<Target>(words::TO)?;
    let destination = Destination {
        origin: Origin::new(to.span, block.origin().name),
        callee: callee(&to.value, ids)?,
        port: to.value.part,
        weight: 1,
    };
    Some(RouteFilter::Mirror(Mirror { to: destination, share: share(block) }))
}

/// Reports the mistakes in the filters of a route with rules.
pub(crate) fn check(route: &Block, sink: &mut Sink) {
    for block in [&REQUEST_HEADERS, &RESPONSE_HEADERS].into_iter().filter_map(|kind| route.block(kind)) {
        changes(block, sink);
    }
    if let Some(block) = route.block(&cors::KIND) {
        cors::convert(block, sink);
    }
    if let Some(block) = route.block(&fault::KIND) {
        fault::convert(block, sink);
    }
}

fn changes(block: &Block, sink: &mut Sink) -> HeaderChanges {
    let mut names = Names { known: BTreeMap::new(), sink };
    let mut lines = |attribute| {
        let lines = block.get::<Vec<(Spanned<String>, Spanned<Vec<Piece>>)>>(attribute);
        let lines = lines.map(|lines| lines.value).unwrap_or_default();
        let checked = lines.into_iter().map(|(name, value)| (names.check(&name), parts(value.value)));
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
        if forwarded::is_proxies_header(&lower) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_of_the_schema_is_one_of_the_model() {
        let known: std::collections::BTreeSet<_> =
            PROPERTIES.iter().map(|symbol| property(symbol.word)).collect();
        assert_eq!(known.len(), PROPERTIES.len());
        assert!(!known.contains(&None));
    }
}
