//! Which endpoint of a group gets the next request.

use std::time::Duration;

use meshc_plan::GroupBalance;

use crate::pb::cluster::cluster::{
    LbConfig, LbPolicy, LeastRequestLbConfig, RingHashLbConfig, RoundRobinLbConfig, SlowStartConfig,
};
use crate::pb::{duration, long};

/// The policy with what it needs to be told. What is left out is as the plan wants it: a share that begins with a tenth
/// and grows evenly, the less busy one of two.
pub(super) fn policy(balance: GroupBalance) -> (LbPolicy, Option<LbConfig>) {
    match balance {
        GroupBalance::RoundRobin { slow_start } => {
            let config = slow_start.map(|window| {
                LbConfig::RoundRobinLbConfig(RoundRobinLbConfig { slow_start_config: Some(growing(window)) })
            });
            (LbPolicy::RoundRobin, config)
        }
        GroupBalance::LeastRequest { slow_start } => {
            let config = slow_start.map(|window| {
                LbConfig::LeastRequestLbConfig(LeastRequestLbConfig {
                    slow_start_config: Some(growing(window)),
                    ..Default::default()
                })
            });
            (LbPolicy::LeastRequest, config)
        }
        GroupBalance::Random => (LbPolicy::Random, None),
        GroupBalance::Hash { ring } => {
            let config = RingHashLbConfig { minimum_ring_size: long(ring.into()), ..Default::default() };
            (LbPolicy::RingHash, Some(LbConfig::RingHashLbConfig(config)))
        }
    }
}

fn growing(window: Duration) -> SlowStartConfig {
    SlowStartConfig { slow_start_window: duration(window), ..Default::default() }
}
