//! Ports of one gateway that cannot be open at once.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_plan::listen_port;
use meshc_plan::paths::{METRICS_PORT, READINESS_PORT};
use meshc_vocabulary::model::GatewayPort;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0305"),
        title: "ports of a gateway clash",
        explanation: r#"All ports of a gateway are open in one pod, so each has a number of its own. The proxy itself takes 15021 (readiness) and
15090 (metrics) there. A declared port below 1024 is opened 8000 higher, so that the pod needs no privilege, or 16000 if
that number is declared as well: clients use the declared one all the same.

```mesh
gateway ingress {
  role = ingress
  port http { number = 80 }
  port more { number = 80 }
}
```

Choose another number for one of them."#,
    },
    run,
};

/// What the proxy itself opens in every pod.
const RESERVED: [(u16, &str); 2] = [(READINESS_PORT, "readiness"), (METRICS_PORT, "metrics")];

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (id, gateway) in context.model.gateways.iter() {
        let mut open: BTreeMap<u16, &GatewayPort> = BTreeMap::new();
        for port in &gateway.ports {
            let listen = listen_port(port.number, &gateway.ports);
            let opened = format!("opened as {listen} in the pod");
            let message = |what: &str| {
                format!("port {} of gateway `{}` {what}", port.number, context.model.gateway_name(id))
            };
            if let Some((_, purpose)) = RESERVED.iter().find(|(number, _)| *number == listen) {
                sink.push(
                    Diagnostic::error(
                        CHECK.info.code,
                        port.origin.span,
                        message("is taken by the proxy itself"),
                    )
                    .label(format!("the proxy serves its {purpose} at {listen}"))
                    .help("choose another number"),
                );
            } else if let Some(first) = open.get(&listen) {
                sink.push(
                    Diagnostic::error(CHECK.info.code, port.origin.span, message("is taken"))
                        .label(opened.clone())
                        .also(first.origin.span, opened)
                        .help("choose another number for one of them"),
                );
            } else {
                open.insert(listen, port);
            }
        }
    }
}
