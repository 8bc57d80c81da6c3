//! Help, examples in it and completion scripts: what a user copies works as it stands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::{Directory, example};

/// Every command, by the words that call it.
pub(crate) const COMMANDS: &[&[&str]] = &[
    &[],
    &["init"],
    &["check"],
    &["build"],
    &["fmt"],
    &["query"],
    &["ask"],
    &["matrix"],
    &["diff"],
    &["blast-radius"],
    &["prove"],
    &["prove", "failover"],
    &["prove", "amplification"],
    &["prove", "deadlines"],
    &["explain"],
    &["docs"],
    &["trust"],
    &["trust", "init"],
    &["trust", "issue"],
    &["trust", "export"],
    &["trust", "show"],
    &["up"],
    &["fail"],
    &["heal"],
    &["completions"],
    &["man"],
];

/// The examples of a help text, as they would be copied into a shell.
fn examples(help: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut lines = help.lines();
    while let Some(line) = lines.next() {
        let Some(example) = line.strip_prefix("  $ ") else { continue };
        let mut example = example.to_owned();
        while let Some(first) = example.strip_suffix('\\') {
            example = format!("{first}{}", lines.next().unwrap().trim_start());
        }
        found.push(example);
    }
    found
}

#[test]
fn every_example_in_the_help_works() {
    let directory = Directory::new();
    fs::copy(example(), directory.path("mesh.mesh")).unwrap();
    for copy in ["old.mesh", "new.mesh"] {
        fs::copy(example(), directory.path(copy)).unwrap();
    }
    for _ in 0..2 {
        crate::diff::repository(&directory);
    }
    // What a certificate is piped into is not here; everything else is real.
    directory.write("bin/kubectl", "#!/bin/sh\nexec cat >/dev/null\n");
    fs::set_permissions(directory.path("bin/kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
    for folder in [".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"] {
        fs::create_dir_all(directory.path(folder)).unwrap();
    }
    let own = std::path::Path::new(env!("CARGO_BIN_EXE_meshc")).parent().unwrap();
    let path =
        format!("{}:{}:{}", directory.path("bin").display(), own.display(), std::env::var("PATH").unwrap());
    let mut tried = 0;
    for words in COMMANDS {
        let (help, _) = directory.succeed(&[words, &["--help"][..]].concat());
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{words:?} shows no example:\n{help}");
        for line in examples {
            let line = match line.as_str() {
                // A mesh that would run until somebody ends it.
                up if up.starts_with("meshc up ") && !up.contains(" -- ") => format!("{up} -- true"),
                // Beside a running mesh.
                beside if beside.starts_with("meshc fail ") || beside.starts_with("meshc heal ") => {
                    format!("meshc up mesh.mesh --data-plane meshd -- {beside}")
                }
                other => other.to_owned(),
            };
            let mut command = Command::new("bash");
            command.args(["-o", "pipefail", "-c", &line]).current_dir(directory.path("."));
            command.env("PATH", &path).env("HOME", directory.path(".")).stdin(Stdio::null());
            let output = command.output().unwrap();
            assert!(output.status.success(), "{line}: {output:?}");
            tried += 1;
        }
    }
    assert!(tried >= 24, "{tried} examples");
}

#[test]
fn a_wrong_command_line_is_said_in_the_format_that_was_asked_for() {
    let directory = Directory::new();
    for wrong in
        [&["check"][..], &["frob"], &["up", "a", "--data-plane", "x"], &["fail", "a"], &["build", "a", "-x"]]
    {
        let text = directory.run(wrong);
        assert_eq!(text.status.code(), Some(2), "{wrong:?}");
        assert!(String::from_utf8(text.stderr).unwrap().starts_with("error: "), "{wrong:?}");
        for format in [&["--error-format", "json"][..], &["--error-format=json"]] {
            let output = directory.run(&[format, wrong].concat());
            assert_eq!(output.status.code(), Some(2), "{wrong:?}");
            let record: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
            assert_eq!(record["severity"], "error", "{record}");
            assert!(!record["message"].as_str().unwrap().contains(['\n', '\x1b']), "{record}");
            assert!(output.stdout.is_empty());
        }
    }
    let help = directory.run(&["check", "--help", "--error-format", "json"]);
    assert!(
        help.status.success() && help.stdout.starts_with(b"Check a mesh"),
        "help is help in every format"
    );
}

#[test]
fn what_cannot_be_read_or_written_is_said_as_json_by_every_command() {
    let directory = Directory::new();
    directory.write("file", "");
    fs::create_dir(directory.path("empty")).unwrap();
    fs::copy(example(), directory.path("mesh.mesh")).unwrap();
    let wrong: &[&[&str]] = &[
        &["check", "none.mesh"],
        &["check", "empty"],
        &["query", "west", "none.mesh"],
        &["query", "nothing", "mesh.mesh"],
        &["ask", "what can istioinaction.webapp reach", "none.mesh"],
        &["matrix", "none.mesh"],
        &["blast-radius", "key", "west", "none.mesh"],
        &["diff", "none.mesh", "mesh.mesh"],
        &["diff", "mesh.mesh", "none:mesh.mesh"],
        &["build", "none.mesh"],
        &["build", "mesh.mesh", "-o", "file"],
        &["build", "mesh.mesh", "-o", "file", "--check"],
        &["build", "mesh.mesh", "-o", "file/below"],
        &["build", "mesh.mesh", "--keys", "none"],
        &["explain", "E9999"],
        &["trust", "init", "none.mesh"],
        &["trust", "init", "mesh.mesh", "--keys", "file"],
        &["trust", "issue", "mesh.mesh"],
        &["trust", "export", "mesh.mesh", "--cluster", "west"],
        &["trust", "export", "mesh.mesh", "--cluster", "none"],
        &["up", "none.mesh"],
        &["up", "mesh.mesh", "--data-plane", "envoy", "--envoy", "none"],
        &["up", "mesh.mesh", "--data-plane", "meshd", "--meshd", "none"],
        &["up", "mesh.mesh", "--data-plane", "meshd", "--", "no-such-program"],
        &["fail", "simple-backend", "--in", "west"],
        &["heal", "simple-backend", "--in", "west"],
    ];
    for arguments in wrong {
        for format in ["text", "json"] {
            let mut command = directory.meshc(&[&["--error-format", format], *arguments].concat());
            command.env("MESH_CONTROL", directory.path("none"));
            let output = command.output().unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?} {format}: {errors}");
            let last = errors.lines().last().unwrap_or_default();
            match format {
                "json" => {
                    let record: serde_json::Value = serde_json::from_str(last).unwrap();
                    assert!(record["severity"] == "error" && record["code"].is_null(), "{errors}");
                }
                _ => assert!(errors.contains("error: "), "{errors}"),
            }
        }
    }
    assert_eq!(fs::read_to_string(directory.path("file")).unwrap(), "");
}
