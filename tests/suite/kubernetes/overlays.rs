//! Overlays of one base: none takes the requests of another, and none starts without what it needs unnoticed.

use std::process::Command;

use mesh_tests::build::{Built, acme, kustomize};
use mesh_tests::mesh::DataPlane;
use mesh_tests::{process, tools};
use serde_json::Value;

use crate::{assert_valid, documents, named, workload};

/// A base with the component of a service in east, and overlays of it.
fn base(built: &Built, service: &str) {
    let folder = built.path().join("base");
    std::fs::create_dir_all(&folder).expect("writable");
    let deployment = workload(service, "  namespace: istioinaction\n");
    std::fs::write(folder.join("deployment.yaml"), deployment).expect("writable");
    let component = format!("../out/east/sidecars/istioinaction/{service}");
    let kustomization = format!("resources: [deployment.yaml]\ncomponents: [{component}]\n");
    std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
}

fn overlay(built: &Built, name: &str, text: &str) -> Vec<Value> {
    let folder = built.path().join(name);
    std::fs::create_dir_all(&folder).expect("writable");
    let kustomization = format!("resources: [../base]\n{text}");
    std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
    let rendered = kustomize(&folder);
    assert_valid(&rendered);
    documents(&rendered)
}

/// Whether a Service's selector finds the pods of a Deployment.
fn finds(service: &Value, deployment: &Value) -> bool {
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    let selector = service["spec"]["selector"].as_object().expect("a selector");
    selector.iter().all(|(label, value)| labels[label] == *value)
}

#[test]
fn the_mesh_calls_the_workload_that_it_declares_and_no_overlay_beside_it() {
    let built = Built::new(&acme(), DataPlane::Envoy, &[]);
    base(&built, "catalog");
    let east = documents(&kustomize(&built.out().join("east")));
    let companion = named(&east, "Service", "catalog-mesh");
    let production = overlay(&built, "production", "labels: [{pairs: {track: production}}]\n");
    assert!(finds(companion, named(&production, "Deployment", "catalog")), "{companion}\n{production:?}");
    let patch = "patches:
- target: {kind: Deployment, name: catalog}
  options: {allowNameChange: true}
  patch: |
    - {op: replace, path: /metadata/name, value: catalog-next}
";
    let tracked = "labels: [{pairs: {track: preview}, includeSelectors: true, includeTemplates: true}]\n";
    let renamings = [
        ("prefix", "namePrefix: preview-\n", "preview-catalog"),
        ("suffix", "nameSuffix: -next2\n", "catalog-next2"),
        ("patch", patch, "catalog-next"),
    ];
    for (folder, renaming, name) in renamings {
        let preview = overlay(&built, folder, &format!("{renaming}{tracked}"));
        let deployment = named(&preview, "Deployment", name);
        assert!(!finds(companion, deployment), "{folder}: {deployment}");
        // It is a pod of the service all the same: policies that close its ports find it.
        let policy = named(&east, "NetworkPolicy", "catalog-mesh");
        let label = "mesh.meshc.dev/service";
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert_eq!(policy["spec"]["podSelector"]["matchLabels"][label], labels[label], "{folder}");
    }
}

#[test]
fn nothing_can_rename_the_tree_itself() {
    let built = Built::new(&acme(), DataPlane::Envoy, &[]);
    let folder = built.path().join("above");
    std::fs::create_dir_all(&folder).expect("writable");
    let render = |setting: &str| {
        let kustomization = format!("resources: [../out/west]\n{setting}\n");
        std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
        let mut command = Command::new(tools::tool("kubectl"));
        let output = process::run(command.arg("kustomize").arg(&folder));
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for harmless in [
        "labels: [{pairs: {a: b}}]",
        "labels: [{pairs: {a: b}, includeTemplates: true}]",
        "commonAnnotations: {a: b}",
        "images: [{name: a, newTag: b}]",
        "replicas: [{name: west-ingress, count: 4}]",
    ] {
        let (renders, said) = render(harmless);
        assert!(renders, "{harmless}: {said}");
    }
    for renaming in ["namePrefix: a-", "nameSuffix: -b"] {
        let (renders, said) = render(renaming);
        assert!(!renders && said.contains("nothing-may-rename-this-tree"), "{renaming}: {said}");
    }
    let (renders, said) = render("namespace: elsewhere");
    assert!(!renders, "{said}");
    // Selectors with further labels find no pod of a workload any more, in Services and in NetworkPolicies.
    for labels in ["commonLabels: {a: b}", "labels: [{pairs: {a: b}, includeSelectors: true}]"] {
        let (renders, said) = render(labels);
        assert!(!renders && said.contains("nothing-may-add-labels-to-selectors"), "{labels}: {said}");
    }
}

#[test]
fn a_workload_that_is_renamed_below_its_component_gets_the_requests_under_its_final_name() {
    let text = acme().replace(
        "  service catalog {\n",
        "  service catalog {\n    workload prod-catalog { kind = deployment }\n",
    );
    let built = Built::new(&text, DataPlane::Envoy, &[]);
    let inner = built.path().join("inner");
    std::fs::create_dir_all(&inner).expect("writable");
    std::fs::write(inner.join("deployment.yaml"), workload("catalog", "")).expect("writable");
    let kustomization = "resources: [deployment.yaml]\nnamespace: istioinaction\nnamePrefix: prod-\n";
    std::fs::write(inner.join("kustomization.yaml"), kustomization).expect("writable");
    let outer = built.path().join("outer");
    std::fs::create_dir_all(&outer).expect("writable");
    let component = "../out/east/sidecars/istioinaction/catalog";
    let kustomization = format!("resources: [../inner]\ncomponents: [{component}]\n");
    std::fs::write(outer.join("kustomization.yaml"), kustomization).expect("writable");
    let rendered = documents(&kustomize(&outer));
    let east = documents(&kustomize(&built.out().join("east")));
    let (companion, deployment) =
        (named(&east, "Service", "catalog-mesh"), named(&rendered, "Deployment", "prod-catalog"));
    assert!(finds(companion, deployment), "{companion}\n{deployment}");
}
