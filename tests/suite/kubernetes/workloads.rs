//! Every kind of workload gets its sidecar, and probes keep all but their handler.

use std::process::Command;

use mesh_tests::build::{Built, kustomize};
use mesh_tests::mesh::DataPlane;
use mesh_tests::{process, tools};
use serde_json::{Value, json};

use crate::{assert_valid, documents, named, names};

/// Other kinds of workloads, probes and images.
const WORKLOADS: &str = r#"
mesh m {
  trust_domain = "cluster.local"
  trust        = t
}

trust t {}

network n {}

cluster west {
  network = n
  region  = "here"
}

namespace shop {
  service ledger {
    clusters = [west]
    port http { number = 80, target = 8080, bind = loopback }
    workload { kind = stateful_set, container = "main" }
    probe readiness { path = "/ready", port = 8080 }
    metrics { port = 8080 }
  }

  service web {
    clusters = [west]
    port http { number = 80, target = 8080, bind = loopback }
    workload { image = "web:1" }
    probe liveness { path = "/live", port = 8080 }
    calls = [ledger]
  }

  service cache {
    clusters = [west]
    port http { number = 81, target = 8081, bind = loopback }
    workload { kind = daemon_set }
    probe liveness { path = "/live", port = 8081, timeout = 1500ms }
  }

  client nightly {
    clusters = [west]
    workload { kind = cron_job }
    calls    = [web]
  }
}
"#;

#[test]
fn every_kind_of_workload_gets_its_sidecar() {
    let built = Built::new(WORKLOADS, DataPlane::Envoy, &[]);
    let west = kustomize(&built.out().join("west"));
    assert_valid(&west);
    let west = documents(&west);
    // An image asks for the whole workload, component included.
    let web = &named(&west, "Deployment", "web")["spec"]["template"]["spec"];
    assert_eq!(names(&web["initContainers"], "name"), ["mesh-proxy"]);
    assert_eq!(web["containers"][0]["livenessProbe"]["httpGet"]["path"], "/app/liveness");
    assert_eq!(web["containers"][0]["livenessProbe"]["httpGet"]["port"], 15021);

    let folder = built.path().join("app");
    std::fs::create_dir_all(&folder).expect("writable");
    let workloads = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: ledger, namespace: shop}
spec:
  serviceName: ledger
  selector: {matchLabels: {app: ledger}}
  template:
    metadata: {labels: {app: ledger}, annotations: {prometheus.io/port: \"8080\", prometheus.io/path: /own}}
    spec:
      containers:
      - {name: helper, image: \"helper:1\"}
      - {name: main, image: \"ledger:1\", readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 3}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: cache, namespace: shop}
spec:
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}}
    spec:
      containers:
      - name: cache
        image: \"cache:1\"
        livenessProbe:
          initialDelaySeconds: 60
          httpGet: {path: /live, port: http, httpHeaders: [{name: a, value: b}]}
      - {name: helper, image: \"helper:1\"}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  schedule: \"0 3 * * *\"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: job, image: \"job:1\"}]
";
    std::fs::write(folder.join("workloads.yaml"), workloads).expect("writable");
    let sidecars = "../out/west/sidecars/shop";
    let kustomization = format!(
        "resources: [workloads.yaml]\ncomponents: [{sidecars}/ledger, {sidecars}/cache, {sidecars}/nightly]\n"
    );
    std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
    let rendered = kustomize(&folder);
    assert_valid(&rendered);
    let rendered = documents(&rendered);
    let ledger = &named(&rendered, "StatefulSet", "ledger")["spec"]["template"]["spec"];
    assert_eq!(names(&ledger["containers"], "name"), ["helper", "main"], "in the user's order");
    let main = &ledger["containers"][1];
    assert_eq!(main["readinessProbe"]["httpGet"]["path"], "/app/readiness");
    assert_eq!(main["readinessProbe"]["periodSeconds"], 3, "what the user said otherwise stays");
    assert_eq!(main["lifecycle"]["preStop"]["sleep"]["seconds"], 5);
    let pod = &named(&rendered, "StatefulSet", "ledger")["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(pod["prometheus.io/port"], "15090", "the application's own port is closed to collectors");
    assert_eq!(pod["prometheus.io/path"], "/app/metrics");
    // The same without a container's name: the first one is meant.
    let cache = &named(&rendered, "DaemonSet", "cache")["spec"]["template"]["spec"]["containers"];
    assert_eq!(
        cache[0]["livenessProbe"]["httpGet"],
        json!({"path": "/app/liveness", "port": 15021, "httpHeaders": [{"name": "a", "value": "b"}]})
    );
    assert_eq!(cache[0]["livenessProbe"]["initialDelaySeconds"], 60, "what the user said otherwise stays");
    assert_eq!(cache[0]["livenessProbe"]["timeoutSeconds"], 2);
    assert!(cache[1]["livenessProbe"].is_null());
    let job = &named(&rendered, "CronJob", "nightly")["spec"]["jobTemplate"]["spec"]["template"];
    assert_eq!(names(&job["spec"]["initContainers"], "name"), ["mesh-proxy"]);
    assert_eq!(job["metadata"]["labels"]["mesh.meshc.dev/service"], "nightly");
}

/// A Deployment whose second container has each of these probes, once named in the mesh and once the first one.
fn rendered_probes(container: &str, probes: &str) -> Vec<Value> {
    let source = PROBES.replace("CONTAINER", container);
    let built = Built::new(&source, DataPlane::Envoy, &[]);
    let folder = built.path().join("app");
    std::fs::create_dir_all(&folder).expect("writable");
    let main = format!("{{name: main, image: \"web:1\", {probes}}}");
    let helper = "{name: helper, image: \"helper:1\"}";
    let containers = if container.is_empty() { [main.as_str(), helper] } else { [helper, main.as_str()] };
    let deployment = format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - {}
      - {}
",
        containers[0], containers[1]
    );
    std::fs::write(folder.join("deployment.yaml"), deployment).expect("writable");
    let kustomization = "resources: [deployment.yaml]\ncomponents: [../out/west/sidecars/shop/web]\n";
    std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
    let rendered = kustomize(&folder);
    assert_valid(&rendered);
    let rendered = documents(&rendered);
    let spec = &named(&rendered, "Deployment", "web")["spec"]["template"]["spec"];
    let expected = if container.is_empty() { ["main", "helper"] } else { ["helper", "main"] };
    assert_eq!(names(&spec["containers"], "name"), expected, "in the user's order");
    spec["containers"].as_array().expect("containers").clone()
}

const PROBES: &str = r#"
mesh m { trust_domain = "cluster.local", trust = t }
trust t {}
network n {}
cluster west { network = n, region = "here" }

namespace shop {
  service web {
    clusters = [west]
    port http { number = 80, target = 8080, bind = loopback }
    workload { CONTAINER }
    probe readiness { path = "/ready", port = 8080 }
    probe liveness { path = "/live", port = 8080, timeout = 3s }
    probe startup { path = "/start", port = 8080 }
  }
}
"#;

#[test]
fn a_probe_has_one_handler_and_keeps_everything_else() {
    for container in ["", "container = \"main\""] {
        let probes = "readinessProbe: {tcpSocket: {port: http}, periodSeconds: 3}, \
             livenessProbe: {grpc: {port: 8080}, failureThreshold: 7}, \
             startupProbe: {exec: {command: [\"true\"]}, timeoutSeconds: 9}";
        let containers = rendered_probes(container, probes);
        let main = containers.iter().find(|one| one["name"] == "main").expect("the application");
        let ours = |path: &str| json!({"path": path, "port": 15021});
        let readiness = json!({"httpGet": ours("/app/readiness"), "periodSeconds": 3, "timeoutSeconds": 1});
        assert_eq!(main["readinessProbe"], readiness, "{container}");
        let liveness = json!({"httpGet": ours("/app/liveness"), "failureThreshold": 7, "timeoutSeconds": 3});
        assert_eq!(main["livenessProbe"], liveness, "{container}");
        let startup = json!({"httpGet": ours("/app/startup"), "timeoutSeconds": 1});
        assert_eq!(main["startupProbe"], startup, "{container}");
        let helper = containers.iter().find(|one| one["name"] == "helper").expect("the other container");
        assert!(helper["readinessProbe"].is_null() && helper["livenessProbe"].is_null(), "{helper}");
    }
}

#[test]
fn a_probes_headers_stay_and_its_scheme_is_the_sidecars() {
    for container in ["", "container = \"main\""] {
        let probes = "readinessProbe: {httpGet: {path: /own, port: https, scheme: HTTPS, host: web.example, \
             httpHeaders: [{name: x-probe, value: \"1\"}]}}";
        let containers = rendered_probes(container, probes);
        let main = containers.iter().find(|one| one["name"] == "main").expect("the application");
        let headers = json!([{"name": "x-probe", "value": "1"}]);
        let handler = json!({"path": "/app/readiness", "port": 15021, "httpHeaders": headers});
        assert_eq!(main["readinessProbe"]["httpGet"], handler, "{container}");
    }
}

/// Two versions of one service, as people who run them write them: two Deployments in one kustomization.
#[test]
fn each_subset_has_a_component_and_a_companion_of_its_own() {
    let mesh = format!(
        "{WORKLOADS}{}",
        r#"
namespace shop {
  client page { clusters = [west], calls = [reviews] }
  service reviews {
    clusters = [west]
    port http { number = 9080 }
    subset v1 { in west { replicas = 2 } }
    subset v2 { workload { image = "reviews:2" } }
  }
}
"#
    );
    let built = Built::new(&mesh, DataPlane::Meshd, &[]);
    let west = kustomize(&built.out().join("west"));
    assert_valid(&west);
    let west = documents(&west);
    let selectors: Vec<_> = ["v1", "v2"]
        .iter()
        .map(|subset| named(&west, "Service", &format!("reviews-{subset}-mesh"))["spec"]["selector"].clone())
        .collect();
    let written = &named(&west, "Deployment", "reviews-v2")["spec"]["template"]["metadata"]["labels"];
    for (key, value) in selectors[1].as_object().expect("a selector") {
        assert_eq!(&written[key], value, "its companion finds its pods");
    }
    assert!(!west.iter().any(|one| one["metadata"]["name"] == "reviews-mesh"), "its pods are in subsets");

    let folder = built.path().join("app");
    std::fs::create_dir_all(&folder).expect("writable");
    let workload = "apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v1, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews, version: v1}}
  template:
    metadata: {labels: {app: reviews, version: v1}}
    spec: {serviceAccountName: reviews, containers: [{name: reviews, image: \"reviews:1\"}]}
";
    std::fs::write(folder.join("reviews.yaml"), workload).expect("writable");
    let kustomization = "resources: [reviews.yaml]\ncomponents: [../out/west/sidecars/shop/reviews.v1]\n";
    std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
    let user = kustomize(&folder);
    assert_valid(&user);
    let user = documents(&user);
    let labels = &named(&user, "Deployment", "reviews-v1")["spec"]["template"]["metadata"]["labels"];
    for (key, value) in selectors[0].as_object().expect("a selector") {
        assert_eq!(&labels[key], value);
    }
    assert!(selectors[0] != selectors[1] && labels["version"] == "v1");
}

/// kustomize has no schema of a Rollout, by which lists of a patch would merge with the user's.
#[test]
fn a_rollout_keeps_what_it_has() {
    for (capture, ours) in
        [("loopback", vec!["mesh-proxy"]), ("redirect", vec!["mesh-redirect", "mesh-proxy"])]
    {
        let mesh = r#"
mesh m { trust_domain = "cluster.local", trust = t, capture = CAPTURE }
trust t {}
network n {}
cluster west { network = n, region = "here" }
namespace shop {
  service web {
    clusters = [west]
    port http { number = 80, target = 80, bind = loopback }
    workload canary { kind = rollout, container = "main", labels = { team = "one" } }
    probe readiness { path = "/ready", port = 80 }
    calls = [stock]
  }
  service stock { clusters = [west], port http { number = 88, target = 8080 }, workload { kind = rollout } }
  client page { clusters = [west], calls = [web, stock], workload { kind = rollout } }
}
"#;
        let built = Built::new(&mesh.replace("CAPTURE", capture), DataPlane::Meshd, &[]);
        assert_valid(&kustomize(&built.out().join("west")));
        let folder = built.path().join("app");
        std::fs::create_dir_all(&folder).expect("writable");
        let rollouts = "apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: canary, namespace: shop}
spec:
  replicas: 3
  strategy: {canary: {steps: [{setWeight: 20}, {pause: {}}]}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostAliases: [{ip: 192.0.2.1, hostnames: [own.example]}]
      initContainers: [{name: migrate, image: \"migrate:1\"}]
      containers:
      - {name: helper, image: \"helper:1\"}
      - {name: main, image: \"web:1\", args: [\"8\"], readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 3}}
      volumes: [{name: own, emptyDir: {}}]
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: stock, namespace: shop}
spec:
  selector: {matchLabels: {app: stock}}
  template:
    metadata: {labels: {app: stock}}
    spec: {containers: [{name: stock, image: \"stock:1\"}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: page, namespace: shop}
spec:
  selector: {matchLabels: {app: page}}
  template:
    metadata: {labels: {app: page}}
    spec: {containers: [{name: page, image: \"page:1\"}]}
";
        std::fs::write(folder.join("rollouts.yaml"), rollouts).expect("writable");
        let sidecars = "../out/west/sidecars/shop";
        let kustomization = format!(
            "namePrefix: next-\nresources: [rollouts.yaml]\ncomponents: [{sidecars}/web, {sidecars}/stock, {sidecars}/page]\n"
        );
        std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
        let rendered = documents(&kustomize(&folder));
        // A Rollout's pod template is a Deployment's, of which there is a schema.
        for rollout in rendered.iter().filter(|one| one["kind"] == "Rollout") {
            let mut deployment = rollout.clone();
            deployment["apiVersion"] = json!("apps/v1");
            deployment["kind"] = json!("Deployment");
            if let Some(spec) = deployment["spec"].as_object_mut() {
                spec.remove("strategy");
            }
            assert_valid(&deployment.to_string());
        }
        let web = &named(&rendered, "Rollout", "next-canary")["spec"];
        assert_eq!(web["strategy"]["canary"]["steps"][0]["setWeight"], 20);
        let labels = &web["template"]["metadata"]["labels"];
        let expected = json!({
            "app": "web", "team": "one", "mesh.meshc.dev/service": "web", "mesh.meshc.dev/workload": "next-canary",
        });
        assert_eq!(labels, &expected, "what an overlay has renamed is not sent the requests of the other");
        let pod = &web["template"]["spec"];
        let first: Vec<&str> = ours.iter().copied().chain(["migrate"]).collect();
        assert_eq!(names(&pod["initContainers"], "name"), first, "the user's own may call others");
        assert_eq!(names(&pod["containers"], "name"), ["helper", "main"]);
        let main = &pod["containers"][1];
        let readiness = json!({"httpGet": {"path": "/app/readiness", "port": 15021}, "periodSeconds": 3, "timeoutSeconds": 1});
        assert_eq!(
            (&main["readinessProbe"], &main["image"], &main["args"]),
            (&readiness, &json!("web:1"), &json!(["8"]))
        );
        assert_eq!(main["lifecycle"]["preStop"]["sleep"]["seconds"], 5);
        let sysctl = &pod["securityContext"]["sysctls"][0]["value"];
        assert_eq!(sysctl.as_str(), (capture == "loopback").then_some("0"));
        assert_eq!(names(&pod["volumes"], "name")[..2], ["own", "mesh-config"]);
        assert_eq!(
            pod["volumes"][1]["configMap"]["name"], "next-mesh-web",
            "the name that the overlay gave it"
        );
        let aliases = pod["hostAliases"].as_array().expect("host aliases");
        assert!(aliases.len() > 1 && aliases[0]["ip"] == "192.0.2.1", "{aliases:?}");
        for other in ["next-stock", "next-page"] {
            let pod = &named(&rendered, "Rollout", other)["spec"]["template"]["spec"];
            assert_eq!(
                pod["initContainers"].as_array().map(Vec::len),
                Some(if other == "next-page" { ours.len() } else { 1 }),
                "{other}"
            );
        }
        // A pod in the host's network is refused as in other kinds.
        let hosted = rollouts.replace(
            "    spec: {containers: [{name: stock,",
            "    spec: {hostNetwork: true, containers: [{name: stock,",
        );
        std::fs::write(folder.join("rollouts.yaml"), hosted).expect("writable");
        let refused = process::run(Command::new(tools::tool("kubectl")).arg("kustomize").arg(&folder));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains("hostNetwork"), "{said}");
    }
}
