//! Whole-mesh checks: they read everything and produce only diagnostics.
//!
//! One file per check, with its code, its explanation and its logic; `list` names them all. What can be said about one
//! block alone is said in `vocabulary`; what a data plane cannot do is said in `plan`.
//!
//! Invariants: a check changes nothing and depends on no other check; each finding points at every place that takes
//! part in it and says a way out; the order of declarations changes nothing but places.

mod account;
pub mod codes;
mod competing_policies;
mod competing_routes;
mod context;
mod copied_to_clients;
mod declared_path;
mod exposed_port;
mod failover_alone;
mod failover_broken;
mod failover_without_ejection;
mod gateway_identity;
mod gateway_ports;
mod gateway_without_address;
mod hash_behind_gateway;
mod hash_of_source;
mod held_port;
mod hop;
mod idle_address;
mod idle_limit;
mod idle_policy;
mod idle_route;
mod idle_rule;
mod idle_share;
mod inner_address;
mod lifetimes;
mod link_order;
mod list;
mod long_timeout;
mod long_try;
mod many_checks;
mod multiplied_retries;
mod nameless_host;
mod no_path;
mod nobody_calls;
mod odd_lifetime;
mod open_counters;
mod other_host;
mod outside_family;
mod overlapping_hosts;
mod own_address;
mod own_ports;
mod plain_https;
mod refused_call;
mod retry_elsewhere;
mod rule_on_open_port;
mod same_address;
mod shadowed_rule;
mod shared_domain;
mod single_gateway;
mod uncovered_host;
mod unresolvable_address;
mod unused;

use lang_diagnostics::Sink;
use meshc_resolve::Resolved;
use meshc_topology::Topology;

/// How many services are worth a second thread.
const MANY: usize = 256;

/// Checks a mesh as a whole.
pub fn check(resolved: &Resolved<'_>, topology: &Topology, sink: &mut Sink) {
    let context = context::Context::new(resolved, topology);
    let least = if resolved.model.services.len() < MANY { usize::MAX } else { 2 };
    let each = lang_parallel::map(list::CHECKS, least, |check| {
        let mut found = Sink::default();
        (check.run)(&context, &mut found);
        found
    });
    each.iter().flat_map(Sink::diagnostics).for_each(|found| sink.push(found.clone()));
}
