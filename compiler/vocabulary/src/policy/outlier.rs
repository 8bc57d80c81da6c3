//! `outlier`: ejection of endpoints that fail.

use lang_diagnostics::Spanned;
use lang_evaluate::schema::{Attribute, Kind, Label, Part, Relation, Rule, Type};
use lang_evaluate::{Block, FromValue, Value};

use super::{Percent, or_default, value_or};
use crate::codes;
use crate::model::policy::{Failures, Judged, Outlier};
use crate::words;

/// More would never be reached.
const MOST: u64 = 1_000_000;

/// Fewer requests in an interval would make a share an accident.
const MIN_REQUESTS: u32 = 20;

/// Fewer pods have no mean from which one of them could differ. Source: Envoy's default.
const MIN_ENDPOINTS: u32 = 5;

pub(crate) static KIND: Kind = Kind {
    word: "outlier",
    documentation: "Ejection of endpoints that fail. All endpoints of a locality may be ejected at once, unless \
                    `max_ejected` says otherwise; then the next locality takes over. When those of every locality are ejected, all are tried: ejection never refuses \
                    a request by itself.\n\n\
                    A pod is ejected after failures in a row, or if in one interval at least 85 % of three or more \
                    requests got no answer (failed connections, resets, timeouts); or, if asked for, by the share of its \
                    failures, or by comparison with the others. An east-west gateway is ejected if in \
                    one interval at least 85 % of what went through it failed, answers included, so that another cluster \
                    takes over from a service that is down, and not from one bad pod of several. A request that exceeds \
                    its timeout never counts in a row.\n\n\
                    Envoy cannot tell a failed connection from a timeout where they count in a row, so there failed \
                    connections to HTTP and gRPC endpoints are judged by their share only; and of gRPC's statuses, \
                    UNKNOWN, INTERNAL, UNIMPLEMENTED and DATA_LOSS without a message always count in a gateway's share.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[
        Relation {
            rule: Rule::AtMostOne(&[
                Part::Attribute(words::CONSECUTIVE_GATEWAY_ERRORS),
                Part::Attribute(words::CONSECUTIVE_5XX),
                Part::Attribute(words::CONSECUTIVE_FAILURES),
                Part::Attribute(words::FAILURE_PERCENTAGE),
                Part::Attribute(words::SUCCESS_DEVIATION),
            ]),
            code: codes::TWO_COUNTS_OF_FAILURES,
            reason: "pods are judged in one way",
            help: "keep one of them",
        },
        Relation {
            rule: Rule::Excludes(
                Part::Attribute(words::FAILURES),
                &[
                    Part::Attribute(words::CONSECUTIVE_GATEWAY_ERRORS),
                    Part::Attribute(words::CONSECUTIVE_5XX),
                ],
            ),
            code: codes::TWO_COUNTS_OF_FAILURES,
            reason: "both say which answers are failures",
            help: "keep one of them",
        },
        Relation {
            rule: Rule::Requires(
                Part::Attribute(words::MIN_REQUESTS),
                &[Part::Attribute(words::FAILURE_PERCENTAGE), Part::Attribute(words::SUCCESS_DEVIATION)],
            ),
            code: codes::TWO_COUNTS_OF_FAILURES,
            reason: "failures in a row have no such bound",
            help: "leave it out, or judge by shares",
        },
        Relation {
            rule: Rule::Requires(
                Part::Attribute(words::MIN_ENDPOINTS),
                &[Part::Attribute(words::SUCCESS_DEVIATION)],
            ),
            code: codes::TWO_COUNTS_OF_FAILURES,
            reason: "only what is compared with others has such a bound",
            help: "leave it out, or judge by `success_deviation`",
        },
    ],
    attributes: &[
        Attribute::inherited(words::ENABLED, Type::Boolean, "Whether endpoints are ejected at all."),
        Attribute::inherited(
            words::CONSECUTIVE_GATEWAY_ERRORS,
            Type::Integer(1, MOST),
            "How many failures in a row eject an endpoint: answers with 502, 503 or 504 (gRPC: UNAVAILABLE) and failed \
             connections. An application's own 500 does not count. For TCP, failed connections only: one that was \
             made and ends without a byte is no failure, as it is not in many protocols.",
        ),
        Attribute::optional(
            words::CONSECUTIVE_5XX,
            Type::Integer(1, MOST),
            "Instead of `consecutive_gateway_errors`: how many failures in a row eject an endpoint, where every answer \
             from 500 to 599 is a failure, in a gateway's share too.",
        ),
        Attribute::optional(
            words::FAILURES,
            Type::some(&Type::Union(&[Type::StatusClass, Type::Integer(400, 599)])),
            "Which answers are failures, besides failed connections: statuses (`429`) and classes of them (`5xx`). \
             Without it 502, 503 and 504.",
        ),
        Attribute::optional(
            words::CONSECUTIVE_FAILURES,
            Type::Integer(1, MOST),
            "Instead of the two counts above: how many in a row of the `failures` eject an endpoint.",
        ),
        Attribute::optional(
            words::FAILURE_PERCENTAGE,
            Type::WholePercentage,
            "Instead of a count in a row: which share of an interval's requests ejects a pod if they fail: `failures`, \
             failed connections, resets and timeouts.",
        ),
        Attribute::optional(
            words::SUCCESS_DEVIATION,
            Type::Decimal,
            "Instead of a count in a row: how many standard deviations below the mean of all pods of its locality a \
             pod's share of successes in an interval may be; beyond it is ejected. `1.9`, say.",
        ),
        Attribute::optional(
            words::MIN_REQUESTS,
            Type::Integer(1, MOST),
            "How many requests a pod must have got in an interval to be judged by `failure_percentage` or \
             `success_deviation`, from one proxy; 20 without it.",
        ),
        Attribute::optional(
            words::MIN_ENDPOINTS,
            Type::Integer(2, MOST),
            "How many pods must have got so many for a `success_deviation` to mean something; 5 without it.",
        ),
        Attribute::inherited(
            words::MAX_EJECTED,
            Type::WholePercentage,
            "How many of the pods of a locality may be ejected at once, rounded down; the rest stays, whatever they \
             answer. Below 100 % a locality is never left as a whole, so no other one takes over. East-west gateways \
             may always be ejected.",
        ),
        Attribute::inherited(
            words::INTERVAL,
            Type::Duration,
            "How often endpoints are judged by their share of failures, and ejected endpoints considered for return: an \
             endpoint returns at the first such moment after its ejection is over.",
        ),
        Attribute::inherited(
            words::EJECTION,
            Type::Duration,
            "How long an endpoint stays ejected, at least.",
        ),
    ],
    blocks: &[],
};

/// An answer, or a class of answers.
#[derive(Clone, Copy, Debug)]
struct Failing((u16, u16));

impl FromValue for Failing {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::StatusClass(class) = value {
            let first = u16::from(*class) * 100;
            return Some(Self((first, first + 99)));
        }
        let status = u16::from_value(value)?;
        Some(Self((status, status)))
    }
}

/// Thousandths.
#[derive(Clone, Copy, Debug)]
struct Thousandths(u32);

impl FromValue for Thousandths {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Decimal(decimal) = value else { return None };
        u32::try_from(decimal.nanos / 1_000_000).ok().map(Self)
    }
}

pub(crate) fn convert(block: &Block, defaults: Option<&Outlier>) -> Option<Outlier> {
    let count = |name| block.get::<u32>(name).map(|count| count.value);
    let listed = block.get::<Vec<Spanned<Failing>>>(words::FAILURES);
    let listed = listed.map(|list| list.value.into_iter().map(|failing| failing.value.0).collect());
    let server_errors = count(words::CONSECUTIVE_5XX);
    let declared =
        [server_errors, count(words::CONSECUTIVE_GATEWAY_ERRORS), count(words::CONSECUTIVE_FAILURES)];
    let failures = match (listed, server_errors) {
        (Some(listed), _) => Failures::Statuses(listed),
        (None, Some(_)) => Failures::ServerErrors,
        (None, None) => Failures::GatewayErrors,
    };
    let requests = count(words::MIN_REQUESTS).unwrap_or(MIN_REQUESTS);
    let percent = block.get::<Percent>(words::FAILURE_PERCENTAGE).map(|percent| percent.value.0);
    let deviation = block.get::<Thousandths>(words::SUCCESS_DEVIATION).map(|deviation| deviation.value.0);
    let judged = match (percent, deviation) {
        (Some(percent), _) => Judged::ByShare { percent: percent.max(1), requests },
        (None, Some(deviation)) => {
            let endpoints = count(words::MIN_ENDPOINTS).unwrap_or(MIN_ENDPOINTS);
            Judged::Compared { deviation, requests, endpoints }
        }
        (None, None) => Judged::InARow,
    };
    let of_requests = [words::FAILURES, words::FAILURE_PERCENTAGE, words::SUCCESS_DEVIATION];
    let max_ejected = defaults.map(|defaults| Percent(defaults.max_ejected.value));
    Some(Outlier {
        origin: block.origin(),
        enabled: value_or(block, words::ENABLED, defaults.map(|defaults| defaults.enabled))?,
        failures,
        consecutive: declared
            .into_iter()
            .flatten()
            .next()
            .or(defaults.map(|defaults| defaults.consecutive))?,
        judged,
        of_requests: of_requests.into_iter().find_map(|name| block.written(name)),
        max_ejected: or_default(block, words::MAX_EJECTED, max_ejected)?.map(|percent| percent.0),
        interval: value_or(block, words::INTERVAL, defaults.map(|defaults| defaults.interval))?,
        ejection: value_or(block, words::EJECTION, defaults.map(|defaults| defaults.ejection))?,
    })
}
