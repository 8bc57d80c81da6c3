//! Which settings apply to a call, and who says so: the rule, the route, the policy, or the table of defaults.

use std::time::Duration;

use meshc_resolve::{Caller, Conduct, Edge, Provenance};
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::Callee;

use super::Asked;
use super::reply::{Fact, Place};
use crate::sending::{Destination, Way};
use crate::wording::milliseconds;

impl<'m> Asked<'_, 'm> {
    /// How long it may take, how often it is sent again, and what decides who stands in.
    pub(super) fn settings(&self, from: ProxyKey, way: &Way<'m>, to: &Destination) -> Vec<Fact> {
        let resolved = self.asking.world.resolved;
        let mut facts = Vec::new();
        if let Callee::Service(service) = to.callee {
            let own = |edge: &&Edge<'m>| is_caller(edge.caller, from) && edge.ports.contains(&to.port);
            let edges: Vec<&Edge<'m>> = resolved.incoming(service).filter(own).collect();
            let by_rule = edges.iter().find(|edge| rule_of(edge.caller) == Some(way.by.span));
            let edge = by_rule.or_else(|| edges.iter().find(|edge| rule_of(edge.caller).is_none()));
            if let Some(edge) = edge {
                let at = edge.ports.iter().position(|port| *port == to.port);
                if let Some(conduct) = at.and_then(|at| resolved.conducts(edge).nth(at)) {
                    facts.extend(self.conduct(&conduct));
                }
                facts.push(Fact::further(
                    format!("{} declares it", edge.origin.name),
                    Place::At(edge.origin.span),
                ));
            }
        }
        let failover = resolved.callee(to.callee).failover.from;
        facts.push(self.setting(String::from("failover"), "failover.enabled", failover));
        facts
    }

    fn conduct(&self, conduct: &Conduct<'m>) -> [Fact; 2] {
        let Conduct { timeout, idle: _, retry } = conduct;
        let time = |time: Option<Duration>| time.map_or_else(|| String::from("none"), milliseconds);
        let attempts = retry.value.map_or_else(
            || String::from("of connections that failed"),
            |retry| format!("{} attempts", retry.attempts),
        );
        [
            self.setting(format!("timeout {}", time(timeout.value)), "timeout.request", timeout.from),
            self.setting(format!("retry {attempts}"), "retry.attempts", retry.from),
        ]
    }

    fn setting(&self, text: String, standard: &'static str, from: Provenance<'m>) -> Fact {
        let model = self.asking.world.model;
        let place = from.place().map_or(Place::Standard(standard), |origin| Place::At(origin.span));
        let who = match from {
            Provenance::Rule { route, rule, at: _ } => {
                format!("rule {} of route `{}`", rule + 1, model.routes.at(route).name)
            }
            Provenance::Declared { policy, at: _ } | Provenance::Inherited { policy, at: _ } => {
                format!("policy `{}`", model.policies.at(policy).name)
            }
            Provenance::Default => String::from("the standard library"),
        };
        Fact::further(format!("{text}: {who}"), place)
    }
}

fn is_caller(caller: Caller<'_>, from: ProxyKey) -> bool {
    match (caller, from) {
        (
            Caller::Service(id) | Caller::Routed { service: id, route: _, position: _, rule: _ },
            ProxyKey::Sidecar { cluster: _, service },
        ) => id == service,
        (Caller::Route { gateway, route: _, position: _, rule: _ }, ProxyKey::Gateway(id)) => gateway == id,
        (
            Caller::Service(_) | Caller::Routed { .. } | Caller::Limited(_) | Caller::LimitedGateway(_),
            ProxyKey::Gateway(_),
        )
        | (Caller::Route { .. } | Caller::Limited(_) | Caller::LimitedGateway(_), ProxyKey::Sidecar { .. }) => {
            false
        }
    }
}

fn rule_of(caller: Caller<'_>) -> Option<lang_diagnostics::Span> {
    match caller {
        Caller::Route { gateway: _, route: _, position: _, rule }
        | Caller::Routed { service: _, route: _, position: _, rule } => Some(rule.origin.span),
        Caller::Service(_) | Caller::Limited(_) | Caller::LimitedGateway(_) => None,
    }
}
