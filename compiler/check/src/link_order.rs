//! Failover by latency or cost where no link declares any.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::policy::FailoverBy;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0333"),
        title: "failover by something that no link declares",
        explanation: r#"`failover { by = [latency] }` orders localities by the declared latency of the links between networks, and `cost` by their
declared cost. Nothing is measured: without declarations the order is that of names.

```mesh
link { between = [west-net, east-net] }              // no latency
policy nearest { failover { by = [latency] } }
```

Declare `latency = …` (or `cost = …`) on the links, or order by `zone` and `region`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (_, policy) in model.policies.iter() {
        let Some(failover) = policy.settings.failover.as_ref().filter(|failover| failover.enabled) else {
            continue;
        };
        for by in &failover.by {
            let (word, declared) = match by {
                FailoverBy::Zone | FailoverBy::Region => continue,
                FailoverBy::Latency => ("latency", model.links.iter().any(|link| link.latency.is_some())),
                FailoverBy::Cost => ("cost", model.links.iter().any(|link| link.cost.is_some())),
            };
            if declared {
                continue;
            }
            let message = format!("{} orders by `{word}`, and no link declares any", policy.origin.name);
            let mut diagnostic =
                Diagnostic::warning(CHECK.info.code, failover.origin.span, message).label("ordered by name");
            if let Some(link) = model.links.first() {
                diagnostic = diagnostic.also(link.origin.span, format!("this link has no `{word}`"));
            }
            sink.push(
                diagnostic
                    .help(format!("declare `{word} = …` on the links, or order by `zone` and `region`")),
            );
        }
    }
}
