//! Two policies that make the same kind of setting at one level.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::policy::{Policy, PolicyScope, PolicySettings};
use meshc_vocabulary::model::{Gateway, Id, Namespace, Route, Service};

use crate::context::{Context, in_source_order};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0313"),
        title: "two policies compete at one level",
        explanation: r#"A policy attaches to services, routes and gateways, to a namespace, or to the mesh, and for each kind of setting the nearest policy
that has it wins as a whole. Of two at one level neither is nearer.

```mesh
policy patient { targets = [catalog], timeout { request = 10s } }
policy hasty   { targets = [catalog], timeout { request = 1s } }
```

Join them into one policy, or let one of them attach further out."#,
    },
    run,
};

/// What a policy attaches to: one level of one thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Mesh,
    Namespace(Id<Namespace>),
    Service(Id<Service>),
    Route(Id<Route>),
    Gateway(Id<Gateway>),
}

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut taken: BTreeMap<(Level, &str), Id<Policy>> = BTreeMap::new();
    let mut reported = BTreeSet::new();
    for (id, policy) in in_source_order(model.policies.iter(), |policy| &policy.origin) {
        for level in levels(&policy.scope) {
            for kind in kinds(&policy.settings) {
                let first = *taken.entry((level, kind)).or_insert(id);
                // One finding for two policies, however many targets they share.
                if first == id || !reported.insert((first, id, kind)) {
                    continue;
                }
                let first = model.policies.at(first);
                let place = match level {
                    Level::Mesh => String::from("the mesh"),
                    Level::Namespace(id) => format!("namespace `{}`", model.namespaces.at(id).name),
                    Level::Service(id) => format!("`{}`", model.service_name(id)),
                    Level::Route(id) => model.routes.at(id).origin.name.to_string(),
                    Level::Gateway(id) => model.gateways.at(id).origin.name.to_string(),
                };
                let message = format!("two policies for {place} set `{kind}`");
                sink.push(
                    Diagnostic::error(CHECK.info.code, policy.origin.span, message)
                        .label(format!("{} sets it", policy.origin.name))
                        .also(first.origin.span, format!("{} sets it too", first.origin.name))
                        .help("join them into one policy, or let one of them attach further out"),
                );
            }
        }
    }
}

fn levels(scope: &PolicyScope) -> Vec<Level> {
    match scope {
        PolicyScope::Mesh => vec![Level::Mesh],
        PolicyScope::Namespace(id) => vec![Level::Namespace(*id)],
        PolicyScope::Targets { services, routes, gateways } => {
            let services = services.iter().map(|it| Level::Service(it.value));
            let routes = routes.iter().map(|it| Level::Route(it.value));
            services.chain(routes).chain(gateways.iter().map(|it| Level::Gateway(it.value))).collect()
        }
    }
}

/// The kinds of settings that a policy makes.
fn kinds(settings: &PolicySettings) -> impl Iterator<Item = &'static str> {
    let PolicySettings {
        balance,
        failover,
        health,
        outlier,
        pool,
        retry,
        timeout,
        allow,
        deny,
        audited_allow,
        audited_deny,
        rate_limits,
    } = settings;
    let kinds = [
        ("balance", balance.is_some()),
        ("failover", failover.is_some()),
        ("health", health.is_some()),
        ("outlier", outlier.is_some()),
        ("pool", pool.is_some()),
        ("retry", retry.is_some()),
        ("timeout", timeout.is_some()),
        ("allow", !allow.is_empty()),
        ("deny", !deny.is_empty()),
        ("allow` with `mode = audit", !audited_allow.is_empty()),
        ("deny` with `mode = audit", !audited_deny.is_empty()),
        ("rate_limit", !rate_limits.is_empty()),
    ];
    kinds.into_iter().filter(|(_, set)| *set).map(|(kind, _)| kind)
}
