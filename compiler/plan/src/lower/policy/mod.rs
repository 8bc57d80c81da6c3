//! The policies, one file each: what a setting comes to in the plan.
//!
//! A seam: what holds at a service is taken apart here, whole. A new kind of policy does not build until it is said on
//! which side it works, and a side whose part nobody reads does not build either.

pub(super) mod authorization;
pub(super) mod balance;
pub(super) mod clients;
pub(super) mod conduct;
pub(super) mod failover;
pub(super) mod health;
pub(super) mod outlier;
pub(super) mod pool;
pub(super) mod rate_limit;
pub(super) mod retry;
pub(super) mod targets;

use meshc_resolve::{ServicePolicies, Setting};
use meshc_vocabulary::model::policy::{
    AuthorizationRule, Balance, Failover, Health, Outlier, Pool, RateLimit,
};
use meshc_vocabulary::model::{Callee, Id, Service};

use super::context::Context;

/// What a caller's proxy does towards a callee, whatever the call: its upstream. How a call is handled is `conduct`.
#[derive(Clone, Copy)]
pub(super) struct AtCaller<'m> {
    pub(super) balance: &'m Balance,
    pub(super) failover: &'m Failover,
    pub(super) health: Option<&'m Health>,
    pub(super) outlier: &'m Outlier,
    pub(super) pool: &'m Pool,
}

/// What the callee's own sidecar does with whatever arrives.
#[derive(Clone, Copy)]
struct AtCallee<'m> {
    /// What it is asked; by whom and how often is the callers' affair.
    health: Option<&'m Health>,
    allow: Setting<'m, &'m [AuthorizationRule]>,
    deny: Setting<'m, &'m [AuthorizationRule]>,
    audited_allow: Setting<'m, &'m [AuthorizationRule]>,
    audited_deny: Setting<'m, &'m [AuthorizationRule]>,
    rate_limits: Setting<'m, &'m [RateLimit]>,
}

impl<'m> AtCaller<'m> {
    pub(super) fn of(context: &Context<'m>, callee: Callee) -> Self {
        sides(context.resolved.callee(callee)).0
    }
}

impl<'m> AtCallee<'m> {
    fn of(context: &Context<'m>, service: Id<Service>) -> Self {
        sides(context.resolved.service(service)).1
    }
}

fn sides<'m>(policies: &ServicePolicies<'m>) -> (AtCaller<'m>, AtCallee<'m>) {
    let ServicePolicies {
        balance,
        failover,
        health,
        outlier,
        pool,
        // A route may say otherwise, so these are read call by call.
        retry: _,
        timeout: _,
        allow,
        deny,
        audited_allow,
        audited_deny,
        rate_limits,
    } = *policies;
    let caller = AtCaller {
        balance: balance.value,
        failover: failover.value,
        health: health.value,
        outlier: outlier.value,
        pool: pool.value,
    };
    (caller, AtCallee { health: health.value, allow, deny, audited_allow, audited_deny, rate_limits })
}
