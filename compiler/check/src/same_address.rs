//! Two gateways that are declared at one address and port.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink, Span};
use meshc_vocabulary::model::{Gateway, GatewayRole, Id, Model};

use crate::context::{Context, in_source_order};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0306"),
        title: "two gateways at one address and port",
        explanation: r#"An address and a port lead to one gateway. With two at one place, callers of one cluster would end up in the other, where
the certificate or the SNI is refused.

```mesh
cluster west { gateway eastwest { role = east_west, address = 172.18.255.201 } }
cluster east { gateway eastwest { role = east_west, address = 172.18.255.201 } }
```

Correct one of the addresses. Gateways with different ports may share one, and so may
ingresses in different networks."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut taken: BTreeMap<_, Vec<(Id<Gateway>, Span)>> = BTreeMap::new();
    for (id, gateway) in in_source_order(model.gateways.iter(), |gateway| &gateway.origin) {
        for address in &gateway.addresses {
            for port in &gateway.ports {
                let others = taken.entry((&address.value, port.number)).or_default();
                let other = others.iter().find(|(other, _)| *other != id && meet(model, *other, id));
                if let Some((other, span)) = other {
                    let other = model.gateway_name(*other);
                    let own = model.gateway_name(id);
                    let message = format!("gateways `{other}` and `{own}` have the same address and port");
                    sink.push(
                        Diagnostic::error(CHECK.info.code, address.span, message)
                            .label(format!("port {} of it is taken", port.number))
                            .also(*span, format!("by `{other}`"))
                            .help("correct one of the addresses, or declare different ports"),
                    );
                }
                others.push((id, address.span));
            }
        }
    }
}

/// Whether anybody could mean either gateway by one address. Proxies everywhere connect to east-west and egress gateways; but the
/// clients of two ingresses in different networks may well be different people behind the same private address.
fn meet(model: &Model, first: Id<Gateway>, second: Id<Gateway>) -> bool {
    let (first, second) = (model.gateways.at(first), model.gateways.at(second));
    let network = |gateway: &Gateway| model.clusters.at(gateway.cluster).network;
    match (first.role, second.role) {
        (GatewayRole::Ingress, GatewayRole::Ingress) => network(first) == network(second),
        (GatewayRole::EastWest | GatewayRole::Egress, _)
        | (_, GatewayRole::EastWest | GatewayRole::Egress) => true,
    }
}
