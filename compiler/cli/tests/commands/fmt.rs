//! `meshc fmt`: files, directories and standard input; what is written, listed, shown and left alone.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use crate::support::Directory;

const UNTIDY: &str = "mesh   m{trust_domain=\"cluster.local\"}\n";
const TIDY: &str = "mesh m { trust_domain = \"cluster.local\" }\n";
const WRONG: &str = "mesh m { trust_domain: 5s }\n";

#[test]
fn files_of_directories_are_formatted_and_others_left_alone() {
    let directory = Directory::new();
    directory.write("one.mesh", UNTIDY);
    directory.write("deep/er/two.mesh", UNTIDY);
    directory.write("deep/tidy.mesh", TIDY);
    directory.write("deep/wrong.mesh", WRONG);
    directory.write(".hidden/three.mesh", UNTIDY);
    directory.write("deep/notes.txt", UNTIDY);
    let read = |name: &str| fs::read_to_string(directory.path(name)).unwrap();
    let listed = directory.run(&["fmt", "--check"]);
    assert_eq!(listed.status.code(), Some(1));
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "deep/er/two.mesh\none.mesh\n");
    let shown = directory.run(&["fmt", "one.mesh", "--diff"]);
    assert_eq!(shown.status.code(), Some(1));
    let expected = format!("--- a/one.mesh\n+++ b/one.mesh\n@@ -1 +1 @@\n-{UNTIDY}+{TIDY}");
    assert_eq!(String::from_utf8(shown.stdout).unwrap(), expected);
    assert_eq!(read("one.mesh"), UNTIDY, "neither writes");
    let output = directory.run(&["fmt"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "one has mistakes: {said}");
    assert!(said.contains("error[E0001]") && said.contains("deep/wrong.mesh:1:22"), "{said}");
    assert!(
        said.ends_with("2 files formatted, 1 file unchanged, 1 file with mistakes left alone\n"),
        "{said}"
    );
    let all = ["one.mesh", "deep/er/two.mesh", "deep/tidy.mesh", "deep/wrong.mesh", ".hidden/three.mesh"];
    assert_eq!(all.map(read), [TIDY, TIDY, TIDY, WRONG, UNTIDY]);
    assert_eq!(read("deep/notes.txt"), UNTIDY);
    let again = directory.run(&["fmt", "one.mesh", "deep/er", "--check"]);
    assert_eq!(again.status.code(), Some(0));
}

#[test]
fn a_link_stays_one_and_permissions_stay() {
    let directory = Directory::new();
    directory.write("real/one.mesh", UNTIDY);
    fs::set_permissions(directory.path("real/one.mesh"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/one.mesh", directory.path("link.mesh")).unwrap();
    directory.succeed(&["fmt", "link.mesh"]);
    assert!(fs::symlink_metadata(directory.path("link.mesh")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(directory.path("real/one.mesh")).unwrap(), TIDY);
    assert_eq!(fs::metadata(directory.path("real/one.mesh")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(directory.path("real")).unwrap().count(), 1, "nothing is left over");
}

#[test]
fn standard_input_becomes_standard_output() {
    let directory = Directory::new();
    for (text, status, expected) in [(UNTIDY, 0, TIDY), (TIDY, 0, TIDY), (WRONG, 1, "")] {
        let mut command = directory.meshc(&["fmt", "-"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
        assert_eq!(output.stderr.is_empty(), status == 0);
    }
    let missing = directory.run(&["fmt", "none.mesh"]);
    assert_eq!(missing.status.code(), Some(2));
}
