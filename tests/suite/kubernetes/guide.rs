//! The operator's README of each cluster names what is really there.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use mesh_tests::build::{Built, acme, kustomize};
use mesh_tests::mesh::DataPlane;
use mesh_tests::{process, tools};
use serde_json::Value;

use crate::documents;

/// Every image that a document names, wherever it stands.
fn images(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "image") {
                    Some(image) => {
                        found.insert(image.to_owned());
                    }
                    None => images(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| images(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn every_image_to_mirror_is_named(data_plane: DataPlane) {
    for capture in ["loopback", "redirect"] {
        let source = acme().replace("data_plane   = envoy", &format!("capture = {capture}"));
        let built = Built::new(&source, data_plane, &[]);
        for cluster in ["east", "west"] {
            let folder = built.out().join(cluster);
            let mut used = BTreeSet::new();
            for document in documents(&kustomize(&folder)) {
                images(&document, &mut used);
            }
            let sidecars = fs::read_dir(folder.join("sidecars/istioinaction")).expect("there are sidecars");
            for sidecar in sidecars {
                let patch = sidecar.expect("readable").path().join("patch.yaml");
                for document in documents(&fs::read_to_string(patch).expect("each has a patch")) {
                    images(&document, &mut used);
                }
            }
            let guide = fs::read_to_string(folder.join("README.md")).expect("there is a guide");
            let listed = guide.lines().filter_map(|line| line.strip_prefix("  - `")?.split('`').next());
            let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
            assert_eq!(listed, used, "{data_plane:?}, {capture}, {cluster}");
            assert_eq!(used.contains("redis:7.2"), cluster == "east", "{used:?}");
        }
    }
}

#[test]
fn every_image_to_mirror_is_named_for_envoy() {
    every_image_to_mirror_is_named(DataPlane::Envoy);
}

#[test]
fn every_image_to_mirror_is_named_for_meshd() {
    every_image_to_mirror_is_named(DataPlane::Meshd);
}

/// The commands of the guide that need no cluster, run as they stand there.
#[test]
fn what_is_gone_is_listed() {
    let built = Built::new(&acme(), DataPlane::Envoy, &[]);
    std::fs::rename(built.out(), built.path().join("old")).expect("the tree can be moved");
    let smaller = acme().replace("gateway eastwest { role = east_west, address = 172.18.255.201 }", "");
    std::fs::write(built.path().join("mesh.mesh"), smaller).expect("writable");
    built.meshc(&["build", "mesh.mesh", "-o", "new"]);
    let guide = fs::read_to_string(built.path().join("new/west/README.md")).expect("there is a guide");
    let (_, section) = guide.split_once("## What is gone").expect("there is a section");
    let commands: String = section
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(commands.contains("comm -23"), "{section}");
    let path = tools::workspace().join("tests/.tools/bin").display().to_string();
    let path = format!("{path}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    let listed =
        process::succeed(command.args(["-c", &commands]).current_dir(built.path()).env("PATH", path));
    let listed: Vec<&str> = listed.lines().collect();
    let expected =
        ["ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"];
    let expected = expected.map(|kind| format!("{kind} mesh-system west-eastwest"));
    assert_eq!(listed, expected);
}
