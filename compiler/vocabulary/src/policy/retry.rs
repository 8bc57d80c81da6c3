//! `retry`: which failed requests are sent again.

use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::schema::{Attribute, Constant, Kind, Label, Name, Part, Relation, Rule, Symbol, Type};
use lang_evaluate::{Block, FromValue, Value};

use crate::codes;
use crate::forms;
use crate::model::policy::{BackOff, GrpcStatus, Retry, RetryOn};
use crate::words;

/// All methods.
const ANY: &str = "*";

/// The idempotent methods (RFC 9110, section 9.2.2) that a mesh forwards.
const IDEMPOTENT: &[&str] = &["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];

/// The largest body that is kept, in bytes. Each request under way may have one.
const LARGEST_BODY: u64 = 4 * 1024 * 1024;

const CONNECT_FAILURE: &str = "connect_failure";
const RESET: &str = "reset";
const CANCELLED: &str = "cancelled";
const DEADLINE_EXCEEDED: &str = "deadline_exceeded";
const RESOURCE_EXHAUSTED: &str = "resource_exhausted";
const INTERNAL: &str = "internal";
const UNAVAILABLE: &str = "unavailable";

const WHEN: &[Symbol] = &[
    Symbol::new(CONNECT_FAILURE, "the connection could not be opened"),
    Symbol::new(
        RESET,
        "the connection to the next proxy ended before an answer, or an attempt took longer than `per_try_timeout` or `per_try_idle`; where an application closes its connection, its sidecar answers 503",
    ),
    Symbol::new(CANCELLED, "gRPC's CANCELLED"),
    Symbol::new(DEADLINE_EXCEEDED, "gRPC's DEADLINE_EXCEEDED"),
    Symbol::new(RESOURCE_EXHAUSTED, "gRPC's RESOURCE_EXHAUSTED"),
    Symbol::new(INTERNAL, "gRPC's INTERNAL"),
    Symbol::new(UNAVAILABLE, "gRPC's UNAVAILABLE"),
];

/// The first wait where `back_off` is not set, in milliseconds.
const FIRST_WAIT: u64 = 25;

const _: () = assert!(BackOff::DEFAULT.base.as_millis() == FIRST_WAIT as u128, "the model says the same");

pub(crate) static KIND: Kind = Kind {
    word: "retry",
    documentation: "Which failed requests are sent again, and where: to another endpoint of the same locality first, to the \
                    next locality at the second attempt, or at once if the nearest one has a single endpoint. Without \
                    any, only requests whose connection could not be opened or whose stream was refused are sent again: \
                    no application has seen them, so every method is, as often as it takes to leave the locality.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: Some(words::ATTEMPTS),
    relations: &[
        Relation {
            rule: Rule::NotGreater {
                least: words::BACK_OFF,
                otherwise: Some(Constant::Milliseconds(FIRST_WAIT)),
                most: words::MAX_BACK_OFF,
            },
            code: codes::RETRY_BOUNDS,
            reason: "the longest wait would be shorter than the first one",
            help: "raise `max_back_off`, or lower `back_off`, which is 25ms where it is not set",
        },
        Relation {
            rule: Rule::Requires(Part::Flag(words::HEDGE, true), &[Part::Attribute(words::PER_TRY_TIMEOUT)]),
            code: codes::RETRY_BOUNDS,
            reason: "it is the time after which another attempt is sent",
            help: "add `per_try_timeout`",
        },
    ],
    attributes: &[
        Attribute::required(
            words::ATTEMPTS,
            Type::Integer(0, 100),
            "How often a request may be sent again; 0 is never, not even after a failed connection.",
        ),
        Attribute::derived(
            words::WHEN,
            Type::some(&Type::Union(&[Type::StatusClass, Type::Integer(100, 599), Type::Symbol(WHEN)])),
            "`[connect_failure]`",
            "What counts as a failure: classes of statuses (`5xx`, which includes failed and reset connections), single \
             statuses (`503`), `connect_failure`, `reset`, and statuses of gRPC. gRPC's INTERNAL counts as 500 too, \
             UNAVAILABLE as 502, 503 and 504, RESOURCE_EXHAUSTED as 429. gRPC calls are POST, so `methods` must name it. \
             A failed connection and a refused stream are always a reason.",
        ),
        Attribute::defaulted(
            words::OTHER_LOCALITIES,
            Type::Boolean,
            Constant::Boolean(false),
            "Whether the first attempt after a failure goes to the next locality already.",
        ),
        Attribute::derived(
            words::METHODS,
            Type::some(&Type::Text(&forms::ANY_METHOD)),
            "the idempotent ones: `[\"GET\", \"HEAD\", \"OPTIONS\", \"TRACE\", \"PUT\", \"DELETE\"]`",
            "The methods that may be sent again; `[\"*\"]` is all of them: what an application did before it failed is then done again.",
        ),
        Attribute::optional(
            words::PER_TRY_TIMEOUT,
            Type::Duration,
            "How long one attempt may take. Then another one is sent if `when` has `5xx` or `reset`.",
        ),
        Attribute::defaulted(
            words::HEDGE,
            Type::Boolean,
            Constant::Boolean(false),
            "Whether an attempt goes on that takes longer than `per_try_timeout`, or `per_try_idle` if that is shorter, beside \
             the one that is sent then: the first answer is the client's, and the other attempts are broken off. It is another \
             attempt whatever `when` says, as long as there are `attempts`, and only for `methods`; to ejection it is a \
             timeout. Not with a request that asks for another protocol.",
        ),
        Attribute::optional(
            words::PER_TRY_IDLE,
            Type::Duration,
            "How long an endpoint that has the whole request may be silent, before its answer begins and while it comes. \
             Before that it is a reason for another attempt if `when` has `5xx` or `reset`, and counts for ejection, as a \
             timeout does.",
        ),
        Attribute::derived(
            words::BACK_OFF,
            Type::Duration,
            "`25ms`",
            "How long is waited at most before the first attempt after an answer; twice as long before each further one. \
             The wait is a random part of it.",
        ),
        Attribute::derived(
            words::MAX_BACK_OFF,
            Type::Duration,
            "ten times `back_off`",
            "Where that stops to grow.",
        ),
        Attribute::optional(
            words::MAX_RETRY_AFTER,
            Type::Duration,
            "Answers may say when to come back, in whole seconds: `retry-after`, or `x-ratelimit-reset`, which limits of \
             this mesh answer with. Up to this long is waited, and up to half as long again at random. What asks for more, \
             or says a date, is not heard; nor is any without this attribute.",
        ),
        Attribute::derived(
            words::MAX_BODY,
            Type::Size,
            "`64KiB`",
            "How much of a request's body is kept for another attempt; up to `4MiB`. A larger body is sent once.",
        ),
    ],
    blocks: &[],
};

impl FromValue for RetryOn {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::StatusClass(class) = value {
            return Some(Self::StatusClass(*class));
        }
        if let Value::Integer(status) = value {
            return u16::try_from(*status).ok().map(Self::Status);
        }
        let Value::Symbol(word) = value else { return None };
        match *word {
            CONNECT_FAILURE => Some(Self::ConnectFailure),
            RESET => Some(Self::Reset),
            CANCELLED => Some(Self::Grpc(GrpcStatus::Cancelled)),
            DEADLINE_EXCEEDED => Some(Self::Grpc(GrpcStatus::DeadlineExceeded)),
            RESOURCE_EXHAUSTED => Some(Self::Grpc(GrpcStatus::ResourceExhausted)),
            INTERNAL => Some(Self::Grpc(GrpcStatus::Internal)),
            UNAVAILABLE => Some(Self::Grpc(GrpcStatus::Unavailable)),
            _ => None,
        }
    }
}

/// Reports answers in the `retry` of a block that are no failures.
pub(crate) fn check(parent: &Block, sink: &mut Sink) {
    if let Some(block) = parent.block(&KIND) {
        bounds(block, sink);
    }
    let when = parent.block(&KIND).and_then(|block| block.get::<Vec<Spanned<RetryOn>>>(words::WHEN));
    for answer in when.iter().flat_map(|when| &when.value).filter(|answer| !is_failure(answer.value)) {
        sink.push(
            Diagnostic::error(codes::RETRY_OF_SUCCESS, answer.span, "this answer is no failure")
                .label("statuses from 400 on are failures")
                .help("name what should be tried again, such as `5xx` or `503`"),
        );
    }
}

/// Reports a body that is too large to be kept for each of many requests.
fn bounds(block: &Block, sink: &mut Sink) {
    if let Some(body) = block.get::<u64>(words::MAX_BODY).filter(|body| body.value > LARGEST_BODY) {
        sink.push(
            Diagnostic::error(codes::RETRY_BOUNDS, body.span, "no more than 4MiB of a body are kept")
                .label("more than 4MiB")
                .help("use `max_body = 4MiB`; larger bodies are sent once"),
        );
    }
}

pub(crate) fn convert(block: &Block) -> Option<Retry> {
    let when = block.get::<Vec<Spanned<RetryOn>>>(words::WHEN);
    let when = when.map(|when| when.value.into_iter().map(|failure| failure.value).collect());
    let methods = block.get::<Vec<Spanned<String>>>(words::METHODS);
    let methods = match methods {
        Some(list) if list.value.iter().any(|method| method.value == ANY) => Vec::new(),
        Some(list) => list.value.into_iter().map(|method| method.value).collect(),
        None => IDEMPOTENT.iter().map(|method| (*method).to_owned()).collect(),
    };
    let time = |name: Name| block.get::<Duration>(name).map(|time| time.value);
    let base = time(words::BACK_OFF).unwrap_or(BackOff::DEFAULT.base);
    let usual = BackOff::up_to_ten_times(base);
    Some(Retry {
        origin: block.origin(),
        attempts: block.get::<u32>(words::ATTEMPTS)?.value,
        when: when.unwrap_or_else(|| vec![RetryOn::ConnectFailure]),
        other_localities: block.get::<bool>(words::OTHER_LOCALITIES)?.value,
        methods,
        per_try_timeout: time(words::PER_TRY_TIMEOUT),
        hedge: block.get::<bool>(words::HEDGE)?.value,
        per_try_idle: time(words::PER_TRY_IDLE),
        back_off: BackOff { base, most: time(words::MAX_BACK_OFF).unwrap_or(usual.most) },
        max_retry_after: time(words::MAX_RETRY_AFTER),
        max_body: block.get::<u64>(words::MAX_BODY).map(|body| body.value),
    })
}

/// Whether an answer means that a request failed.
fn is_failure(answer: RetryOn) -> bool {
    match answer {
        RetryOn::StatusClass(class) => class >= 4,
        RetryOn::Status(status) => status >= 400,
        RetryOn::ConnectFailure | RetryOn::Reset | RetryOn::Grpc(_) => true,
    }
}
