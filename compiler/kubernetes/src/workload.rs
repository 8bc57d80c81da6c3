//! The workload itself, where `workload { image = … }` asks for it: a Deployment with the component applied.

use std::collections::BTreeSet;

use meshc_plan::{ClusterPlan, SidecarDeployment};
use meshc_vocabulary::model::{Workload, WorkloadKind};
use meshc_yaml::{Stream, Value, list, map};

use crate::Tree;
use crate::container;
use crate::metadata::{NAME, labels, metadata, object, texts};

/// The folder of the workloads that are written, below the cluster's; `None` if there is none.
pub(crate) fn folder(sidecar: &SidecarDeployment) -> Option<String> {
    let written = sidecar.workloads.iter().any(|workload| image(workload).is_some());
    written.then(|| format!("workloads/{}/{}", sidecar.namespace, sidecar.called()))
}

/// The image of a workload that is written.
fn image(workload: &Workload) -> Option<&str> {
    let image = workload.image.as_ref()?;
    match workload.kind {
        WorkloadKind::Deployment => Some(&image.value),
        // Refused by the check.
        WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::Rollout
        | WorkloadKind::Job
        | WorkloadKind::CronJob => None,
    }
}

/// Writes the workloads that have an image, with the component applied.
pub(crate) fn render(cluster: &ClusterPlan, sidecar: &SidecarDeployment, tree: &mut Tree) {
    let Some(folder) = folder(sidecar) else { return };
    let written = sidecar.workloads.iter().filter_map(|workload| Some((workload, image(workload)?)));
    let documents: Vec<Value> =
        written.map(|(workload, image)| deployment(sidecar, workload, image)).collect();
    let file = format!("{}/{folder}/deployment.yaml", cluster.name);
    tree.insert(file, Stream::new().documents(documents).emit());
    let component = format!("../../../sidecars/{}/{}", sidecar.namespace, sidecar.called());
    let kustomization = map! {
        "apiVersion" => "kustomize.config.k8s.io/v1beta1",
        "kind" => "Kustomization",
        "resources" => texts([String::from("deployment.yaml")]),
        "components" => texts([component]),
    };
    let file = format!("{}/{folder}/kustomization.yaml", cluster.name);
    tree.insert(file, Stream::new().document(kustomization).emit());
}

fn deployment(sidecar: &SidecarDeployment, workload: &Workload, image: &str) -> Value {
    // A label that the user gives it reaches the pods through the component, and the selector must agree.
    let name = workload.labels.get(NAME).unwrap_or(&workload.name);
    let own = [(NAME, name.as_str())];
    let mut targets = BTreeSet::new();
    let ports = sidecar.ports.iter().filter(|port| targets.insert(port.target));
    let ports = ports.map(|port| container::port(&port.name, port.target));
    let name = workload.container.as_deref().unwrap_or("app");
    let container = map! { "name" => name, "image" => image, "ports" => Value::List(ports.collect()) };
    let spec = map! {
        "replicas" => sidecar.replicas,
        "selector" => map! { "matchLabels" => labels(&own) },
        "template" => map! {
            "metadata" => map! { "labels" => labels(&own) },
            "spec" => map! { "containers" => list![container] },
        },
    };
    let metadata = metadata(&workload.name, &sidecar.namespace, &own);
    Value::from(object("apps/v1", "Deployment", metadata).with("spec", spec))
}
