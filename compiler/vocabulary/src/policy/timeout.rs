//! `timeout`: how long a request may take.

use std::time::Duration;

use lang_evaluate::schema::{Attribute, Kind, Label, Name, Symbol, Type};
use lang_evaluate::{Block, FromValue, Value};

use super::or_default;
use crate::model::policy::{Bound, Timeout};
use crate::words;

const NONE: &str = "none";

const BOUNDS: &[Symbol] = &[Symbol::new(NONE, "as long as it likes")];

/// A duration, or `none`.
pub(crate) const BOUND: Type = Type::Union(&[Type::Duration, Type::Symbol(BOUNDS)]);

pub(crate) static KIND: Kind = Kind {
    word: "timeout",
    documentation: "How long a request may take.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::REQUEST),
    relations: &[],
    attributes: &[
        Attribute::inherited(
            words::REQUEST,
            BOUND,
            "From the request's end to the answer's end, all attempts together. A call of gRPC whose client gave it less time \
             (`grpc-timeout`) ends with that, with DEADLINE_EXCEEDED; the callee is told what is left.",
        ),
        Attribute::inherited(
            words::IDLE,
            BOUND,
            "How long a request, a stream or a connection may stay silent. The default never bounds gRPC or TCP, nor a request whose own timeout is longer; it cuts no event stream and no long poll that says something in time.",
        ),
    ],
    blocks: &[],
};

impl FromValue for Bound {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Symbol(NONE) = value {
            return Some(Self(None));
        }
        Duration::from_value(value).map(|bound| Self(Some(bound)))
    }
}

pub(crate) fn convert(block: &Block, defaults: Option<&Timeout>) -> Option<Timeout> {
    let bound = |name: Name, default: fn(&Timeout) -> Option<Duration>| {
        let default = defaults.map(|defaults| Bound(default(defaults)));
        or_default(block, name, default).map(|bound| bound.map(|bound| bound.0))
    };
    Some(Timeout {
        origin: block.origin(),
        request: bound(words::REQUEST, |defaults| defaults.request.value)?,
        idle: bound(words::IDLE, |defaults| defaults.idle.value)?,
    })
}
