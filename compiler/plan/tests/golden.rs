//! Golden folders: `tests/golden/plan/<case>/mesh.mesh` beside `expected.txt`, which holds the plan as text, or what is
//! wrong with the mesh. `MESH_BLESS=1` writes them instead.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and reads its cases"
)]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use meshc_plan::{codes, dump};
use support::compile;

/// The folders of the cases, in order.
fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/plan");
    let mut cases: Vec<_> = root.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn text(case: &Path, file: &str) -> String {
    std::fs::read_to_string(case.join(file))
        .unwrap_or_else(|error| panic!("{}/{file}: {error}", case.display()))
}

#[test]
fn plans_and_mistakes_are_the_golden_ones() {
    let bless = std::env::var_os("MESH_BLESS").is_some();
    let mut differ = Vec::new();
    for case in cases() {
        let actual = match compile(&text(&case, "mesh.mesh")) {
            Ok(plan) => dump(&plan),
            Err(wrong) => wrong,
        };
        if bless {
            std::fs::write(case.join("expected.txt"), &actual).unwrap();
        } else if text(&case, "expected.txt") != actual {
            differ.push(format!("--- {}\n{actual}", case.display()));
        }
    }
    assert!(differ.is_empty(), "not as expected; MESH_BLESS=1 accepts it:\n{}", differ.join("\n"));
}

#[test]
fn every_code_is_raised_by_a_case_named_after_it() {
    let named =
        |case: &PathBuf| case.file_name().unwrap().to_string_lossy().split('-').next().map(str::to_owned);
    let raised: BTreeSet<_> = cases()
        .iter()
        .filter_map(|case| named(case).filter(|code| text(case, "expected.txt").contains(code.as_str())))
        .collect();
    for info in codes::CODES {
        assert!(raised.contains(info.code.0), "no case raises {}", info.code);
    }
}
