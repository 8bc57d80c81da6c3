//! Workloads of kinds that Kubernetes does not have itself: kustomize has no schema that says by which key the entries of
//! their lists merge, so a merge patch would replace the user's lists as a whole.
//!
//! Their entries are added one by one, as replacements that create what is missing. These add at the end, but what
//! starts the proxy comes before the user's own init containers, which may call others: so patches move it, and these run
//! after the replacements, as transformers. Only an entry that is there can be moved, and the last one is ours.

use meshc_plan::SidecarDeployment;
use meshc_vocabulary::model::{Workload, WorkloadKind};
use meshc_yaml::{Map, Stream, Value, list, map};

use super::{SETTINGS_KIND, select, template};
use crate::metadata::texts;

/// The field of the settings that has the lists.
pub(super) const POD: &str = "pod";

/// The lists that a pod gets entries in, and by which key these are found (Kubernetes API, `PodSpec`, patch merge keys).
const LISTS: [(&str, &str); 3] = [("hostAliases", "ip"), ("initContainers", "name"), ("volumes", "name")];

/// Whether the lists of a workload's pod merge by the keys of their entries.
pub(super) fn merge(kind: WorkloadKind) -> bool {
    match kind {
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::Job
        | WorkloadKind::CronJob => true,
        WorkloadKind::Rollout => false,
    }
}

/// One replacement for each entry of each list.
pub(super) fn replacements(workload: &Workload, settings: &str, pod: &Map) -> Vec<Value> {
    let (_, _, _, path) = template(workload.kind);
    let path = path.join(".");
    let one = |entry: String| {
        let source = map! {
            "kind" => SETTINGS_KIND, "name" => settings, "fieldPath" => format!("{POD}.{entry}"),
        };
        let target = map! {
            "select" => select(workload),
            "fieldPaths" => texts([format!("{path}.spec.{entry}")]),
            "options" => map! { "create" => true },
        };
        map! { "source" => source, "targets" => list![target] }
    };
    LISTS
        .into_iter()
        .flat_map(|(field, key)| {
            let entries = pod.get(field).and_then(Value::as_list).unwrap_or_default();
            let keys = entries.iter().filter_map(move |entry| entry.get(key)?.as_str());
            keys.map(move |value| format!("{field}.[{key}={value}]"))
        })
        .map(one)
        .collect()
}

/// The transformer that moves the last init containers, so many of them, to the front.
pub(super) fn first(workload: &Workload, settings: &str, count: usize) -> Value {
    let (_, _, _, path) = template(workload.kind);
    let containers = format!("/{}/spec/initContainers", path.join("/"));
    let operation = map! {
        "op" => "move", "from" => format!("{containers}/-1"), "path" => format!("{containers}/0"),
    };
    let operations = Stream::new().document(Value::List(vec![operation; count])).emit();
    map! {
        "apiVersion" => "builtin",
        "kind" => "PatchTransformer",
        "metadata" => map! { "name" => format!("{settings}-order-{}", workload.name) },
        "target" => select(workload),
        "patch" => operations,
    }
}

/// What tells kustomize that volumes refer to ConfigMaps, so that what renames these renames the reference.
pub(super) fn name_reference(sidecar: &SidecarDeployment) -> Option<Value> {
    let others = sidecar.workloads.iter().filter(|workload| !merge(workload.kind));
    let fields = others.map(|workload| {
        let (group, version, kind, path) = template(workload.kind);
        let path = format!("{}/spec/volumes/configMap/name", path.join("/"));
        map! { "group" => group, "version" => version, "kind" => kind, "path" => path }
    });
    let fields: Vec<Value> = fields.collect();
    let reference =
        || map! { "version" => "v1", "kind" => "ConfigMap", "fieldSpecs" => Value::List(fields.clone()) };
    (!fields.is_empty()).then(reference)
}
