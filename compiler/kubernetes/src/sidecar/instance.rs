//! Which of a service's pods are the ones that the mesh sends requests to.
//!
//! Overlays of one base carry the base's labels: a preview beside production would take production's requests. But its
//! workload has another name, or there would be one workload only. So the pods carry that name as a label, and kustomize
//! is told that the label is a reference: whatever renames the workload changes the label with it, and the companion
//! Service finds the pods under the name that the mesh declares.

use meshc_plan::SidecarDeployment;
use meshc_vocabulary::model::Workload;
use meshc_yaml::{Value, map};

use super::{config_map, template};

/// The label's key.
pub(crate) const LABEL: &str = "mesh.meshc.dev/workload";
/// How long a label's value may be (Kubernetes, "Labels and selectors").
const LONGEST: usize = 63;

/// The label's value in the pods that the mesh declares.
pub(crate) fn value(sidecar: &SidecarDeployment) -> String {
    alone(sidecar).map_or_else(|| config_map(sidecar), |workload| workload.name.clone())
}

/// The only workload, if there is just one. With several there is no one name; what they share is the ConfigMap, which
/// prefixes and suffixes rename as well.
fn alone(sidecar: &SidecarDeployment) -> Option<&Workload> {
    match sidecar.workloads.as_slice() {
        [workload] if workload.name.len() <= LONGEST => Some(workload),
        _ => None,
    }
}

/// What tells kustomize that the label is a reference; `None` where there is no such label.
pub(super) fn name_reference(sidecar: &SidecarDeployment) -> Option<Value> {
    if sidecar.ports.is_empty() {
        return None;
    }
    let fields = sidecar.workloads.iter().map(|workload| {
        let (group, version, kind, path) = template(workload.kind);
        // A slash inside a name is escaped.
        let path = format!("{}/metadata/labels/{}", path.join("/"), LABEL.replace('/', "\\/"));
        map! { "group" => group, "version" => version, "kind" => kind, "path" => path }
    });
    let fields = Value::List(fields.collect());
    Some(match alone(sidecar) {
        Some(workload) => {
            let (group, version, kind, _) = template(workload.kind);
            map! { "group" => group, "version" => version, "kind" => kind, "fieldSpecs" => fields }
        }
        None => map! { "version" => "v1", "kind" => "ConfigMap", "fieldSpecs" => fields },
    })
}
