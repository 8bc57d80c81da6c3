//! Requests that are to keep to one pod, behind a gateway that cannot tell requests apart.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink, Span};
use meshc_topology::Via;
use meshc_vocabulary::model::Callee;
use meshc_vocabulary::model::policy::BalanceBy;

use crate::context::{Context, listed};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0353"),
        title: "a hash behind an east-west gateway",
        explanation: r#"An east-west gateway passes connections through by their SNI and sees no request in them. Each connection leads to one pod,
and callers spread their requests over several connections. So callers whose nearest pods are in another network do not
reach the same pod with the same value: requests go around there.

```mesh
cluster west { network = west-net, … }
cluster east { network = east-net, … }
service web  { clusters = [west], calls = [cart], … }
service cart { clusters = [east], … }
policy sticky { targets = [cart], balance { by = hash { header = "x-user" } } }
```

Run the callee in the callers' network as well, or keep what belongs to a user where every pod finds it.
"#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut found: BTreeMap<_, (Span, Vec<String>, Span)> = BTreeMap::new();
    for reach in context.topology.reaches.values().flatten() {
        let Callee::Service(id) = reach.callee else { continue };
        let balance = context.resolved.service(id).balance;
        let BalanceBy::Hash(_) = &balance.value.by.value else { continue };
        let requests =
            model.services.at(id).ports.get(reach.port).is_some_and(|port| port.protocol.is_http());
        let behind = reach.groups.first().is_some_and(|nearest| match nearest.via {
            Via::Gateways { .. } => true,
            Via::Pods | Via::External => false,
        });
        let (true, true, Some(call)) = (requests, behind, reach.origins.first()) else { continue };
        let place = balance.value.by.span;
        let (_, services, _) = found.entry(balance.from).or_insert_with(|| (place, Vec::new(), call.span));
        let name = model.service_name(id);
        if !services.contains(&name) {
            services.push(name);
        }
    }
    for (span, services, call) in found.into_values() {
        let services = listed(services.iter().map(String::as_str));
        let message = format!("requests to {services} in another network go to any pod, whatever is hashed");
        sink.push(
            Diagnostic::warning(CHECK.info.code, span, message)
                .label("holds in the caller's own network only")
                .also(call, "called from another network here")
                .help("run it in the callers' network as well, or balance it in another way"),
        );
    }
}
