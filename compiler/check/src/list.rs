//! The list of all checks, in order of code.

use lang_diagnostics::{CodeInfo, Sink};

use crate::context::Context;
use crate::*;

/// One check.
#[derive(Clone, Copy)]
pub(crate) struct Check {
    /// Its code and explanation.
    pub(crate) info: CodeInfo,
    /// Its logic.
    pub(crate) run: fn(&Context<'_>, &mut Sink),
}

/// All of them.
pub(crate) const CHECKS: &[Check] = &[
    refused_call::CHECK,
    no_path::CHECK,
    gateway_without_address::CHECK,
    overlapping_hosts::CHECK,
    gateway_ports::CHECK,
    same_address::CHECK,
    own_ports::CHECK,
    held_port::CHECK,
    lifetimes::CHECK,
    exposed_port::CHECK,
    rule_on_open_port::CHECK,
    account::CHECK,
    competing_policies::CHECK,
    gateway_identity::CHECK,
    competing_routes::CHECK,
    nobody_calls::CHECK,
    failover_broken::CHECK,
    failover_alone::CHECK,
    shadowed_rule::CHECK,
    unused::CHECK,
    idle_policy::CHECK,
    idle_limit::CHECK,
    idle_rule::CHECK,
    declared_path::CHECK,
    multiplied_retries::CHECK,
    long_timeout::CHECK,
    retry_elsewhere::CHECK,
    link_order::CHECK,
    single_gateway::CHECK,
    odd_lifetime::CHECK,
    unresolvable_address::CHECK,
    shared_domain::CHECK,
    long_try::CHECK,
    open_counters::CHECK,
    failover_without_ejection::CHECK,
    idle_route::CHECK,
    hash_of_source::CHECK,
    hash_behind_gateway::CHECK,
    many_checks::CHECK,
    idle_share::CHECK,
    uncovered_host::CHECK,
    idle_address::CHECK,
    outside_family::CHECK,
    copied_to_clients::CHECK,
    other_host::CHECK,
    nameless_host::CHECK,
    own_address::CHECK,
    inner_address::CHECK,
    plain_https::CHECK,
];
