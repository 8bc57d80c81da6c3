//! Examples and documentation are compiled: what a reader copies works, and `expected/` is what a build writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use mesh_tests::{process, tools};

fn examples() -> Vec<PathBuf> {
    let folder = tools::workspace().join("examples");
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("there are examples")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    assert!(found.len() >= 2, "{found:?}");
    found
}

fn meshc(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(tools::binary("meshc"));
    let output = process::run(command.args(arguments).current_dir(folder));
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

#[test]
fn examples_have_no_findings() {
    for example in examples() {
        let (status, said) = meshc(&example, &["check", "mesh.mesh"]);
        assert_eq!(status, Some(0), "{}: {said}", example.display());
        assert!(!said.contains("W0") && !said.contains("E0"), "{}: {said}", example.display());
    }
}

#[test]
fn expected_output_is_what_a_build_writes() {
    for example in examples() {
        assert!(example.join("README.md").is_file(), "{} has a README", example.display());
        let (status, said) = meshc(&example, &["build", "mesh.mesh", "-o", "expected", "--check"]);
        assert_eq!(
            status,
            Some(0),
            "{}: run `meshc build mesh.mesh -o expected` there\n{said}",
            example.display()
        );
    }
}

/// The code blocks of a language in a Markdown text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == opening {
            found.push(lines.by_ref().take_while(|line| line.trim() != "```").fold(
                String::new(),
                |mut all, line| {
                    all.push_str(line);
                    all.push('\n');
                    all
                },
            ));
        }
    }
    found
}

#[test]
fn the_readme_compiles() {
    let readme = std::fs::read_to_string(tools::workspace().join("README.md")).expect("there is a README");
    let blocks = blocks(&readme, "mesh");
    assert!(!blocks.is_empty(), "the README shows the language");
    for block in blocks {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("mesh.mesh"), &block).expect("writable");
        let (status, said) = meshc(folder.path(), &["check", "mesh.mesh"]);
        assert_eq!((status, said.as_str()), (Some(0), ""), "in\n{block}");
    }
}

/// The mistake that the README asks a reader to make is found, in the words that the README shows.
#[test]
fn the_readme_shows_what_a_mistake_looks_like() {
    let readme = std::fs::read_to_string(tools::workspace().join("README.md")).expect("there is a README");
    let (before, after) = ("calls    = [catalog]", "calls    = [catalog, simple-backend]");
    assert!(readme.contains("`calls = [catalog, simple-backend]`"), "the README says what to change");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let source = mesh_tests::build::example("acme").replace(before, after);
    std::fs::create_dir_all(folder.path().join("examples/acme")).expect("writable");
    std::fs::write(folder.path().join("examples/acme/mesh.mesh"), source).expect("writable");
    let (status, said) = meshc(folder.path(), &["check", "examples/acme/mesh.mesh"]);
    assert_eq!(status, Some(1), "{said}");
    let shown = blocks(&readme, "console");
    let shown: Vec<&str> =
        shown.iter().flat_map(|block| block.lines()).filter(|line| !line.starts_with(['$', '…'])).collect();
    assert!(shown.len() >= 3, "{shown:?}");
    for line in shown {
        assert!(said.lines().any(|found| found == line), "the README shows {line:?}, but meshc says\n{said}");
    }
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let root = tools::workspace();
    let mut broken = Vec::new();
    let listed = process::succeed(Command::new("git").current_dir(&root).args(["ls-files", "*.md"]));
    for file in listed.lines().filter(|file| !file.contains("/expected/")) {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target = rest.split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            let relative = !path.is_empty() && !path.contains("://") && !path.contains(' ');
            let here = root.join(file).parent().map(Path::to_path_buf).unwrap_or_default();
            if relative && !here.join(path).exists() {
                broken.push(format!("{file}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
