//! The Kubernetes tree as its readers see it: kustomize renders it, the schemas accept it, components lose nothing.

mod families;
mod guide;
mod overlays;
mod workloads;

use std::collections::BTreeSet;
use std::process::Command;

use mesh_tests::build::{Built, acme, kustomize, planned_mesh};
use mesh_tests::mesh::DataPlane;
use mesh_tests::{process, tools};
use serde_json::Value;

/// Every document of a YAML stream.
fn documents(stream: &str) -> Vec<Value> {
    let parsed: Result<Vec<Value>, _> = serde_yaml::from_multiple(stream);
    parsed.unwrap_or_else(|error| panic!("not YAML: {error}\n{stream}"))
}

fn named<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = documents.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} `{name}`"))
}

/// Kubernetes' own schemas accept every document, strictly.
fn assert_valid(stream: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("documents.yaml");
    std::fs::write(&file, stream).expect("writable");
    let mut command = Command::new(tools::tool("kubernetes-validate"));
    let output = process::run(command.args(["--strict", "--kubernetes-version", "1.33"]).arg(&file));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("WARN"), "a document without a schema: {said}");
}

#[test]
fn the_validator_refuses_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("wrong.yaml");
    let wrong = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{prot: 80}]}\n";
    std::fs::write(&file, wrong).expect("writable");
    let mut command = Command::new(tools::tool("kubernetes-validate"));
    let output = process::run(command.args(["--strict", "--kubernetes-version", "1.33"]).arg(&file));
    assert!(!output.status.success(), "the validator must be able to fail");
}

fn every_cluster_renders_and_is_valid(data_plane: DataPlane) {
    let built = Built::new(&acme(), data_plane, &[]);
    let mut kinds = BTreeSet::new();
    for cluster in ["east", "west"] {
        let rendered = kustomize(&built.out().join(cluster));
        assert_valid(&rendered);
        for document in documents(&rendered) {
            kinds.insert(document["kind"].as_str().unwrap_or_default().to_owned());
            assert_ne!(document["kind"], "Secret", "no private key ever enters the tree");
            for container in
                document["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten()
            {
                assert!(
                    container["livenessProbe"].is_object(),
                    "a pod that is stuck is restarted: {document}"
                );
            }
        }
    }
    for kind in
        ["ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"]
    {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
    let east = documents(&kustomize(&built.out().join("east")));
    named(&east, "Deployment", "rate-limit");
    named(&east, "Deployment", "rate-limit-redis");
    let companion = named(&east, "Service", "catalog-mesh");
    assert_eq!(companion["spec"]["clusterIP"], "None");
    let names: Vec<_> = east.iter().map(|one| one["metadata"]["name"].clone()).collect();
    assert!(!names.contains(&Value::from("catalog")), "nothing under the user's own name: {names:?}");
}

#[test]
fn every_cluster_renders_and_is_valid_for_envoy() {
    every_cluster_renders_and_is_valid(DataPlane::Envoy);
}

#[test]
fn every_cluster_renders_and_is_valid_for_meshd() {
    every_cluster_renders_and_is_valid(DataPlane::Meshd);
}

/// A sidecar of the example: its cluster and its service.
type Sidecar = (&'static str, &'static str);

const WEBAPP: Sidecar = ("west", "webapp");

/// Every sidecar of the example.
const SIDECARS: [Sidecar; 4] =
    [WEBAPP, ("west", "simple-backend"), ("east", "simple-backend"), ("east", "catalog")];

/// A mesh with whatever backends can meet, on each data plane and on both at once.
#[test]
fn a_mesh_of_many_shapes_renders_and_is_valid() {
    let built = Built::new(&planned_mesh("many-shapes"), DataPlane::Envoy, &[]);
    for arguments in [&["--data-plane", "envoy"][..], &["--data-plane", "meshd"], &[]] {
        let mut all = vec!["build", "mesh.mesh", "-o", "out"];
        all.extend(arguments);
        built.meshc(&all);
        for cluster in ["hub", "north", "north2", "south"] {
            assert_valid(&kustomize(&built.out().join(cluster)));
        }
    }
}

/// Who connects to hosts outside mounts the Secrets for that, and nobody else does; the guide names them.
fn secrets_for_hosts_outside_are_mounted_by_who_connects(data_plane: DataPlane) {
    let sources = |document: &Value| -> BTreeSet<String> {
        let volumes = document["spec"]["template"]["spec"]["volumes"].as_array().into_iter().flatten();
        volumes.filter_map(|volume| Some(volume["secret"]["secretName"].as_str()?.to_owned())).collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let built = Built::new(&planned_mesh("egress"), data_plane, &[]);
    let mesh = kustomize(&built.out().join("one"));
    assert_valid(&mesh);
    let mesh = documents(&mesh);
    assert_eq!(sources(named(&mesh, "Deployment", "one-egress")), set(&["mesh-id-one-egress", "pay-ca"]));
    let web = component_of(&built, "one", "web");
    assert_eq!(sources(named(&web, "Deployment", "web")), set(&["mesh-id-web"]));
    let guide = std::fs::read_to_string(built.out().join("one/README.md")).expect("a guide");
    assert!(guide.contains("| `mesh-system/pay-ca` | `ca.crt` |"), "{guide}");

    let built = Built::new(&planned_mesh("outside"), data_plane, &[]);
    for cluster in ["one", "two"] {
        assert_valid(&kustomize(&built.out().join(cluster)));
    }
    let web = component_of(&built, "one", "web");
    let web = named(&web, "Deployment", "web");
    assert_eq!(sources(web), set(&["mesh-id-web", "pay-ca", "pay-client"]));
    let aliases = &web["spec"]["template"]["spec"]["hostAliases"];
    assert!(aliases.to_string().contains(r#"["api.pay.example","pay.example"]"#), "{aliases}");
    let guide = std::fs::read_to_string(built.out().join("one/README.md")).expect("a guide");
    assert!(guide.contains("| `shop/pay-client` | `tls.crt`, `tls.key` |"), "{guide}");
}

#[test]
fn secrets_for_hosts_outside_are_mounted_by_who_connects_on_envoy() {
    secrets_for_hosts_outside_are_mounted_by_who_connects(DataPlane::Envoy);
}

#[test]
fn secrets_for_hosts_outside_are_mounted_by_who_connects_on_meshd() {
    secrets_for_hosts_outside_are_mounted_by_who_connects(DataPlane::Meshd);
}

/// A minimal workload in the namespace `shop` with its component, rendered.
fn component_of(built: &Built, cluster: &str, service: &str) -> Vec<Value> {
    let folder = built.path().join("workloads").join(cluster).join(service);
    std::fs::create_dir_all(&folder).expect("writable");
    std::fs::write(folder.join("workload.yaml"), workload(service, "  namespace: shop\n")).expect("writable");
    let component = format!("../../../out/{cluster}/sidecars/shop/{service}");
    let kustomization = format!("resources: [workload.yaml]\ncomponents: [{component}]\n");
    std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
    let rendered = kustomize(&folder);
    assert_valid(&rendered);
    documents(&rendered)
}

/// What counts for the whole mesh is a Deployment of ours, in one cluster, with a sidecar that nobody has to apply.
#[test]
fn what_counts_for_the_whole_mesh_has_a_sidecar() {
    let built = Built::new(&planned_mesh("mesh-limits"), DataPlane::Envoy, &[]);
    let sidecars = ["one", "two"].map(|cluster| {
        let rendered = kustomize(&built.out().join(cluster));
        assert_valid(&rendered);
        let of_deployment = |document: &&str| {
            document.contains("kind: Deployment") && document.contains("\n  name: rate-limit\n")
        };
        let deployment = rendered.split("\n---\n").find(of_deployment).expect("either cluster counts");
        deployment.contains("secretName: mesh-id-rate-limit") && deployment.contains("name: mesh-inbound")
    });
    assert_eq!(sidecars, [true, false]);
    let guide = built.out().join("one/README.md");
    let guide = std::fs::read_to_string(guide).expect("a guide");
    assert!(!guide.contains("sidecars/mesh-system/rate-limit"), "nothing to apply:\n{guide}");
    assert!(guide.contains("mesh-id-rate-limit"), "its certificate has to be put there:\n{guide}");
}

/// A user's own Deployment of a service with everything that a careless patch would lose.
fn workload(service: &str, namespace: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {service}
{namespace}spec:
  selector: {{matchLabels: {{app: {service}}}}}
  template:
    metadata:
      labels: {{app: {service}}}
      annotations: {{owner: shop}}
    spec:
      hostAliases:
      - {{ip: 10.0.0.1, hostnames: [own.example]}}
      securityContext:
        runAsNonRoot: true
        sysctls:
        - {{name: net.core.somaxconn, value: \"1024\"}}
      initContainers:
      - {{name: migrate, image: \"migrate:1\"}}
      containers:
      - name: app
        image: {service}:1
        lifecycle: {{postStart: {{exec: {{command: [\"true\"]}}}}}}
        volumeMounts:
        - {{name: data, mountPath: /data}}
      volumes:
      - {{name: data, emptyDir: {{}}}}
"
    )
}

/// Renders the user's kustomization over their workload and the sidecar's component.
fn with_component(built: &Built, (cluster, service): Sidecar, deployment: &str, more: &str) -> Vec<Value> {
    let folder = built.path().join("app");
    std::fs::create_dir_all(&folder).expect("writable");
    std::fs::write(folder.join("deployment.yaml"), deployment).expect("writable");
    let component = format!("components: [../out/{cluster}/sidecars/istioinaction/{service}]");
    let kustomization = format!("resources: [deployment.yaml]\n{component}\n{more}");
    std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
    let rendered = kustomize(&folder);
    assert_valid(&rendered);
    documents(&rendered)
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item[key].as_str().map(str::to_owned)).collect()
}

fn a_component_adds_and_loses_nothing(data_plane: DataPlane) {
    let built = Built::new(&acme(), data_plane, &[]);
    for sidecar in SIDECARS {
        let (_, service) = sidecar;
        let render = |namespace, more| with_component(&built, sidecar, &workload(service, namespace), more);
        let explicit = render("  namespace: istioinaction\n", "");
        let absent = render("", "");
        let overridden = render("  namespace: shop\n", "namespace: istioinaction\n");
        for documents in [&explicit, &absent, &overridden] {
            assert_nothing_is_lost(documents, sidecar);
        }
    }
}

/// What the user wrote stands beside what the component adds.
fn assert_nothing_is_lost(documents: &[Value], sidecar: Sidecar) {
    let (_, service) = sidecar;
    let pod = &named(documents, "Deployment", service)["spec"]["template"];
    let spec = &pod["spec"];
    assert_eq!(pod["metadata"]["labels"]["app"], service);
    assert_eq!(pod["metadata"]["labels"]["mesh.meshc.dev/service"], service);
    assert_eq!(pod["metadata"]["annotations"]["owner"], "shop");
    // Only webapp calls anybody, and by a port that needs the sysctl.
    let calls = sidecar == WEBAPP;
    let aliases = names(&spec["hostAliases"], "ip");
    assert!(aliases.contains(&String::from("10.0.0.1")), "{aliases:?}");
    assert_eq!(aliases.len() > 1, calls, "{sidecar:?}: {aliases:?}");
    assert_eq!(names(&spec["initContainers"], "name"), ["mesh-proxy", "migrate"]);
    assert_eq!(spec["initContainers"][0]["restartPolicy"], "Always");
    assert_eq!(spec["initContainers"][0]["livenessProbe"]["httpGet"]["path"], "/healthz/live");
    let sysctls = names(&spec["securityContext"]["sysctls"], "name");
    if calls {
        assert_eq!(sysctls, ["net.core.somaxconn", "net.ipv4.ip_unprivileged_port_start"]);
        assert_eq!(spec["securityContext"]["sysctls"][1]["value"], "0", "a string, as the schema wants it");
    } else {
        assert_eq!(sysctls, ["net.core.somaxconn"]);
    }
    let app = &spec["containers"][0];
    assert_eq!(app["image"], format!("{service}:1"));
    assert_eq!(app["lifecycle"]["postStart"]["exec"]["command"][0], "true");
    assert_eq!(app["lifecycle"]["preStop"]["sleep"]["seconds"], 5);
    assert_eq!(names(&app["volumeMounts"], "name"), ["data"]);
    let volumes = names(&spec["volumes"], "name");
    for volume in ["data", "mesh-config", "mesh-identity", "mesh-trust", "mesh-run"] {
        assert!(volumes.contains(&volume.to_owned()), "{volumes:?}");
    }
    let configuration = named(documents, "ConfigMap", &format!("mesh-{service}"));
    assert_eq!(configuration["metadata"]["namespace"], "istioinaction");
}

#[test]
fn an_envoy_component_adds_and_loses_nothing() {
    a_component_adds_and_loses_nothing(DataPlane::Envoy);
}

#[test]
fn a_meshd_component_adds_and_loses_nothing() {
    a_component_adds_and_loses_nothing(DataPlane::Meshd);
}

#[test]
fn redirection_is_an_init_container_before_all_others() {
    let source = acme().replace("calls    = [catalog]", "calls    = [catalog]\n    capture  = redirect");
    let built = Built::new(&source, DataPlane::Envoy, &[]);
    let documents = with_component(&built, WEBAPP, &workload("webapp", ""), "");
    let spec = &named(&documents, "Deployment", "webapp")["spec"]["template"]["spec"];
    assert_eq!(names(&spec["initContainers"], "name"), ["mesh-redirect", "mesh-proxy", "migrate"]);
    let redirect = &spec["initContainers"][0];
    assert_eq!(redirect["restartPolicy"], Value::Null, "it ends before the application starts");
    assert_eq!(redirect["securityContext"]["capabilities"]["add"], serde_json::json!(["NET_ADMIN"]));
    let proxy = &spec["initContainers"][1];
    assert_eq!(proxy["securityContext"]["capabilities"]["add"], Value::Null, "the proxy has no privilege");
    let sysctls = names(&spec["securityContext"]["sysctls"], "name");
    assert_eq!(sysctls, ["net.core.somaxconn"], "no port is taken, so none has to be allowed");
}

#[test]
fn a_component_without_its_workload_fails() {
    let built = Built::new(&acme(), DataPlane::Envoy, &[]);
    let (rendered, said) =
        try_component(&built, &workload("webapp", "").replace("name: webapp\n", "name: web\n"));
    assert!(!rendered && said.contains("webapp"), "{said}");
}

/// Renders the user's kustomization over a Deployment of webapp; the output and what was said.
fn try_component(built: &Built, deployment: &str) -> (bool, String) {
    let folder = built.path().join("app");
    std::fs::create_dir_all(&folder).expect("writable");
    std::fs::write(folder.join("deployment.yaml"), deployment).expect("writable");
    let kustomization =
        "resources: [deployment.yaml]\ncomponents: [../out/west/sidecars/istioinaction/webapp]\n";
    std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
    let mut command = Command::new(tools::tool("kubectl"));
    let output = process::run(command.arg("kustomize").arg(&folder));
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), said.concat())
}

#[test]
fn a_pause_of_the_users_own_can_stay() {
    let built = Built::new(&acme(), DataPlane::Envoy, &[]);
    let own = workload("webapp", "").replace("postStart:", "preStop:");
    let own = own.replace("  name: webapp\n", "  name: webapp\n  annotations: {mesh.meshc.dev/pause: own}\n");
    let (rendered, said) = try_component(&built, &own);
    assert!(rendered, "{said}");
    assert_valid(&said);
    let documents = documents(&said);
    let app = &named(&documents, "Deployment", "webapp")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(app["lifecycle"]["preStop"]["exec"]["command"][0], "true");
    assert!(app["lifecycle"]["preStop"]["sleep"].is_null(), "a container has one handler: {app}");
}

#[test]
fn a_pod_on_the_hosts_network_is_refused() {
    let built = Built::new(&acme(), DataPlane::Envoy, &[]);
    let host =
        workload("webapp", "").replace("      hostAliases:", "      hostNetwork: true\n      hostAliases:");
    let (rendered, said) = try_component(&built, &host);
    assert!(!rendered && said.contains("hostNetwork"), "{said}");
}

/// A mesh whose names fit where the language puts them, and not everywhere in Kubernetes.
const ODD_NAMES: &str = r#"
mesh m {
  trust_domain = "cluster.local"
  trust        = t
}

trust t {}

network n {}

cluster west {
  network = n
  region  = "here"
  gateway ingress {
    role    = ingress
    address = 192.0.2.1
    port administration-and-more { number = 80 }
    port mesh-ready { number = 8443, tls { secret = "shop.example-and-all-that-is-sold-there.tls" } }
    port "2024" { number = 8444, tls { secret = "other.tls" } }
  }
}

namespace shop {
  service web {
    clusters = [west]
    port administration-and-more { number = 80, target = 8080 }
    port twice { number = 81, target = 8080 }
    workload { image = "web:1", labels = { "app.kubernetes.io/name" = "front" } }
  }

  route web { gateway = west.ingress, hosts = ["shop.example"], to = web.twice }
}
"#;

#[test]
fn names_are_ones_that_kubernetes_takes() {
    let built = Built::new(ODD_NAMES, DataPlane::Envoy, &[]);
    let west = kustomize(&built.out().join("west"));
    assert_valid(&west);
    let west = documents(&west);
    for name in ["west-ingress", "web"] {
        let deployment = named(&west, "Deployment", name);
        let pod = &deployment["spec"]["template"];
        for (label, value) in deployment["spec"]["selector"]["matchLabels"].as_object().expect("labels") {
            assert_eq!(pod["metadata"]["labels"][label], *value, "the selector of {name} finds its pods");
        }
        for container in pod["spec"]["containers"].as_array().expect("containers") {
            let ports = names(&container["ports"], "name");
            let distinct: BTreeSet<_> = ports.iter().collect();
            assert_eq!(distinct.len(), ports.len(), "{ports:?}");
            assert!(ports.iter().all(|port| port.len() <= 15 && port != "2024"), "{ports:?}");
        }
        // A DNS label each, whatever the Secret is called.
        for volume in names(&pod["spec"]["volumes"], "name") {
            assert!(volume.len() <= 63 && !volume.contains('.'), "{volume}");
        }
    }
}
