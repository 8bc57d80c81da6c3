//! The policies, one file each: what a setting comes to in the plan.

pub(super) mod authorization;
pub(super) mod failover;
pub(super) mod outlier;
pub(super) mod pool;
pub(super) mod rate_limit;
pub(super) mod retry;
pub(super) mod targets;
pub(super) mod timeout;
