//! The workload itself, where `workload { image = … }` asks for it: a Deployment with the component applied.

use std::collections::BTreeSet;

use meshc_plan::{ClusterPlan, SidecarDeployment};
use meshc_vocabulary::model::{Workload, WorkloadKind};
use meshc_yaml::{Stream, Value, list, map};

use crate::Tree;
use crate::container;
use crate::metadata::{NAME, labels, metadata, object, texts};

/// Writes the workloads that have an image, with the component applied; returns their folder.
pub(crate) fn render(cluster: &ClusterPlan, sidecar: &SidecarDeployment, tree: &mut Tree) -> Option<String> {
    let mut documents = Vec::new();
    for workload in &sidecar.workloads {
        let Some(image) = &workload.image else { continue };
        match workload.kind {
            WorkloadKind::Deployment => documents.push(deployment(sidecar, workload, &image.value)),
            // Refused by the check.
            WorkloadKind::StatefulSet
            | WorkloadKind::DaemonSet
            | WorkloadKind::Rollout
            | WorkloadKind::Job
            | WorkloadKind::CronJob => {}
        }
    }
    if documents.is_empty() {
        return None;
    }
    let folder = format!("workloads/{}/{}", sidecar.namespace, sidecar.called());
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
    Some(folder)
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
