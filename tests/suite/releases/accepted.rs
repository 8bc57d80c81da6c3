//! Which static configurations a release refuses.

use std::collections::BTreeSet;

use mesh_tests::build::{Built, planned_mesh};
use mesh_tests::mesh::DataPlane;
use mesh_tests::{tools, validation};
use serde_json::Value;

use crate::{NEWEST, changes, older};

/// Meshes that together ask Envoy for everything that a behaviour is about, and for much else.
const MESHES: [&str; 12] = [
    "acme",
    "balance",
    "calls",
    "clients",
    "egress",
    "grpc",
    "health",
    "limits",
    "many-shapes",
    "mesh-limits",
    "outside",
    "retries",
];

/// The proxies of changes that a static configuration does not survive.
fn refused(changes: &[Value]) -> BTreeSet<&str> {
    let refused = changes.iter().filter(|change| change["kind"] != "meaning");
    let proxies = refused.flat_map(|change| change["proxies"].as_array().expect("a list"));
    proxies.map(|proxy| proxy["proxy"].as_str().expect("a name")).collect()
}

#[test]
fn a_release_refuses_exactly_what_is_said() {
    for release in older() {
        let envoy = tools::envoy(&release);
        let (mut accepted, mut refusals) = (0, 0);
        for name in MESHES {
            let built = Built::new(&planned_mesh(name), DataPlane::Envoy, &["--static"]);
            let changes = changes(&built.path().join("mesh.mesh"), &release, NEWEST);
            let refused = refused(&changes);
            for (proxy, said) in validation::of_static(&built, &envoy) {
                match said {
                    Ok(_) => {
                        assert!(!refused.contains(proxy.as_str()), "{release}, {name}: {proxy} is taken");
                        accepted += 1;
                    }
                    Err(said) => {
                        assert!(
                            refused.contains(proxy.as_str()),
                            "{release}, {name}: {proxy} is refused: {said}"
                        );
                        refusals += 1;
                    }
                }
            }
        }
        assert!(accepted > 20 && refusals > 5, "{release}: {accepted} taken, {refusals} refused");
    }
}
