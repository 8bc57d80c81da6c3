//! A callee's port that the caller's pod already holds on all addresses.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_resolve::Caller;
use meshc_vocabulary::model::{Bind, Capture, Service};

use crate::context::Context;
use crate::list::Check;
use crate::own_ports::SIDECAR;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0308"),
        title: "the callee's port is taken in the caller's own pod",
        explanation: r#"With `capture = loopback` the caller's sidecar listens at a virtual address of the callee, on the callee's port. The
kernel refuses that while the caller's own application listens on the same port of all addresses.

```mesh
service web {
  port http { number = 80, target = 8080 }       // the application holds 8080 everywhere …
  calls = [catalog]
}
service catalog {
  port http { number = 8080 }                    // … so web's sidecar cannot listen for catalog:8080
}
```

Three ways out: let the caller's application listen on 127.0.0.1 only and say `bind = loopback` at its port; give the
callee's port another `number` (its `target` may stay); or use `capture = redirect`, which needs no port at all. A
port that a `probe` or `metrics` block names is the application's as well, on all addresses unless a `port` with that
`target` says `bind = loopback`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for edge in &context.resolved.edges {
        let Caller::Service(id) = edge.caller else { continue };
        let caller = model.services.at(id);
        if caller.capture != Capture::Loopback {
            continue;
        }
        let callee = model.services.at(edge.callee);
        for port in edge.ports.iter().filter_map(|port| callee.ports.get(*port)) {
            let (name, number) = (model.service_name(edge.callee), port.number);
            if let Some((own, what)) = held(caller, number) {
                let message = format!(
                    "`{}` cannot call `{name}` on port {number}: its own application listens on it",
                    model.service_name(id)
                );
                sink.push(
                    Diagnostic::error(CHECK.info.code, edge.origin.span, message)
                        .label(format!("the sidecar must listen on {number} for this call"))
                        .also(own.span, format!("the application {what} {number} on all addresses"))
                        .also(port.origin.span, "the port that is called")
                        .help(
                            "let the application listen on 127.0.0.1 and add `bind = loopback` to its port, give the \
                             callee's port another `number`, or set `capture = redirect` on the caller",
                        ),
                );
            }
            if SIDECAR.iter().any(|(reserved, _)| *reserved == number) {
                let message = format!(
                    "`{}` cannot call `{name}` on port {number}: its sidecar listens on it",
                    model.service_name(id)
                );
                sink.push(
                    Diagnostic::error(CHECK.info.code, edge.origin.span, message)
                        .label("called here")
                        .also(port.origin.span, "the port that is called")
                        .help("give the callee's port another `number`, or set `capture = redirect` on the caller"),
                );
            }
        }
    }
}

/// Where a service says that its application listens on a port of all addresses, and what it does there.
fn held(service: &Service, number: u16) -> Option<(&Origin, &'static str)> {
    if let Some(port) = service.ports.iter().find(|port| port.target == number) {
        return (port.bind == Bind::Any).then_some((&port.origin, "holds"));
    }
    let probe = service.probes.iter().find(|probe| probe.port == number);
    let metrics = service.scrape.as_ref().filter(|metrics| metrics.port == number);
    let probe = probe.map(|probe| (&probe.origin, "answers probes at"));
    probe.or_else(|| metrics.map(|metrics| (&metrics.origin, "serves metrics at")))
}
