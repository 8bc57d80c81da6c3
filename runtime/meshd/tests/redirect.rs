//! `meshd redirect` where it may not do what it is asked for, and where the question is wrong. What its rules do is
//! tested with traffic, in `tests/suite/redirect.rs` and with the built files in `tests/suite/namespaces.rs`.

use std::process::{Command, Output};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_the_capability_it_says_so() {
    // A user namespace of its own takes every capability over the network namespace that stays.
    let output =
        Command::new("unshare").args(["--user", env!("CARGO_BIN_EXE_meshd"), "redirect"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("needs the capability NET_ADMIN"), "{}", said(&output));
}

#[test]
fn what_is_no_range_is_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_meshd"))
        .args(["redirect", "--range", "240.240.0.0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("`240.240.0.0` is no range"), "{}", said(&output));
}
