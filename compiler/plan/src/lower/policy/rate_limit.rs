//! `rate_limit`: which counters a request touches, in the pod or at the cluster's rate-limit service.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::time::Duration;

use lang_diagnostics::Origin;
use lang_syntax::ast::{Rate, RateUnit};
use meshc_resolve::{GatewayPolicies, LimitId, RoutePolicies, Setting};
use meshc_vocabulary::model::policy::{Each, LimitKey, Policy, PolicyScope, RateLimit, RateLimitScope, Tier};
use meshc_vocabulary::model::{Callee, Cluster, Gateway, Id, Route, Service};

use super::AtCallee;
use crate::lower::context::Context;
use crate::lower::upstream;
use crate::{
    DESCRIPTOR_KEY, Descriptor, GlobalLimit, Limit, LimitBucket, LimitCondition, LocalLimit,
    RATE_LIMIT_UPSTREAM, RateLimitDomain, UNPRINTABLE, key_name,
};

/// The descriptor's value for what no tier counts.
const OTHERWISE: &str = "otherwise";
/// The one for all requests.
const TOTAL: &str = "total";

/// The limits of a service, the same on each of its HTTP ports, of a route or of a gateway.
#[derive(Default)]
pub(in crate::lower) struct Limits {
    pub(in crate::lower) local: Vec<LocalLimit>,
    pub(in crate::lower) global: Vec<GlobalLimit>,
    pub(in crate::lower) domains: Vec<CountedDomain>,
}

/// What is counted, for which limit, and by the service of which cluster; `None`: the proxy's own.
pub(in crate::lower) struct CountedDomain {
    pub(in crate::lower) limit: LimitId,
    pub(in crate::lower) cluster: Option<Id<Cluster>>,
    pub(in crate::lower) domain: RateLimitDomain,
}

impl Limits {
    /// Whether nothing is limited.
    pub(in crate::lower) fn are_none(&self) -> bool {
        let Self { local, global, domains: _ } = self;
        local.is_empty() && global.is_empty()
    }

    /// Whether the rate-limit service of the proxy's own cluster is asked, and where that is said.
    pub(in crate::lower) fn asked(&self) -> Option<Origin> {
        let asks = |limit: &&GlobalLimit| limit.upstream == RATE_LIMIT_UPSTREAM;
        self.global.iter().find(asks).map(|limit| limit.origin.clone())
    }

    /// What is counted in the pod comes first: it asks nobody.
    pub(in crate::lower) fn in_order(&self) -> Vec<Limit> {
        let local = self.local.iter().cloned().map(Limit::Local);
        local.chain(self.global.iter().cloned().map(Limit::Global)).collect()
    }
}

/// Those of a service.
pub(in crate::lower) fn of_service(context: &Context<'_>, service: Id<Service>) -> Limits {
    let setting = AtCallee::of(context, service).rate_limits;
    limits(context, setting, |policy| derived(context, policy, service), LimitKey::clone)
}

/// Those of a route at gateways.
pub(in crate::lower) fn of_route(context: &Context<'_>, route: Id<Route>) -> Limits {
    // How requests are sent on is said call by call.
    let RoutePolicies { retry: _, timeout: _, rate_limits, clients: _ } = *context.resolved.route(route);
    let Route { origin: _, name, namespace, scope: _, rules: _ } = context.model.routes.at(route);
    let whole = || format!("route.{}.{name}", context.model.namespaces.at(*namespace).name);
    limits(context, rate_limits, |policy| derived_outside(context, policy, &whole()), of_client)
}

/// Those of a gateway.
pub(in crate::lower) fn of_gateway(context: &Context<'_>, gateway: Id<Gateway>) -> Limits {
    let GatewayPolicies { rate_limits, clients: _ } = *context.resolved.gateway(gateway);
    let declared = context.model.gateways.at(gateway);
    let whole = || format!("gateway.{}.{}", context.model.clusters.at(declared.cluster).name, declared.name);
    limits(context, rate_limits, |policy| derived_outside(context, policy, &whole()), of_client)
}

/// The address that is meant at a gateway is that of the client.
fn of_client(key: &LimitKey) -> LimitKey {
    match key {
        LimitKey::Address | LimitKey::Client => LimitKey::Client,
        other @ (LimitKey::Caller
        | LimitKey::Path
        | LimitKey::Header(_)
        | LimitKey::Cookie(_)
        | LimitKey::Query(_)) => other.clone(),
    }
}

fn limits<'m>(
    context: &Context<'m>,
    setting: Setting<'m, &'m [RateLimit]>,
    derived: impl Fn(&Policy) -> String,
    key: impl Fn(&LimitKey) -> LimitKey,
) -> Limits {
    let mut limits = Limits::default();
    let blocks: Vec<_> = setting.identified().collect();
    for (id, block) in &blocks {
        let RateLimit {
            origin,
            scope,
            matches,
            header,
            tiers,
            otherwise,
            total,
            each,
            burst,
            mode,
            on_error,
            timeout,
            domain,
        } = block;
        let common = derived(context.model.policies.at(id.policy));
        let derived = match blocks.len() {
            1 => common,
            _ => format!("{common}.{}", id.index.saturating_add(1)),
        };
        let name = domain.as_ref().map_or(derived, |domain| domain.value.clone());
        let header = header.as_ref().map(|header| header.value.as_str());
        let mut counters = counters(header, tiers, otherwise.map(|rate| rate.value));
        counters.extend(total.map(|rate| counter(TOTAL.to_owned(), LimitCondition::Always, rate.value)));
        counters.extend(each.iter().enumerate().map(|(position, each)| keyed(position, each)));
        for (bucket, _) in &mut counters {
            bucket.keys = bucket.keys.iter().map(&key).collect();
        }
        if let Some(burst) = burst {
            let admitting = counters.iter_mut().filter(|(bucket, _)| bucket.requests > 0);
            admitting.for_each(|(bucket, _)| bucket.burst = burst.value);
        }
        let mode = *mode;
        let buckets = counters.iter().map(|(bucket, _)| bucket.clone()).collect();
        let (matches, origin) = (matches.clone(), origin.clone());
        match scope.value {
            RateLimitScope::Pod => limits.local.push(LocalLimit { name, matches, buckets, mode, origin }),
            RateLimitScope::Cluster | RateLimitScope::Mesh => {
                let Some((upstream, cluster)) = counted_at(context, scope.value) else { continue };
                let descriptors = counters.into_iter().flat_map(|(bucket, unit)| descriptors(bucket, unit));
                let descriptors = descriptors.collect();
                let counted = RateLimitDomain { name: name.clone(), descriptors, origin: origin.clone() };
                limits.domains.push(CountedDomain { limit: *id, cluster, domain: counted });
                let (on_error, timeout) = (*on_error, *timeout);
                limits.global.push(GlobalLimit {
                    upstream,
                    domain: name,
                    matches,
                    buckets,
                    mode,
                    on_error,
                    timeout,
                    origin,
                });
            }
        }
    }
    limits
}

/// The upstream that counts, and its cluster if that is not the proxy's own; `None` if there is none, which was reported.
fn counted_at(context: &Context<'_>, scope: RateLimitScope) -> Option<(String, Option<Id<Cluster>>)> {
    match scope {
        RateLimitScope::Pod | RateLimitScope::Cluster => Some((RATE_LIMIT_UPSTREAM.to_owned(), None)),
        RateLimitScope::Mesh => {
            let callee = Callee::Service(context.model.limiter?);
            let port = context.called(callee).ports.first()?;
            let cluster = context.model.mesh.rate_limits?.value;
            Some((upstream::callee_name(context, callee, port), Some(cluster)))
        }
    }
}

/// The name of a domain that has none: `<namespace>.<policy>`, and `.<service>` if the policy holds for more than one
/// thing.
fn derived(context: &Context<'_>, policy: &Policy, service: Id<Service>) -> String {
    let called = context.called(Callee::Service(service));
    let base = base(context, policy);
    let same_namespace = policy.namespace == Some(called.namespace_id);
    let among_its_own = match &policy.scope {
        PolicyScope::Targets { services, routes, gateways }
            if services.len() + routes.len() + gateways.len() == 1 =>
        {
            return base;
        }
        PolicyScope::Targets { services: _, routes: _, gateways: _ } | PolicyScope::Namespace(_) => {
            same_namespace
        }
        PolicyScope::Mesh => false,
    };
    if among_its_own {
        format!("{base}.{}", called.name)
    } else {
        format!("{base}.{}.{}", called.namespace, called.name)
    }
}

/// The same for a route or a gateway, which is named as a whole if the policy holds for more than it.
fn derived_outside(context: &Context<'_>, policy: &Policy, whole: &str) -> String {
    let base = base(context, policy);
    match &policy.scope {
        PolicyScope::Targets { services, routes, gateways }
            if services.len() + routes.len() + gateways.len() == 1 =>
        {
            base
        }
        PolicyScope::Targets { services: _, routes: _, gateways: _ }
        | PolicyScope::Namespace(_)
        | PolicyScope::Mesh => format!("{base}.{whole}"),
    }
}

fn base(context: &Context<'_>, policy: &Policy) -> String {
    let owner = match policy.namespace {
        Some(id) => context.model.namespaces.at(id).name.as_str(),
        None => context.model.mesh.name.as_str(),
    };
    format!("{owner}.{}", policy.name)
}

/// One counter per tier, then the one for everything else.
fn counters(header: Option<&str>, tiers: &[Tier], otherwise: Option<Rate>) -> Vec<(LimitBucket, RateUnit)> {
    let mut counters = Vec::with_capacity(tiers.len() + 1);
    if let Some(header) = header {
        for Tier { value, rate } in tiers {
            let condition =
                LimitCondition::HeaderIs { header: header.to_owned(), value: value.value.clone() };
            counters.push(counter(format!("{}_request", value.value), condition, *rate));
        }
    }
    if let Some(otherwise) = otherwise {
        let condition = match header {
            Some(header) if !tiers.is_empty() => LimitCondition::HeaderIsNoneOf {
                header: header.to_owned(),
                values: tiers.iter().map(|tier| tier.value.value.clone()).collect(),
            },
            Some(_) | None => LimitCondition::Always,
        };
        counters.push(counter(OTHERWISE.to_owned(), condition, otherwise));
    }
    counters
}

fn counter(value: String, condition: LimitCondition, rate: Rate) -> (LimitBucket, RateUnit) {
    let Rate { count, unit } = rate;
    let per = Duration::from_secs(unit.seconds());
    (LimitBucket { value, condition, keys: Vec::new(), requests: count, burst: count, per }, unit)
}

fn keyed(position: usize, each: &Each) -> (LimitBucket, RateUnit) {
    let Each { origin: _, keys, rate } = each;
    let name = format!("each_{}", position.saturating_add(1));
    let (bucket, unit) = counter(name, LimitCondition::Always, rate.value);
    (LimitBucket { keys: keys.clone(), ..bucket }, unit)
}

/// The descriptor of a counter; of one with keys also that for what cannot be told apart.
fn descriptors(bucket: LimitBucket, unit: RateUnit) -> Vec<Descriptor> {
    let unit = match unit {
        RateUnit::Second => "second",
        RateUnit::Minute => "minute",
        RateUnit::Hour => "hour",
        RateUnit::Day => "day",
        RateUnit::Week => "week",
        RateUnit::Month => "month",
        RateUnit::Year => "year",
    };
    let LimitBucket { value, condition: _, keys, requests, burst: _, per: _ } = bucket;
    let named = (DESCRIPTOR_KEY.to_owned(), Some(value));
    let of = |inner: Vec<(String, Option<String>)>| Descriptor {
        entries: std::iter::once(named.clone()).chain(inner).collect(),
        requests,
        unit: unit.to_owned(),
    };
    if keys.is_empty() {
        return vec![of(Vec::new())];
    }
    let (key, value) = UNPRINTABLE;
    let told_apart = of(keys.iter().map(|key| (key_name(key), None)).collect());
    vec![told_apart, of(vec![(key.to_owned(), Some(value.to_owned()))])]
}
