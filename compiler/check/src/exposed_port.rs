//! A strict port that anybody in the cluster could reach without mTLS.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::{Bind, Mtls, NetworkPolicyEnforcement};

use crate::context::{Context, listed};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0310"),
        title: "a strict port is open to everybody in the cluster",
        explanation: r#"A sidecar stands beside the application, not in front of it: an application that listens on all addresses can be reached
past the sidecar, with no identity and no rules. A NetworkPolicy closes its port, but not in a cluster whose network
plugin ignores NetworkPolicies.

```mesh
cluster west { network_policy = none }
service catalog {
  clusters = [west]
  port http { number = 80, target = 3000 }       // strict, and open to the whole cluster at 3000
}
```

Let the application listen on 127.0.0.1 and say `bind = loopback`; or use a network plugin that enforces
NetworkPolicies; or, during adoption, say what is true with `mtls = permissive`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (id, service) in model.whole_services() {
        let clusters = service.clusters.iter().map(|presence| model.clusters.at(presence.cluster));
        let open: Vec<_> =
            clusters.filter(|cluster| cluster.network_policy == NetworkPolicyEnforcement::None).collect();
        let Some(first) = open.first() else { continue };
        for port in service.ports.iter().filter(|port| port.mtls == Mtls::Strict && port.bind == Bind::Any) {
            let message = format!(
                "anybody in {} reaches port {} of `{}` past its sidecar",
                listed(open.iter().map(|cluster| cluster.name.as_str())),
                port.target,
                model.service_name(id)
            );
            sink.push(
                Diagnostic::error(CHECK.info.code, port.origin.span, message)
                    .label("the application listens on all addresses")
                    .also(first.origin.span, "no NetworkPolicy is enforced here")
                    .help("let the application listen on 127.0.0.1 and add `bind = loopback`, or use `mtls = permissive`"),
            );
        }
    }
}
