//! A host outside the mesh that is inside a cluster, or at the node.

use std::net::IpAddr;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::Host;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0382"),
        title: "a host outside is inside",
        explanation: r#"An `external` is called without mTLS and judged by nobody but its callers' proxies. A name of a Service of Kubernetes leads to
pods of the cluster: if they belong to the mesh, only a call under their own name is encrypted and judged by their rules. At
link-local addresses the node answers, and clouds hand out credentials there (169.254.169.254).

```mesh
external orders { hosts = ["orders.shop.svc.cluster.local"], port http { number = 80 } }
```

Declare a `service`, and name it in `calls`. If it is meant, such as for the API of Kubernetes, let nobody call it who need
not."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (_, external) in model.externals.iter() {
        for address in external.places() {
            let (what, help) = match address {
                Host::Ip(ip) if is_link_local(*ip) => (
                    "is an address of the node",
                    "let nobody call it who need not: credentials are handed out there",
                ),
                Host::Name(name) if is_inner(context, name) => (
                    "is a name inside a cluster",
                    "declare a `service` if it belongs to the mesh: an `external` is called without mTLS",
                ),
                Host::Ip(_) | Host::Name(_) => continue,
            };
            let message = format!("`{address}` {what}");
            sink.push(
                Diagnostic::warning(CHECK.info.code, external.origin.span, message)
                    .label("declared as a host outside")
                    .help(help),
            );
        }
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Whether a name is one of Services: below the domain of a cluster, or as short as pods may write it.
fn is_inner(context: &Context<'_>, name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let mut domains = context.model.clusters.iter().map(|(_, cluster)| &cluster.domain);
    name.ends_with(".svc") || domains.any(|domain| name.ends_with(&format!(".{domain}")))
}
