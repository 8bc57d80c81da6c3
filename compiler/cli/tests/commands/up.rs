//! `meshc up` as a process: the example runs from end to end, and nothing is left behind.

use std::path::{Path, PathBuf};

use crate::support::Directory;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/acme/mesh.mesh")
}

#[test]
fn a_proxy_that_does_not_start_is_reported_with_its_last_words() {
    let directory = Directory::new();
    directory.write("broken", "#!/bin/sh\necho this proxy is broken >&2\nexit 3\n");
    let broken = directory.path("broken");
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = directory.meshc(&["up"]);
    command.arg(example()).args(["--data-plane", "meshd", "--meshd"]).arg(&broken).args(["--", "true"]);
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("ended while it started: exit status: 3"), "{errors}");
    assert!(errors.contains("    this proxy is broken"), "{errors}");
}

#[test]
fn without_the_program_the_way_out_is_said() {
    let directory = Directory::new();
    let mut command = directory.meshc(&["up"]);
    command.arg(example()).args(["--data-plane", "envoy", "--envoy", "/nowhere/envoy"]);
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("give another path with --envoy PATH"), "{errors}");
}
