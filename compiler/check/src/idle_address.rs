//! A rule about addresses that its callers do not have at the callee.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::Peer;
use meshc_topology::{ProxyKey, Via};
use meshc_vocabulary::model::policy::{AddressRange, AuthorizationRule, Source};
use meshc_vocabulary::model::{Callee, Id, Service};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0370"),
        title: "an address that no caller has",
        explanation: r#"`addresses` in a rule are compared with the address that connects to the callee's sidecar. Where callers come through an
east-west gateway that is the address of the gateway's pod, the same for all of them; pods of clusters with
`ip_family = ipv4` have no IPv6 address.

```mesh
service catalog { clusters = [east], port http { number = 80 } }
service web     { clusters = [west], port http { number = 80 }, calls = [catalog] }     // in another network
policy callers {
  targets = [catalog]
  allow { from = [web], addresses = [10.1.0.0/16] }        // pods of west, of which catalog sees none
}
```

Rely on the identity, which `from` names and no caller can forge, or name the addresses of the gateway's pods."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (_, policy) in context.model.policies.iter() {
        for rule in policy.settings.rules() {
            let mut ranges = rule.requests().flat_map(|requests| &requests.addresses).peekable();
            let Some(first) = ranges.peek().copied() else { continue };
            // Clients outside the mesh may have any address.
            if rule.is_about_clients() {
                continue;
            }
            let services = context.resolved.reached_by(&policy.scope);
            if all_come_through_gateways(context, rule, &services) {
                sink.push(
                    Diagnostic::warning(
                        CHECK.info.code,
                        first.span,
                        "the callers that this rule names come through an east-west gateway",
                    )
                    .label("compared with the address of the gateway's pod")
                    .help("rely on `from`, or name the addresses of the gateway's pods"),
                );
                continue;
            }
            for range in ranges.filter(|range| !any_has(context, &services, range.value)) {
                sink.push(
                    Diagnostic::warning(
                        CHECK.info.code,
                        range.span,
                        format!(
                            "no pod that {} applies to is reached from such an address",
                            policy.origin.name
                        ),
                    )
                    .label("of a family that these clusters do not have")
                    .help("take it out of the rule, or see `ip_family` of the cluster"),
                );
            }
        }
    }
}

/// Whether somebody whom a rule names calls, and all of those come through gateways.
fn all_come_through_gateways(
    context: &Context<'_>,
    rule: &AuthorizationRule,
    services: &[Id<Service>],
) -> bool {
    if rule.from.iter().any(|source| source.value == Source::Unauthenticated) {
        return false;
    }
    let mut named = false;
    for (key, reaches) in &context.topology.reaches {
        let who = match key {
            ProxyKey::Sidecar { cluster: _, service } => Peer::of_service(context.model, *service),
            ProxyKey::Gateway(gateway) => Peer::Gateway(*gateway),
        };
        if !who.is_in(context.model, rule) {
            continue;
        }
        for reach in reaches {
            match reach.callee {
                Callee::Service(service) if services.contains(&service) => {}
                Callee::Service(_) | Callee::External(_) => continue,
            }
            for group in reach.groups.iter() {
                named = true;
                match group.via {
                    Via::Pods => return false,
                    Via::Gateways { .. } | Via::External => {}
                }
            }
        }
    }
    named
}

/// Whether pods somewhere have addresses of a range's family.
fn any_has(context: &Context<'_>, services: &[Id<Service>], range: AddressRange) -> bool {
    let presences = services.iter().flat_map(|service| &context.model.services.at(*service).clusters);
    let mut families = presences.map(|presence| context.model.clusters.at(presence.cluster).ip_family);
    families.any(|family| family.has(range.address))
}
