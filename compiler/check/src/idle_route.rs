//! A route that takes no calls, or not those of everybody whom it names.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::{CallSource, Id, Model, OfCalls, Route, RouteScope, Service};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0341"),
        title: "a route for calls that nobody declares",
        explanation: r#"A route for calls takes those of services that declare them with `calls`. It declares no call itself: who does not call
the callee does not reach its destinations either.

```mesh
service batch { clusters = [west], port http { number = 80 } }       // no `calls = [reviews]`
route canary  { callee = reviews, from = [web, batch], to = reviews-v2 }
```

Add the callee to the caller's `calls`, or take the caller out of `from`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (id, route) in model.routes.iter() {
        let calls = match &route.scope {
            RouteScope::Calls(calls) => calls,
            RouteScope::Gateways(_) => continue,
        };
        report(model, route, calls, &taken(context, id), sink);
    }
}

/// The calls that a route takes, as caller and callee.
fn taken(context: &Context<'_>, route: Id<Route>) -> BTreeSet<(Id<Service>, Id<Service>)> {
    let calls = context.resolved.routed().filter(|(_, routes)| routes.contains(&route));
    calls.map(|(call, _)| (call.caller, call.callee)).collect()
}

fn report(
    model: &Model,
    route: &Route,
    calls: &OfCalls,
    taken: &BTreeSet<(Id<Service>, Id<Service>)>,
    sink: &mut Sink,
) {
    let OfCalls { callees, from } = calls;
    let named: Vec<_> = callees.iter().map(|callee| model.service_name(callee.service)).collect();
    for source in from {
        if taken.iter().any(|(caller, _)| source.value.means(model, *caller)) {
            continue;
        }
        let (who, help) = match source.value {
            CallSource::Service(service) => (
                format!("`{}` does not call", model.service_name(service)),
                "declare the call, or take the caller out of `from`",
            ),
            CallSource::Namespace(namespace) => (
                format!("no service in `{}` calls", model.namespaces.at(namespace).name),
                "declare a call, or take the namespace out of `from`",
            ),
        };
        let message = format!("{who} `{}`", named.join("`, `"));
        sink.push(
            Diagnostic::warning(CHECK.info.code, source.span, message)
                .label(format!("{} takes no calls from here", route.origin.name))
                .help(help),
        );
    }
    // What none of its callers calls is one mistake, not one for each callee besides.
    if taken.is_empty() && !from.is_empty() {
        return;
    }
    for callee in callees {
        if !taken.iter().any(|(_, called)| *called == callee.service) {
            let name = model.service_name(callee.service);
            let who = if from.is_empty() { "no service calls" } else { "no service in `from` calls" };
            sink.push(
                Diagnostic::warning(CHECK.info.code, callee.span, format!("{who} `{name}`"))
                    .label(format!("{} takes no calls to it", route.origin.name))
                    .help("add it to the `calls` of its callers, or remove it from the route"),
            );
        }
    }
}
