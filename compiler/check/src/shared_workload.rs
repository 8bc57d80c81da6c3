//! One Kubernetes object that two services, or one service twice, call their workload.

use std::collections::BTreeMap;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_vocabulary::model::{Service, Workload, WorkloadKind};

use crate::context::{Context, in_source_order};
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("E0315"),
        title: "two services claim one workload",
        explanation: r#"A pod has one sidecar, with one identity. If two services name the same Deployment, its pods would get two sidecars that
want the same ports, and two identities. Without a `workload` block a service claims the Deployment of its own name.

```mesh
service web   { clusters = [west], port http { number = 80 } }
service admin { clusters = [west], port http { number = 81 }, workload web {} }      // the Deployment of `web`
```

Declare one service with several ports, or name another object. In different clusters the same name is fine."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let mut claimed: BTreeMap<_, Vec<(&Service, &Workload)>> = BTreeMap::new();
    for (_, service) in in_source_order(context.model.services.iter(), |service| &service.origin) {
        for workload in &service.workloads {
            let key = (service.namespace, kind(workload.kind), workload.name.as_str());
            let others = claimed.entry(key).or_default();
            if let Some((first, other)) = others.iter().find(|(first, _)| meet(first, service)) {
                let object = format!("{} `{}`", kind(workload.kind), workload.name);
                let message = if first.origin == service.origin {
                    format!("{} claims the {object} twice", service.origin.name)
                } else {
                    format!("{} and {} claim one {object}", first.origin.name, service.origin.name)
                };
                sink.push(
                    Diagnostic::error(CHECK.info.code, workload.origin.span, message)
                        .label("claimed again here")
                        .also(other.origin.span, "claimed here")
                        .help("declare one service with several ports, or name another object"),
                );
            }
            others.push((service, workload));
        }
    }
}

/// Whether two services run in one cluster.
fn meet(one: &Service, other: &Service) -> bool {
    one.clusters.iter().any(|at| other.clusters.iter().any(|it| it.cluster == at.cluster))
}

fn kind(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "Deployment",
        WorkloadKind::StatefulSet => "StatefulSet",
        WorkloadKind::DaemonSet => "DaemonSet",
        WorkloadKind::Job => "Job",
        WorkloadKind::CronJob => "CronJob",
    }
}
