//! A check that keeps no plan finds what one with the whole plan finds: over every mesh of the fixtures and examples, on both data
//! planes. Each is compiled as it is and without its tests, which ask for the whole plan.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that reads fixtures from the disk"
)]

use std::fs;
use std::path::{Path, PathBuf};

use lang_diagnostics::{RenderOptions, render_text};
use meshc_driver::{Levels, MemoryFileSystem, Options, Request, check_request, findings};
use meshc_vocabulary::model::DataPlane;

/// All meshes below a folder, each with its path from the root of the repository.
fn meshes(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            meshes(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "mesh") {
            // Some are not UTF-8, on purpose.
            into.extend(fs::read_to_string(&path).ok().map(|text| (path, text)));
        }
    }
}

/// What is found in a mesh with all other files beside it, whole and without a plan.
fn both(files: &MemoryFileSystem, path: &Path, data_plane: Option<DataPlane>) -> [String; 2] {
    let request = Request {
        entries: vec![path.to_path_buf()],
        definitions: Vec::new(),
        values: Vec::new(),
        options: Options { data_plane },
    };
    let render = RenderOptions { width: 100, color: false };
    let levels = Levels::default();
    [check_request(files, &request, &levels), findings(files, &request, &levels)].map(|compilation| {
        let compilation = compilation.unwrap();
        render_text(&compilation.diagnostics, &compilation.sources, render)
    })
}

/// The text without its tests.
fn untested(text: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        inside |= line.starts_with("test ");
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= !line.starts_with('}');
    }
    kept
}

#[test]
fn what_is_found_does_not_depend_on_whether_a_plan_is_kept() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = Vec::new();
    for folder in ["tests/golden", "tests/fixtures", "examples"] {
        meshes(&root.join(folder), &mut all);
    }
    assert!(all.len() > 300, "{} meshes", all.len());
    let texts: Vec<_> = all.iter().map(|(path, text)| (path.to_str().unwrap(), text.as_str())).collect();
    let files = MemoryFileSystem::with(&texts);
    let (mut planned, mut said) = (0, 0);
    for (path, text) in &all {
        let alone = untested(text);
        let tested = alone.len() != text.len();
        let without = MemoryFileSystem::with(&[(path.to_str().unwrap(), &alone)]);
        for data_plane in [None, Some(DataPlane::Envoy), Some(DataPlane::Meshd)] {
            for files in [&files, &without].into_iter().take(if tested { 2 } else { 1 }) {
                let [whole, alone] = both(files, path, data_plane);
                assert_eq!(whole, alone, "{}", path.display());
                planned += usize::from(!alone.contains("error"));
                said += usize::from(!alone.is_empty());
            }
        }
    }
    // Neither is rare, or this would show nothing.
    assert!(planned > 200 && said > 300, "{planned} without an error, {said} with something to say");
}
