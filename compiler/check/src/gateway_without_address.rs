//! An east-west gateway without an address that calls need.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_topology::{BrokenHop, Unreachable};

use crate::context::Context;
use crate::list::Check;

/// How many calls are shown as examples.
const EXAMPLES: usize = 3;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0303"),
        title: "an east-west gateway without an address",
        explanation: r#"Nothing in a cluster asks other clusters anything, so callers know a gateway by the address that the mesh declares and by
nothing else.

```mesh
cluster east {
  gateway eastwest { role = east_west }      // address = 172.18.255.202
}
```

Reserve an address (or a DNS name) for the gateway's load balancer and declare it. A gateway that nobody outside its
cluster needs may do without."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let mut needed: BTreeMap<_, BTreeSet<&Origin>> = BTreeMap::new();
    let wanted =
        |call: &&Unreachable| !call.partly || context.resolved.service(call.callee).failover.value.enabled;
    for call in context.topology.unreachable.iter().filter(wanted) {
        match call.reason {
            BrokenHop::NoAddress(gateway) => {
                needed.entry(gateway).or_default().insert(&call.origin);
            }
            BrokenHop::NoLink(..)
            | BrokenHop::NoTransit(_)
            | BrokenHop::NoGateway(_)
            | BrokenHop::OtherFamily(..)
            | BrokenHop::NotActive(_)
            | BrokenHop::Hidden { .. } => {}
        }
    }
    for (gateway, calls) in needed {
        let message = format!("gateway `{}` has no address", context.model.gateway_name(gateway));
        let span = context.model.gateways.at(gateway).origin.span;
        let mut diagnostic =
            Diagnostic::error(CHECK.info.code, span, message).label("others cannot reach it");
        for origin in calls.into_iter().take(EXAMPLES) {
            diagnostic = diagnostic.also(origin.span, "this leads through it");
        }
        sink.push(
            diagnostic.help("add `address = …`, the address or host name at which other clusters reach it"),
        );
    }
}
