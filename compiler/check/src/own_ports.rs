//! Ports of one service that clash with each other or with its sidecar.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_plan::paths::OUTBOUND_PORT;
use meshc_vocabulary::model::{Capture, Port};
use meshc_vocabulary::sidecar;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0307"),
        title: "ports of a service clash",
        explanation: r#"Callers tell the ports of a service apart by their `number`, so each number stands for one port. And the application
shares its pod with the sidecar, which listens on 15006 (mTLS), 15021 (readiness and probes) and
15090 (metrics), and with `capture = redirect` also on 15001. Two ports with one `target` are one socket of the
application, so they cannot differ in `protocol`, `bind` or `mtls`: what one of them opens, the other cannot close.

```mesh
service catalog {
  port http  { number = 80, target = 3000 }
  port admin { number = 80, target = 3001 }      // the same number
}
```

Choose another `number`, or let the application listen elsewhere (`target`)."#,
    },
    run,
};

/// What it opens there beyond that with `capture = redirect`.
const REDIRECT: (u16, &str) = (OUTBOUND_PORT, "redirected calls");

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (id, service) in context.model.whole_services() {
        let name = || context.model.service_name(id);
        one_target(&name, &service.ports, sink);
        let mut numbers: BTreeMap<u16, &Port> = BTreeMap::new();
        for port in &service.ports {
            if let Some(first) = numbers.get(&port.number) {
                let message = format!("two ports of `{}` have the number {}", name(), port.number);
                sink.push(
                    Diagnostic::error(CHECK.info.code, port.origin.span, message)
                        .label("callers cannot mean this one")
                        .also(first.origin.span, "the first one")
                        .help("choose another `number` for one of them"),
                );
            } else {
                numbers.insert(port.number, port);
            }
        }
        let redirected = |cluster| match context.resolved.captured_in(id, cluster).capture() {
            Capture::Loopback => false,
            Capture::Redirect => true,
        };
        let redirect =
            service.clusters.iter().any(|presence| redirected(presence.cluster)).then_some(&REDIRECT);
        let ports = service.ports.iter().map(|port| (port.target, &port.origin));
        let probes = service.probes.iter().map(|probe| (probe.port, &probe.origin));
        let metrics = service.scrape.iter().map(|scrape| (scrape.port, &scrape.origin));
        for (number, origin) in ports.chain(probes).chain(metrics) {
            let reserved = sidecar::PORTS.iter().chain(redirect).find(|(reserved, _)| *reserved == number);
            let Some((_, purpose)) = reserved else { continue };
            let message = format!("the sidecar of `{}` needs port {number} itself", name());
            sink.push(
                Diagnostic::error(CHECK.info.code, origin.span, message)
                    .label(format!("the sidecar serves {purpose} there"))
                    .help("let the application listen on another port, and name that one here"),
            );
        }
    }
}

/// Reports ports that are one socket of the application and are declared as if they were two.
fn one_target(service: &dyn Fn() -> String, ports: &[Port], sink: &mut Sink) {
    let mut targets: BTreeMap<u16, &Port> = BTreeMap::new();
    for port in ports {
        let first = *targets.entry(port.target).or_insert(port);
        let differ = [
            (first.protocol != port.protocol, "protocol"),
            (first.bind != port.bind, "bind"),
            (first.mtls != port.mtls, "mtls"),
        ];
        let Some((_, what)) = differ.into_iter().find(|(differs, _)| *differs) else { continue };
        let target = port.target;
        let message = format!("two ports of `{}` lead to {target} and differ in `{what}`", service());
        sink.push(
            Diagnostic::error(CHECK.info.code, port.origin.span, message)
                .label(format!("the application's port {target} …"))
                .also(first.origin.span, "… is this one's too")
                .help(format!("declare the same `{what}`, or let the application listen on another port")),
        );
    }
}
