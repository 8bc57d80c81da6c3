//! A declared call for which no path leads to the callee.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_topology::{BrokenHop, ProxyKey, Unreachable};

use crate::context::{Context, listed};
use crate::hop;
use crate::list::Check;

/// How many further calls are shown.
const EXAMPLES: usize = 3;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0302"),
        title: "no path between caller and callee",
        explanation: r#"Pods reach pods of their own cluster, pods in a cluster of the same network whose `domain` is declared, and everything
else through east-west gateways: the callee's, and on the way those of networks in between. Once any `link` is declared,
only declared links lead from network to network. Pods reach addresses of their own cluster's `ip_family` only. The message
shows the hop where the path breaks.

```mesh
cluster west { network = west-net, region = "westus" }
cluster east { network = east-net, region = "eastus" }      // no east-west gateway
namespace shop {
  service web     { clusters = [west], port http { number = 80 }, calls = [catalog] }
  service catalog { clusters = [east], port http { number = 80 } }
}
```

Add `gateway eastwest { role = east_west, address = … }` to the callee's cluster, declare the missing `link`, or run
the callee where the caller is."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut calls: BTreeMap<_, Vec<&Unreachable>> = BTreeMap::new();
    for call in context.topology.unreachable.iter().filter(|call| !call.partly) {
        calls.entry((&call.origin, call.callee)).or_default().push(call);
    }
    // One missing hop breaks many calls, and is one mistake.
    let mut broken: BTreeMap<Vec<BrokenHop>, Vec<Broken<'_>>> = BTreeMap::new();
    for ((origin, callee), calls) in calls {
        let mut reasons: Vec<BrokenHop> = calls.iter().map(|call| call.reason).collect();
        reasons.sort();
        reasons.dedup();
        // A gateway without an address has a check of its own, which names all calls that need it.
        reasons.retain(|reason| !matches!(reason, BrokenHop::NoAddress(_)));
        if reasons.is_empty() {
            continue;
        }
        let mut from: Vec<_> =
            calls.iter().map(|call| context.cluster_name(caller_cluster(context, call))).collect();
        from.sort_unstable();
        from.dedup();
        broken.entry(reasons).or_default().push(Broken { origin, from, callee: model.service_name(callee) });
    }
    for (reasons, mut calls) in broken {
        calls.sort_by_key(|call| call.origin.span);
        let (Some(reason), Some((first, others))) = (reasons.first(), calls.split_first()) else { continue };
        let message = if others.is_empty() {
            format!("no path leads from {} to `{}`", listed(first.from.iter().copied()), first.callee)
        } else {
            let callees: BTreeSet<_> = calls.iter().map(|call| call.callee.as_str()).collect();
            format!("no path leads to {}, for {} calls", listed(callees), calls.len())
        };
        let mut diagnostic =
            Diagnostic::error(CHECK.info.code, first.origin.span, message).label("called here");
        for call in others.iter().take(EXAMPLES) {
            diagnostic = diagnostic.also(call.origin.span, "called here too");
        }
        for reason in &reasons {
            let (span, text) = hop::place(model, *reason);
            diagnostic = diagnostic.also(span, text);
        }
        sink.push(diagnostic.help(hop::way_out(model, *reason)));
    }
}

/// A call that has no path.
struct Broken<'a> {
    origin: &'a Origin,
    /// The clusters from which there is none.
    from: Vec<&'a str>,
    callee: String,
}

/// Where a caller runs.
pub(crate) fn caller_cluster(
    context: &Context<'_>,
    call: &Unreachable,
) -> meshc_vocabulary::model::Id<meshc_vocabulary::model::Cluster> {
    match call.caller {
        ProxyKey::Sidecar { cluster, .. } => cluster,
        ProxyKey::Gateway(gateway) => context.model.gateways.at(gateway).cluster,
    }
}
