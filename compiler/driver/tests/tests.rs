//! `meshc test` without a command line: the standard library keeps its promises, examples theirs, and what fails says why.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers fail by panicking, and read what is tested"
)]

use std::path::{Path, PathBuf};

use meshc_driver::{Compilation, MemoryFileSystem, Options, Report, check, run_tests};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn compiled(text: &str) -> Compilation {
    let files = MemoryFileSystem::with(&[("mesh.mesh", text)]);
    check(&files, Path::new("mesh.mesh"), Options { data_plane: None }).unwrap()
}

/// What the tests of a mesh without errors come to.
fn reports(text: &str) -> Vec<Report> {
    let compilation = compiled(text);
    let mesh = compilation.mesh.as_ref();
    let errors: Vec<_> = compilation.diagnostics.iter().filter(|one| one.code.0.starts_with('E')).collect();
    assert!(mesh.is_some(), "{errors:#?}");
    run_tests(mesh.unwrap(), &|_| true)
}

fn module(name: &str) -> String {
    std::fs::read_to_string(root().join("stdlib/tests").join(format!("{name}.mesh"))).unwrap()
}

/// The templates of a module, in order.
fn templates(text: &str) -> Vec<&str> {
    let names = text.lines().filter_map(|line| line.strip_prefix("template "));
    names.map(|rest| rest.split(['(', ' ']).next().unwrap_or_default()).collect()
}

#[test]
fn every_entry_of_the_standard_library_has_a_test_that_passes() {
    for (name, text) in meshc_stdlib::MODULES {
        let tests = module(name);
        let found = reports(&tests);
        let failed: Vec<_> = found.iter().filter(|report| !report.findings.is_empty()).collect();
        assert!(failed.is_empty(), "std.{name}: {failed:#?}");
        assert!(found.iter().all(|report| report.expectations > 0), "std.{name} has a test of nothing");
        for template in templates(text) {
            let is_tested = if *name == "rules" {
                tests.contains(&format!("apply rules.{template}"))
            } else {
                found.iter().any(|report| report.name == format!("{name}.{template}"))
            };
            assert!(is_tested, "no test for std.{name}.{template}");
        }
    }
}

#[test]
fn every_rule_of_the_standard_library_is_broken_by_a_mesh_that_breaks_it() {
    let found = reports(&module("rules-broken"));
    let rules = meshc_stdlib::MODULES.iter().find(|(name, _)| *name == "rules").unwrap().1;
    assert_eq!(found.len(), templates(rules).len());
    for report in &found {
        let codes: Vec<_> = report.findings.iter().map(|finding| finding.code.0).collect();
        assert_eq!(codes, ["E0811"], "{report:#?}");
    }
}

#[test]
fn tests_change_nothing_that_is_built() {
    let acme = std::fs::read_to_string(root().join("tests/fixtures/acme.mesh")).unwrap();
    let begin = acme.find("\ntest ").unwrap();
    let trees = [acme.as_str(), &acme[..begin]].map(|text| {
        let mut compilation = compiled(text);
        assert_eq!(compilation.diagnostics, []);
        meshc_driver::build(&mut compilation, meshc_driver::Forms::WatchedAndStatic, "roots").unwrap()
    });
    assert_eq!(trees[0], trees[1]);
}

/// The blocks of the document are one mesh.
#[test]
fn the_tests_of_the_document_pass() {
    let document = std::fs::read_to_string(root().join("lang/TESTING.md")).unwrap();
    let blocks = document.split("```mesh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let found = reports(&blocks.collect::<Vec<_>>().join("\n"));
    assert!(found.len() > 8, "{found:#?}");
    for report in found {
        assert!(report.findings.is_empty() && report.expectations > 0, "{report:#?}");
    }
}
