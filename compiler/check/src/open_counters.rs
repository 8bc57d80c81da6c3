//! Counters that anybody in the cluster could use up.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::NetworkPolicyEnforcement;
use meshc_vocabulary::model::policy::RateLimitScope;

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

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut open = BTreeMap::new();
    for (id, service) in model.whole_services() {
        let shared = context.resolved.service(id).rate_limits.identified().filter(|(_, limit)| {
            match limit.scope.value {
                RateLimitScope::Cluster | RateLimitScope::Mesh => true,
                RateLimitScope::Pod => false,
            }
        });
        for (id, limit) in shared {
            let clusters = service.clusters.iter().map(|presence| model.clusters.at(presence.cluster));
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
