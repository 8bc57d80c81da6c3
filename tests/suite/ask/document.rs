//! The commands of `lang/ASKING.md` and `lang/PROVING.md` are run, and print what is written there; `MESH_BLESS=1` writes it.

use std::path::Path;
use std::process::Command;

use mesh_tests::{process, tools};

const FENCE: &str = "```";

/// What a shell prints for a command, on both of its outputs.
fn printed(folder: &Path, command: &str) -> String {
    let binaries = tools::binary("meshc").parent().expect("a folder").to_path_buf();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{command} 2>&1")]).current_dir(folder).env("PATH", path);
    String::from_utf8(process::run(&mut shell).stdout).expect("UTF-8")
}

/// The document with what its commands print, and how many there are.
fn run(document: &str) -> (String, usize) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (mut text, mut mesh, mut count) = (String::new(), String::new(), 0);
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        text.push_str(&format!("{line}\n"));
        let Some(language) = line.strip_prefix(FENCE) else { continue };
        let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != FENCE).collect();
        match language {
            "mesh" => {
                mesh.push_str(&format!("{}\n", inside.join("\n")));
                std::fs::write(folder.path().join("mesh.mesh"), &mesh).expect("writable");
                text.push_str(&format!("{}\n", inside.join("\n")));
            }
            "console" => {
                for command in inside.iter().filter_map(|line| line.strip_prefix("$ ")) {
                    count += 1;
                    text.push_str(&format!("$ {command}\n{}", printed(folder.path(), command)));
                }
            }
            other => panic!("a block of `{other}`"),
        }
        text.push_str(&format!("{FENCE}\n"));
    }
    (text, count)
}

/// Runs a document with so many commands at least.
fn holds(name: &str, least: usize) {
    let path = tools::workspace().join("lang").join(name);
    let document = std::fs::read_to_string(&path).expect("readable");
    let (text, count) = run(&document);
    assert!(count >= least, "{count} commands");
    if std::env::var("MESH_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, text).expect("writable");
    } else {
        assert!(text == document, "MESH_BLESS=1 writes what is printed now:\n{text}");
    }
}

#[test]
fn every_command_of_the_document_prints_what_is_written_there() {
    holds("ASKING.md", 11);
}

#[test]
fn every_command_of_the_document_about_proofs_prints_what_is_written_there() {
    holds("PROVING.md", 4);
}
