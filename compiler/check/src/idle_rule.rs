//! A rule for somebody who never calls.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::Peer;
use meshc_vocabulary::model::policy::{AuthorizationRule, PolicyScope, Source};
use meshc_vocabulary::model::{Gateway, Model, Mtls, RouteScope};

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
request where all ports are strict.

`ports` names ports of the services or gateways that the policy applies to. `clients` are names in certificates, which only
ports with `client_ca` ask for."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    unauthenticated(context, sink);
    ports(context, sink);
    certificates(context, sink);
    let model = context.model;
    for (_, policy) in model.policies.iter() {
        let rules = policy.settings.allow.iter().chain(&policy.settings.audited_allow);
        let mut sources = rules.flat_map(|rule| &rule.from).peekable();
        if sources.peek().is_none() {
            continue;
        }
        let callers = callers(context, &policy.scope);
        for source in sources {
            let (calls, help) = match source.value {
                // A whole namespace or mesh means whoever comes; callers without an identity declare no calls.
                Source::Namespace(_) | Source::Everyone | Source::Unauthenticated => continue,
                Source::Service(id) => {
                    let principal = Peer::of_service(model, id);
                    (callers.contains(&principal), "declare the call, or take it out of the rule")
                }
                Source::Gateway(id) => {
                    (callers.contains(&Peer::Gateway(id)), "add a route, or take the gateway out of the rule")
                }
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
        let named = policy
            .settings
            .rules()
            .flat_map(AuthorizationRule::sources)
            .filter(|it| it.value == Source::Unauthenticated);
        let mut services = context.resolved.reached_by(&policy.scope).into_iter();
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

/// Reports ports that nothing has to which a policy applies.
fn ports(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (_, policy) in model.policies.iter() {
        let requests = policy.settings.rules().flat_map(AuthorizationRule::requests);
        let mut named = requests.flat_map(|requests| &requests.ports).peekable();
        if named.peek().is_none() {
            continue;
        }
        let services = context.resolved.reached_by(&policy.scope).into_iter();
        let ports: BTreeSet<&str> = services
            .flat_map(|service| &model.services.at(service).ports)
            .map(|port| port.name.as_str())
            .chain(gateways(model, &policy.scope).flat_map(|it| &it.ports).map(|port| port.name.as_str()))
            .collect();
        for port in named.filter(|port| !ports.contains(port.value.as_str())) {
            let message =
                format!("nothing that {} applies to has a port `{}`", policy.origin.name, port.value);
            let known: Vec<_> = ports.iter().map(|name| format!("`{name}`")).collect();
            let help = if known.is_empty() {
                String::from("take it out of the rule")
            } else {
                format!("ports are named as they are declared: {}", known.join(", "))
            };
            sink.push(
                Diagnostic::warning(CHECK.info.code, port.span, message)
                    .label("matches no request")
                    .help(help),
            );
        }
    }
}

/// Reports rules about certificates of clients that nobody asks for. Of rules with `from` the model says it.
fn certificates(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (_, policy) in model.policies.iter() {
        let mut asking = gateways(model, &policy.scope).flat_map(|gateway| &gateway.ports);
        if asking.any(|port| port.tls.as_ref().is_some_and(|tls| tls.clients.is_some())) {
            continue;
        }
        for rule in policy.settings.rules().filter(|rule| rule.is_about_clients()) {
            let Some(first) = rule.clients.first() else { continue };
            let message =
                format!("no gateway that {} applies to asks clients for certificates", policy.origin.name);
            let diagnostic = Diagnostic::warning(CHECK.info.code, first.span, message);
            let help = "add `client_ca` to the port's `tls`, or take `clients` out of the rule";
            sink.push(diagnostic.label("matches no request").help(help));
        }
    }
}

/// The gateways that a policy names, and those of the routes that it names.
fn gateways<'a>(model: &'a Model, scope: &'a PolicyScope) -> impl Iterator<Item = &'a Gateway> {
    let (routes, gateways) = match scope {
        PolicyScope::Targets { services: _, routes, gateways } => (routes.as_slice(), gateways.as_slice()),
        PolicyScope::Namespace(_) | PolicyScope::Mesh => (&[][..], &[][..]),
    };
    let of_routes = routes.iter().filter_map(|route| match &model.routes.at(route.value).scope {
        RouteScope::Gateways(at) => Some(&at.gateways),
        RouteScope::Calls(_) => None,
    });
    let ids = of_routes.flatten().map(|named| named.value).chain(gateways.iter().map(|named| named.value));
    ids.map(|id| model.gateways.at(id))
}

/// Everybody with a declared call to something that a policy applies to.
fn callers<'a>(context: &Context<'a>, scope: &PolicyScope) -> BTreeSet<Peer<'a>> {
    let services = context.resolved.reached_by(scope).into_iter();
    let with_subsets = services
        .flat_map(|service| context.model.services.at(service).subsets.iter().copied().chain([service]));
    let edges = with_subsets.flat_map(|service| context.resolved.incoming(service));
    edges.map(|edge| edge.caller.peer(context.model)).collect()
}

/// What a message calls a source.
fn source_name(model: &Model, source: Source) -> String {
    match source {
        Source::Service(service) => model.service_name(service),
        Source::Gateway(gateway) => model.gateway_name(gateway),
        Source::Namespace(namespace) => model.namespaces.at(namespace).name.clone(),
        Source::Everyone => String::from("everyone"),
        Source::Unauthenticated => String::from("unauthenticated"),
    }
}
