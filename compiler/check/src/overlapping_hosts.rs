//! Two routes for one host at one port of a gateway.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink, Spanned};
use meshc_vocabulary::model::{AtGateways, RouteScope};

use crate::context::{Context, in_source_order};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0304"),
        title: "two routes for one host at one gateway",
        explanation: r#"A gateway chooses a route by the host name, the most specific one first. Two routes with the same name at the same port
leave it to chance which one answers.

```mesh
route shop  { gateway = west.ingress, hosts = ["shop.example"], to = web }
route admin { gateway = west.ingress, hosts = ["shop.example"], to = admin }
```

Join them into one route with ordered rules, or give one of them another host, gateway or port. A pattern such as
`*.example` beside `shop.example` is no overlap: the more specific name wins. A port with `protocol = tcp` has one route,
since connections of bytes carry no host."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut taken = BTreeMap::new();
    for (id, route) in in_source_order(model.routes.iter(), |route| &route.origin) {
        let at = match &route.scope {
            RouteScope::Gateways(at) => at,
            RouteScope::Calls(_) => continue,
        };
        let AtGateways { gateways, ports: _, protocol: _, hosts } = at;
        for gateway in gateways {
            let ports = &model.gateways.at(gateway.value).ports;
            for port in ports.iter().filter(|port| at.serves(gateway.value, port)) {
                // Connections of bytes carry no host: one route takes all of them.
                let all = Spanned::new(String::from("*"), gateway.span);
                let claimed = if hosts.is_empty() { std::slice::from_ref(&all) } else { hosts.as_slice() };
                for host in claimed {
                    let key = (host.value.clone(), gateway.value, port.number);
                    let (first, span) = *taken.entry(key).or_insert((id, host.span));
                    if first != id {
                        let name = model.gateway_name(gateway.value);
                        let message = if hosts.is_empty() {
                            format!("two routes take the connections of port {} at `{name}`", port.number)
                        } else {
                            format!("two routes at `{name}` answer for `{}`", host.value)
                        };
                        sink.push(
                            Diagnostic::error(CHECK.info.code, host.span, message)
                                .label(format!("{} claims it at port {}", route.origin.name, port.number))
                                .also(span, format!("{} has it already", model.routes.at(first).origin.name))
                                .help("join them into one route with several rules, or change one host"),
                        );
                    }
                }
            }
        }
    }
}
