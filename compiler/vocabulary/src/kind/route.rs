//! `route`: what gateways do with requests from outside.

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Kind, Label, Reference, Type};
use lang_evaluate::{Block, Target};

use super::{exclusive, filter, http_match, rule};
use crate::build::Ids;
use crate::codes;
use crate::forms;
use crate::model::{Gateway, GatewayRole, Id, Namespace, Route, Table};
use crate::policy::retry;
use crate::words;

/// A gateway, or one port of it.
const GATEWAY: Reference = Reference {
    kinds: &[words::kind::GATEWAY],
    part: Some(words::kind::PORT),
    refused: &[(words::kind::CLUSTER, "write the gateway's name behind it: `<cluster>.<gateway>`")],
};

pub(crate) static KIND: Kind = Kind {
    word: words::kind::ROUTE,
    documentation: "Requests from outside, by host name: through which gateways, and where they go. A simple route says \
                    `to`; others have ordered `rule` blocks.",
    label: Label::Required(&forms::NAME),
    space: Some("route"),
    reopen: false,
    attributes: &[
        Attribute::optional(
            words::GATEWAY,
            Type::Reference(&GATEWAY),
            "The ingress gateway that serves it, or one port of it (`west.ingress.http`).",
        ),
        Attribute::optional(
            words::GATEWAYS,
            Type::some(&Type::Reference(&GATEWAY)),
            "The ingress gateways, if there are several. Not together with `gateway`.",
        ),
        Attribute::required(
            words::HOSTS,
            Type::some(&Type::Text(&forms::HOST_PATTERN)),
            "Host names; `*.example.org` matches one or more leading labels, `*` everything.",
        ),
        rule::TO,
        rule::TIMEOUT,
    ],
    blocks: &rule::WITH_RULES,
};

pub(crate) fn convert(
    block: &Block,
    namespace: Id<Namespace>,
    gateways: &Table<Gateway>,
    ids: &Ids,
    sink: &mut Sink,
) -> Option<Route> {
    let (gateways, port) = gateways_of(block, gateways, ids, sink)?;
    let mut hosts: Vec<Spanned<String>> = Vec::new();
    for host in block.get::<Vec<Spanned<String>>>(words::HOSTS)?.value {
        let host = host.map(|text| text.to_ascii_lowercase());
        if let Some(first) = hosts.iter().find(|other| other.value == host.value) {
            sink.push(
                Diagnostic::error(codes::REPEATED, host.span, format!("`{}` is listed twice", host.value))
                    .label("listed again")
                    .also(first.span, "listed first")
                    .help("remove one of them"),
            );
            continue;
        }
        hosts.push(host);
    }
    Some(Route {
        origin: block.origin(),
        name: block.name().to_owned(),
        namespace,
        gateways,
        port,
        hosts,
        rules: rules(block, ids, sink)?,
    })
}

type Served = (Vec<Spanned<Id<Gateway>>>, Option<Spanned<String>>);

fn gateways_of(block: &Block, table: &Table<Gateway>, ids: &Ids, sink: &mut Sink) -> Option<Served> {
    if let (Some(one), Some(several)) = (block.written(words::GATEWAY), block.written(words::GATEWAYS)) {
        sink.push(exclusive(several, words::GATEWAYS.text(), one, words::GATEWAY.text()));
    }
    let mut targets: Vec<_> = block.get::<Target>(words::GATEWAY).into_iter().collect();
    targets
        .extend(block.get::<Vec<Spanned<Target>>>(words::GATEWAYS).into_iter().flat_map(|list| list.value));
    if targets.is_empty() {
        sink.push(
            Diagnostic::error(
                codes::NO_ROUTE_GATEWAY,
                block.name_span(),
                format!("{} has no gateway", block.origin().name),
            )
            .label("it serves no requests")
            .help("add `gateway = <cluster>.<gateway>`"),
        );
    }
    let mut port: Option<Spanned<String>> = None;
    let mut gateways: Vec<Spanned<Id<Gateway>>> = Vec::new();
    for (index, target) in targets.into_iter().enumerate() {
        let id = *ids.gateways.get(&target.value.entity)?;
        let gateway = table.at(id);
        if gateway.role == GatewayRole::EastWest {
            sink.push(
                Diagnostic::error(
                    codes::NOT_AN_INGRESS,
                    target.span,
                    format!("{} takes no requests from outside", gateway.origin.name),
                )
                .label("an east-west gateway")
                .also(gateway.origin.span, "declared here")
                .help("name a gateway with `role = ingress`"),
            );
        }
        if let Some(first) = gateways.iter().find(|other| other.value == id) {
            sink.push(
                Diagnostic::error(codes::REPEATED, target.span, "this gateway is listed twice")
                    .label("listed again")
                    .also(first.span, "listed first")
                    .help("remove one of them"),
            );
            continue;
        }
        let same =
            |other: &Spanned<String>| target.value.part.as_ref().is_some_and(|p| p.value == other.value);
        if index > 0 && !(port.is_none() && target.value.part.is_none() || port.as_ref().is_some_and(same)) {
            sink.push(
                Diagnostic::error(
                    codes::DIFFERENT_PORTS,
                    target.span,
                    format!("{} is served at different ports of its gateways", block.origin().name),
                )
                .label("another port than at the first gateway")
                .help("name the same port at each gateway, or write one route for each port"),
            );
        }
        port = port.or(target.value.part);
        gateways.push(Spanned::new(id, target.span));
    }
    Some((gateways, port))
}

/// The rules; a route without `rule` blocks is its own only rule.
fn rules(block: &Block, ids: &Ids, sink: &mut Sink) -> Option<Vec<crate::model::RouteRule>> {
    let Some(first) = block.blocks(&rule::KIND).next() else {
        return Some(vec![rule::convert(block, block, ids, sink)?]);
    };
    if let Some(to) = block.written(words::TO) {
        sink.push(exclusive(first.kind_span, rule::KIND.word, to, words::TO.text()));
    }
    for kind in [&http_match::KIND, &rule::DESTINATION] {
        if let Some(other) = block.block(kind) {
            sink.push(exclusive(first.kind_span, rule::KIND.word, other.kind_span, kind.word));
        }
    }
    retry::check(block, sink);
    filter::check(block, sink);
    block.blocks(&rule::KIND).map(|inner| rule::convert(inner, block, ids, sink)).collect()
}
