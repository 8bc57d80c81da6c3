//! A failover policy for a service that runs in one cluster only.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::policy::PolicyScope;

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0323"),
        title: "failover without a second locality",
        explanation: r#"Failover moves requests to another cluster in which the callee runs. A callee that runs in one cluster has none, so
the policy changes nothing, and the outage it was written against still happens.

```mesh
service catalog { clusters = [east], port http { number = 80 } }
policy survive {
  targets = [catalog]
  failover { by = [zone, region] }
}
```

Run the service in a second cluster, or remove `failover`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let model = context.model;
    for (_, policy) in model.policies.iter() {
        let (Some(failover), PolicyScope::Targets { services, .. }) =
            (&policy.settings.failover, &policy.scope)
        else {
            continue;
        };
        for target in services.iter().filter(|_| failover.enabled) {
            let service = model.services.at(target.value);
            let [only] = service.clusters.as_slice() else { continue };
            let name = model.service_name(target.value);
            let cluster = context.cluster_name(only.cluster);
            let message = format!("failover of `{name}` has nowhere to go: it runs in `{cluster}` only");
            sink.push(
                Diagnostic::warning(CHECK.info.code, target.span, message)
                    .label("targeted here")
                    .also(failover.origin.span, "requests failover")
                    .also(only.span, "the only cluster")
                    .help("run it in a second cluster, or leave `failover` out for it"),
            );
        }
    }
}
