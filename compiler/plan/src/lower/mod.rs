//! The lowering: model and topology → the plan of every proxy.
//!
//! One file per role (`sidecar`, `ingress`, `east_west`), one per policy (`policy/`), and what they share: who calls
//! whom (`callers`), what a callee looks like from outside (`upstream`).

mod answer;
mod callers;
mod calls;
mod clusters;
mod companions;
mod context;
mod east_west;
mod egress;
mod fault;
mod filter;
mod headers;
mod inbound;
mod ingress;
mod machines;
mod outbound;
mod outside;
mod policy;
mod rate_limits;
mod rule;
mod shared;
mod sidecar;
mod status;
mod upgrade;
mod upstream;

use lang_diagnostics::Sink;
use meshc_resolve::Resolved;
use meshc_topology::{ProxyKey, Topology};
use meshc_vocabulary::model::GatewayRole;

use crate::{Plan, ProxyPlan, capability};
use context::Context;
use policy::rate_limit::CountedDomain;

/// What one proxy comes to: its plan, and what rate-limit services must count for it.
struct Lowered {
    proxy: ProxyPlan,
    domains: Vec<CountedDomain>,
}

/// The plan of every proxy of the mesh. Calls without a path are left out (the topology reports them); what cannot
/// be planned, or what the chosen data plane cannot enforce, is reported to `sink` with its place.
#[must_use]
pub fn lower(resolved: &Resolved<'_>, topology: &Topology, sink: &mut Sink) -> Plan {
    // It is never given up, so there is a plan.
    lower_unless(resolved, topology, sink, &|| false).unwrap_or_default()
}

/// As [`lower`], unless somebody who is asked before each proxy no longer wants it: then there is no plan, and what was
/// reported so far is not everything.
#[must_use]
pub fn lower_unless(
    resolved: &Resolved<'_>,
    topology: &Topology,
    sink: &mut Sink,
    given_up: &dyn Fn() -> bool,
) -> Option<Plan> {
    let model = resolved.model;
    let context = Context::new(resolved, topology);
    capability::check(resolved, sink);
    companions::check(&context, sink);
    policy::targets::check(&context, sink);
    calls::check(&context, sink);
    outside::check(&context, sink);
    let mut lowered: Vec<Lowered> = Vec::with_capacity(topology.reaches.len());
    for (key, reaches) in &topology.reaches {
        if given_up() {
            return None;
        }
        lowered.push(match *key {
            // No limit is counted for the whole mesh.
            ProxyKey::Sidecar { cluster: _, service }
                if model.limiter == Some(service) && resolved.incoming(service).next().is_none() =>
            {
                continue;
            }
            ProxyKey::Sidecar { cluster, service } => {
                sidecar::lower(&context, cluster, service, reaches, sink)
            }
            ProxyKey::Gateway(gateway) => match model.gateways.at(gateway).role {
                GatewayRole::Ingress => ingress::lower(&context, gateway, reaches, sink),
                GatewayRole::EastWest => east_west::lower(&context, gateway),
                GatewayRole::Egress => egress::lower(&context, gateway, reaches),
            },
        });
    }
    // Names differ, and a stable order would take as much room again as all plans.
    lowered.sort_unstable_by(|left, right| left.proxy.name.cmp(&right.proxy.name));
    let rate_limits = rate_limits::services(model, &lowered, sink);
    let proxies: Vec<ProxyPlan> = lowered.into_iter().map(|lowered| lowered.proxy).collect();
    machines::check(&context, &proxies, sink);
    Some(Plan {
        clusters: clusters::lower(model, &proxies),
        proxies,
        externals: outside::called(&context),
        rate_limits,
    })
}
