//! What becomes of pods and proxies.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _};

use meshc_plan::{ProxyPlan, RateLimitService};
use meshc_vocabulary::model::DataPlane;
use rustc_hash::FxBuildHasher;

use crate::effect::Rollout;
use crate::side::Side;
use crate::units::{Pair, Units};

pub(crate) fn of(old: &Side<'_, '_>, new: &Side<'_, '_>, units: &Units<'_>) -> Rollout {
    let mut rollout = Rollout::default();
    for pair in &units.pairs {
        match pair {
            Pair::Same => rollout.untouched += 1,
            Pair::Gone(proxy) => rollout.removed.push(proxy.name.to_string()),
            Pair::Added(proxy) => rollout.added.push(proxy.name.to_string()),
            Pair::Differs(before, after) => {
                let list = if old.pods(before) != new.pods(after) {
                    &mut rollout.restarted
                } else if start(before) != start(after) {
                    &mut rollout.stale
                } else {
                    &mut rollout.reloaded
                };
                list.push(after.name.to_string());
            }
        }
    }
    limiters(old, new, &mut rollout);
    rollout
}

/// The services that count for a cluster: they read what they count again while they run.
fn limiters(old: &Side<'_, '_>, new: &Side<'_, '_>, rollout: &mut Rollout) {
    let all = |side: &Side<'_, '_>| -> BTreeMap<String, u64> {
        let services = side.world.plan.rate_limits.iter().map(|service| {
            let RateLimitService { cluster: _, cluster_name, domains } = service;
            (format!("{cluster_name}/rate-limit"), FxBuildHasher.hash_one(domains))
        });
        services.collect()
    };
    let (before, after) = (all(old), all(new));
    for (name, digest) in &after {
        match before.get(name) {
            None => rollout.added.push(name.clone()),
            Some(other) if other != digest => rollout.reloaded.push(name.clone()),
            Some(_) => rollout.untouched += 1,
        }
    }
    rollout.removed.extend(before.keys().filter(|name| !after.contains_key(*name)).cloned());
}

/// Stands for what a proxy reads once, when it starts.
fn start(proxy: &ProxyPlan) -> u64 {
    let mut state = FxBuildHasher.build_hasher();
    match proxy.data_plane {
        DataPlane::Envoy => meshc_envoy::hash_start(proxy, &mut state),
        // It reads its whole file again.
        DataPlane::Meshd => {}
    }
    state.finish()
}
