//! Rendered proxies: golden folders, the real Envoy's own validation, and what may differ between placements.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test at the edge: files, the environment, Envoy itself; it fails by panicking"
)]

mod refused;
mod sample;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use lang_diagnostics::Sink;
use meshc_envoy::render;
use meshc_plan::filter::Filter;
use meshc_plan::{InboundProtocol, ListenerKind, Placement, ProxyPlan, RenderedProxy, Rendering};

fn rendered(plan: &ProxyPlan, form: Rendering, placement: &Placement) -> RenderedProxy {
    let mut sink = Sink::default();
    let rendered = render(plan, form, placement, &mut sink);
    assert!(sink.diagnostics().is_empty(), "{:?}", sink.diagnostics());
    rendered.expect("a plan without errors renders")
}

/// Compares each proxy's files with `tests/golden/<name>/<form>/`. `MESH_BLESS=1` writes them instead.
#[test]
fn files_are_the_golden_ones() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, plan) in sample::plans() {
        for (form, folder) in [(Rendering::Watched, "watched"), (Rendering::Static, "static")] {
            let folder = golden.join(name).join(folder);
            let files = rendered(&plan, form, &Placement::declared()).files;
            if std::env::var("MESH_BLESS").is_ok() {
                let _ = std::fs::remove_dir_all(&folder);
                std::fs::create_dir_all(&folder).expect("the folder can be made");
                for (file, text) in &files {
                    std::fs::write(folder.join(file), text).expect("the file can be written");
                }
            }
            let expected = read_folder(&folder);
            let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&files), names(&expected), "{}", folder.display());
            for (file, text) in &files {
                assert!(expected[file] == *text, "{} differs:\n{text}", folder.join(file).display());
            }
        }
    }
}

fn read_folder(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("a folder can be listed").path();
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("a golden file is text"))
    };
    entries.map(file).collect()
}

/// The real Envoy accepts every static bootstrap, and has nothing to say about it: a deprecation would show here.
#[test]
fn envoy_accepts_every_static_bootstrap_without_a_warning() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    write_secrets(directory.path());
    let mut plans: Vec<ProxyPlan> = sample::plans().into_iter().map(|(_, plan)| plan).collect();
    let samples = plans.len();
    for folder in ["examples", "tests/golden/plan"] {
        for (_, source) in support::meshes(folder) {
            // Some of the plan's cases are about errors and have none.
            plans.extend(support::compile(&source).plan.into_iter().flat_map(|plan| plan.proxies));
        }
    }
    assert!(plans.len() > samples + 20, "only {} plans of meshes", plans.len() - samples);
    for (checked, plan) in plans.iter().enumerate() {
        let rendered = rendered(plan, Rendering::Static, &placed(plan, directory.path()));
        let config = directory.path().join("etc/mesh/config");
        let _ = std::fs::remove_dir_all(&config);
        std::fs::create_dir_all(&config).expect("the folder can be made");
        for (file, text) in &rendered.files {
            std::fs::write(config.join(file), text).expect("the file can be written");
        }
        // What drains differs in a list of names only: those of the samples stand for all.
        let drain = rendered.drain.iter().filter(|_| checked < samples);
        for file in [&rendered.entry].into_iter().chain(drain) {
            let output = Command::new(envoy())
                .args(["--mode", "validate", "--log-level", "warning", "--concurrency", "1", "-c"])
                .arg(config.join(file))
                .output()
                .expect("envoy runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{} {file}: {said}", plan.name);
        }
    }
}

/// Watched files are beyond `--mode validate`, so they must be exactly what it has seen in the static bootstrap.
#[test]
fn watched_files_hold_what_the_static_bootstrap_holds() {
    for (name, plan) in sample::plans() {
        let watched = rendered(&plan, Rendering::Watched, &Placement::declared()).files;
        let fixed = rendered(&plan, Rendering::Static, &Placement::declared()).files;
        let bootstrap = read(&fixed["bootstrap.yaml"]);
        for (file, resources) in [("listeners.yaml", "listeners"), ("clusters.yaml", "clusters")] {
            let mut found = read(&watched[file]);
            for resource in found["resources"].as_array_mut().expect("a list of resources") {
                let kind = resource.as_object_mut().and_then(|resource| resource.remove("@type"));
                assert!(kind.is_some(), "{name}: {file}");
            }
            assert_eq!(found["resources"], bootstrap["static_resources"][resources], "{name}: {file}");
        }
        for (file, text) in fixed.iter().filter(|(file, _)| file.starts_with("sds-")) {
            assert_eq!(watched[file], *text, "{name}: {file}");
        }
    }
}

fn read(text: &str) -> serde_json::Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A proxy on one machine differs from the declared one in addresses, ports and paths, and in nothing else.
#[test]
fn a_placement_changes_addresses_and_paths_only() {
    for (name, plan) in sample::plans() {
        let declared = rendered(&plan, Rendering::Static, &Placement::declared()).files;
        let placed = rendered(&plan, Rendering::Static, &placed(&plan, Path::new("/tmp/mesh"))).files;
        assert!(declared.keys().eq(placed.keys()), "{name}");
        for (file, text) in &declared {
            let (mut declared, mut placed) = (read(text), read(&placed[file]));
            for value in [&mut declared, &mut placed] {
                normalise(value);
            }
            assert_eq!(placed, declared, "{name}: {file}");
        }
    }
}

/// Takes away what a placement may change: addresses and ports, paths, how names are resolved, and redirection.
fn normalise(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            for field in ["socket_address", "path", "filename", "type", "cluster_type", "bind_to_port"] {
                if fields
                    .get(field)
                    .is_some_and(|value| field != "path" || value.as_str().is_some_and(is_file))
                {
                    fields.remove(field);
                }
            }
            fields.values_mut().for_each(normalise);
        }
        serde_json::Value::Array(items) => {
            items.retain(|item| item["name"] != "outbound");
            items.iter_mut().for_each(normalise);
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

/// A path of a file, and not of a request.
fn is_file(path: &str) -> bool {
    path.contains("/etc/mesh") || path.contains("/var/run/mesh")
}

/// Generated messages keep maps in hash maps, whose order differs from map to map.
#[test]
fn rendering_twice_gives_the_same_bytes() {
    for (name, plan) in sample::plans() {
        let first = rendered(&plan, Rendering::Static, &Placement::declared());
        for _ in 0..10 {
            assert_eq!(rendered(&plan, Rendering::Static, &Placement::declared()), first, "{name}");
        }
    }
}

#[test]
fn a_limit_beyond_a_token_bucket_is_an_error_at_its_place() {
    let mut plan = sample::everything_else();
    for listener in &mut plan.listeners {
        let ListenerKind::Inbound(inbound) = &mut listener.kind else { continue };
        for chain in &mut inbound.chains {
            let InboundProtocol::Http { filters, .. } = &mut chain.protocol else { continue };
            for filter in filters {
                if let Filter::LocalLimit(limit) = filter {
                    limit.buckets[0].requests = u64::from(u32::MAX) + 1;
                }
            }
        }
    }
    let mut sink = Sink::default();
    assert_eq!(render(&plan, Rendering::Watched, &Placement::declared(), &mut sink), None);
    let codes: Vec<_> = sink.diagnostics().iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [meshc_envoy::codes::LIMIT_TOO_LARGE]);
}

/// A key pair and a root where the plan says, so that Envoy finds what it is told to read.
fn write_secrets(root: &Path) {
    let pair = rcgen::generate_simple_self_signed(vec!["example.org".to_owned()]).expect("a certificate");
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let origin = &sample::ingress().origin;
    let trust = meshc_envoy::trust(&certificate, origin, &mut Sink::default()).expect("it is described");
    for (folder, file, text) in [
        ("identity", "tls.crt", &certificate),
        ("identity", "tls.key", &key),
        ("trust", "roots.pem", &certificate),
        ("trust", "envoy.yaml", &trust),
        ("server-tls/shop-certificate", "tls.crt", &certificate),
        ("server-tls/shop-certificate", "tls.key", &key),
        ("server-tls/other-certificate", "tls.crt", &certificate),
        ("server-tls/other-certificate", "tls.key", &key),
        ("server-tls/sql-tls", "tls.crt", &certificate),
        ("server-tls/sql-tls", "tls.key", &key),
        ("server-tls/people", "ca.crt", &certificate),
        ("server-tls/partners", "ca.crt", &certificate),
        ("outside-tls/pay-ca", "ca.crt", &certificate),
        ("outside-tls/pay-client", "tls.crt", &certificate),
        ("outside-tls/pay-client", "tls.key", &key),
        ("../../var/run/mesh", ".keep", &String::new()),
    ] {
        let folder = root.join("etc/mesh").join(folder);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(folder.join(file), text).expect("the file can be written");
    }
}

/// Everything on loopback, below a folder of its own.
fn placed(plan: &ProxyPlan, root: &Path) -> Placement {
    let mut placement = Placement::local();
    placement.put_root(&plan.name, &root.to_string_lossy());
    for (listener, port) in plan.listeners.iter().zip(20_000..) {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        placement.put_listener(&plan.name, &listener.name, address);
    }
    placement
}

/// The real Envoy: `MESH_ENVOY`, or where `tests/tools/install` puts it.
fn envoy() -> PathBuf {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.tools/bin/envoy");
    let path = std::env::var_os("MESH_ENVOY").map_or_else(installed, PathBuf::from);
    assert!(path.exists(), "{} is missing; run: tests/tools/install", path.display());
    path
}
