//! Golden folders: `tests/golden/expand/<case>/mesh.mesh`, with the files it uses beside it, and in `expected.txt` what is
//! reported and, if that is no error, the plain mesh that comes out. A file `definitions` has a line for each `-D`, and
//! `values` is a file of values.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use lang_diagnostics::Fixture;
use lang_expand::codes::CODES;

use crate::support::{Expanded, Folder, expanded};

/// What is made of a case, with what it is about.
fn of(case: &Path) -> Expanded {
    let folder = Folder::read(case);
    let name = case.file_name().unwrap().to_string_lossy();
    let fixture = Fixture::new(&name, folder.files.get("mesh.mesh").map_or("", String::as_str));
    let mut expanded = expanded(&folder);
    expanded.diagnostics.retain(|found| fixture.shows(found));
    expanded
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/expand");
    let mut cases: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn every_case_gives_its_report_and_its_mesh() {
    let bless = env::var_os("MESH_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let found = of(&case).shown();
        let expected = case.join("expected.txt");
        if bless {
            fs::write(&expected, &found).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "changed; run with MESH_BLESS=1 if it is right:\n{}", wrong.join("\n"));
}

#[test]
fn every_code_is_raised_by_a_case_of_its_name() {
    let raised: BTreeSet<String> = cases()
        .iter()
        .flat_map(|case| of(case).diagnostics)
        .map(|diagnostic| diagnostic.code.0.to_owned())
        .collect();
    let silent: Vec<_> = CODES.iter().filter(|info| !raised.contains(info.code.0)).collect();
    assert!(silent.is_empty(), "{silent:?}");
    for case in cases() {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let Some(code) = name.split('-').next().filter(|code| code.starts_with(['E', 'W'])) else { continue };
        let found = of(&case).diagnostics;
        assert!(!found.is_empty() && found.iter().all(|one| one.code.0 == code), "{name}: {found:#?}");
    }
}
