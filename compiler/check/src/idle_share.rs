//! Shares of requests for clusters in which the callee does not run.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::policy::{Failover, PolicyScope};
use meshc_vocabulary::model::{Id, Service};

use crate::context::{Context, listed};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0355"),
        title: "a share for a cluster without the service",
        explanation: r#"`locality` gives shares of requests to clusters. One in which the callee does not run cannot get any, and the others would
silently have more than what is written.

```mesh
service cart { clusters = [west, east], port http { number = 80 } }
policy spread { targets = [cart], failover { locality = { west = 80, north = 20 } } }     // east = 20
```

Name clusters of the service."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (_, policy) in model.policies.iter() {
        let Some(Failover { locality, .. }) = &policy.settings.failover else { continue };
        let offers = |id: &Id<Service>| !model.services.at(*id).ports.is_empty();
        let services: Vec<_> =
            context.resolved.reached_by(&policy.scope).into_iter().filter(offers).collect();
        for (name, _) in locality {
            let runs_there = |id: Id<Service>| {
                let mut clusters = model.services.at(id).clusters.iter();
                clusters.any(|presence| model.clusters.at(presence.cluster).name == name.value)
            };
            // What is said for all is for those that run there.
            let is_for_all = match policy.scope {
                PolicyScope::Mesh | PolicyScope::Namespace(_) => true,
                PolicyScope::Targets { services: _, routes: _, gateways: _ } => false,
            };
            if is_for_all && services.iter().any(|id| runs_there(*id)) {
                continue;
            }
            let without: Vec<String> =
                services.iter().filter(|id| !runs_there(**id)).map(|id| model.service_name(*id)).collect();
            if without.is_empty() {
                continue;
            }
            let message =
                format!("{} does not run in `{}`", listed(without.iter().map(String::as_str)), name.value);
            sink.push(
                Diagnostic::error(CHECK.info.code, name.span, message)
                    .label("has a share here")
                    .help("name clusters of the service, or let another policy apply to it"),
            );
        }
    }
}
