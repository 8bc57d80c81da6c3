//! Golden folders for builds: `tests/golden/build/<case>/mesh.mesh` and what `meshc build` says of it. A folder
//! `before` beside it is what the output directory holds when the build begins; a folder `repository` is what lies beside
//! the mesh file and git tracks; a file `arguments` holds more words for the command line.
//!
//! Adding a case adds no Rust: make the folder, run with `MESH_BLESS=1`, and read what it wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use lang_diagnostics::Fixture;
use mesh_tests::{process, tools};

fn cases() -> Vec<PathBuf> {
    let folder = tools::workspace().join("tests/golden/build");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("there are cases")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() >= 5, "{cases:?}");
    cases
}

/// Exit status and what a build of the case says: errors, and the warnings that the case names, so that a new warning
/// changes no case but its own.
fn build(case: &Path) -> String {
    let text = std::fs::read_to_string(case.join("mesh.mesh")).expect("a case has a mesh");
    let name = case.file_name().unwrap_or_default().to_string_lossy();
    let fixture = Fixture::new(&name, &text);
    let warned = fixture.codes().filter(|code| code.starts_with('W'));
    let levels = warned.flat_map(|code| ["--warn", code]);
    build_with(case, &text, &["--allow", "warnings"].into_iter().chain(levels).collect::<Vec<_>>())
}

/// The same of another text, with levels of warnings.
fn build_with(case: &Path, text: &str, levels: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(folder.path().join("mesh.mesh"), text).expect("written");
    let before = files(&case.join("before"));
    let repository = files(&case.join("repository"));
    let places = before.iter().map(|(path, contents)| (Path::new("out").join(path), contents));
    for (path, contents) in places.chain(repository.iter().map(|(path, contents)| (path.clone(), contents))) {
        let place = folder.path().join(path);
        std::fs::create_dir_all(place.parent().expect("a file has a parent")).expect("created");
        std::fs::write(place, contents).expect("copied");
    }
    if !repository.is_empty() {
        for words in [&["init", "--quiet"][..], &["add", "--force", "."]] {
            process::succeed(Command::new("git").args(words).current_dir(folder.path()));
        }
    }
    let mut command = Command::new(tools::binary("meshc"));
    command
        .args(["build", "mesh.mesh", "-o", "out", "--color", "never"])
        .args(levels)
        .current_dir(folder.path());
    let more = std::fs::read_to_string(case.join("arguments")).unwrap_or_default();
    command.args(more.split_whitespace());
    let output = process::run(command.env("COLUMNS", "100"));
    let status = output.status.code().map_or_else(|| String::from("a signal"), |code| code.to_string());
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let said: String = said.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let wrote = files(&folder.path().join("out")) != before;
    format!("exit status: {status}\nwrote a tree: {wrote}\n\n{said}")
}

/// Every file below a directory, if there is one: relative path → contents.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let relative = path.strip_prefix(directory).expect("it lies below").to_path_buf();
                files.insert(relative, std::fs::read(&path).expect("readable"));
            }
        }
    }
    files
}

#[test]
fn builds_say_what_they_always_said() {
    let bless = std::env::var_os("MESH_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let (found, file) = (build(&case), case.join("expected.txt"));
        if bless {
            std::fs::write(&file, &found).expect("writable");
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{}\n--- expected\n{expected}\n--- found\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_warning_that_no_case_names_changes_none() {
    let case = tools::workspace().join("tests/golden/build/capture-chosen");
    let text = std::fs::read_to_string(case.join("mesh.mesh")).expect("there is such a case");
    let all = build_with(&case, &text, &[]);
    let warned =
        all.split("warning[").skip(1).filter_map(|found| found.split_once(']')).map(|(code, _)| code);
    let warned: Vec<&str> = warned.collect();
    assert!(warned.contains(&"W0705"), "the case has warnings that it does not name: {all}");
    let expected = std::fs::read_to_string(case.join("expected.txt")).expect("it is told what it gives");
    assert_eq!(build(&case), expected);
    assert!(!expected.contains("warning["), "{expected}");
    let named = build_with(&case, &text, &["--allow", "warnings", "--warn", "W0705"]);
    assert!(named.contains("warning[W0705]") && !named.contains("warning[W0321]"), "{named}");
}

/// Every code that `meshc explain` knows is raised by a fixture somewhere below `tests/golden`.
#[test]
fn every_code_is_raised_by_a_fixture() {
    let mut raised = String::new();
    let mut open = vec![tools::workspace().join("tests/golden")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name == "expected.txt") {
                raised.push_str(&std::fs::read_to_string(&path).expect("readable"));
            }
        }
    }
    let listed = process::succeed(Command::new(tools::binary("meshc")).args(["explain", "--list"]));
    let codes: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(codes.len() >= 25, "{} codes", codes.len());
    let silent: Vec<_> = codes.iter().filter(|code| !raised.contains(**code)).collect();
    assert!(silent.is_empty(), "no fixture raises {silent:?}");
}
