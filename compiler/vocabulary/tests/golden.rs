//! Golden folders: every `tests/golden/model/<case>/mesh.mesh` with what is said about it, `expected.txt`.
//!
//! `MESH_BLESS=1` rewrites the reports; the difference is then reviewed like code.
#![expect(
    clippy::disallowed_methods,
    reason = "goldens are files, and blessing is asked for in the environment"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use lang_diagnostics::{CodeInfo, Diagnostic, Fixture, RenderOptions, Sink, SourceMap, render_text};
use lang_expand::{StandardLibrary, expand_text};
use meshc_vocabulary::SCHEMA;

/// The cases, ordered by name.
fn cases() -> io::Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/model");
    let mut cases = fs::read_dir(root)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    cases.sort();
    Ok(cases)
}

/// The codes that evaluation and the model raise.
fn codes() -> impl Iterator<Item = &'static CodeInfo> {
    let model = meshc_vocabulary::codes::CODES.iter().chain(meshc_vocabulary::gateway_codes::CODES);
    lang_evaluate::codes::CODES.iter().chain(model)
}

/// What is said about a case, as data and as text: errors, and the warning that its name begins with, so that a new warning
/// changes no case but its own.
fn report(case: &Path) -> io::Result<(Vec<Diagnostic>, String)> {
    let mut sources = SourceMap::default();
    let text = fs::read_to_string(case.join("mesh.mesh"))?;
    let id = sources.add("mesh.mesh", text.as_str());
    let mut sink = Sink::default();
    let file = lang_syntax::parse(id, &text, &mut sink);
    let trees = expand_text(file, SCHEMA, StandardLibrary(&[]), &mut sources, &mut sink);
    let model = meshc_vocabulary::evaluate(&trees, &mut sources, &mut sink);
    assert_eq!(model.is_none(), sink.has_errors(), "{}: no model without a report", case.display());
    let mut diagnostics = sink.into_sorted();
    let name = case.file_name().unwrap_or_default().to_string_lossy();
    let fixture = Fixture::new(&name, &text);
    diagnostics.retain(|found| fixture.shows(found));
    let shown = render_text(&diagnostics, &sources, RenderOptions { width: 100, color: false });
    Ok((diagnostics, shown))
}

#[test]
fn every_case_gives_its_report() {
    let bless = env::var("MESH_BLESS").is_ok_and(|value| value == "1");
    let mut wrong = Vec::new();
    for case in cases().unwrap() {
        let (_, shown) = report(&case).unwrap();
        let expected = case.join("expected.txt");
        if bless {
            fs::write(&expected, &shown).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{}\n{shown}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "changed reports; MESH_BLESS=1 if they are right:\n{}", wrong.join("\n"));
}

#[test]
fn every_code_is_unique_and_raised_by_a_case_and_no_other_is() {
    let reports = cases().unwrap().into_iter().flat_map(|case| report(&case).unwrap().0);
    let raised: BTreeSet<&str> = reports.map(|diagnostic| diagnostic.code.0).collect();
    let listed: BTreeSet<&str> = codes().map(|info| info.code.0).collect();
    assert_eq!(raised, listed);
    assert_eq!(listed.len(), codes().count());
}

/// The name of a case begins with the code that it is about, and nothing else goes wrong in it: a mistake must not
/// cause others to be reported.
#[test]
fn a_case_raises_only_the_code_in_its_name() {
    for case in cases().unwrap() {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let (diagnostics, shown) = report(&case).unwrap();
        if name.starts_with("no-mistake") {
            assert_eq!(diagnostics, [], "{name}\n{shown}");
        }
        for diagnostic in diagnostics {
            assert!(name.starts_with(diagnostic.code.0), "{name} raises {}\n{shown}", diagnostic.code);
        }
    }
}
