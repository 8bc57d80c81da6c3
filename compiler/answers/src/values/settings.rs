//! The settings that apply somewhere: which policy has each of them.
//!
//! A seam: every value is taken apart field by field, so that a new kind of setting does not build before it can be asked
//! for.

use std::collections::BTreeMap;

use meshc_resolve::{GatewayPolicies, Provenance, RoutePolicies, ServicePolicies};
use meshc_vocabulary::model::{Gateway, Id, Policy, Route, Service};

use crate::world::World;

/// The kinds of settings at something, each with the policy that has it.
pub(super) type Settings = Vec<(&'static str, Option<Id<Policy>>)>;

/// What policies apply to, by the names that references have.
pub(super) struct Names {
    services: BTreeMap<String, Id<Service>>,
    routes: BTreeMap<String, Id<Route>>,
    gateways: BTreeMap<String, Id<Gateway>>,
}

impl Names {
    pub(super) fn new(world: &World<'_>) -> Self {
        let model = world.model;
        let route = |route: &Route| format!("{}.{}", model.namespaces.at(route.namespace).name, route.name);
        Self {
            services: model.services.ids().map(|id| (model.service_name(id), id)).collect(),
            routes: model.routes.iter().map(|(id, entry)| (route(entry), id)).collect(),
            gateways: model.gateways.ids().map(|id| (model.gateway_name(id), id)).collect(),
        }
    }

    pub(super) fn service(&self, name: &str) -> Option<Id<Service>> {
        self.services.get(name).copied()
    }

    /// The settings that apply at what has this name; `None` if no policy applies to its kind.
    pub(super) fn settings(&self, world: &World<'_>, kind: &str, name: &str) -> Option<Settings> {
        match kind {
            "service" | "client" | "subset" => {
                Some(of_service(*world.resolved.service(*self.services.get(name)?)))
            }
            "route" => {
                let RoutePolicies { retry, timeout, rate_limits, clients: _ } =
                    *world.resolved.route(*self.routes.get(name)?);
                Some(vec![
                    ("retry", retry.from.policy()),
                    ("timeout", timeout.from.policy()),
                    ("rate_limit", rate_limits.from.policy()),
                ])
            }
            "gateway" => {
                let GatewayPolicies { rate_limits, clients: _ } =
                    *world.resolved.gateway(*self.gateways.get(name)?);
                Some(vec![("rate_limit", rate_limits.from.policy())])
            }
            _ => None,
        }
    }
}

fn of_service(policies: ServicePolicies<'_>) -> Settings {
    let ServicePolicies {
        balance,
        failover,
        health,
        outlier,
        pool,
        retry,
        timeout,
        allow,
        deny,
        // They are in the blocks of `allow` and `deny`.
        audited_allow,
        audited_deny,
        rate_limits,
    } = policies;
    let first = |one: Provenance<'_>, other: Provenance<'_>| one.policy().or(other.policy());
    vec![
        ("balance", balance.from.policy()),
        ("failover", failover.from.policy()),
        ("health", health.from.policy()),
        ("outlier", outlier.from.policy()),
        ("pool", pool.from.policy()),
        ("retry", retry.from.policy()),
        ("timeout", timeout.from.policy()),
        ("allow", first(allow.from, audited_allow.from)),
        ("deny", first(deny.from, audited_deny.from)),
        ("rate_limit", rate_limits.from.policy()),
    ]
}
