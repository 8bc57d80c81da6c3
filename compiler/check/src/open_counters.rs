//! Counters that anybody in the cluster could use up.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::Setting;
use meshc_vocabulary::model::policy::{RateLimit, RateLimitScope};
use meshc_vocabulary::model::{Cluster, Id, NetworkPolicyEnforcement};

use crate::context::{Context, listed};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0339"),
        title: "the counters of a rate limit are open to everybody in the cluster",
        explanation: r#"The rate-limit service of a cluster and its Redis take connections from the mesh's proxies only because NetworkPolicies
say so; their protocols know no identities. In a cluster whose network plugin ignores NetworkPolicies any pod can use up
the limits of others, or read and empty the counters.

```mesh
cluster west { network_policy = none }
policy limits {
  targets = [catalog]                                  // runs in west
  rate_limit { scope = cluster, otherwise = 10/s }
}
```

Use a network plugin that enforces NetworkPolicies, or let each pod count for itself with `scope = pod`."#,
    },
    run,
};

/// Limits of one thing, and the clusters in which they count.
type Counted<'m> = (Setting<'m, &'m [RateLimit]>, Vec<Id<Cluster>>);

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let resolved = context.resolved;
    let mut counted: Vec<Counted<'_>> = Vec::new();
    for (id, service) in model.whole_services() {
        let clusters = service.clusters.iter().map(|presence| presence.cluster).collect();
        counted.push((resolved.service(id).rate_limits, clusters));
    }
    for (id, route) in model.routes.iter() {
        let clusters = route.scope.gateways().iter().map(|it| model.gateways.at(it.value).cluster).collect();
        counted.push((resolved.route(id).rate_limits, clusters));
    }
    for (id, gateway) in model.gateways.iter() {
        counted.push((resolved.gateway(id).rate_limits, vec![gateway.cluster]));
    }
    let mut open = BTreeMap::new();
    for (limits, clusters) in counted {
        for (id, limit) in limits.identified() {
            let counting: Vec<Id<Cluster>> = match limit.scope.value {
                RateLimitScope::Pod => continue,
                RateLimitScope::Cluster => clusters.clone(),
                RateLimitScope::Mesh => model.mesh.rate_limits.iter().map(|named| named.value).collect(),
            };
            let clusters = counting.iter().map(|id| model.clusters.at(*id));
            let unguarded =
                clusters.filter(|cluster| cluster.network_policy == NetworkPolicyEnforcement::None);
            for cluster in unguarded {
                let (_, _, found) = open
                    .entry(id)
                    .or_insert_with(|| (limit.origin.span, cluster.origin.span, BTreeSet::new()));
                found.insert(cluster.name.as_str());
            }
        }
    }
    for (limit, cluster, names) in open.into_values() {
        let message = format!("anybody in {} can use up this limit", listed(names));
        sink.push(
            Diagnostic::warning(CHECK.info.code, limit, message)
                .label("counted by a service that only NetworkPolicies guard")
                .also(cluster, "no NetworkPolicy is enforced here")
                .help("use a network plugin that enforces them, or `scope = pod`"),
        );
    }
}
