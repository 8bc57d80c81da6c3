//! A gateway's host name that only its own cluster can resolve.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::Host;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0336"),
        title: "a gateway's address is a name that others cannot resolve",
        explanation: r#"The address of a gateway is used by others: by proxies in other clusters, or by clients outside. Names of Kubernetes Services
exist only in the DNS of their own cluster, and names without a dot or under `localhost` nowhere else.

```mesh
cluster east {
  gateway eastwest { role = east_west, address = "eastwest.mesh-system.svc.cluster.local" }
}
```

Use the address or the public name of the gateway's load balancer. A name under a `domain` that the cluster declares is
fine: other clusters can resolve it."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (id, gateway) in model.gateways.iter() {
        let cluster = model.clusters.at(gateway.cluster);
        for address in &gateway.addresses {
            let Host::Name(name) = &address.value else { continue };
            let under = |domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
            let own = under(&cluster.domain) && !cluster.domain_resolvable;
            if !own && !under("svc") && !under("localhost") && !under("cluster.local") && name.contains('.') {
                continue;
            }
            if under(&cluster.domain) && cluster.domain_resolvable {
                continue;
            }
            let message = format!("`{name}` cannot be resolved outside `{}`", cluster.name);
            sink.push(
                Diagnostic::warning(CHECK.info.code, address.span, message)
                    .label(format!("the address of `{}`", model.gateway_name(id)))
                    .help("use the address or the public name of the gateway's load balancer"),
            );
        }
    }
}
