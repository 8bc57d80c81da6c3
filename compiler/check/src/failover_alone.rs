//! A failover policy for a service that runs in one cluster only.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::Provenance;
use meshc_vocabulary::model::PolicyScope;

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
    for (id, service) in model.services.iter() {
        let failover = context.resolved.service(id).failover;
        // What is said for a whole namespace need not fit each of its services.
        let Provenance::Declared { policy, at } = failover.from else { continue };
        let ([only], true) = (service.clusters.as_slice(), failover.value.enabled) else { continue };
        let policy = model.policies.at(policy);
        let targeted = match &policy.scope {
            PolicyScope::Targets { services, .. } => services.iter().find(|target| target.value == id),
            PolicyScope::Mesh | PolicyScope::Namespace(_) => None,
        };
        let name = model.service_name(id);
        let cluster = context.cluster_name(only.cluster);
        let message = format!("failover of `{name}` has nowhere to go: it runs in `{cluster}` only");
        let span = targeted.map_or(policy.origin.span, |target| target.span);
        sink.push(
            Diagnostic::warning(CHECK.info.code, span, message)
                .label("targeted here")
                .also(at.span, "requests failover")
                .also(only.span, "the only cluster")
                .help("run it in a second cluster, or leave `failover` out for it"),
        );
    }
}
