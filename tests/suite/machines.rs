//! Bundles for machines that are not in Kubernetes: what is in them, and that nothing else is written for them.
//! `tests/golden/machines/<data plane>/` has what people read of each; `MESH_BLESS=1` writes it instead.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mesh_tests::build::{Built, planned_mesh};
use mesh_tests::mesh::DataPlane;
use mesh_tests::tools;

/// Every file below a folder, by its path from there.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        for entry in
            std::fs::read_dir(folder.join(&below)).expect("a folder").map(|entry| entry.expect("an entry"))
        {
            let path = below.join(entry.file_name());
            if entry.file_type().expect("a kind").is_dir() {
                open.push(path);
            } else {
                found.insert(path.display().to_string());
            }
        }
    }
    found
}

fn a_machine_gets_all_that_it_needs(data_plane: DataPlane) {
    let built = Built::new(&planned_mesh("machines"), data_plane, &[]);
    let dc = built.out().join("dc");
    let written = files(&dc);
    let (own, trust): (&[&str], &[&str]) = match data_plane {
        DataPlane::Envoy => (
            &["bootstrap.yaml", "clusters.yaml", "listeners.yaml", "sds-identity.yaml"],
            &["envoy.yaml", "roots.pem"],
        ),
        DataPlane::Meshd => (&["meshd.json"], &["roots.pem"]),
    };
    let mut expected = BTreeSet::from([String::from("mesh.lock.json")]);
    for proxy in ["sidecars/shop/ledger", "sidecars/shop/audit", "sidecars/shop/nightly", "gateways/eastwest"]
    {
        let mut add = |file: &str| expected.insert(format!("{proxy}/{file}"));
        for file in own {
            add(&format!("config/{file}"));
        }
        for file in trust {
            add(&format!("trust/{file}"));
        }
        add("README.md");
        add("mesh-proxy.service");
    }
    for caller in ["ledger", "nightly"] {
        expected.insert(format!("sidecars/shop/{caller}/hosts"));
    }
    if data_plane == DataPlane::Envoy {
        // A gateway that passes TLS through has no identity, and a second Envoy drains it.
        expected.remove("gateways/eastwest/config/sds-identity.yaml");
        expected.insert(String::from("gateways/eastwest/config/drain.yaml"));
        expected.insert(String::from("sidecars/shop/ledger/config/sds-outside-roots-pay-ca.yaml"));
    }
    assert_eq!(written, expected);

    let golden = tools::workspace().join("tests/golden/machines").join(data_plane.word());
    for file in [
        "sidecars/shop/ledger/README.md",
        "sidecars/shop/ledger/hosts",
        "sidecars/shop/ledger/mesh-proxy.service",
        "gateways/eastwest/README.md",
    ] {
        let text = std::fs::read_to_string(dc.join(file)).expect("it was written");
        let place = golden.join(file.replace('/', "_"));
        if std::env::var_os("MESH_BLESS").is_some() {
            std::fs::create_dir_all(&golden).expect("writable");
            std::fs::write(&place, &text).expect("writable");
        }
        let known = std::fs::read_to_string(&place).unwrap_or_default();
        assert_eq!(
            text,
            known,
            "{}: if that is what you want, run this test with MESH_BLESS=1",
            place.display()
        );
    }
}

#[test]
fn a_machine_gets_all_that_it_needs_on_envoy() {
    a_machine_gets_all_that_it_needs(DataPlane::Envoy);
}

#[test]
fn a_machine_gets_all_that_it_needs_on_meshd() {
    a_machine_gets_all_that_it_needs(DataPlane::Meshd);
}
