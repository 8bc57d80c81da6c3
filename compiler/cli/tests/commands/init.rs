//! `meshc init`: what it writes is formatted, checked and built, and nothing of somebody's is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{Directory, contents};

#[test]
fn the_mesh_is_formatted_without_findings_and_builds() {
    let directory = Directory::new();
    directory.succeed(&["init", "shop"]);
    let (_, said) = directory.succeed(&["check", "shop/mesh.mesh", "--deny", "warnings"]);
    assert_eq!(said, "shop/mesh.mesh: no errors, no warnings\n");
    directory.succeed(&["fmt", "shop", "--check"]);
    directory.succeed(&["build", "shop/mesh.mesh", "-o", "shop/out"]);
    assert!(directory.path("shop/out/main/kustomization.yaml").is_file());
}

#[test]
fn the_hook_accepts_the_mesh_and_refuses_one_that_is_untidy_or_wrong() {
    let directory = Directory::new();
    directory.succeed(&["init", "."]);
    let hook = directory.path(".githooks/pre-commit");
    assert_eq!(fs::metadata(&hook).unwrap().permissions().mode() & 0o111, 0o111);
    let own = std::path::Path::new(env!("CARGO_BIN_EXE_meshc")).parent().unwrap();
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap());
    let accepts = || {
        let mut command = Command::new(&hook);
        command.current_dir(directory.path(".")).env("PATH", &path).output().unwrap().status.success()
    };
    assert!(accepts());
    let text = fs::read_to_string(directory.path("mesh.mesh")).unwrap();
    directory.write("mesh.mesh", &text.replace("network net {}", "network   net {}"));
    assert!(!accepts(), "it is not formatted");
    directory.write("mesh.mesh", &text.replace("[catalog]", "[katalog]"));
    assert!(!accepts(), "it has an error");
}

#[test]
fn what_is_there_stays_and_then_nothing_is_written() {
    let directory = Directory::new();
    directory.write(".editorconfig", "mine\n");
    let output = directory.run(&["init"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`./.editorconfig` is there already"), "{said}");
    let left = contents(&directory.path("."));
    assert_eq!(left.len(), 1, "{left:?}");
}
