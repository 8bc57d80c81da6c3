//! Failover to a cluster that the caller cannot reach.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_topology::{BrokenHop, Unreachable};

use crate::context::{Context, listed};
use crate::hop;
use crate::list::Check;
use crate::no_path::caller_cluster;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0322"),
        title: "failover to a cluster that cannot be reached",
        explanation: r#"The callee runs in several clusters, and failover is on, but from where the caller is some of them cannot be reached. When
the others fail, these will not take over.

```mesh
cluster east { network = east-net, region = "eastus" }       // no east-west gateway
service catalog { clusters = [west, east], port http { number = 80 } }
service web     { clusters = [west], calls = [catalog], port http { number = 80 } }
```

Complete the path that the message shows, or say that failover is not wanted: `failover { enabled = false }`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut broken: BTreeMap<_, Vec<&Unreachable>> = BTreeMap::new();
    for call in context.topology.unreachable.iter().filter(|call| call.partly) {
        let deliberate = match call.reason {
            // A cluster on its way in or out is meant to get no traffic.
            BrokenHop::NotActive(_) => true,
            // A gateway without an address has a check of its own.
            BrokenHop::NoAddress(_) => true,
            BrokenHop::NoLink(..)
            | BrokenHop::NoTransit(_)
            | BrokenHop::NoGateway(_)
            | BrokenHop::OtherFamily(..)
            | BrokenHop::Hidden { .. } => !context.resolved.service(call.callee).failover.value.enabled,
        };
        if !deliberate {
            broken.entry((call.callee, call.reason)).or_default().push(call);
        }
    }
    for ((callee, reason), calls) in broken {
        let Some(first) = calls.first() else { continue };
        let mut targets: Vec<_> = calls.iter().map(|call| context.cluster_name(call.cluster)).collect();
        let mut from: Vec<_> =
            calls.iter().map(|call| context.cluster_name(caller_cluster(context, call))).collect();
        for names in [&mut targets, &mut from] {
            names.sort_unstable();
            names.dedup();
        }
        let message = format!(
            "`{}` cannot fail over from {} to {}",
            model.service_name(callee),
            listed(from),
            listed(targets)
        );
        let (span, text) = hop::place(model, reason);
        sink.push(
            Diagnostic::warning(CHECK.info.code, first.origin.span, message)
                .label("called here")
                .also(span, text)
                .help(format!(
                    "{}; or say `failover {{ enabled = false }}` in a policy for the callee",
                    hop::way_out(model, reason)
                )),
        );
    }
}
