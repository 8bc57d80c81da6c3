//! The settings of policies, one file each: its entry in the schema, and how a checked block becomes a setting.
//!
//! What a setting leaves out takes the value of the standard library's `defaults.mesh`, never that of an outer policy:
//! whoever reads a policy needs to know one table and not every scope around it. The table itself is read by the same
//! conversions, without anything to fall back on, so that it must be complete.

pub(crate) mod authorization;
pub(crate) mod balance;
pub(crate) mod failover;
pub(crate) mod health;
pub(crate) mod outlier;
pub(crate) mod pool;
pub(crate) mod rate_limit;
pub(crate) mod retry;
pub(crate) mod timeout;

use lang_diagnostics::Sink;
use lang_evaluate::schema::{Count, Name, Nested};
use lang_evaluate::{Block, FromValue, Value};

use crate::build::Ids;
use crate::model::policy::{Defaults, OrDefault, PolicySettings};
use crate::model::{Gateway, Table};

/// The kinds of settings, in the order of the reference. A new one is a line here and one in [`convert`].
pub(crate) const SETTINGS: &[Nested] = &[
    Nested { kind: &balance::KIND, count: Count::Optional },
    Nested { kind: &failover::KIND, count: Count::Optional },
    Nested { kind: &health::KIND, count: Count::Optional },
    Nested { kind: &outlier::KIND, count: Count::Optional },
    Nested { kind: &pool::KIND, count: Count::Optional },
    Nested { kind: &retry::KIND, count: Count::Optional },
    Nested { kind: &timeout::KIND, count: Count::Optional },
    Nested { kind: &authorization::ALLOW, count: Count::Many },
    Nested { kind: &authorization::DENY, count: Count::Many },
    Nested { kind: &rate_limit::KIND, count: Count::Many },
];

/// What a conversion may look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) ids: &'a Ids,
    pub(crate) gateways: &'a Table<Gateway>,
    pub(crate) defaults: &'a Defaults,
}

/// The settings of a policy.
pub(crate) fn convert(block: &Block, context: Context<'_>, sink: &mut Sink) -> Option<PolicySettings> {
    let Context { defaults, .. } = context;
    balance::check(block, sink);
    failover::check(block, sink);
    health::check(block, sink);
    retry::check(block, sink);
    let [allow, audited_allow] = authorization::convert(block, &authorization::ALLOW, context, sink)?;
    let [deny, audited_deny] = authorization::convert(block, &authorization::DENY, context, sink)?;
    Some(PolicySettings {
        balance: optional(block.block(&balance::KIND), |inner| {
            balance::convert(inner, Some(&defaults.balance))
        })?,
        failover: optional(block.block(&failover::KIND), |inner| {
            failover::convert(inner, Some(&defaults.failover))
        })?,
        health: optional(block.block(&health::KIND), health::convert)?,
        outlier: optional(block.block(&outlier::KIND), |inner| {
            outlier::convert(inner, Some(&defaults.outlier))
        })?,
        pool: optional(block.block(&pool::KIND), |inner| pool::convert(inner, Some(&defaults.pool)))?,
        retry: optional(block.block(&retry::KIND), retry::convert)?,
        timeout: optional(block.block(&timeout::KIND), |inner| {
            timeout::convert(inner, Some(&defaults.timeout))
        })?,
        allow,
        deny,
        audited_allow,
        audited_deny,
        rate_limits: rate_limit::convert(block, sink)?,
    })
}

/// The table of defaults; `None` if it is not complete.
pub(crate) fn defaults(block: &Block) -> Option<Defaults> {
    Some(Defaults {
        balance: balance::convert(block.block(&balance::KIND)?, None)?,
        failover: failover::convert(block.block(&failover::KIND)?, None)?,
        outlier: outlier::convert(block.block(&outlier::KIND)?, None)?,
        pool: pool::convert(block.block(&pool::KIND)?, None)?,
        timeout: timeout::convert(block.block(&timeout::KIND)?, None)?,
    })
}

/// A whole percentage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Percent(pub(crate) u32);

impl FromValue for Percent {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Percentage(share) = value else { return None };
        u32::try_from(share.nanos / 1_000_000_000).ok().map(Self)
    }
}

/// A conversion of a block that need not be there.
fn optional<T>(block: Option<&Block>, convert: impl FnOnce(&Block) -> Option<T>) -> Option<Option<T>> {
    match block {
        Some(block) => convert(block).map(Some),
        None => Some(None),
    }
}

/// The value that was written, else the default of the table.
fn value_or<T: FromValue>(block: &Block, name: Name, default: Option<T>) -> Option<T> {
    block.get::<T>(name).map(|value| value.value).or(default)
}

/// The same with its provenance. What the table of defaults itself says is not declared by anybody.
fn or_default<T: FromValue>(block: &Block, name: Name, default: Option<T>) -> Option<OrDefault<T>> {
    let declared = default.as_ref().and(block.written(name));
    Some(OrDefault { value: value_or(block, name, default)?, declared })
}
