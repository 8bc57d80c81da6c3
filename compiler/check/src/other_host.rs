//! A route that leads to a host outside the mesh under a name that is not declared for it.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Origin, Sink};
use meshc_vocabulary::model::filter::RouteFilter;
use meshc_vocabulary::model::{Callee, ExternalHost, RouteRule, RouteScope, contains_host};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0381"),
        title: "a route to a host outside under another name",
        explanation: r#"A server outside often has many names, and decides by the name in a request what it answers. Applications reach it under
the names that are declared for it and no others, but a route sends on whatever name its requests have, and an egress
gateway refuses what is not declared.

```mesh
external bank { hosts = ["api.bank.example"], port https { number = 443, protocol = http, tls { ca = "bank-ca" } } }
route bank {
  gateway = west.ingress
  hosts   = ["shop.example"]
  rule { to = bank }                                           // asks the bank for shop.example …
  rule { to = bank, rewrite { host = "api.bank.example" } }    // … this for the bank's own name
}
```

Add a `rewrite` with the name that the server knows, or declare the name for it."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    // One rule leads there from several gateways, or for several callers.
    let mut seen = BTreeSet::new();
    for edge in &context.resolved.outside {
        let Some((route, rule)) = edge.caller.rule() else { continue };
        let external = model.externals.at(edge.callee);
        let asks = edge.ports.iter().filter_map(|port| external.ports.get(*port));
        if !asks.into_iter().any(|port| port.protocol.is_http()) || !seen.insert(edge.origin.span) {
            continue;
        }
        if let Some(name) = other_name(&model.routes.at(route).scope, rule, external) {
            let callee = model.callee_name(Callee::External(edge.callee));
            sink.push(report(edge.origin, external, &callee, &name));
        }
    }
}

/// A name that requests of this rule have when they are sent on, and that is not declared for the host.
fn other_name(scope: &RouteScope, rule: &RouteRule, external: &ExternalHost) -> Option<String> {
    let is_declared = |name: &str| external.hosts.iter().any(|host| contains_host(&host.value, name));
    let rewritten = rule.filters.iter().find_map(|filter| match filter {
        RouteFilter::Rewrite(rewrite) => rewrite.host.as_deref(),
        RouteFilter::RequestHeaders(_)
        | RouteFilter::ResponseHeaders(_)
        | RouteFilter::Cors(_)
        | RouteFilter::Fault(_)
        | RouteFilter::Mirror(_) => None,
    });
    match (rewritten, scope) {
        (Some(name), _) => (!is_declared(name)).then(|| format!("`{name}`")),
        (None, RouteScope::Gateways(at)) => {
            at.hosts.iter().find(|host| !is_declared(&host.value)).map(|host| format!("`{}`", host.value))
        }
        (None, RouteScope::Calls(_)) => Some(String::from("the name that the caller asks for")),
    }
}

fn report(to: &Origin, external: &ExternalHost, callee: &str, name: &str) -> Diagnostic {
    let known = external.names().next().unwrap_or("…");
    Diagnostic::warning(CHECK.info.code, to.span, format!("`{callee}` would be asked for {name}"))
        .label("sent there under that name")
        .also(external.origin.span, "the names that it is called by are declared here")
        .help(format!("add `rewrite {{ host = \"{known}\" }}`, or add the name to `hosts` of `{callee}`"))
}
