//! Networks, namespaces and external hosts that nothing uses.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_vocabulary::model::policy::{AuthorizationRule, Source};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0325"),
        title: "a declaration without use",
        explanation: r#"A network without a cluster, a namespace in which nothing is declared, and an outside host that nobody calls change nothing
in the mesh. Often something else was meant to name them.

```mesh
network west-net {}
network wets-net {}                     // a slip: no cluster is in it
cluster west { network = west-net }
```

Use the declaration, or remove it."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let networks: BTreeSet<_> = model.clusters.iter().map(|(_, cluster)| cluster.network).collect();
    // A network between others may have no cluster that runs anything, but it needs one to pass anything on.
    for (id, network) in model.networks.iter() {
        if !networks.contains(&id) {
            report(&network.origin, "no cluster is in it", "put a cluster into it, or remove it", sink);
        }
    }
    let mut namespaces: BTreeSet<_> = model.services.iter().map(|(_, it)| it.namespace).collect();
    namespaces.extend(model.externals.iter().map(|(_, it)| it.namespace));
    namespaces.extend(model.routes.iter().map(|(_, it)| it.namespace));
    namespaces.extend(model.policies.iter().filter_map(|(_, it)| it.namespace));
    for (_, policy) in model.policies.iter() {
        for source in policy.settings.rules().flat_map(AuthorizationRule::sources) {
            match source.value {
                Source::Namespace(id) => {
                    namespaces.insert(id);
                }
                Source::Service(_) | Source::Gateway(_) | Source::Everyone | Source::Unauthenticated => {}
            }
        }
    }
    for (id, namespace) in model.namespaces.iter() {
        if !namespaces.contains(&id) {
            report(&namespace.origin, "it is empty", "declare something in it, or remove it", sink);
        }
    }
    let called: BTreeSet<_> = context.resolved.outside.iter().map(|edge| edge.callee).collect();
    for (id, external) in model.externals.iter() {
        if !called.contains(&id) {
            report(
                &external.origin,
                "it is not called",
                "add it to the `calls` of a service, or remove it",
                sink,
            );
        }
    }
}

fn report(origin: &Origin, why: &str, help: &str, sink: &mut Sink) {
    let message = format!("{} is not used", origin.name);
    sink.push(Diagnostic::warning(CHECK.info.code, origin.span, message).label(why).help(help));
}
