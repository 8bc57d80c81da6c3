//! A service that nobody may call.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::Mtls;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0321"),
        title: "a service without callers",
        explanation: r#"A service admits its declared callers and nobody else. Without any call or route that leads to it, every connection to its
ports is refused.

```mesh
service catalog {
  port http { number = 80 }
}
// no `calls = [catalog]` and no route to it anywhere
```

Declare who calls it, or make it a `client` if it only calls others and offers nothing."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (id, service) in context.model.whole_services() {
        // An open port takes callers that are not in the mesh, of which it knows nothing.
        let open = service.ports.iter().any(|port| port.mtls != Mtls::Strict);
        let mut incoming =
            service.subsets.iter().chain([&id]).flat_map(|called| context.resolved.incoming(*called));
        if service.is_client() || open || incoming.next().is_some() {
            continue;
        }
        if context.model.limiter == Some(id) {
            sink.push(
                Diagnostic::warning(
                    CHECK.info.code,
                    service.origin.span,
                    "no limit is counted for the whole mesh",
                )
                .label("this cluster has nothing to count")
                .help("remove `rate_limits`, or set `scope = mesh` in a `rate_limit`"),
            );
            continue;
        }
        let name = context.model.service_name(id);
        sink.push(
            Diagnostic::warning(
                CHECK.info.code,
                service.origin.span,
                format!("no service calls `{name}` and no route leads to it"),
            )
            .label("no call and no route leads here")
            .help(format!("add `{}` to the `calls` of its callers, or route to it", service.name)),
        );
    }
}
