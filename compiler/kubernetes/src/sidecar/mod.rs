//! A sidecar: a kustomize Component that the user's own kustomization applies to the user's own workloads.
//!
//! It adds and never replaces: containers, volumes and host aliases merge by their keys (`lists` does that where
//! kustomize cannot); the sysctl and the application's
//! pause, whose lists and maps a patch would replace as a whole, are set through kustomize's replacements, which create
//! what is missing and leave the rest alone; its probes through transformers that run after those. A last replacement reads our label back from
//! the workload: if no workload matched, kustomize fails instead of rendering a pod without its proxy.

pub(crate) mod instance;
mod lists;
mod probes;

use meshc_plan::paths::{APP_METRICS_PATH, INBOUND_PORT, METRICS_PORT};
use meshc_plan::{ClusterPlan, ListenerKind, ProxyPlan, RenderedProxy, SidecarDeployment, app_label};
use meshc_vocabulary::model::{Resources, Workload, WorkloadKind};
use meshc_yaml::{Map, Stream, Value, list, map};

use crate::Tree;
use crate::container;
use crate::metadata::{generator, labels, texts};

/// Memory that is reserved for a sidecar, in bytes.
const LEAST_MEMORY: u64 = 64 << 20;
/// How long an application goes on serving after its end was asked for, in seconds: as long as proxies keep an answer of
/// DNS. Where a DNS server remembers the pod for longer, callers meet a closed port, and try another pod.
pub(crate) const PAUSE_SECONDS: u32 = 5;

/// The annotation of a workload whose application has a `preStop` of its own, which no patch could see: a container has
/// one, and Kubernetes refuses a second.
pub(crate) const OWN_PAUSE: &str = "mesh.meshc.dev/pause";

/// The object that holds what replacements copy. kustomize drops it from what it prints.
const SETTINGS_KIND: &str = "MeshSettings";

/// The name of a sidecar's ConfigMap and of its settings.
pub(crate) fn config_map(sidecar: &SidecarDeployment) -> String {
    format!("mesh-{}", sidecar.object_name())
}

/// What Kubernetes calls a kind of workload.
pub(crate) const fn kind_word(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "Deployment",
        WorkloadKind::StatefulSet => "StatefulSet",
        WorkloadKind::DaemonSet => "DaemonSet",
        WorkloadKind::Rollout => "Rollout",
        WorkloadKind::Job => "Job",
        WorkloadKind::CronJob => "CronJob",
    }
}

/// Where a workload's kind keeps its pod template, as a kustomize field path.
fn template(kind: WorkloadKind) -> (&'static str, &'static str, &'static str, &'static [&'static str]) {
    let (group, version, path): (_, _, &[_]) = match kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
            ("apps", "v1", &["spec", "template"])
        }
        WorkloadKind::Rollout => ("argoproj.io", "v1alpha1", &["spec", "template"]),
        WorkloadKind::Job => ("batch", "v1", &["spec", "template"]),
        WorkloadKind::CronJob => ("batch", "v1", &["spec", "jobTemplate", "spec", "template"]),
    };
    (group, version, kind_word(kind), path)
}

/// Writes the component, but for its configuration.
pub(crate) fn render(
    cluster: &ClusterPlan,
    proxy: &ProxyPlan,
    sidecar: &SidecarDeployment,
    rendered: &RenderedProxy,
    tree: &mut Tree,
) {
    let folder = format!("{}/{}", cluster.name, proxy.name.path);
    let component = Component { cluster, proxy, sidecar, rendered };
    let mut patches = Vec::new();
    for (position, workload) in sidecar.workloads.iter().enumerate() {
        let file = if position == 0 { String::from("patch.yaml") } else { format!("patch-{position}.yaml") };
        tree.insert(format!("{folder}/{file}"), Stream::new().document(component.patch(workload)).emit());
        patches.push(map! { "path" => file, "target" => select(workload) });
        patches.push(Component::refuse_host_network(workload));
    }
    tree.insert(format!("{folder}/settings.yaml"), Stream::new().document(component.settings()).emit());
    let configuration = rendered.files.keys().map(|file| format!("config/{file}"));
    let replacements =
        sidecar.workloads.iter().flat_map(|workload| component.replacements(workload)).collect();
    let mut kustomization = Map::new()
        .with("apiVersion", "kustomize.config.k8s.io/v1alpha1")
        .with("kind", "Component")
        .with("resources", texts([String::from("settings.yaml")]))
        .with("configMapGenerator", list![generator(&component.name(), &sidecar.namespace, configuration)])
        .with("patches", Value::List(patches))
        .with("replacements", Value::List(replacements));
    let references: Vec<Value> =
        instance::name_reference(sidecar).into_iter().chain(lists::name_reference(sidecar)).collect();
    if !references.is_empty() {
        let references = map! { "nameReference" => Value::List(references) };
        tree.insert(format!("{folder}/names.yaml"), Stream::new().document(references).emit());
        kustomization.insert("configurations", texts([String::from("names.yaml")]));
    }
    let order: Vec<Value> = sidecar.workloads.iter().flat_map(|workload| component.order(workload)).collect();
    let numbered = sidecar.workloads.iter().enumerate();
    let probes: Vec<Value> =
        numbered.flat_map(|(position, workload)| probes::transformers(sidecar, workload, position)).collect();
    let mut transformers = Vec::new();
    for (name, documents) in [("order.yaml", order), ("probes.yaml", probes)] {
        if !documents.is_empty() {
            tree.insert(format!("{folder}/{name}"), Stream::new().documents(documents).emit());
            transformers.push(name.to_owned());
        }
    }
    if !transformers.is_empty() {
        kustomization.insert("transformers", texts(transformers));
    }
    tree.insert(
        format!("{folder}/kustomization.yaml"),
        Stream::new().document(Value::from(kustomization)).emit(),
    );
}

struct Component<'a> {
    cluster: &'a ClusterPlan,
    proxy: &'a ProxyPlan,
    sidecar: &'a SidecarDeployment,
    rendered: &'a RenderedProxy,
}

impl Component<'_> {
    /// The name of the ConfigMap and of the settings.
    fn name(&self) -> String {
        config_map(self.sidecar)
    }

    /// What the pod gets, in lists whose entries have names.
    fn pod(&self) -> Map {
        let mut ports = Vec::new();
        if !self.sidecar.ports.is_empty() {
            ports.push(map! { "name" => "mesh-inbound", "containerPort" => INBOUND_PORT });
        }
        ports.extend(container::status_ports());
        let mut proxy = container::proxy(
            self.proxy,
            self.rendered,
            Value::List(ports),
            (&Resources::default(), LEAST_MEMORY),
        );
        proxy.insert("restartPolicy", "Always");
        let aliases = self.proxy.host_aliases.iter().map(|(address, names)| {
            map! { "ip" => address.to_string(), "hostnames" => texts(names.iter().cloned()) }
        });
        let mut containers = Vec::new();
        if redirects(self.proxy) {
            containers.push(container::redirection(self.cluster));
        }
        containers.push(Value::from(proxy));
        Map::new()
            .with_non_empty("hostAliases", Value::List(aliases.collect()))
            .with("initContainers", Value::List(containers))
            .with("volumes", Value::List(container::volumes(self.proxy, &self.name())))
    }

    /// The strategic merge patch of a workload.
    fn patch(&self, workload: &Workload) -> Value {
        let (key, value) = app_label(&self.sidecar.object_name());
        let own = workload.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let instance = instance::value(self.sidecar);
        let mut all: Vec<(&str, &str)> = own.chain([(key.as_str(), value.as_str())]).collect();
        if !self.sidecar.ports.is_empty() {
            all.push((instance::LABEL, &instance));
        }
        let annotations = self.annotations(workload);
        let metadata = Map::new().with("labels", labels(&all)).with_non_empty("annotations", annotations);
        let mut template = Map::new().with("metadata", Value::from(metadata));
        if lists::merge(workload.kind) {
            template.insert("spec", Value::from(self.pod()));
        }
        partial(workload, Value::from(template))
    }

    /// What puts the containers of a workload first whose lists do not merge.
    fn order(&self, workload: &Workload) -> Option<Value> {
        let count = if redirects(self.proxy) { 2 } else { 1 };
        (!lists::merge(workload.kind)).then(|| lists::first(workload, &self.name(), count))
    }

    /// The annotations of the pod: where its own metrics are found behind the sidecar, if it has any, and what the
    /// workload declares.
    fn annotations(&self, workload: &Workload) -> Map {
        let port = METRICS_PORT.to_string();
        let scraped = [("path", APP_METRICS_PATH), ("port", port.as_str()), ("scrape", "true")];
        let scraped = scraped.into_iter().filter(|_| self.sidecar.scrape.is_some());
        let mut annotations = Map::new();
        for (key, value) in scraped {
            annotations.insert(format!("prometheus.io/{key}"), value);
        }
        for (key, value) in &workload.annotations {
            annotations.insert(key.as_str(), value.as_str());
        }
        annotations
    }

    /// A test that fails if the pod says anything about the host's network: there its listeners would be the node's, and
    /// its names everybody's.
    fn refuse_host_network(workload: &Workload) -> Value {
        let (_, _, _, path) = template(workload.kind);
        let path = format!("/{}/spec/hostNetwork", path.join("/"));
        let test = map! { "op" => "test", "path" => path, "value" => Value::Null };
        let text = Stream::new().document(list![test]).emit();
        map! { "target" => select(workload), "patch" => text }
    }

    /// The position or name of the application's container in a field path of kustomize.
    fn container(workload: &Workload) -> String {
        workload.container.as_ref().map_or_else(|| String::from("0"), |name| format!("[name={name}]"))
    }

    /// What replacements copy.
    fn settings(&self) -> Value {
        let mut document = Map::new()
            .with("apiVersion", "mesh.meshc.dev/v1")
            .with("kind", SETTINGS_KIND)
            .with(
                "metadata",
                map! {
                    "name" => self.name(),
                    "namespace" => self.sidecar.namespace.as_str(),
                    "annotations" => map! { "config.kubernetes.io/local-config" => "true" },
                },
            )
            .with("pause", map! { "seconds" => PAUSE_SECONDS });
        if self.sidecar.lowest_privileged_port.is_some() {
            // 0 and not the lowest port: a user's own setting, whatever it is, stays permitted.
            let sysctl = map! { "name" => "net.ipv4.ip_unprivileged_port_start", "value" => "0" };
            document.insert("sysctl", sysctl);
        }
        for (field, value) in probes::settings_of(self.sidecar) {
            document.insert(field, value);
        }
        if self.sidecar.workloads.iter().any(|workload| !lists::merge(workload.kind)) {
            document.insert(lists::POD, Value::from(self.pod()));
        }
        Value::from(document.with("guard", ""))
    }

    fn replacements(&self, workload: &Workload) -> Vec<Value> {
        let (_, _, _, path) = template(workload.kind);
        let path = path.join(".");
        let settings =
            |field: &str| map! { "kind" => SETTINGS_KIND, "name" => self.name(), "fieldPath" => field };
        let into = |select: Map, field: String| {
            list![map! {
                "select" => select,
                "fieldPaths" => texts([field]),
                "options" => map! { "create" => true },
            }]
        };
        let mut replacements = Vec::new();
        if !lists::merge(workload.kind) {
            replacements.extend(lists::replacements(workload, &self.name(), &self.pod()));
        }
        if self.sidecar.lowest_privileged_port.is_some() {
            let field =
                format!("{path}.spec.securityContext.sysctls.[name=net.ipv4.ip_unprivileged_port_start]");
            replacements
                .push(map! { "source" => settings("sysctl"), "targets" => into(select(workload), field) });
        }
        if container::knows_sleep(self.cluster) && !self.sidecar.ports.is_empty() {
            let container = Self::container(workload);
            let field = format!("{path}.spec.containers.{container}.lifecycle.preStop.sleep");
            let select = select(workload).with("annotationSelector", format!("{OWN_PAUSE}!=own"));
            let targets = into(select, field);
            replacements.push(map! { "source" => settings("pause"), "targets" => targets });
        }
        let (key, _) = app_label(&self.sidecar.object_name());
        let (group, version, kind, _) = template(workload.kind);
        replacements.push(map! {
            "source" => map! {
                "group" => group,
                "version" => version,
                "kind" => kind,
                "name" => workload.name.as_str(),
                "fieldPath" => format!("{path}.metadata.labels.[{key}]"),
            },
            "targets" => list![map! {
                "select" => map! { "kind" => SETTINGS_KIND, "name" => self.name() },
                "fieldPaths" => list!["guard"],
            }],
        });
        replacements
    }
}

/// Whether there is anything that must be redirected to the sidecar.
pub(crate) fn redirects(proxy: &ProxyPlan) -> bool {
    proxy.listeners.iter().any(|listener| match listener.kind {
        ListenerKind::Redirected => true,
        ListenerKind::Http(_)
        | ListenerKind::Tcp(_)
        | ListenerKind::Inbound(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => false,
    })
}

/// Selects a workload by kind and name, in whatever namespace the user's kustomization puts it.
fn select(workload: &Workload) -> Map {
    let (group, version, kind, _) = template(workload.kind);
    [("group", group), ("version", version), ("kind", kind), ("name", workload.name.as_str())]
        .into_iter()
        .collect()
}

/// A workload of which nothing is said but its pod template: a strategic merge patch.
fn partial(workload: &Workload, pod_template: Value) -> Value {
    let (group, version, kind, path) = template(workload.kind);
    let nested = path.iter().rev().fold(pod_template, |inner, field| map! { *field => inner });
    let mut document = Map::new()
        .with("apiVersion", format!("{group}/{version}"))
        .with("kind", kind)
        .with("metadata", map! { "name" => workload.name.as_str() });
    if let Value::Map(entries) = nested {
        for (field, value) in entries {
            document.insert(field, value);
        }
    }
    Value::from(document)
}
