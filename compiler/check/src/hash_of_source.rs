//! Requests that are spread by the client's address, where the one who sends them on does not see it.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink, Span};
use meshc_vocabulary::model::policy::{BalanceBy, HashKey};

use crate::context::{Context, listed};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0352"),
        title: "a hash of the client's address where it is not seen",
        explanation: r#"An ingress gateway sees the address of each client, and sends those of one client to the same pod. A sidecar sees its own
application only, at the same address in every pod: if it hashed that, all callers would use a single pod. So calls of
services go to any pod.

```mesh
service web  { calls = [cart], … }
policy sticky { targets = [cart], balance { by = hash { source = true } } }
```

Hash by something that requests carry, such as a header or a cookie.
"#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    let mut found: BTreeMap<_, (Span, Vec<String>, Span)> = BTreeMap::new();
    for id in model.services.ids() {
        let balance = context.resolved.service(id).balance;
        match &balance.value.by.value {
            BalanceBy::Hash(keys) if keys.iter().all(|key| *key == HashKey::Source) => {}
            BalanceBy::Hash(_) | BalanceBy::RoundRobin | BalanceBy::LeastRequest | BalanceBy::Random => {
                continue;
            }
        }
        let mut calls = context.resolved.incoming(id).filter(|edge| edge.caller.service().is_some());
        let Some(call) = calls.next() else { continue };
        let place = balance.value.by.span;
        let (_, services, _) =
            found.entry(balance.from).or_insert_with(|| (place, Vec::new(), call.origin.span));
        services.push(model.service_name(id));
    }
    for (span, services, call) in found.into_values() {
        let services = listed(services.iter().map(String::as_str));
        sink.push(
            Diagnostic::warning(
                CHECK.info.code,
                span,
                format!(
                    "calls of services to {services} go to any pod: sidecars do not see who the client is"
                ),
            )
            .label("hashes the client's address")
            .also(call, "called by a service here")
            .help("hash by a header or a cookie that callers pass on"),
        );
    }
}
