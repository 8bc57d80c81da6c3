//! Retries in other localities where there is no other.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};

use crate::context::Context;
use crate::list::Check;
use crate::multiplied_retries::retry;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0332"),
        title: "retries in other localities where there is none",
        explanation: r#"With `other_localities = true` the next attempt goes to the next cluster in which the callee runs. If the callee runs in one
cluster only, or failover is off, there is none, and the attempt goes where the last one failed.

```mesh
service catalog { clusters = [east], port http { number = 80 } }
route shop {
  to = catalog
  retry { attempts = 3, when = [5xx], other_localities = true }
}
```

Run the callee in a second cluster, turn failover on, or leave `other_localities` out."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let mut reported = BTreeSet::new();
    for edge in &context.resolved.edges {
        let retry = retry(context, edge).filter(|(_, retry)| retry.other_localities);
        let Some((from, retry)) = retry else { continue };
        let callee = context.model.services.at(edge.callee);
        let failover = context.resolved.service(edge.callee).failover.value;
        let (span, why) = match callee.clusters.as_slice() {
            [only] => (only.span, String::from("it runs in this cluster only")),
            _ if !failover.enabled => (failover.origin.span, String::from("failover is off")),
            _ => continue,
        };
        if !reported.insert((from, edge.callee)) {
            continue;
        }
        let name = context.model.service_name(edge.callee);
        let message = format!("a failed request to `{name}` has no other locality to go to");
        sink.push(
            Diagnostic::warning(CHECK.info.code, retry.origin.span, message)
                .label("requests other localities")
                .also(span, why)
                .help("run the callee in a second cluster with failover on, or leave `other_localities` out"),
        );
    }
}
