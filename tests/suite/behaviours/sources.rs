//! The stories that run on both data planes, and the text of their meshes, as they stand in the source of the tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mesh_tests::tools;

/// Where stories are. Those of `namespaces` run on both data planes as well, in network namespaces.
const FOLDERS: [&str; 2] = ["tests/suite/conformance", "tests/suite/namespaces"];
const FILES: [&str; 1] = ["tests/suite/namespaces.rs"];

fn files() -> Vec<PathBuf> {
    let root = tools::workspace();
    let mut open: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    let mut found: Vec<PathBuf> = FILES.iter().map(|file| root.join(file)).collect();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a directory").map(|entry| entry.expect("an entry")) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every story of the conformance suite by module and function, and whether it runs on both data planes.
pub(crate) fn stories() -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    for path in files().iter().filter(|path| path.to_string_lossy().contains("/conformance/")) {
        let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let module =
            stem(path).filter(|stem| stem != "mod").or_else(|| stem(path.parent()?)).expect("a name");
        let text = read(path);
        let mut add = |name: &str, on_both: bool| found.insert(format!("{module}::{name}"), on_both);
        for list in text.split("on_both_data_planes!(").skip(1) {
            let list = list.split(')').next().unwrap_or_default();
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                add(name, true);
            }
        }
        for function in text.split("#[test]\nfn ").skip(1) {
            let name = function.split('(').next().unwrap_or_default();
            add(name, function.contains("[DataPlane::Envoy, DataPlane::Meshd]"));
        }
    }
    found
}

/// The text of every mesh and part of a mesh: raw strings in the stories, and the files that they read.
pub(crate) fn meshes() -> Vec<String> {
    let mut found = Vec::new();
    for path in files() {
        let text = read(&path);
        found.extend(raw_strings(&text).map(filled));
        for quoted in text.split('"').filter(|quoted| quoted.ends_with(".mesh") && quoted.contains('/')) {
            found.push(read(&tools::workspace().join(quoted)));
        }
        for example in text.split("example(\"").skip(1) {
            let name = example.split('"').next().unwrap_or_default();
            found.push(read(&tools::workspace().join("examples").join(name).join("mesh.mesh")));
        }
    }
    found
}

fn raw_strings(text: &str) -> impl Iterator<Item = &str> {
    text.split("r#\"").skip(1).filter_map(|rest| rest.split("\"#").next())
}

/// A text as a story uses it: a template has its braces back, and places for other texts are words where a value is
/// expected, and empty otherwise.
fn filled(text: &str) -> String {
    let is_template = text.contains("{{");
    let text = if is_template { text.replace("{{", "{ ").replace("}}", " }") } else { text.to_owned() };
    let mut filled = String::new();
    for line in text.lines() {
        for part in line.split_inclusive([' ', '{', '}']) {
            // Names in capitals stand for a part of the text, and so do names in braces that touch them.
            let word = part.trim_matches([' ', '{', '}']);
            let is_place = word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
            let is_value = filled.trim_end().ends_with('=');
            if is_place && !is_value {
                continue;
            }
            let in_braces = is_template && part.ends_with('}') && !word.is_empty() && filled.ends_with('{');
            if in_braces {
                filled.pop();
                if filled.trim_end().ends_with('=') || filled.ends_with('"') {
                    filled.push_str(word);
                }
                continue;
            }
            filled.push_str(part);
        }
        filled.push('\n');
    }
    filled
}
