//! Golden folders: every `tests/golden/syntax/<case>/input.mesh` with the report it must give, `expected.txt`.
//!
//! `MESH_BLESS=1` rewrites the reports; the difference is then reviewed like code.
#![expect(
    clippy::disallowed_methods,
    reason = "goldens are files, and blessing is asked for in the environment"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use lang_diagnostics::{Diagnostic, RenderOptions, Sink, SourceMap, render_text};
use lang_syntax::codes::CODES;
use lang_syntax::parse;

/// The cases, ordered by name.
fn cases() -> io::Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/syntax");
    let mut cases = fs::read_dir(root)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    cases.sort();
    Ok(cases)
}

/// What the parser says about a case, as data and as text.
fn report(case: &Path) -> io::Result<(Vec<Diagnostic>, String)> {
    let mut sources = SourceMap::default();
    let text = fs::read_to_string(case.join("input.mesh"))?;
    let file = sources.add("input.mesh", text.as_str());
    let mut sink = Sink::default();
    parse(file, &text, &mut sink);
    let diagnostics = sink.into_sorted();
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
    assert!(
        wrong.is_empty(),
        "changed reports; run with MESH_BLESS=1 if they are right:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_code_of_this_crate_is_raised_by_a_case_and_no_other() {
    let cases = cases().unwrap();
    let raised: BTreeSet<&str> =
        cases.iter().flat_map(|case| report(case).unwrap().0).map(|diagnostic| diagnostic.code.0).collect();
    let listed: BTreeSet<&str> = CODES.iter().map(|info| info.code.0).collect();
    assert_eq!(raised, listed);
    assert_eq!(listed.len(), CODES.len(), "codes are unique");
}

/// Every code has a case of its own, in which nothing else goes wrong: one mistake costs one error.
#[test]
fn the_case_of_a_code_raises_that_code_only() {
    for info in CODES {
        let prefix = format!("{}-", info.code);
        let case = cases()
            .unwrap()
            .into_iter()
            .find(|case| case.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)));
        let case = case.unwrap_or_else(|| panic!("{} has no case", info.code));
        for diagnostic in report(&case).unwrap().0 {
            assert_eq!(diagnostic.code, info.code, "{}", case.display());
        }
    }
}
