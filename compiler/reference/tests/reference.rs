//! `lang/REFERENCE.md` is what `meshc docs` writes, and the meshes in it compile; `MESH_BLESS=1` rewrites it.
#![expect(
    clippy::disallowed_methods,
    reason = "the reference is a file, and blessing is asked for in the environment"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use meshc_driver::{MemoryFileSystem, Options, codes};
use meshc_vocabulary::model::DataPlane;

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lang/REFERENCE.md");
    let text = meshc_reference::markdown(&codes::all());
    if env::var("MESH_BLESS").is_ok_and(|value| value == "1") {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "lang/REFERENCE.md is out of date: MESH_BLESS=1 cargo test -p meshc-reference --test reference writes it"
    );
}

/// On both data planes, and without any warning: who copies an example copies no mistake.
#[test]
fn the_examples_compile() {
    for data_plane in [DataPlane::Envoy, DataPlane::Meshd] {
        let disk = MemoryFileSystem::with(&[("mesh.mesh", meshc_reference::EXAMPLES)]);
        let options = Options { data_plane: Some(data_plane) };
        let compilation = meshc_driver::check(&disk, Path::new("mesh.mesh"), options).unwrap();
        let found: Vec<_> =
            compilation.diagnostics.iter().map(|one| format!("{}: {}", one.code, one.message)).collect();
        assert_eq!(found, Vec::<String>::new(), "{data_plane:?}");
        assert!(compilation.mesh.is_some());
    }
}

/// Every link leads somewhere, in the Markdown and on the page.
#[test]
fn every_link_has_its_anchor() {
    let page = meshc_reference::page(&codes::all(), "1.0").unwrap_or_else(|error| panic!("{error}"));
    let between = |before: &str| -> BTreeSet<String> {
        let found = page.split(before).skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
        found.map(str::to_owned).collect()
    };
    let (ids, links) = (between(" id=\""), between(" href=\"#"));
    assert!(ids.len() > 600 && links.len() > 200, "{} anchors, {} links", ids.len(), links.len());
    let dead: Vec<_> = links.difference(&ids).collect();
    assert!(dead.is_empty(), "{dead:?}");
    let total = page.matches(" id=\"").count();
    assert_eq!(total, ids.len(), "no anchor is there twice");
    for outside in [" src=", "href=\"http", "url(", "@import", "<link"] {
        assert!(!page.contains(outside), "the page needs nothing else: {outside}");
    }
}
