//! `fault`: requests that wait or are refused on purpose.

use std::time::Duration;

use lang_diagnostics::Sink;
use lang_evaluate::schema::{Attribute, Count, Kind, Label, Nested, Part, Relation, Rule, Type};
use lang_evaluate::{Block, FromValue, Value};

use super::conditions::{self, HEADER};
use super::filter::share;
use super::wildcard::Purpose;
use crate::codes;
use crate::model::filter::{Abort, Delay, Fault, Refused};
use crate::words;

/// The statuses of gRPC that are failures, in the order of their numbers from 1 on. Source: gRPC's status codes.
const GRPC: [lang_evaluate::schema::Symbol; 16] = {
    use lang_evaluate::schema::Symbol;
    [
        Symbol::new("cancelled", "1"),
        Symbol::new("unknown", "2"),
        Symbol::new("invalid_argument", "3"),
        Symbol::new("deadline_exceeded", "4"),
        Symbol::new("not_found", "5"),
        Symbol::new("already_exists", "6"),
        Symbol::new("permission_denied", "7"),
        Symbol::new("resource_exhausted", "8"),
        Symbol::new("failed_precondition", "9"),
        Symbol::new("aborted", "10"),
        Symbol::new("out_of_range", "11"),
        Symbol::new("unimplemented", "12"),
        Symbol::new("internal", "13"),
        Symbol::new("unavailable", "14"),
        Symbol::new("data_loss", "15"),
        Symbol::new("unauthenticated", "16"),
    ]
};

/// A status of gRPC.
#[derive(Clone, Copy)]
struct GrpcCode(u16);

impl FromValue for GrpcCode {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Symbol(word) = value else { return None };
        let position = GRPC.iter().position(|symbol| symbol.word == *word)?;
        u16::try_from(position + 1).ok().map(Self)
    }
}

const SHARE: Attribute = Attribute::derived(
    words::SHARE,
    Type::Percentage,
    "all of them",
    "How many of the requests, such as `0.5%`; each request is drawn anew.",
);

static DELAY: Kind = Kind {
    word: "delay",
    documentation: "Requests wait before they are sent on. No timeout of the rule counts this time, but silence does.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::TIME),
    relations: &[],
    attributes: &[Attribute::required(words::TIME, Type::Duration, "How long they wait."), SHARE],
    blocks: &[],
};

static ABORT: Kind = Kind {
    word: "abort",
    documentation: "Requests are refused instead of sent on, after they waited. What is refused here is not sent again and \
                    counts against no endpoint.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::STATUS),
    relations: &[Relation {
        rule: Rule::ExactlyOne(&[Part::Attribute(words::STATUS), Part::Attribute(words::GRPC)]),
        code: codes::FILTER_WITHOUT_EFFECT,
        reason: "it is what the requests are refused with",
        help: "add `status = 503`, or `grpc = unavailable`",
    }],
    attributes: &[
        Attribute::optional(
            words::STATUS,
            Type::Integer(400, 599),
            "The status. A gRPC client gets the status of gRPC that corresponds.",
        ),
        Attribute::optional(
            words::GRPC,
            Type::Symbol(&GRPC),
            "The status of gRPC, for requests of gRPC clients only. Not together with `status`.",
        ),
        SHARE,
    ],
    blocks: &[],
};

pub(crate) static KIND: Kind = Kind {
    word: "fault",
    documentation: "Delays requests or refuses them on purpose, to see how those who sent them bear it. With `header` blocks, \
                    only requests that meet all of these.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[Relation {
        rule: Rule::AtLeastOne(&[Part::Block(DELAY.word), Part::Block(ABORT.word)]),
        code: codes::FILTER_WITHOUT_EFFECT,
        reason: "it changes nothing otherwise",
        help: "add `delay { time = … }` or `abort { status = … }`",
    }],
    attributes: &[],
    blocks: &[
        Nested { kind: &HEADER, count: Count::Many },
        Nested { kind: &DELAY, count: Count::Optional },
        Nested { kind: &ABORT, count: Count::Optional },
    ],
};

/// A fault, whose mistakes are reported.
pub(super) fn convert(block: &Block, sink: &mut Sink) -> Option<Fault> {
    let delay = match block.block(&DELAY) {
        Some(delay) => Some(Delay { time: delay.get::<Duration>(words::TIME)?.value, share: share(delay) }),
        None => None,
    };
    let abort = block.block(&ABORT).and_then(|abort| {
        let status = abort.get::<u16>(words::STATUS).map(|status| Refused::Status(status.value));
        let grpc = || abort.get::<GrpcCode>(words::GRPC).map(|status| Refused::Grpc(status.value.0));
        let with = status.or_else(grpc);
        Some(Abort { with: with?, share: share(abort) })
    });
    let headers = conditions::headers(block, Purpose::Routing, sink)?;
    Some(Fault { origin: block.origin(), headers, delay, abort })
}
