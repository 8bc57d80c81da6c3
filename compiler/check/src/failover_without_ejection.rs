//! Failover of a service whose endpoints are never ejected.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink, Span};
use meshc_resolve::Provenance;

use crate::context::{Context, listed};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0340"),
        title: "failover without ejection",
        explanation: r#"Another cluster takes over when every endpoint of the nearer ones is ejected or gone. With ejection off, a callee that
answers every request with an error keeps getting them, and the other cluster waits. Only requests whose connection
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

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut without: BTreeMap<_, (Span, Vec<&str>)> = BTreeMap::new();
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
        let several = model.services.at(*id).clusters.len() > 1;
        if several && holds.failover.value.enabled && !holds.outlier.value.enabled {
            let place = holds.outlier.value.origin.span;
            let (_, services) = without.entry(holds.outlier.from).or_insert_with(|| (place, Vec::new()));
            services.push(name);
        }
    }
    for (span, services) in without.into_values() {
        let message = format!("{} cannot fail over while ejection is off", listed(services));
        sink.push(
            Diagnostic::warning(CHECK.info.code, span, message)
                .label("turns ejection off")
                .help("leave ejection on, or turn failover off as well: `failover { enabled = false }`"),
        );
    }
}
