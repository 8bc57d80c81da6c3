//! Two gateways that are declared at one address and port.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};

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

Correct one of the addresses. Gateways with different ports may share one."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut taken = BTreeMap::new();
    for (id, gateway) in in_source_order(model.gateways.iter(), |gateway| &gateway.origin) {
        for address in &gateway.addresses {
            for port in &gateway.ports {
                let (first, span) = *taken.entry((&address.value, port.number)).or_insert((id, address.span));
                if first != id {
                    let message = format!(
                        "gateways `{}` and `{}` have the same address and port",
                        model.gateway_name(first),
                        model.gateway_name(id)
                    );
                    sink.push(
                        Diagnostic::error(CHECK.info.code, address.span, message)
                            .label(format!("port {} of it is taken", port.number))
                            .also(span, format!("by `{}`", model.gateway_name(first)))
                            .help("correct one of the addresses, or declare different ports"),
                    );
                }
            }
        }
    }
}
