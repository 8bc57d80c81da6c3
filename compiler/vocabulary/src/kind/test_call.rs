//! `call` in a `test`: one request, and what is expected of it.
#![expect(clippy::wildcard_enum_match_arm, reason = "the schema lets two forms of value through")]

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Origin, Sink, Span, Spanned};
use lang_evaluate::schema::{ANY_TEXT, Attribute, Constant, Kind, Label, Pattern, Reference, Symbol, Type};
use lang_evaluate::{Block, Target, Value};
use lang_syntax::ast::Rate;

use super::service::callee;
use super::test::{CLUSTER, END, expected, runs_there};
use crate::build::Ids;
use crate::model::policy::Bound;
use crate::model::{Callee, Cluster, Id, Model};
use crate::policy::timeout::BOUND;
use crate::testing::{CallFrom, CallTest, CallTo, Expected, Place, Request};
use crate::{codes, forms, words};

/// What a call in a list is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Allow,
    Deny,
    Reaches,
    Limited,
    Within(Duration),
}

static REQUEST_PATH: Pattern = Pattern {
    name: "a path",
    check: |text| {
        if !text.starts_with('/') {
            Some(String::from("it begins with `/`"))
        } else if text.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#') {
            Some(String::from("it has printable ASCII characters only, and no `#`"))
        } else if has_ambiguous_escape(text) {
            Some(String::from("proxies refuse an escaped slash, backslash or NUL in it, with 400"))
        } else {
            None
        }
    },
};

/// Whether a path has an escape in it that some read as the end of a segment, or of the path.
fn has_ambiguous_escape(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or_default().to_ascii_lowercase();
    ["%2f", "%5c", "%00"].iter().any(|code| path.contains(code))
}

const NONE: &[Symbol] = &[Symbol::new("none", "no limit counts it")];
const ANSWERS: Reference = Reference::to(&[words::kind::SERVICE, words::kind::SUBSET, words::kind::CLUSTER]);
const PODS: Reference = Reference::to(&[words::kind::SERVICE, words::kind::SUBSET]);
const END_TYPE: Type = Type::Union(&[Type::Instance(&END, &CLUSTER), Type::Reference(&END)]);

pub(crate) static KIND: Kind = Kind {
    word: "call",
    documentation: "A request, and what is expected of it.",
    label: Label::Optional(&ANY_TEXT),
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::required(
            words::FROM,
            END_TYPE,
            "Who calls: a service, a client, a gateway or one of its ports (`west.ingress.https`); `A in C` for its pods in one cluster.",
        ),
        Attribute::required(
            words::TO,
            END_TYPE,
            "What is called: a service, a subset, a host outside, or one port of it (`shop.web.http`).",
        ),
        Attribute::defaulted(words::METHOD, Type::Text(&forms::METHOD), Constant::Text("GET"), "The method."),
        Attribute::defaulted(
            words::PATH,
            Type::Text(&REQUEST_PATH),
            Constant::Text("/"),
            "The path, with its query if it has one.",
        ),
        Attribute::derived(
            words::HOST,
            Type::Text(&forms::HOST_PATTERN),
            "the callee's own name; at a gateway, a host of a route that leads to the callee",
            "The host.",
        ),
        Attribute::optional(
            words::HEADERS,
            Type::Map { key: &forms::HEADER_NAME, of: &Type::Text(&forms::HEADER_VALUE) },
            "The headers. What is not given is not sent.",
        ),
        Attribute::optional(words::ALLOW, Type::Boolean, "Whether it is sent and admitted."),
        Attribute::optional(
            words::REACHES,
            Type::some(&Type::Union(&[Type::Instance(&PODS, &CLUSTER), Type::Reference(&ANSWERS)])),
            "Whose pods answer, all of them: clusters, services, subsets, or `S in C`. Where a route draws among several, each is listed.",
        ),
        Attribute::optional(
            words::LIMIT,
            Type::Union(&[Type::Rate, Type::Symbol(NONE)]),
            "The tightest limit that counts it, or `none`.",
        ),
        Attribute::optional(words::TIMEOUT, BOUND, "How long it may take, all attempts together."),
        Attribute::optional(
            words::STATUS,
            Type::Integer(200, 599),
            "The status with which a proxy answers it by itself: of a redirect, of a fixed answer, or 404 where no route takes it.",
        ),
    ],
    blocks: &[],
};

/// A call of a list.
pub(super) fn listed(
    value: &Spanned<Value>,
    listed: Listed,
    ids: &Ids,
    model: &Model,
    sink: &mut Sink,
) -> Option<CallTest> {
    let Value::Call(from, to) = &value.value else { return None };
    let from = caller(from, ids, model, sink)?;
    let to = called(to, ids, model, sink)?;
    let expected = expected(listed, to.cluster);
    Some(CallTest {
        origin: Origin::new(value.span, String::from("this call")),
        from,
        to,
        request: None,
        expected: vec![Spanned::new(expected, value.span)],
    })
}

pub(super) fn convert(block: &Block, ids: &Ids, model: &Model, sink: &mut Sink) -> Option<CallTest> {
    let from = caller(&block.get::<Value>(words::FROM)?, ids, model, sink);
    let to = called(&block.get::<Value>(words::TO)?, ids, model, sink);
    let mut expected = Vec::new();
    if let Some(allow) = block.get::<bool>(words::ALLOW) {
        expected.push(allow.map(|allow| if allow { Expected::Allowed } else { Expected::Refused }));
    }
    if let Some(places) = block.get::<Vec<Spanned<Value>>>(words::REACHES) {
        let span = places.span;
        let places = places.value.iter().map(|place| self::place(place, ids, model, sink));
        expected.push(Spanned::new(Expected::Answered(places.collect::<Option<_>>()?), span));
    }
    if let Some(limit) = block.get::<Value>(words::LIMIT) {
        let rate = block.get::<Rate>(words::LIMIT).map(|rate| rate.value);
        expected.push(limit.map(|_| Expected::Limit(rate)));
    }
    if let Some(timeout) = block.get::<Bound>(words::TIMEOUT) {
        expected.push(timeout.map(Expected::Timeout));
    }
    if let Some(status) = block.get::<u16>(words::STATUS) {
        expected.push(status.map(Expected::Status));
    }
    if expected.is_empty() {
        sink.push(
            Diagnostic::error(
                codes::EMPTY_CALL,
                block.name_span(),
                format!("{} expects nothing", block.origin().name),
            )
            .label("nothing is expected of it")
            .help("add `allow`, `reaches`, `limit`, `timeout` or `status`"),
        );
    }
    let headers = block.get::<Vec<(Spanned<String>, Spanned<String>)>>(words::HEADERS);
    let headers = headers.into_iter().flat_map(|headers| headers.value);
    let request = Request {
        method: block.get::<String>(words::METHOD)?.value,
        path: block.get::<String>(words::PATH)?.value,
        host: block.get::<String>(words::HOST).map(|host| host.value.to_ascii_lowercase()),
        headers: headers.map(|(name, value)| (name.value.to_ascii_lowercase(), value.value)).collect(),
    };
    Some(CallTest { origin: block.origin(), from: from?, to: to?, request: Some(request), expected })
}

fn caller(value: &Spanned<Value>, ids: &Ids, model: &Model, sink: &mut Sink) -> Option<CallFrom> {
    let (target, place) = end(&value.value)?;
    let cluster = place.map(|place| ids.clusters.get(&place.entity).copied());
    if let Some(gateway) = ids.gateways.get(&target.entity) {
        let ports = &model.gateways.at(*gateway).ports;
        let port = target.part.as_ref().map(|part| ports.iter().position(|port| port.name == part.value));
        return Some(CallFrom::Gateway(*gateway, port.flatten()));
    }
    match ids.services.get(&target.entity) {
        Some(service) if target.part.is_none() && model.services.at(*service).subset_of.is_none() => {
            let cluster = match cluster {
                Some(cluster) => Some(cluster?),
                None => None,
            };
            if let Some(cluster) = cluster {
                runs_there(model, *service, cluster, value.span, sink);
            }
            Some(CallFrom::Service(*service, cluster))
        }
        Some(_) | None => {
            not_an_end(
                value.span,
                "this calls nothing",
                "a call comes from a service, a client or a gateway",
                sink,
            );
            None
        }
    }
}

fn called(value: &Spanned<Value>, ids: &Ids, model: &Model, sink: &mut Sink) -> Option<CallTo> {
    let (target, place) = end(&value.value)?;
    let Some(callee) = callee(target, ids).filter(|callee| !model.ports(*callee).is_empty()) else {
        not_an_end(
            value.span,
            "this is not called",
            "a call goes to a service, a subset or a host outside",
            sink,
        );
        return None;
    };
    let cluster = match place {
        Some(place) => Some(*ids.clusters.get(&place.entity)?),
        None => None,
    };
    if let (Callee::Service(service), Some(cluster)) = (callee, cluster) {
        runs_there(model, service, cluster, value.span, sink);
    }
    let port = target.part.as_ref().map(|part| part.value.clone());
    Some(CallTo { callee, port, cluster })
}

fn not_an_end(span: Span, message: &str, help: &str, sink: &mut Sink) {
    sink.push(Diagnostic::error(codes::NOT_AN_END, span, message).label("not an end of a call").help(help));
}

/// What an end of a call names, and the cluster that it is narrowed to.
fn end(value: &Value) -> Option<(&Target, Option<&Target>)> {
    match value {
        Value::Reference(target) => Some((target, None)),
        Value::Instance(target, place) => Some((target, Some(place))),
        _ => None,
    }
}

fn place(value: &Spanned<Value>, ids: &Ids, model: &Model, sink: &mut Sink) -> Option<Spanned<Place>> {
    let (target, narrowed) = end(&value.value)?;
    let service = ids.services.get(&target.entity).copied();
    let cluster: Option<Id<Cluster>> = match narrowed {
        Some(place) => Some(*ids.clusters.get(&place.entity)?),
        None => ids.clusters.get(&target.entity).copied(),
    };
    if let (Some(service), Some(cluster)) = (service, cluster) {
        runs_there(model, service, cluster, value.span, sink);
    }
    Some(Spanned::new(Place { service, cluster }, value.span))
}
