//! Golden meshes: `tests/golden/answers/<code>-<slug>/mesh.mesh` has tests that raise that code and no other, and what is
//! said of them stands beside it, and so do lines `// ask: QUESTION` with questions that are wrong. Each also has expectations that
//! are met. `MESH_BLESS=1` rewrites.

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

/// What the tests of a mesh say, as text and as codes; how many there are, and how many expectations.
fn asked(path: &Path) -> (String, BTreeSet<&'static str>, usize) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let id = sources.add("mesh.mesh", text.as_str());
    let file = lang_syntax::parse(id, &text, &mut sink);
    let library = StandardLibrary(meshc_stdlib::MODULES);
    let trees = expand_text(file, meshc_vocabulary::SCHEMA, library, &mut sources, &mut sink);
    let declared = meshc_vocabulary::declare(&trees, &mut sources, &mut sink);
    let evaluated = meshc_vocabulary::model(&declared, &mut sink);
    let Some((model, Some(tests))) = evaluated else {
        let options = RenderOptions { width: 100, color: false };
        panic!("{}: {}", path.display(), render_text(&sink.into_sorted(), &sources, options));
    };
    let resolved = meshc_resolve::resolve(&model);
    let topology = meshc_topology::build(&resolved);
    let plan = meshc_plan::lower(&resolved, &topology, &mut sink);
    let world = World::new(&resolved, &topology, &plan);
    let reports = meshc_answers::run(&world, &tests, &|_| true);
    let expectations = reports.iter().map(|report| report.expectations).sum();
    reports.into_iter().flat_map(|report| report.findings).for_each(|finding| sink.push(finding));
    for question in text.lines().filter_map(|line| line.strip_prefix("// ask:")) {
        let question = question.trim();
        let file = sources.add("question", question);
        match meshc_answers::ask::ask(&world, file, question) {
            Ok(_) => panic!("{}: `{question}` has an answer", path.display()),
            Err(wrong) => sink.push(*wrong),
        }
    }
    let mut diagnostics = settled(sink.into_sorted(), &sources);
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let fixture = Fixture::new(&folder, &text);
    diagnostics.retain(|found| fixture.shows(found));
    let codes = diagnostics.iter().map(|it| it.code.0).collect();
    (render_text(&diagnostics, &sources, RenderOptions { width: 100, color: false }), codes, expectations)
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/answers");
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn every_case_says_what_stands_beside_it() {
    let bless = std::env::var("MESH_BLESS").is_ok_and(|value| value == "1");
    let mut wrong = Vec::new();
    for case in cases() {
        let (text, codes, expectations) = asked(&case.join("mesh.mesh"));
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let code = name.split('-').next().unwrap_or_default().to_owned();
        let own: BTreeSet<&str> =
            if code == "met" { BTreeSet::new() } else { BTreeSet::from([code.as_str()]) };
        assert_eq!(codes, own, "{name}\n{text}");
        assert!(expectations > 1, "{name} expects something that is so, too");
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
    let raised: BTreeSet<_> = cases().iter().flat_map(|case| asked(&case.join("mesh.mesh")).1).collect();
    let listed: BTreeSet<_> = meshc_answers::codes::CODES.iter().map(|info| info.code.0).collect();
    assert_eq!(raised, listed);
}
