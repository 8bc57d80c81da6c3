//! A route's host for which a gateway's port has no certificate.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink, Spanned};
use meshc_vocabulary::model::{AtGateways, GatewayPort, GatewayTls, RouteScope, contains_host};

use crate::context::{Context, in_source_order};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0350"),
        title: "a host without a certificate",
        explanation: r#"A port that ends TLS shows the certificate for the name that a client asks for. If none is for it, the handshake fails and
no request ever reaches the route.

```mesh
port https { number = 443, tls { certificate { secret = "shop-tls", hosts = ["shop.example"] } } }
route admin { gateway = west.ingress, hosts = ["admin.example"], to = admin }
```

Add a `certificate` with the host, add the host to one, or write `secret` for the certificate of all other hosts."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (_, route) in in_source_order(model.routes.iter(), |route| &route.origin) {
        let at = match &route.scope {
            RouteScope::Gateways(at) => at,
            RouteScope::Calls(_) => continue,
        };
        let AtGateways { gateways, ports: _, protocol: _, hosts } = at;
        for gateway in gateways {
            let ports = &model.gateways.at(gateway.value).ports;
            for port in ports.iter().filter(|port| at.serves(gateway.value, port)) {
                let Some(tls) = &port.tls else { continue };
                for host in hosts.iter().filter(|host| !covers(tls, &host.value)) {
                    sink.push(uncovered(host, &model.gateway_name(gateway.value), port, tls));
                }
            }
        }
    }
}

fn covers(tls: &GatewayTls, host: &str) -> bool {
    let mut patterns = tls.certificates.iter().flat_map(|certificate| &certificate.hosts);
    patterns.any(|pattern| contains_host(&pattern.value, host))
}

fn uncovered(host: &Spanned<String>, gateway: &str, port: &GatewayPort, tls: &GatewayTls) -> Diagnostic {
    let message =
        format!("port {} of gateway `{gateway}` has no certificate for `{}`", port.number, host.value);
    Diagnostic::error(CHECK.info.code, host.span, message)
        .label("no client can connect for this host")
        .also(tls.origin.span, "the certificates of the port")
        .help("add the host to a `certificate`, or write `secret` for the certificate of all other hosts")
}
