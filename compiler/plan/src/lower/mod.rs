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

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink, Span};
use meshc_resolve::Resolved;
use meshc_topology::{ProxyKey, Reach, Topology};
use meshc_vocabulary::model::GatewayRole;

use crate::{Plan, ProxyPlan, capability};
use context::Context;
use policy::rate_limit::CountedDomain;

/// How many proxies are worth a second thread.
const MANY: usize = 64;

/// How much is made of each proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Whole,
    /// What somebody can have something against, for whoever builds nothing: how it is deployed, and of its listeners the
    /// parts that somebody wrote a rule about. What holds for every call alike is left out, and so is all that is connected to.
    Findings,
}

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
    Some(lower_each(resolved, topology, Extent::Whole, sink, given_up, &|_| ())?.0)
}

/// As [`lower_unless`], as much as is asked for; each proxy is visited where it was planned, on any thread. Whoever wants no
/// more of it than an [outline](ProxyPlan::outline) need not keep the rest. The same is found whatever the extent. The results of the visits are in the order of [`Topology::reaches`].
#[must_use]
pub fn lower_each<R: Send>(
    resolved: &Resolved<'_>,
    topology: &Topology,
    extent: Extent,
    sink: &mut Sink,
    given_up: &dyn Fn() -> bool,
    visit: &(dyn Fn(&mut ProxyPlan) -> R + Sync),
) -> Option<(Plan, Vec<R>)> {
    let model = resolved.model;
    let context = Context::new(resolved, topology, extent);
    capability::check(resolved, sink);
    companions::check(&context, sink);
    policy::targets::check(&context, sink);
    calls::check(&context, sink);
    outside::check(&context, sink);
    let keys: Vec<_> = topology.reaches.iter().collect();
    let each = lang_parallel::map_unless(&keys, MANY, given_up, |(key, reaches)| {
        let mut found = Sink::default();
        let mut lowered = proxy(&context, **key, reaches, &mut found);
        let result = lowered.as_mut().map(|lowered| visit(&mut lowered.proxy));
        // A plan is large, and is handed on several times.
        (lowered.map(Box::new), result, found)
    })?;
    let mut results = Vec::with_capacity(each.len());
    let mut lowered: Vec<Box<Lowered>> = Vec::with_capacity(each.len());
    let mut known = BTreeMap::new();
    for (proxy, result, found) in each {
        lowered.extend(proxy);
        results.extend(result);
        report_new(found, &mut known, sink);
    }
    // Names differ, and a stable order would take as much room again as all plans.
    lowered.sort_unstable_by(|left, right| left.proxy.name.cmp(&right.proxy.name));
    let rate_limits = rate_limits::services(model, &lowered, sink);
    let proxies: Vec<ProxyPlan> = lowered.into_iter().map(|lowered| lowered.proxy).collect();
    machines::check(&context, &proxies, sink);
    let plan = Plan {
        clusters: clusters::lower(model, &proxies),
        proxies,
        externals: outside::called(&context),
        rate_limits,
    };
    Some((plan, results))
}

/// One proxy; none for what counts limits of the whole mesh where there are none.
fn proxy(context: &Context<'_>, key: ProxyKey, reaches: &[Reach], sink: &mut Sink) -> Option<Lowered> {
    let model = context.model;
    Some(match key {
        ProxyKey::Sidecar { cluster: _, service }
            if model.limiter == Some(service) && context.resolved.incoming(service).next().is_none() =>
        {
            return None;
        }
        ProxyKey::Sidecar { cluster, service } => sidecar::lower(context, cluster, service, reaches, sink),
        ProxyKey::Gateway(gateway) => match model.gateways.at(gateway).role {
            GatewayRole::Ingress => ingress::lower(context, gateway, reaches, sink),
            GatewayRole::EastWest => east_west::lower(context, gateway),
            GatewayRole::Egress => egress::lower(context, gateway, reaches),
        },
    })
}

/// Passes on what was found at one proxy and not at one before it: what they share, each of them reports.
fn report_new(found: Sink, known: &mut BTreeMap<Span, Vec<Diagnostic>>, sink: &mut Sink) {
    for diagnostic in found.diagnostics() {
        let here = known.entry(diagnostic.primary.span).or_default();
        if !here.contains(diagnostic) {
            here.push(diagnostic.clone());
            sink.push(diagnostic.clone());
        }
    }
}
