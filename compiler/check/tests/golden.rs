//! Golden meshes, one folder per check: `tests/golden/check/<code>-<slug>/mesh.mesh` raises that code and no other, and
//! what is rendered stands beside it. Each also holds a near miss, which must stay silent. `MESH_BLESS=1` rewrites.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "the fixtures lie on the disk, and blessing is asked for by environment"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lang_diagnostics::{Diagnostic, Fixture, RenderOptions, Sink, SourceMap, render_text};
use lang_expand::{StandardLibrary, expand_text};

/// Width of the rendered text.
const WIDTH: usize = 100;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What the checks say about a fixture, as text and as codes: errors, and the warning that its name begins with, so that a
/// new warning changes no fixture but its own.
fn about(case: &Path) -> (String, BTreeSet<&'static str>) {
    let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mesh = case.join("mesh.mesh");
    let fixture = Fixture::new(&name, &std::fs::read_to_string(&mesh).unwrap());
    checked(&mesh, |found| fixture.shows(found))
}

/// What the checks say about a mesh, as text and as codes.
fn checked(path: &Path, shown: impl Fn(&Diagnostic) -> bool) -> (String, BTreeSet<&'static str>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let id = sources.add("mesh.mesh", text.as_str());
    let file = lang_syntax::parse(id, &text, &mut sink);
    let library = StandardLibrary(meshc_stdlib::MODULES);
    let trees = expand_text(file, meshc_vocabulary::SCHEMA, library, &mut sources, &mut sink);
    let model = meshc_vocabulary::evaluate(&trees, &mut sources, &mut sink);
    if let Some(model) = &model {
        let resolved = meshc_resolve::resolve(model);
        meshc_check::check(&resolved, &meshc_topology::build(&resolved), &mut sink);
    }
    let mut diagnostics = sink.into_sorted();
    diagnostics.retain(shown);
    let codes = diagnostics.iter().map(|it| it.code.0).collect();
    (render_text(&diagnostics, &sources, RenderOptions { width: WIDTH, color: false }), codes)
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> =
        std::fs::read_dir(root().join("tests/golden/check")).unwrap().map(|it| it.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn every_fixture_says_what_stands_beside_it() {
    let bless = std::env::var("MESH_BLESS").is_ok();
    let mut wrong = Vec::new();
    for case in cases() {
        let (text, _) = about(&case);
        let expected = case.join("expected.txt");
        if bless {
            std::fs::write(&expected, &text).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(text.as_str()) {
            wrong.push(format!("{}\n{text}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "MESH_BLESS=1 rewrites what differs:\n{}", wrong.join("\n"));
}

#[test]
fn every_fixture_raises_the_code_in_its_name_and_no_other() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let (text, codes) = about(&case);
        let code = name.split('-').next().unwrap();
        assert_eq!(codes, BTreeSet::from([code]), "{name}\n{text}");
    }
}

#[test]
fn every_code_is_raised_by_a_fixture_and_explained_with_an_example() {
    let raised: BTreeSet<_> = cases().iter().flat_map(|case| about(case).1).collect();
    let listed: BTreeSet<_> = meshc_check::codes::CODES.iter().map(|info| info.code.0).collect();
    assert_eq!(raised, listed);
    assert_eq!(listed.len(), meshc_check::codes::CODES.len(), "each code stands for one check");
    for info in meshc_check::codes::CODES {
        assert!(info.explanation.contains("```mesh"), "{} has no example", info.code);
        assert!(!info.title.ends_with('.'), "{}", info.code);
    }
}

#[test]
fn the_examples_are_without_any_finding() {
    for example in ["acme", "single-cluster"] {
        let (text, _) = checked(&root().join("examples").join(example).join("mesh.mesh"), |_| true);
        assert_eq!(text, "", "{example}");
    }
}
