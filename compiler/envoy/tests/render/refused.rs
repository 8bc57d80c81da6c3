//! Meshes that Envoy cannot carry: `tests/golden/envoy/<code>-<case>/mesh.mesh` beside `expected.txt`, which holds what
//! is said. `MESH_BLESS=1` writes them instead.

use std::collections::BTreeSet;

use lang_diagnostics::Fixture;
use meshc_plan::{Placement, Rendering};

use crate::support;

#[test]
fn every_code_is_raised_and_says_what_is_expected() {
    let mut raised = BTreeSet::new();
    for (folder, source) in support::meshes("tests/golden/envoy") {
        let mut compiled = support::compile(&source);
        let plan = compiled.plan.take().unwrap_or_else(|| panic!("{}: no plan", folder.display()));
        for proxy in &plan.proxies {
            let _ =
                meshc_envoy::render(proxy, Rendering::Watched, &Placement::declared(), &mut compiled.sink);
        }
        raised.extend(compiled.sink.diagnostics().iter().map(|diagnostic| diagnostic.code));
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let said = compiled.said(&Fixture::new(&name, &source));
        let expected = folder.join("expected.txt");
        if std::env::var_os("MESH_BLESS").is_some() {
            std::fs::write(&expected, &said).expect("the message can be written");
        }
        let expected = std::fs::read_to_string(&expected).expect("a message per mesh");
        assert_eq!(said, expected, "{}", folder.display());
    }
    // No mesh raises an internal error; `tests/golden/internal` holds what it looks like.
    let codes = meshc_envoy::CODES.iter().map(|info| info.code).filter(|code| !code.0.starts_with("E09"));
    assert_eq!(raised, codes.collect());
}
