//! Ingress gateways with an identity that somebody else has too.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_vocabulary::model::SpiffeId;

use crate::context::{Context, in_source_order};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0314"),
        title: "an ingress gateway shares its identity",
        explanation: r#"The identity of an ingress gateway is made of its cluster's and its own name: `<cluster>-<gateway>` in the mesh's
namespace. Different pairs can make the same name, and so can the account of a service in that namespace. Callees could
not tell the two apart, and a rule that admits one would admit the other.

```mesh
cluster eu      { gateway west-public { role = ingress, address = 192.0.2.1, port http { number = 80 } } }
cluster eu-west { gateway public      { role = ingress, address = 192.0.2.2, port http { number = 80 } } }
```

Rename one of them."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut known: BTreeMap<SpiffeId, &Origin> = BTreeMap::new();
    let beside = model.whole_services();
    let beside = beside.filter(|(_, it)| model.namespaces.at(it.namespace).name == model.mesh.namespace);
    for (id, service) in in_source_order(beside, |service| &service.origin) {
        for identity in model.service_identities(id) {
            known.entry(identity).or_insert(&service.origin);
        }
    }
    for (id, gateway) in in_source_order(model.gateways.iter(), |gateway| &gateway.origin) {
        let Some(identity) = model.gateway_identity(id) else { continue };
        if let Some(other) = known.get(&identity) {
            let name = model.gateway_name(id);
            let message = format!("gateway `{name}` has the same identity as {}", other.name);
            sink.push(
                Diagnostic::error(CHECK.info.code, gateway.origin.span, message)
                    .label(format!("is `{identity}`"))
                    .also(other.span, "and so is this")
                    .help("rename one of the two: callees could not tell them apart"),
            );
        } else {
            known.insert(identity, &gateway.origin);
        }
    }
}
