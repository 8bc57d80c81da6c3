//! A host outside the mesh at addresses that its callers' pods cannot reach.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::{Callee, Cluster, ExternalHost, Id};

use crate::context::{Context, listed};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0371"),
        title: "a host outside has no address of its callers' family",
        explanation: r#"Pods reach addresses of their own cluster's `ip_family` only, and none of this host's addresses is of that family.

```mesh
cluster west { network = net, region = "us", ip_family = ipv6 }
namespace shop {
  client web { clusters = [west], calls = [bank] }
  external bank { hosts = ["bank.example"], addresses = [192.0.2.7], port https { number = 443 } }
}
```

Add an address of the family, or a DNS name: proxies ask for its addresses of their family."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let mut missed: BTreeMap<Id<ExternalHost>, (&Origin, Vec<Id<Cluster>>)> = BTreeMap::new();
    for (proxy, reaches) in &context.topology.reaches {
        let cluster = match proxy {
            ProxyKey::Sidecar { cluster, service: _ } => *cluster,
            ProxyKey::Gateway(gateway) => context.model.gateways.at(*gateway).cluster,
        };
        for reach in reaches {
            let Callee::External(id) = reach.callee else { continue };
            let external = context.model.externals.at(id);
            // Who connects to it.
            let through = external.through.as_ref();
            let cluster = through.map_or(cluster, |gateway| context.model.gateways.at(gateway.value).cluster);
            let family = context.model.clusters.at(cluster).ip_family;
            if external.places().any(|address| family.reaches(address)) {
                continue;
            }
            let call = reach.origins.first().unwrap_or(&external.origin);
            missed.entry(id).or_insert((call, Vec::new())).1.push(cluster);
        }
    }
    for (id, (call, mut clusters)) in missed {
        clusters.sort_unstable();
        clusters.dedup();
        let Some(first) = clusters.first() else { continue };
        let family = context.model.clusters.at(*first).ip_family.words();
        let name = context.model.callee_name(Callee::External(id));
        let from = listed(clusters.iter().map(|cluster| context.cluster_name(*cluster)));
        sink.push(
            Diagnostic::error(
                CHECK.info.code,
                call.span,
                format!("pods of {from} have {family} addresses, and `{name}` has none"),
            )
            .label("called here")
            .also(context.model.externals.at(id).origin.span, "declared here")
            .help(format!("add an {family} address or a DNS name: `addresses = [ … ]`")),
        );
    }
}
