//! Failover of a service whose endpoints are never ejected.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink, Span};
use meshc_resolve::Provenance;
use meshc_vocabulary::model::policy::HealthCheck;

use crate::context::{Context, listed};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0340"),
        title: "failover without ejection",
        explanation: r#"Another cluster takes over when every endpoint of the nearer ones is ejected or gone. With ejection off, a callee that
answers every request with an error keeps getting them, and the other cluster waits. The same is so where
`max_ejected` keeps some of them. Only requests whose connection
fails are sent elsewhere.

```mesh
service catalog { clusters = [west, east], port http { number = 80 } }
policy calm {
  targets = [catalog]
  outlier { enabled = false }
}
```

Leave ejection on, or say that failover is not wanted either: `failover { enabled = false }`."#,
    },
    run,
};

/// What stays of the endpoints of a locality that all fail.
#[derive(Clone, Copy)]
enum Keeps {
    All,
    Some,
}

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut without: BTreeMap<_, (Span, Keeps, Vec<&str>)> = BTreeMap::new();
    let names: Vec<_> = model.services.ids().map(|id| (id, model.service_name(id))).collect();
    for (id, name) in &names {
        let holds = context.resolved.service(*id);
        // What a subset has from its service is said of the service.
        let declared = [holds.failover.from, holds.outlier.from]
            .iter()
            .any(|from| matches!(from, Provenance::Declared { .. }));
        if model.services.at(*id).subset_of.is_some() && !declared {
            continue;
        }
        // What fails is noticed by checks then.
        let is_checked = holds.health.value.is_some_and(|health| health.check.value != HealthCheck::Off);
        let several = model.services.at(*id).clusters.len() > 1;
        let outlier = holds.outlier.value;
        let keeps = match (outlier.enabled, outlier.max_ejected.value) {
            (false, _) => Keeps::All,
            (true, ..100) => Keeps::Some,
            (true, _) => continue,
        };
        if several && !is_checked && holds.failover.value.enabled {
            let place = match keeps {
                Keeps::All => outlier.origin.span,
                Keeps::Some => outlier.max_ejected.declared.unwrap_or(outlier.origin.span),
            };
            let (_, _, services) =
                without.entry(holds.outlier.from).or_insert_with(|| (place, keeps, Vec::new()));
            services.push(name);
        }
    }
    for (span, keeps, services) in without.into_values() {
        let services = listed(services);
        let (message, label) = match keeps {
            Keeps::All => {
                (format!("{services} cannot fail over while ejection is off"), "turns ejection off")
            }
            Keeps::Some => (
                format!(
                    "{services} cannot fail over: some endpoints of each locality stay, whatever they answer"
                ),
                "keeps the rest",
            ),
        };
        sink.push(
            Diagnostic::warning(CHECK.info.code, span, message)
                .label(label)
                .help("leave ejection on and without a cap, or turn failover off as well: `failover { enabled = false }`"),
        );
    }
}
