//! Completion in real shells: bash, zsh and fish ask the program, and it answers with the names of the mesh at hand.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::help::COMMANDS;
use crate::support::{Directory, example};

/// A directory with the script of a shell and a mesh.
fn prepared(shell: &str) -> Directory {
    let directory = Directory::new();
    let (script, _) = directory.succeed(&["completions", shell]);
    directory.write("script", &script);
    fs::copy(example(), directory.path("mesh.mesh")).unwrap();
    directory
}

/// A shell that finds the program on its path.
fn shell(name: &str, directory: &Directory) -> Command {
    let own = Path::new(env!("CARGO_BIN_EXE_meshc")).parent().unwrap();
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(name);
    command.current_dir(directory.path(".")).env("PATH", path).env("HOME", directory.path("."));
    command
}

/// What bash offers for the last of some words.
fn bash(directory: &Directory, words: &[&str]) -> Vec<String> {
    let ask = r#"
        source ./script
        complete -p meshc >/dev/null || exit 3
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        _clap_complete_meshc meshc "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = shell("bash", directory).args(["--norc", "-c", ask, "bash"]).args(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn bash_completes_commands_and_words() {
    let directory = prepared("bash");
    let commands = bash(&directory, &["meshc", ""]);
    for words in COMMANDS {
        assert!(
            words.iter().take(1).all(|word| commands.contains(&String::from(*word))),
            "{words:?}: {commands:?}"
        );
    }
    assert!(
        !commands.contains(&String::from("child")),
        "what is not for people is not offered: {commands:?}"
    );
    assert_eq!(bash(&directory, &["meshc", "trust", "iss"]), ["issue"]);
    assert_eq!(bash(&directory, &["meshc", "up", "--data-plane", ""]), ["envoy", "meshd"]);
    assert_eq!(bash(&directory, &["meshc", "check", "mesh"]), ["mesh.mesh"]);
}

#[test]
fn codes_are_completed() {
    let directory = prepared("bash");
    assert_eq!(bash(&directory, &["meshc", "explain", "E045"]), ["E0450", "E0451"]);
    let denied = bash(&directory, &["meshc", "check", "mesh.mesh", "--deny", "W07"]);
    assert_eq!(denied, ["W0705", "W0707", "W0711"]);
    assert_eq!(
        bash(&directory, &["meshc", "check", "mesh.mesh", "--allow", "W0705,warn"]),
        ["W0705,warnings"]
    );
    assert_eq!(
        bash(&directory, &["meshc", "check", "mesh.mesh", "--warn", "E"]),
        [""],
        "no error is a warning"
    );
}

#[test]
fn names_of_the_mesh_are_completed() {
    let directory = prepared("bash");
    assert_eq!(bash(&directory, &["meshc", "fail", "simple-backend", "--in", ""]), ["east", "west"]);
    assert_eq!(
        bash(&directory, &["meshc", "heal", "i"]),
        ["istioinaction.catalog", "istioinaction.simple-backend", "istioinaction.webapp"]
    );
    assert_eq!(
        bash(&directory, &["meshc", "up", "mesh.mesh", "--app", "istioinaction.w"]),
        ["istioinaction.webapp="]
    );
    assert_eq!(bash(&directory, &["meshc", "query", "west.in"]), ["west.ingress", "west.ingress.http"]);
    assert_eq!(
        bash(&directory, &["meshc", "query", "istioinaction.webapp.cl"]),
        ["istioinaction.webapp.clusters"]
    );
    assert_eq!(
        bash(&directory, &["meshc", "query", "istioinaction.webapp -> istioinaction.c"]),
        ["istioinaction.webapp -> istioinaction.catalog"]
    );
    assert_eq!(bash(&directory, &["meshc", "trust", "export", "mesh.mesh", "--cluster", "w"]), ["west"]);
}

#[test]
fn questions_are_completed_word_by_word() {
    let directory = prepared("bash");
    let ask = |text: &str| bash(&directory, &["meshc", "ask", text]);
    assert_eq!(ask("w"), ["who", "what", "where", "why"]);
    assert_eq!(ask("why can west.i"), ["why can west.ingress", "why can west.ingress.http"]);
    assert_eq!(ask("can istioinaction.webapp c"), ["can istioinaction.webapp call"]);
    assert_eq!(
        ask("who can call istioinaction.cat"),
        ["who can call istioinaction.catalog", "who can call istioinaction.catalog.http"]
    );
    assert_eq!(ask("what can istioinaction.webapp in w"), ["what can istioinaction.webapp in west"]);
    assert_eq!(ask("where does a.example/ go from west.i"), ["where does a.example/ go from west.ingress"]);
    let stolen = |kind: &str, name: &str| bash(&directory, &["meshc", "blast-radius", kind, name]);
    assert_eq!(stolen("key", "e"), ["east"]);
    assert_eq!(stolen("gateway", "west.i"), ["west.ingress"]);
}

#[test]
fn the_mesh_is_the_one_on_the_line_and_may_have_errors() {
    let directory = prepared("bash");
    directory.write("other/mesh.mesh", "cluster lone { network = none }\n");
    assert_eq!(bash(&directory, &["meshc", "query", "l"]), [""], "the mesh here has none");
    assert_eq!(bash(&directory, &["meshc", "trust", "export", "other", "--cluster", ""]), ["lone"]);
    directory.write("mesh.mesh", "namespace n { service s { port = } }\n");
    assert_eq!(bash(&directory, &["meshc", "fail", "n"]), ["n.s"]);
    fs::remove_file(directory.path("mesh.mesh")).unwrap();
    assert_eq!(bash(&directory, &["meshc", "fail", "n"]), [""], "without a mesh there are no names");
}

#[test]
fn fish_completes_with_descriptions() {
    let directory = prepared("fish");
    let complete = |line: &str| {
        let ask = format!("source ./script; complete -C '{line}'");
        let output = shell("fish", &directory).args(["--no-config", "-c", &ask]).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let codes = complete("meshc explain E045");
    assert!(codes.lines().count() == 2 && codes.starts_with("E0450\t"), "{codes}");
    assert_eq!(complete("meshc fail --in w").trim_end(), "west\tcluster");
    assert!(complete("meshc ").contains("query\tPrint what something in a mesh comes to"));
}

#[test]
fn zsh_completes_the_line() {
    let directory = prepared("zsh");
    // A zsh at a terminal of its own, whose line is written to a file once a key was pressed.
    let ask = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'PS1=; autoload -Uz compinit; compinit -u -D; source ./script'
        zpty -w shell 'line() { print -r -- $BUFFER > line.new; mv line.new line; BUFFER=; exit }'
        zpty -w shell 'zle -N line; bindkey "^G" line; print ready > begun'
        while [[ ! -e begun ]] { zpty -rt shell >/dev/null; sleep 0.05 }
        zpty -w -n shell "$1"$'\t'
        zpty -w -n shell $'\a'
        while [[ ! -e line ]] { zpty -rt shell >/dev/null; sleep 0.05 }
        cat line
    "#;
    for (typed, whole) in [
        ("meshc trust iss", "meshc trust issue"),
        ("meshc explain E045", "meshc explain E045"),
        ("meshc heal istioinaction.c", "meshc heal istioinaction.catalog"),
        ("meshc fail simple-backend --in ea", "meshc fail simple-backend --in east"),
    ] {
        for left in ["line", "begun"] {
            let _ = fs::remove_file(directory.path(left));
        }
        let output = shell("zsh", &directory).args(["-f", "-c", ask, "zsh", typed]).output().unwrap();
        let line = String::from_utf8(output.stdout).unwrap();
        assert_eq!(line.trim_end(), whole, "{typed}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
