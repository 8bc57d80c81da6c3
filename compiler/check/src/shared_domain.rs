//! Two clusters of one network that declare the same DNS domain.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};

use crate::context::{Context, in_source_order};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0337"),
        title: "two clusters of one network declare the same domain",
        explanation: r#"A declared `domain` says that other clusters of the network can resolve the names in it, so that they reach the pods without
a gateway. A name that may mean either of two clusters leads to neither, and calls go through the gateways after all.

```mesh
cluster a { network = office, domain = "k8s.example" }
cluster b { network = office, domain = "k8s.example" }
```

Give each cluster a domain of its own, or leave `domain` out."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let mut declared = BTreeMap::new();
    let clusters = context.model.clusters.iter().filter(|(_, cluster)| cluster.domain_resolvable);
    for (_, cluster) in in_source_order(clusters, |cluster| &cluster.origin) {
        let first = *declared.entry((cluster.network, &cluster.domain)).or_insert(cluster);
        if first.name != cluster.name {
            let message = format!(
                "clusters `{}` and `{}` of network `{}` share the domain `{}`",
                first.name,
                cluster.name,
                context.model.networks.at(cluster.network).name,
                cluster.domain
            );
            sink.push(
                Diagnostic::warning(CHECK.info.code, cluster.origin.span, message)
                    .label("declares it")
                    .also(first.origin.span, "declares it too")
                    .help("give each cluster a domain of its own, or leave `domain` out"),
            );
        }
    }
}
