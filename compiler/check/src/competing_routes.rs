//! Two routes for the same calls.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink, Span};
use meshc_resolve::CalledPort;
use meshc_vocabulary::model::{Id, Model, Route, RouteScope, Service};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0315"),
        title: "two routes for the same calls",
        explanation: r#"The rules of a route are tried in order. Between two routes that take the same calls there is no order, so at most one
takes the calls of a caller to a port.

```mesh
route canary { callee = reviews, to = reviews-v2, match { header x-canary {} } }
route beta   { callee = reviews, to = reviews-v3, from = [web] }      // web's calls are in both
```

Join them into one route with ordered rules, or give each its own callers with `from`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut reported = BTreeSet::new();
    for (CalledPort { caller, callee, port: _ }, routes) in context.resolved.routed() {
        let [first, others @ ..] = routes else { continue };
        for other in others {
            if !reported.insert((*first, *other)) {
                continue;
            }
            let mut pair = [(named(model, *first, callee), *first), (named(model, *other, callee), *other)];
            pair.sort();
            let [(earlier, first), (later, second)] = pair;
            let (caller, callee) = (model.service_name(caller), model.service_name(callee));
            let name = |route: Id<Route>| &model.routes.at(route).origin.name;
            let message = format!("two routes take the calls of `{caller}` to `{callee}`");
            sink.push(
                Diagnostic::error(CHECK.info.code, later, message)
                    .label(format!("{} takes them", name(second)))
                    .also(earlier, format!("{} takes them too", name(first)))
                    .help("join them into one route with several rules, or give each its own callers with `from`"),
            );
        }
    }
}

/// Where a route names a callee.
fn named(model: &Model, route: Id<Route>, callee: Id<Service>) -> Span {
    let route = model.routes.at(route);
    match &route.scope {
        RouteScope::Calls(calls) => {
            let entry = calls.callees.iter().find(|entry| entry.service == callee);
            entry.map_or(route.origin.span, |entry| entry.span)
        }
        RouteScope::Gateways(_) => route.origin.span,
    }
}
