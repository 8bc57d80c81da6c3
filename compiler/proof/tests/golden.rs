//! Golden meshes: `tests/golden/proof/<code>-<slug>/mesh.mesh` raises that code and no other, `met-<slug>` none, and what is said of
//! each stands beside it. `MESH_BLESS=1` rewrites.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "the fixtures lie on the disk, and blessing is asked for by environment"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lang_diagnostics::{Fixture, RenderOptions, Sink, SourceMap, render_text, settled};
use lang_expand::{StandardLibrary, expand_text};
use meshc_answers::World;

const OPTIONS: RenderOptions = RenderOptions { width: 100, color: false };

/// What is said of a mesh, as text and as codes.
fn proved(path: &Path) -> (String, BTreeSet<&'static str>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let id = sources.add("mesh.mesh", text.as_str());
    let file = lang_syntax::parse(id, &text, &mut sink);
    let library = StandardLibrary(meshc_stdlib::MODULES);
    let trees = expand_text(file, meshc_vocabulary::SCHEMA, library, &mut sources, &mut sink);
    let declared = meshc_vocabulary::declare(&trees, &mut sources, &mut sink);
    let Some((model, _)) = meshc_vocabulary::model(&declared, &mut sink) else {
        panic!("{}: {}", path.display(), render_text(&sink.into_sorted(), &sources, OPTIONS));
    };
    let resolved = meshc_resolve::resolve(&model);
    let topology = meshc_topology::build(&resolved);
    let plan = meshc_plan::lower(&resolved, &topology, &mut sink);
    meshc_proof::check(&World::new(&resolved, &topology, &plan), &mut sink);
    let mut diagnostics = settled(sink.into_sorted(), &sources);
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let fixture = Fixture::new(&folder, &text);
    diagnostics.retain(|found| fixture.shows(found));
    let codes = diagnostics.iter().map(|it| it.code.0).collect();
    (render_text(&diagnostics, &sources, OPTIONS), codes)
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/proof");
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn every_case_says_what_stands_beside_it() {
    let bless = std::env::var("MESH_BLESS").is_ok_and(|value| value == "1");
    let mut wrong = Vec::new();
    for case in cases() {
        let (text, codes) = proved(&case.join("mesh.mesh"));
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let code = name.split('-').next().unwrap_or_default().to_owned();
        let own: BTreeSet<&str> =
            if code == "met" { BTreeSet::new() } else { BTreeSet::from([code.as_str()]) };
        assert_eq!(codes, own, "{name}\n{text}");
        let expected = case.join("expected.txt");
        if bless {
            std::fs::write(&expected, &text).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{}\n{text}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "changed reports; MESH_BLESS=1 if they are right:\n{}", wrong.join("\n"));
}

#[test]
fn every_code_is_raised_by_a_case() {
    let raised: BTreeSet<_> = cases().iter().flat_map(|case| proved(&case.join("mesh.mesh")).1).collect();
    let listed: BTreeSet<_> = meshc_proof::codes::CODES.iter().map(|info| info.code.0).collect();
    assert_eq!(raised, listed);
}
