//! Documents with commands: what is written there is run, in a folder of its own.

use std::path::Path;
use std::process::Command;

use crate::{process, tools};

const FENCE: &str = "```";

/// What a shell prints for a command, on both of its outputs.
fn printed(folder: &Path, command: &str) -> String {
    let binaries = tools::binary("meshc").parent().expect("a folder").to_path_buf();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{command} 2>&1")]).current_dir(folder).env("PATH", path);
    // Whoever commits is the document, not whoever runs the test.
    for who in ["AUTHOR", "COMMITTER"] {
        shell
            .env(format!("GIT_{who}_NAME"), "document")
            .env(format!("GIT_{who}_EMAIL"), "document@example.org");
    }
    shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    String::from_utf8(process::run(&mut shell).stdout).expect("UTF-8")
}

/// A document with what its commands print, and how many there are.
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
            // For other programs.
            "yaml" => text.push_str(&format!("{}\n", inside.join("\n"))),
            other => panic!("a block of `{other}`"),
        }
        text.push_str(&format!("{FENCE}\n"));
    }
    (text, count)
}

/// Holds a document to what its commands print; `MESH_BLESS=1` writes it. Says how many there are.
pub fn holds(path: &str) -> usize {
    let path = tools::workspace().join(path);
    let document = std::fs::read_to_string(&path).expect("readable");
    let (text, count) = run(&document);
    if std::env::var("MESH_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, text).expect("writable");
    } else {
        assert!(text == document, "MESH_BLESS=1 writes what is printed now:\n{text}");
    }
    count
}

/// The blocks of a language in a document.
pub fn blocks(path: &str, language: &str) -> Vec<String> {
    let document = std::fs::read_to_string(tools::workspace().join(path)).expect("readable");
    let begin = format!("{FENCE}{language}");
    let mut found = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if line == begin {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != FENCE).collect();
            found.push(inside.join("\n"));
        }
    }
    found
}
