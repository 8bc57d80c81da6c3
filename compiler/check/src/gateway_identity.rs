//! Something that has the identity of an ingress gateway.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_vocabulary::model::SpiffeId;

use crate::context::{Context, in_source_order};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0314"),
        title: "the identity of an ingress gateway is taken twice",
        explanation: r#"An ingress gateway is `spiffe://<trust domain>/ns/<namespace of the mesh>/sa/<cluster>-<gateway>`. Whatever has the same
account in that namespace is the gateway to everybody it calls: rules that admit the one admit the other, and either
may use the other's certificate.

```mesh
cluster west { gateway ingress { role = ingress } }
namespace mesh-system {
  service west-ingress { clusters = [west] }      // the account of `west.ingress`
}
```

Two gateways clash in the same way if the names of their clusters and their own join to one: `a-b` with `c`, and `a`
with `b-c`. Rename one of the two, set `account` on the service, or move it to another namespace."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut gateways: BTreeMap<SpiffeId, (String, &Origin)> = BTreeMap::new();
    for (id, gateway) in in_source_order(model.gateways.iter(), |gateway| &gateway.origin) {
        let Some(identity) = model.gateway_identity(id) else { continue };
        let name = model.gateway_name(id);
        match gateways.get(&identity) {
            Some(first) => report(&name, &gateway.origin, &identity, first, "rename one of the two", sink),
            None => {
                gateways.insert(identity, (name, &gateway.origin));
            }
        }
    }
    for (id, service) in model.services.iter() {
        let identities = model.service_identities(id);
        let taken = identities.iter().find_map(|it| gateways.get(it).map(|gateway| (it, gateway)));
        if let Some((identity, gateway)) = taken {
            let help = "set `account` to another name, or move it to a namespace of its own";
            report(&model.service_name(id), &service.origin, identity, gateway, help, sink);
        }
    }
}

fn report(
    name: &str,
    origin: &Origin,
    identity: &SpiffeId,
    (gateway, place): &(String, &Origin),
    help: &str,
    sink: &mut Sink,
) {
    let message = format!("nobody can tell `{name}` from the gateway `{gateway}`");
    sink.push(
        Diagnostic::error(CHECK.info.code, origin.span, message)
            .label(format!("this is `{identity}`"))
            .also(place.span, "this gateway has the same identity")
            .help(help),
    );
}
