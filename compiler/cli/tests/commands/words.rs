//! What the smaller commands say, and that exit codes are the same in every format.

use crate::support::Directory;

#[test]
fn every_listed_code_is_explained() {
    let directory = Directory::new();
    let (list, _) = directory.succeed(&["explain", "--list"]);
    assert!(list.lines().count() > 25, "{list}");
    for line in list.lines() {
        let (code, title) = line.split_once("  ").unwrap();
        let (text, _) = directory.succeed(&["explain", code]);
        assert!(text.starts_with(&format!("{code}: {title}\n\n")), "{text}");
    }
}

#[test]
fn a_code_that_does_not_exist_is_a_usage_error_with_advice() {
    let directory = Directory::new();
    let output = directory.run(&["explain", "E0107x"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("there is no code `E0107x`") && errors.contains("did you mean `E0107`?"),
        "{errors}"
    );
}

#[test]
fn exit_codes_are_the_same_in_every_format() {
    let directory = Directory::new();
    directory.write("bad.mesh", "mesh m { trust_domain = 5s }\n");
    for (arguments, expected) in [(["check", "bad.mesh"], 1), (["check", "none.mesh"], 2)] {
        for format in ["text", "json"] {
            let mut command = directory.meshc(&arguments);
            let output = command.args(["--error-format", format]).output().unwrap();
            assert_eq!(output.status.code(), Some(expected), "{arguments:?} {format}");
            assert!(output.stdout.is_empty());
            let errors = String::from_utf8(output.stderr).unwrap();
            let json = errors.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
            assert_eq!(json, format == "json", "{errors}");
        }
    }
}

#[test]
fn colours_come_when_asked_for_and_never_into_a_pipe_otherwise() {
    let directory = Directory::new();
    directory.write("bad.mesh", "mesh m { trust_domain = 5s }\n");
    for (when, coloured) in [("auto", false), ("always", true), ("never", false)] {
        let output = directory.run(&["check", "bad.mesh", "--color", when]);
        assert_eq!(String::from_utf8(output.stderr).unwrap().contains('\x1b'), coloured, "{when}");
    }
}

#[test]
fn shells_get_their_scripts() {
    let directory = Directory::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (script, _) = directory.succeed(&["completions", shell]);
        assert!(script.contains("meshc") && script.contains("MESHC_COMPLETE"), "{shell}");
    }
}
