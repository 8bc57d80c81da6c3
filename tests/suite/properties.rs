//! Properties of whole builds: order of the source, repetition, and what a proxy does not call make no difference.

use std::collections::BTreeMap;
use std::process::Command;

use mesh_tests::build::{Built, acme, example, planned_mesh, tree};
use mesh_tests::mesh::DataPlane;
use mesh_tests::synthetic::{RARE, Shape, mesh};
use mesh_tests::{process, tools, validation};

/// The top-level items of a source: lines up to a closing brace in the first column.
fn items(source: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut current = String::new();
    for line in source.lines() {
        current.push_str(line);
        current.push('\n');
        let alone = !line.starts_with(' ') && line.contains('{') && line.trim_end().ends_with('}');
        if line.starts_with('}') || alone {
            items.push(std::mem::take(&mut current));
        }
    }
    items
}

/// Builds a source in a folder that has its trust bundle already.
fn rebuild(built: &Built, source: &str, out: &str) -> BTreeMap<String, Vec<u8>> {
    std::fs::write(built.path().join("mesh.mesh"), source).expect("writable");
    built.meshc(&["build", "mesh.mesh", "-o", out, "--data-plane", "envoy"]);
    tree(&built.path().join(out))
}

#[test]
fn shuffled_sources_give_identical_bytes() {
    let source = mesh(Shape { services: 120, clusters: 3, calls: 4, seed: 3, rare: RARE });
    let built = Built::new(&source, DataPlane::Envoy, &[]);
    let first = tree(&built.out());
    assert!(first.len() > 300, "a mesh of some size: {} files", first.len());
    let mut items = items(&source);
    assert!(items.len() > 8, "items are found: {}", items.len());
    for (round, by) in [1, 3, 5].into_iter().enumerate() {
        items.reverse();
        items.rotate_left(by);
        let again = rebuild(&built, &items.concat(), &format!("out{round}"));
        let differing: Vec<_> =
            first.iter().filter(|(name, bytes)| again.get(*name) != Some(bytes)).collect();
        assert!(differing.is_empty(), "{} files differ, such as {}", differing.len(), differing[0].0);
        assert_eq!(first.len(), again.len());
    }
}

#[test]
fn a_second_build_writes_nothing() {
    let built = Built::new(&acme(), DataPlane::Envoy, &[]);
    let times = || {
        let mut times = BTreeMap::new();
        for name in tree(&built.out()).into_keys() {
            let modified = std::fs::metadata(built.out().join(&name)).and_then(|data| data.modified());
            times.insert(name, modified.expect("files have times"));
        }
        times
    };
    let before = times();
    let said = built.meshc(&["build", "mesh.mesh", "-o", "out", "--data-plane", "envoy"]);
    assert_eq!(before, times(), "{said}");
    built.meshc(&["build", "mesh.mesh", "-o", "out", "--data-plane", "envoy", "--check"]);
}

#[test]
fn a_check_build_names_what_differs_and_writes_nothing() {
    let source = acme();
    let built = Built::new(&source, DataPlane::Envoy, &[]);
    let before = tree(&built.out());
    let edited = source.replace("gold = 10/min", "gold = 11/min");
    std::fs::write(built.path().join("mesh.mesh"), edited).expect("writable");
    let mut command = Command::new(tools::binary("meshc"));
    command.args(["build", "mesh.mesh", "-o", "out", "--data-plane", "envoy", "--check"]);
    let output = process::run(command.current_dir(built.path()));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("rate-limit"), "{said}");
    assert_eq!(before, tree(&built.out()));
}

/// What a proxy is told does not grow with services it does not call.
#[test]
fn a_sidecar_knows_only_what_it_calls() {
    let small = acme();
    let extra = mesh(Shape { services: 200, clusters: 2, calls: 5, seed: 9, rare: RARE });
    let namespaces = extra.find("namespace ").expect("the synthetic mesh has namespaces");
    let routes_left_out = extra[namespaces..].replace("[c0]", "[west]").replace("[c1]", "[east]");
    let routes_left_out =
        routes_left_out.replace("c0.ingress", "west.ingress").replace("c1.ingress", "west.ingress");
    let routes_left_out =
        routes_left_out.replace("[c0, c1]", "[west, east]").replace("[c1, c0]", "[east, west]");
    for data_plane in [DataPlane::Envoy, DataPlane::Meshd] {
        let before = tree(&Built::new(&small, data_plane, &[]).out());
        let after = tree(&Built::new(&format!("{small}\n{routes_left_out}"), data_plane, &[]).out());
        assert!(after.len() > before.len() + 200, "the mesh grew: {} → {}", before.len(), after.len());
        let mut compared = 0;
        for (name, bytes) in before.iter().filter(|(name, _)| name.contains("/sidecars/istioinaction/")) {
            assert_eq!(after.get(name), Some(bytes), "{name} changed");
            compared += 1;
        }
        assert!(compared > 12, "sidecars were compared: {compared}");
    }
}

/// Pods restart when something of theirs changes; what proxies read at run time is no part of a pod.
#[test]
fn a_policy_edit_restarts_nobody() {
    let source = acme();
    let edits = [
        ("gold = 10/min", "gold = 11/min"),
        ("scope     = cluster ", "scope     = pod "),
        ("consecutive_5xx = 1", "consecutive_5xx = 4"),
        ("max_concurrent_requests = 10", "max_concurrent_requests = 99"),
        ("attempts = 3", "attempts = 2"),
        ("allow   { from = [west.ingress] }", "deny { from = [webapp] }"),
        ("failover { by = [zone, region] }", "failover { enabled = false }"),
        ("policy loyalty {", "policy patience {\n    timeout { request = 3s }\n  }\n\n  policy loyalty {"),
    ];
    for data_plane in [DataPlane::Envoy, DataPlane::Meshd] {
        let built = Built::new(&source, data_plane, &[]);
        let before = tree(&built.out());
        for (old, new) in edits {
            assert!(source.contains(old), "{old}");
            std::fs::write(built.path().join("mesh.mesh"), source.replace(old, new)).expect("writable");
            built.meshc(&["build", "mesh.mesh", "-o", "out", "--data-plane", data_plane.word()]);
            let after = tree(&built.out());
            let changed: Vec<_> =
                before.keys().filter(|name| after.get(*name) != before.get(*name)).collect();
            assert!(changed.iter().any(|name| name.contains("/config/")), "{new}: {changed:?}");
            let pods = |name: &&&String| {
                (name.contains("/sidecars/") || name.contains("/gateways/")) && !name.contains("/config/")
            };
            let restarted: Vec<_> = changed.iter().filter(pods).collect();
            assert!(restarted.is_empty(), "{new} restarts pods: {restarted:?}");
        }
    }
}

#[test]
fn every_static_bootstrap_is_valid_for_the_real_envoy() {
    let synthetic = mesh(Shape { services: 30, clusters: 3, calls: 4, seed: 5, rare: RARE });
    let planned = ["many-shapes", "redirect"].map(planned_mesh);
    let examples = [acme(), example("single-cluster"), synthetic];
    for source in examples.into_iter().chain(planned) {
        let built = Built::new(&source, DataPlane::Envoy, &["--static"]);
        let validated = validation::of_static(&built, &tools::tool("envoy"));
        for (proxy, said) in &validated {
            let said = said.as_ref().unwrap_or_else(|said| panic!("{proxy}: {said}"));
            assert!(!said.to_lowercase().contains("deprecated"), "{proxy}: {said}");
        }
        assert!(validated.len() >= 3, "bootstraps were validated: {}", validated.len());
    }
}

#[test]
fn every_meshd_configuration_is_valid_for_meshd() {
    for name in
        ["calls", "grpc", "hub-and-spoke", "limits", "many-shapes", "outside", "redirect", "same-network"]
    {
        let built = Built::new(&planned_mesh(name), DataPlane::Meshd, &[]);
        let all = tree(&built.out());
        let files: Vec<_> = all.keys().filter(|name| name.ends_with("/meshd.json")).collect();
        assert!(files.len() >= 3, "{files:?}");
        for file in files {
            let mut command = Command::new(tools::binary("meshd"));
            process::succeed(command.arg("validate").arg(built.out().join(file)));
        }
    }
}
