//! Rendered proxies: golden folders, the real Envoy's own validation, and what may differ between placements.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test at the edge: files, the environment, Envoy itself; it fails by panicking"
)]

mod sample;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use lang_diagnostics::Sink;
use meshc_envoy::render;
use meshc_plan::{Placement, ProxyPlan, RenderedProxy, Rendering};

fn rendered(plan: &ProxyPlan, form: Rendering, placement: &Placement) -> RenderedProxy {
    let mut sink = Sink::default();
    let rendered = render(plan, form, placement, &mut sink);
    assert!(sink.diagnostics().is_empty(), "{:?}", sink.diagnostics());
    rendered.expect("a plan without errors renders")
}

/// Compares each proxy's files with `tests/golden/<name>/<form>/`. `UPDATE_EXPECTED=1` writes them instead.
#[test]
fn files_are_the_golden_ones() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, plan) in sample::plans() {
        for (form, folder) in [(Rendering::Watched, "watched"), (Rendering::Static, "static")] {
            let folder = golden.join(name).join(folder);
            let files = rendered(&plan, form, &Placement::declared()).files;
            if std::env::var("UPDATE_EXPECTED").is_ok() {
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
    for (name, plan) in sample::plans() {
        let root = directory.path().join(name);
        let placement = placed(&plan, &root);
        let rendered = rendered(&plan, Rendering::Static, &placement);
        let config = root.join("etc/mesh/config");
        std::fs::create_dir_all(&config).expect("the folder can be made");
        std::fs::create_dir_all(root.join("var/run/mesh")).expect("the folder can be made");
        write_secrets(&root);
        for (file, text) in &rendered.files {
            std::fs::write(config.join(file), text).expect("the file can be written");
        }
        let output = Command::new(envoy())
            .args(["--mode", "validate", "--log-level", "warning", "--concurrency", "1", "-c"])
            .arg(config.join(&rendered.entry))
            .output()
            .expect("envoy runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        assert_eq!(said, "", "{name}");
    }
}

/// A key pair and a root where the plan says, so that Envoy finds what it is told to read.
fn write_secrets(root: &Path) {
    let pair = rcgen::generate_simple_self_signed(vec!["example.org".to_owned()]).expect("a certificate");
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    for (folder, file, text) in [
        ("identity", "tls.crt", &certificate),
        ("identity", "tls.key", &key),
        ("trust", "roots.pem", &certificate),
        ("server-tls/shop-certificate", "tls.crt", &certificate),
        ("server-tls/shop-certificate", "tls.key", &key),
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
