//! The reference and the manual pages, as commands write them.

use std::path::Path;
use std::process::Command;

use crate::support::{Directory, contents, meshd};

#[test]
fn the_reference_is_written_in_both_formats() {
    let directory = Directory::new();
    let (printed, _) = directory.succeed(&["docs"]);
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lang/REFERENCE.md");
    assert!(
        std::fs::read_to_string(committed).unwrap() == printed,
        "the reference in lang is what the command prints"
    );
    directory.succeed(&["docs", "--format", "html", "-o", "page.html"]);
    let page = std::fs::read_to_string(directory.path("page.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains(env!("CARGO_PKG_VERSION")));
    let output = directory.run(&["docs", "-o", "none/page.html"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("error: cannot write `none/page.html`"));
}

#[test]
fn every_command_has_a_manual_page() {
    let directory = Directory::new();
    directory.succeed(&["man", "pages"]);
    let output =
        Command::new(meshd()).args(["man", "pages"]).current_dir(directory.path(".")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let pages = contents(&directory.path("pages"));
    let names: Vec<_> = pages.keys().map(|path| path.display().to_string()).collect();
    for page in ["meshc.1", "meshc-check.1", "meshc-trust-export.1", "meshc-up.1", "meshd.1", "meshd-run.1"] {
        assert!(names.iter().any(|name| name == page), "{page}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("child") || name.contains("help")), "{names:?}");
    for name in &names {
        let path = directory.path("pages").join(name);
        let lint = Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(&path).output().unwrap();
        assert!(lint.status.success(), "{name}: {}", String::from_utf8_lossy(&lint.stdout));
    }
    let page = Command::new("mandoc")
        .args(["-T", "utf8"])
        .arg(directory.path("pages/meshc-check.1"))
        .output()
        .unwrap();
    let text = String::from_utf8(page.stdout).unwrap().replace("\u{8}", "");
    // Bold letters are struck twice.
    assert!(text.contains("mesh.mesh --deny warnings --allow W0334"), "{text}");
}
