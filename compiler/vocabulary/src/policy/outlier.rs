//! `outlier`: ejection of endpoints that fail.

use lang_diagnostics::{Diagnostic, Sink};
use lang_evaluate::Block;
use lang_evaluate::schema::{Attribute, Kind, Label, Type};

use super::value_or;
use crate::codes;
use crate::model::policy::{FailuresInARow, Outlier};
use crate::words;

/// More would never be reached.
const MOST: u64 = 1_000_000;

pub(crate) static KIND: Kind = Kind {
    word: "outlier",
    documentation: "Ejection of endpoints that fail. All endpoints of a locality may be ejected at once; then the next \
                    locality takes over. When those of every locality are ejected, all are tried: ejection never refuses \
                    a request by itself.\n\n\
                    A pod is ejected after failures in a row, or if in one interval at least 85 % of three or more \
                    requests got no answer (failed connections, resets, timeouts). An east-west gateway is ejected if in \
                    one interval at least 85 % of what went through it failed, answers included, so that another cluster \
                    takes over from a service that is down, and not from one bad pod of several. A request that exceeds \
                    its timeout never counts in a row.\n\n\
                    Envoy cannot tell a failed connection from a timeout where they count in a row, so there failed \
                    connections to HTTP and gRPC endpoints are judged by their share only; and of gRPC's statuses, \
                    UNKNOWN, INTERNAL, UNIMPLEMENTED and DATA_LOSS without a message always count in a gateway's share.",
    label: Label::None,
    space: None,
    reopen: false,
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

/// Reports an `outlier` that counts failures in two ways.
pub(crate) fn check(parent: &Block, sink: &mut Sink) {
    let Some(block) = parent.block(&KIND) else { return };
    let (Some(gateway_errors), Some(server_errors)) =
        (block.get::<u32>(words::CONSECUTIVE_GATEWAY_ERRORS), block.get::<u32>(words::CONSECUTIVE_5XX))
    else {
        return;
    };
    sink.push(
        Diagnostic::error(
            codes::TWO_COUNTS_OF_FAILURES,
            server_errors.span,
            "`consecutive_5xx` takes the place of `consecutive_gateway_errors`",
        )
        .label("counts every answer from 500 to 599")
        .also(gateway_errors.span, "counts 502, 503 and 504 only")
        .help("keep one of them"),
    );
}

pub(crate) fn convert(block: &Block, defaults: Option<&Outlier>) -> Option<Outlier> {
    let gateway_errors = block.get::<u32>(words::CONSECUTIVE_GATEWAY_ERRORS).map(|count| count.value);
    let in_a_row = match (block.get::<u32>(words::CONSECUTIVE_5XX), gateway_errors) {
        (Some(count), _) => FailuresInARow::ServerErrors(count.value),
        (None, Some(count)) => FailuresInARow::GatewayErrors(count),
        (None, None) => defaults?.in_a_row,
    };
    Some(Outlier {
        origin: block.origin(),
        enabled: value_or(block, words::ENABLED, defaults.map(|defaults| defaults.enabled))?,
        in_a_row,
        interval: value_or(block, words::INTERVAL, defaults.map(|defaults| defaults.interval))?,
        ejection: value_or(block, words::EJECTION, defaults.map(|defaults| defaults.ejection))?,
    })
}
