//! Golden folders: `tests/golden/plan/<mesh>/mesh.mesh` of the workspace, rendered for meshd, beside what is expected
//! here in `tests/golden/<mesh>/<cluster>/<proxy>.json`. `MESH_BLESS=1` writes them instead.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and reads its cases"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use lang_diagnostics::{Sink, SourceMap};
use lang_expand::{StandardLibrary, expand_text};
use meshc_meshd::{CONFIG_FILE, render};
use meshc_plan::{Placement, Plan, Rendering};
use meshc_vocabulary::SCHEMA;
use meshd_config::Config;

/// One mesh for each thing that a proxy can be asked to do.
const MESHES: [&str; 14] = [
    "acme",
    "balance",
    "calls",
    "egress",
    "grpc",
    "health",
    "hub-and-spoke",
    "limits",
    "machines",
    "outliers",
    "outside",
    "permissive",
    "redirect",
    "tcp",
];

fn plan(mesh: &str) -> Plan {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/plan");
    let text = std::fs::read_to_string(root.join(mesh).join("mesh.mesh")).unwrap();
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let file = sources.add("mesh.mesh", text.as_str());
    let file = lang_syntax::parse(file, &text, &mut sink);
    let trees = expand_text(file, SCHEMA, StandardLibrary(&[]), &mut sources, &mut sink);
    let model = meshc_vocabulary::evaluate(&trees, &mut sources, &mut sink).unwrap();
    let resolved = meshc_resolve::resolve(&model);
    let plan = meshc_plan::lower(&resolved, &meshc_topology::build(&resolved), &mut sink);
    assert!(!sink.has_errors(), "{mesh}: {:?}", sink.diagnostics());
    plan
}

/// The configurations of a mesh, by cluster and proxy.
fn rendered(mesh: &str, placement: &Placement, form: Rendering) -> BTreeMap<String, String> {
    let mut sink = Sink::default();
    let proxies = plan(mesh).proxies;
    let files = proxies.iter().map(|proxy| {
        let mut rendered = render(proxy, form, placement, &mut sink).unwrap();
        assert_eq!(rendered.entry, CONFIG_FILE);
        (proxy.name.to_string(), rendered.files.remove(CONFIG_FILE).unwrap())
    });
    files.collect()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn configurations_are_the_golden_ones() {
    let bless = std::env::var_os("MESH_BLESS").is_some();
    let mut differ = Vec::new();
    for mesh in MESHES {
        for (proxy, text) in rendered(mesh, &Placement::declared(), Rendering::Watched) {
            let path = golden().join(mesh).join(format!("{proxy}.json"));
            if bless {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &text).unwrap();
            } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
                differ.push(format!("--- {}\n{text}", path.display()));
            }
        }
    }
    assert!(differ.is_empty(), "not as expected; MESH_BLESS=1 accepts it:\n{}", differ.join("\n"));
}

#[test]
fn meshd_accepts_every_one_of_them() {
    for mesh in MESHES {
        for (proxy, text) in rendered(mesh, &Placement::declared(), Rendering::Static) {
            if let Err(invalid) = Config::read(&text) {
                panic!("{mesh} {proxy}:\n{invalid}");
            }
        }
    }
}

#[test]
fn both_forms_are_one() {
    let placement = Placement::declared();
    for mesh in MESHES {
        assert_eq!(
            rendered(mesh, &placement, Rendering::Watched),
            rendered(mesh, &placement, Rendering::Static)
        );
    }
}

/// Every listener on loopback, with its own port, and every file below a folder of the proxy's own.
fn placed(plan: &Plan) -> Placement {
    let mut placement = Placement::local();
    let mut port = 20_000;
    let mut next = || {
        port += 1;
        SocketAddr::from(([127, 0, 0, 1], port))
    };
    for proxy in &plan.proxies {
        placement.put_root(&proxy.name, &format!("/local/{}", proxy.name));
        for listener in &proxy.listeners {
            placement.put_listener(&proxy.name, &listener.name, next());
        }
        for target in [8080, 3000, 5432, 9000] {
            placement.put_app(&proxy.name, target, next());
        }
        placement.put_rate_limit(&proxy.name.cluster, next());
    }
    placement
}

#[test]
fn a_placed_configuration_names_no_declared_address_or_path() {
    for mesh in MESHES {
        for (proxy, text) in rendered(mesh, &placed(&plan(mesh)), Rendering::Watched) {
            let config = Config::read(&text).unwrap_or_else(|invalid| panic!("{mesh} {proxy}:\n{invalid}"));
            for listener in &config.listeners {
                assert!(
                    listener.bind.ip().is_loopback() && !listener.redirected,
                    "{mesh} {proxy} {}",
                    listener.name
                );
            }
            for endpoint in
                config.upstreams.values().flat_map(|up| &up.groups).flat_map(|group| &group.endpoints)
            {
                let loopback =
                    matches!(endpoint.host, meshd_config::EndpointHost::Address(ip) if ip.is_loopback());
                assert!(loopback, "{mesh} {proxy} {endpoint:?}");
            }
            assert!(!text.contains("\"/etc/") && !text.contains("\"/var/"), "{mesh} {proxy}\n{text}");
        }
    }
}
