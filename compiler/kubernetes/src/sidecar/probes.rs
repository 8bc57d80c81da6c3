//! The application's probes, pointed at the sidecar: a strict application listens for it alone.
//!
//! Only the handler changes. How often and how long a probe asks is for the user to say, and so are its headers: the
//! sidecar passes them on. Whatever handler the user's probe has, the pod ends up with one. That takes patches that
//! remove, and these need something to remove from, so they run after kustomize's own steps, as transformers.

use meshc_plan::SidecarDeployment;
use meshc_plan::paths;
use meshc_plan::paths::READINESS_PORT;
use meshc_vocabulary::model::{Probe, ProbeKind, Workload};
use meshc_yaml::{Map, Stream, Value, list, map};

use super::{SETTINGS_KIND, config_map, select, template};
use crate::metadata::texts;

/// The handlers of a probe other than ours.
const OTHER_HANDLERS: [&str; 3] = ["exec", "grpc", "tcpSocket"];
/// What a handler of the user's may say that is not true of the sidecar.
const NOT_OURS: [&str; 2] = ["host", "scheme"];

/// The transformers that point the probes of one workload at the sidecar, in their order; none without probes.
pub(super) fn transformers(sidecar: &SidecarDeployment, workload: &Workload, position: usize) -> Vec<Value> {
    if sidecar.probes.is_empty() {
        return Vec::new();
    }
    let kind = |kind: &str, part: &str| {
        let name = format!("{}-probes-{position}-{part}", config_map(sidecar));
        Map::new().with("apiVersion", "builtin").with("kind", kind).with("metadata", map! { "name" => name })
    };
    let replacing = |part: &str, replacements: Vec<Value>| {
        Value::from(kind("ReplacementTransformer", part).with("replacements", Value::List(replacements)))
    };
    let patching = |target: Map, pointer: &str| {
        let operations = sidecar.probes.iter().flat_map(|probe| operations(pointer, probe)).collect();
        let text = Stream::new().document(Value::List(operations)).emit();
        Value::from(kind("PatchTransformer", "handlers").with("target", target).with("patch", text))
    };
    // Patches remove, and fail where there is nothing yet: so each probe has a handler first.
    let handlers = |target: &Map, container: &str| -> Vec<Value> {
        let each = sidecar.probes.iter().map(|probe| {
            let from = format!("{}.httpGet.path", field(probe.kind));
            let into = format!("{container}.{from}");
            copy(settings(sidecar, &from), Value::from(target.clone()), into, true)
        });
        each.collect()
    };
    let (_, _, _, path) = template(workload.kind);
    let containers = format!("{}.spec.containers", path.join("."));
    match &workload.container {
        None => {
            let pointer = format!("/{}/spec/containers/0", path.join("/"));
            let workload = select(workload);
            vec![
                replacing("paths", handlers(&workload, &format!("{containers}.0"))),
                patching(workload, &pointer),
            ]
        }
        Some(name) => {
            // Patches of this kind find entries of lists by their positions, and the user has put this container where he
            // likes. So it is copied to where its place is known, changed there, and copied back.
            let own = Map::new().with("kind", SETTINGS_KIND).with("name", config_map(sidecar));
            let there = format!("{containers}.[name={name}]");
            let kept = format!("container{position}");
            let mut out = vec![copy(
                Value::from(select(workload).with("fieldPath", there.clone())),
                Value::from(own.clone()),
                kept.clone(),
                true,
            )];
            out.extend(handlers(&own, &kept));
            let back = copy(settings(sidecar, &kept), Value::from(select(workload)), there, false);
            vec![replacing("out", out), patching(own, &format!("/{kept}")), replacing("back", vec![back])]
        }
    }
}

/// What the transformers copy, as fields of the settings.
pub(super) fn settings_of(sidecar: &SidecarDeployment) -> impl Iterator<Item = (&'static str, Value)> {
    let value = |probe: &Probe| map! { "httpGet" => map! { "path" => paths::probe_path(probe.kind) } };
    sidecar.probes.iter().map(move |probe| (field(probe.kind), value(probe)))
}

fn settings(sidecar: &SidecarDeployment, field: &str) -> Value {
    map! { "kind" => SETTINGS_KIND, "name" => config_map(sidecar), "fieldPath" => field }
}

fn copy(source: Value, target: Value, field: String, create: bool) -> Value {
    let target = Map::new().with("select", target).with("fieldPaths", texts([field]));
    let target = if create { target.with("options", map! { "create" => true }) } else { target };
    map! { "source" => source, "targets" => list![Value::from(target)] }
}

/// One probe as operations of a JSON patch (RFC 6902). `remove` fails where there is nothing, so it follows an `add`.
fn operations(container: &str, probe: &Probe) -> Vec<Value> {
    let probe_path = format!("{container}/{}", field(probe.kind));
    let handler = format!("{probe_path}/httpGet");
    let add = |path: String, value: Value| map! { "op" => "add", "path" => path, "value" => value };
    let remove =
        |path: String| [add(path.clone(), Value::from("")), map! { "op" => "remove", "path" => path }];
    let mut operations = Vec::new();
    operations.extend(OTHER_HANDLERS.iter().flat_map(|name| remove(format!("{probe_path}/{name}"))));
    operations.extend(NOT_OURS.iter().flat_map(|name| remove(format!("{handler}/{name}"))));
    operations.push(add(format!("{handler}/path"), Value::from(paths::probe_path(probe.kind))));
    operations.push(add(format!("{handler}/port"), Value::from(READINESS_PORT)));
    operations.push(add(format!("{probe_path}/timeoutSeconds"), Value::from(seconds(probe))));
    operations
}

fn field(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Liveness => "livenessProbe",
        ProbeKind::Readiness => "readinessProbe",
        ProbeKind::Startup => "startupProbe",
    }
}

/// Kubernetes counts whole seconds.
fn seconds(probe: &Probe) -> u64 {
    u64::try_from(probe.timeout.as_millis().div_ceil(1000).max(1)).unwrap_or(u64::MAX)
}
