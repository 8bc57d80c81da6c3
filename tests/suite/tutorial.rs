//! `lang/TUTORIAL.md` is true: its steps are taken one after the other, and what commands print is compared with what it
//! shows. `MESH_BLESS=1` writes what they print.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use mesh_tests::build::tree;
use mesh_tests::tools;

const FILE: &str = "lang/TUTORIAL.md";

/// Where the tutorial leads.
const GOAL: &str = "examples/acme/mesh.mesh";

/// A fenced part of the document.
#[derive(Debug)]
struct Fence {
    language: String,
    /// Its lines, by their numbers in the document.
    lines: std::ops::Range<usize>,
}

fn fences(lines: &[&str]) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut begin: Option<(usize, String)> = None;
    for (number, line) in lines.iter().enumerate() {
        match (line.strip_prefix("```"), begin.take()) {
            (Some(_), Some((first, language))) => found.push(Fence { language, lines: first..number }),
            (Some(language), None) => begin = Some((number + 1, language.to_owned())),
            (None, open) => begin = open,
        }
    }
    assert!(begin.is_none(), "{FILE}: a fence is open");
    found
}

/// Applies a change to a text: its lines without `+` are there once, one after the other.
fn apply(text: &str, change: &[&str]) -> String {
    let side = |dropped: char| -> String {
        let kept = change.iter().filter(|line| !line.starts_with(dropped));
        kept.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect()
    };
    let (before, after) = (side('+'), side('-'));
    let whole = format!("\n{text}");
    let places = whole.matches(&format!("\n{before}")).count();
    assert_eq!(places, 1, "{FILE}: this change fits in {places} places of\n{text}\n{}", change.join("\n"));
    whole.replacen(&format!("\n{before}"), &format!("\n{after}"), 1).split_off(1)
}

/// Whether a line is what a pattern says, in which `…` is anything.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        last = Some(part);
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.is_empty() || last.is_some_and(|last| last.is_empty() || rest.ends_with(last))
}

/// The same for lines, where one that is `…` is any number of them.
fn all_fit(patterns: &[&str], lines: &[&str]) -> bool {
    match (patterns, lines) {
        ([], []) => true,
        (["…", others @ ..], _) => {
            all_fit(others, lines) || lines.split_first().is_some_and(|(_, rest)| all_fit(patterns, rest))
        }
        ([pattern, patterns @ ..], [line, lines @ ..]) => fits(pattern, line) && all_fit(patterns, lines),
        ([], _) | (_, []) => false,
    }
}

/// A reader who does what the tutorial says.
struct Reader {
    directory: tempfile::TempDir,
}

impl Reader {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn mesh(&self) -> String {
        std::fs::read_to_string(self.path("mesh.mesh")).expect("there is a mesh by now")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path("mesh.mesh"), text).expect("writable");
    }

    /// What a command prints, in the order in which it does.
    fn run(&self, command: &str) -> String {
        let own = tools::binary("meshc");
        let _ = tools::binary("meshd");
        let binaries = own.parent().unwrap_or(Path::new("")).display().to_string();
        let path = format!("{binaries}:{}", std::env::var("PATH").unwrap_or_default());
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("exec 2>&1\n{command}")]).current_dir(self.directory.path());
        let output = bash.env("PATH", path).output().expect("bash runs");
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}

/// The commands of a console and what they print; a command goes on where a document stands in it (`<<'END'`).
fn commands<'l>(lines: &[&'l str]) -> Vec<(Vec<&'l str>, Vec<&'l str>)> {
    let mut found: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    let mut inside = false;
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ").filter(|_| !inside) {
            inside = command.ends_with("<<'END'");
            found.push((vec![command], Vec::new()));
        } else if let Some((command, printed)) = found.last_mut() {
            if inside {
                inside = *line != "END";
                command.push(line);
            } else {
                printed.push(line);
            }
        }
    }
    found
}

#[test]
fn each_step_is_a_mesh_and_prints_what_it_shows() {
    let path = tools::workspace().join(FILE);
    let text = std::fs::read_to_string(&path).expect("readable");
    let lines: Vec<&str> = text.lines().collect();
    let bless = std::env::var_os("MESH_BLESS").is_some();
    let reader = Reader { directory: tempfile::tempdir().expect("a directory") };
    let mut blessed = String::new();
    let mut written = 0;
    let mut wrong = Vec::new();
    let mut ran = 0;
    for fence in fences(&lines) {
        let inner = lines.get(fence.lines.clone()).unwrap_or_default();
        match fence.language.as_str() {
            "mesh" => reader.write(&format!("{}\n", inner.join("\n"))),
            "diff" => reader.write(&apply(&reader.mesh(), inner)),
            "console" => {
                let mut shown = String::new();
                for (command, expected) in commands(inner) {
                    let command = command.join("\n");
                    let printed = reader.run(&command);
                    let printed: Vec<&str> = printed.lines().collect();
                    let fits = all_fit(&expected, &printed);
                    if !fits {
                        wrong.push(format!(
                            "line {}: $ {command}\nprints\n{}",
                            fence.lines.start,
                            printed.join("\n")
                        ));
                    }
                    let now = if fits { expected } else { printed };
                    shown.push_str(&format!("$ {command}\n"));
                    now.iter().for_each(|line| shown.push_str(&format!("{line}\n")));
                    ran += 1;
                }
                let before = lines.get(written..fence.lines.start).unwrap_or_default();
                blessed.push_str(&format!("{}\n{shown}", before.join("\n")));
                written = fence.lines.end;
            }
            other => panic!("{FILE}: what is a fence of {other:?}?"),
        }
    }
    let rest = lines.get(written..).unwrap_or_default();
    blessed.push_str(&format!("{}\n", rest.join("\n")));
    assert!(ran > 15, "{ran} commands");
    if bless {
        std::fs::write(&path, blessed).expect("writable");
    } else {
        assert!(wrong.is_empty(), "MESH_BLESS=1 writes what commands print\n{}", wrong.join("\n\n"));
    }

    // Where it leads: the same files, byte by byte.
    let goal = std::fs::read_to_string(tools::workspace().join(GOAL)).expect("readable");
    let own = tree(&reader.path("out"));
    reader.write(&goal);
    reader.run("rm -rf out && meshc build mesh.mesh -o out");
    let wanted = tree(&reader.path("out"));
    let names = |tree: &BTreeMap<String, Vec<u8>>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&own), names(&wanted));
    let differ: Vec<_> = own.iter().filter(|(path, bytes)| wanted.get(*path) != Some(bytes)).collect();
    assert!(
        own.len() > 40 && differ.is_empty(),
        "{:?}",
        differ.iter().map(|(path, _)| path).collect::<Vec<_>>()
    );
}

#[test]
fn patterns_leave_out_what_they_say() {
    assert!(fits("a…c", "abbc") && fits("…", "x") && fits("a", "a") && fits("a…", "a"));
    assert!(!fits("a…c", "abcd") && !fits("a", "ab") && !fits("b…", "ab"));
    assert!(all_fit(&["a", "…", "z"], &["a", "b", "c", "z"]) && !all_fit(&["a", "…"], &["b"]));
    assert_eq!(apply("a\nb\nc\n", &[" a", "-b", "+d", " c"]), "a\nd\nc\n");
}
