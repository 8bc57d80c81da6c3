//! A rule for somebody who never calls.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::policy::{PolicyScope, Source};
use meshc_vocabulary::model::{Gateway, Id, Mtls, Namespace, Service};

use crate::calls::{Caller, source_name};
use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0328"),
        title: "a rule names somebody who never calls",
        explanation: r#"`allow` narrows the declared callers; it admits nobody who has not declared a call. A source without a call to any service
that the policy holds for matches nothing.

```mesh
service batch { port http { number = 80 } }        // no `calls = [catalog]`
policy callers {
  targets = [catalog]
  allow { from = [web, batch] }
}
```

Add the call to the caller, or take it out of the rule.

Callers without an identity reach only ports with `mtls = permissive`, so `unauthenticated` in `allow` or `deny` matches no
request where all ports are strict."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    unauthenticated(context, sink);
    let model = context.model;
    for (_, policy) in model.policies.iter().filter(|(_, policy)| !policy.settings.allow.is_empty()) {
        let callers = callers(context, &policy.scope);
        for source in policy.settings.allow.iter().flat_map(|rule| &rule.from) {
            let (calls, help) = match source.value {
                // A whole namespace means whoever comes; callers without an identity declare no calls.
                Source::Namespace(_) | Source::Unauthenticated => continue,
                Source::Service(id) => {
                    let service = model.services.at(id);
                    let principal = Principal::Account(service.namespace, &service.account);
                    (callers.contains(&principal), "declare the call, or take it out of the rule")
                }
                Source::Gateway(id) => (
                    callers.contains(&Principal::Gateway(id)),
                    "add a route, or take the gateway out of the rule",
                ),
            };
            if calls {
                continue;
            }
            let name = source_name(model, source.value);
            let message = format!("`{name}` calls no service that {} applies to", policy.origin.name);
            let diagnostic = Diagnostic::warning(CHECK.info.code, source.span, message);
            sink.push(diagnostic.label("admits no caller").help(help));
        }
    }
}

/// Reports rules for callers without an identity where no port accepts them.
fn unauthenticated(context: &Context<'_>, sink: &mut Sink) {
    for (_, policy) in context.model.policies.iter() {
        let rules = policy.settings.allow.iter().chain(&policy.settings.deny);
        let named = rules.flat_map(|rule| &rule.from).filter(|it| it.value == Source::Unauthenticated);
        let mut services = services(context, &policy.scope).into_iter();
        let permissive = services.any(|service| {
            context.model.services.at(service).ports.iter().any(|port| port.mtls == Mtls::Permissive)
        });
        for source in named.filter(|_| !permissive) {
            let message =
                format!("no port that {} applies to accepts callers without an identity", policy.origin.name);
            sink.push(
                Diagnostic::warning(CHECK.info.code, source.span, message)
                    .label("matches no request")
                    .help("add `mtls = permissive` to the port that they call, or take this out of the rule"),
            );
        }
    }
}

/// Who calls, as far as a callee can tell.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Principal<'a> {
    Account(Id<Namespace>, &'a str),
    Gateway(Id<Gateway>),
}

/// Everybody with a declared call to something that a policy holds for.
fn callers<'a>(context: &'a Context<'_>, scope: &PolicyScope) -> BTreeSet<Principal<'a>> {
    let edges = services(context, scope).into_iter().flat_map(|service| context.incoming(service));
    edges
        .map(|edge| match edge.caller {
            Caller::Service(id) => {
                let service = context.model.services.at(id);
                Principal::Account(service.namespace, &service.account)
            }
            Caller::Route { gateway, .. } => Principal::Gateway(gateway),
        })
        .collect()
}

/// The services that a policy applies to, unless a nearer one does.
fn services(context: &Context<'_>, scope: &PolicyScope) -> Vec<Id<Service>> {
    match scope {
        PolicyScope::Targets { services, .. } => services.iter().map(|it| it.value).collect(),
        PolicyScope::Namespace(id) => {
            let here = context.model.services.iter().filter(|(_, service)| service.namespace == *id);
            here.map(|(service, _)| service).collect()
        }
        PolicyScope::Mesh => context.model.services.ids().collect(),
    }
}
