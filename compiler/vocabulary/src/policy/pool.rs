//! `pool`: connection pools and circuit breakers.

use lang_evaluate::schema::{Attribute, Kind, Label, Symbol, Type};
use lang_evaluate::{Block, FromValue, Value};

use super::{Percent, or_default, value_or};
use crate::model::policy::Pool;
use crate::words;

/// The largest count that Envoy's unsigned 32-bit fields can hold.
const MOST: u64 = u32::MAX as u64;

const UNLIMITED: &str = "unlimited";

const BOUNDS: &[Symbol] = &[Symbol::new(UNLIMITED, "no bound")];

pub(crate) static KIND: Kind = Kind {
    word: "pool",
    documentation: "Connection pools and circuit breakers: how much one caller may have under way to one callee.",
    label: Label::None,
    space: None,
    reopen: false,
    principal: None,
    relations: &[],
    attributes: &[
        Attribute::inherited(words::MAX_CONNECTIONS, Type::Integer(1, MOST), "Open connections."),
        Attribute::inherited(
            words::MAX_PENDING_REQUESTS,
            Type::Integer(1, MOST),
            "Requests that wait for a connection.",
        ),
        Attribute::inherited(words::MAX_CONCURRENT_REQUESTS, Type::Integer(1, MOST), "Requests under way."),
        Attribute::inherited(
            words::REQUESTS_PER_CONNECTION,
            Type::Union(&[Type::Integer(1, MOST), Type::Symbol(BOUNDS)]),
            "Requests on one connection before it is replaced. Connections through east-west gateways are always \
             bounded, so that new remote pods see traffic.",
        ),
        Attribute::inherited(
            words::CONNECT_TIMEOUT,
            Type::Duration,
            "How long a connection may take to open.",
        ),
        Attribute::inherited(
            words::RETRY_BUDGET,
            Type::WholePercentage,
            "Share of the requests under way that may be retries.",
        ),
        Attribute::inherited(
            words::MIN_CONCURRENT_RETRIES,
            Type::Integer(0, MOST),
            "Retries under way that are allowed in spite of the budget.",
        ),
    ],
    blocks: &[],
};

/// A bound, or none at all.
#[derive(Clone, Copy, Debug)]
struct Bound(Option<u32>);

impl FromValue for Bound {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Symbol(UNLIMITED) = value {
            return Some(Self(None));
        }
        u32::from_value(value).map(|bound| Self(Some(bound)))
    }
}

pub(crate) fn convert(block: &Block, defaults: Option<&Pool>) -> Option<Pool> {
    let bound = |pool: &Pool| Bound(pool.requests_per_connection.value);
    let percent = |pool: &Pool| Percent(pool.retry_budget_percent.value);
    let requests = or_default(block, words::REQUESTS_PER_CONNECTION, defaults.map(bound))?;
    let budget = or_default(block, words::RETRY_BUDGET, defaults.map(percent))?;
    Some(Pool {
        origin: block.origin(),
        max_connections: value_or(block, words::MAX_CONNECTIONS, defaults.map(|pool| pool.max_connections))?,
        max_pending_requests: or_default(
            block,
            words::MAX_PENDING_REQUESTS,
            defaults.map(|pool| pool.max_pending_requests.value),
        )?,
        max_concurrent_requests: or_default(
            block,
            words::MAX_CONCURRENT_REQUESTS,
            defaults.map(|pool| pool.max_concurrent_requests.value),
        )?,
        requests_per_connection: requests.map(|requests| requests.0),
        connect_timeout: value_or(block, words::CONNECT_TIMEOUT, defaults.map(|pool| pool.connect_timeout))?,
        retry_budget_percent: budget.map(|budget| budget.0),
        min_concurrent_retries: or_default(
            block,
            words::MIN_CONCURRENT_RETRIES,
            defaults.map(|pool| pool.min_concurrent_retries.value),
        )?,
    })
}
