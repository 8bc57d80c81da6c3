//! Copies for a service that asks gateways which client it is.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::mirrored;
use meshc_vocabulary::model::{Callee, RouteScope};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0372"),
        title: "copies for a service that asks for certificates of clients",
        explanation: r#"With `clients` a service says which clients of an ingress gateway it admits, and the gateway decides it for the
destinations of each rule. A copy of a request is for nobody's decision: its sender is not told what became of it. So a
service that is asked with somebody's certificate gets no copies from a gateway.

```mesh
route shop {
  gateway = west.ingress
  hosts   = ["shop.example"]
  to      = web
  mirror  { to = ledger }          // ledger: allow { from = [west.ingress], clients = ["urn:partner"] }
}
```

Copy to a service without `clients`, or take `clients` out of its rules."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (_, route) in model.routes.iter() {
        let RouteScope::Gateways(_) = &route.scope else { continue };
        for to in route.rules.iter().flat_map(|rule| &rule.filters).filter_map(mirrored) {
            let Callee::Service(service) = to.callee else { continue };
            let policies = context.resolved.service(service);
            let rules = policies.allow.value.iter().chain(policies.deny.value);
            let Some(client) = rules.flat_map(|rule| &rule.clients).next() else { continue };
            let name = model.service_name(service);
            sink.push(
                Diagnostic::error(
                    CHECK.info.code,
                    to.origin.span,
                    format!("`{name}` asks which client it is, and nobody asks it for copies"),
                )
                .label("copied here")
                .also(client.span, "asked for here")
                .help("copy to a service without `clients` in its rules"),
            );
        }
    }
}
