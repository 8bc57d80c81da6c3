//! Ports of one gateway that cannot be open at once.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_plan::paths::{METRICS_PORT, READINESS_PORT};
use meshc_vocabulary::model::GatewayPort;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0305"),
        title: "ports of a gateway clash",
        explanation: r#"All ports of a gateway are open in one pod. The proxy itself takes 15021 (readiness) and 15090 (metrics) there, and a
declared port below 1024 is opened 8000 higher, so that the pod needs no privilege: clients still use the declared one.

```mesh
gateway ingress {
  role = ingress
  port http { number = 80 }          // opened as 8080 in the pod …
  port more { number = 8080 }        // … where this is already
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
            let listen = in_pod(port.number);
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
                        .label(opened(port.number))
                        .also(first.origin.span, opened(first.number))
                        .help("choose another number for one of them"),
                );
            } else {
                open.insert(listen, port);
            }
        }
    }
}

/// The number that the proxy listens on for a declared one.
fn in_pod(number: u16) -> u16 {
    if number < 1024 { number + 8000 } else { number }
}

fn opened(number: u16) -> String {
    if number < 1024 {
        format!("opened as {} in the pod", in_pod(number))
    } else {
        format!("opened as {number} in the pod")
    }
}
