//! What is proved of Envoy, on each release: exactly the cases fail that the table names.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use mesh_tests::tools;
use meshc_envoy::releases::{BEHAVIOURS, Release};

use crate::{NEWEST, older};

/// The cases that the table names for a release.
fn named(release: &str) -> BTreeSet<&'static str> {
    let release: Release = release.parse().expect("a release");
    let begun = BEHAVIOURS.iter().filter(|behaviour| behaviour.is_lacked_by(release));
    begun.flat_map(|behaviour| behaviour.seen_by).copied().collect()
}

/// Runs cases of the conformance suite on a release: whether each passed.
fn run(release: &str, cases: &[&str]) -> BTreeMap<String, bool> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--locked", "-p", "mesh-tests", "--test", "conformance", "--"]).args(cases);
    if cases.iter().any(|case| *case != "on_envoy") {
        command.arg("--exact");
    }
    let output = command.env(tools::ENVOY_VERSION, release).output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let results = said.lines().filter_map(|line| {
        let (case, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
        Some((case.to_owned(), result == "ok"))
    });
    results.filter(|(case, _)| case.contains("::")).collect()
}

#[test]
fn every_behaviour_is_shown_by_a_case() {
    for behaviour in BEHAVIOURS {
        assert!(!behaviour.seen_by.is_empty(), "{}", behaviour.name);
        for case in behaviour.seen_by {
            let (file, rest) = case.split_once("::on_envoy::").expect("a case on Envoy");
            let path = tools::workspace().join(format!("tests/suite/conformance/{file}.rs"));
            let text = std::fs::read_to_string(&path).expect("a file of cases");
            assert!(text.contains(&format!("fn {rest}(")), "{case}");
        }
    }
}

/// In `tests/run` what is named for the release before the newest; with `MESH_ENVOY_RELEASES` everything, on each of those
/// releases and the newest: some six minutes for each.
#[test]
fn exactly_what_is_named_fails() {
    let in_full = std::env::var_os("MESH_ENVOY_RELEASES").is_some();
    let releases = older().into_iter().chain(in_full.then(|| NEWEST.to_owned()));
    let mut wrong = Vec::new();
    for release in releases {
        let named = named(&release);
        let results = if in_full {
            run(&release, &["on_envoy"])
        } else {
            assert!(named.len() > 3, "{named:?}");
            run(&release, &named.iter().copied().collect::<Vec<_>>())
        };
        let least = if in_full { 100 } else { named.len() };
        assert!(results.len() >= least, "{release}: {} cases ran", results.len());
        let mut failed: BTreeSet<&str> =
            results.iter().filter(|(_, passed)| !**passed).map(|(case, _)| case.as_str()).collect();
        // Cases wait for things to happen, which on a machine that is busy may take too long: alone they do not.
        let odd: Vec<&str> = failed.iter().copied().filter(|case| !named.contains(case)).collect();
        for case in odd {
            let passes = run(&release, &[case]).values().all(|passed| *passed);
            println!(
                "Envoy {release}: {case} failed among others, and alone it {}",
                if passes { "passes" } else { "fails" }
            );
            if passes {
                failed.remove(case);
            }
        }
        println!("Envoy {release}: {} of {} cases fail: {failed:?}", failed.len(), results.len());
        if failed != named {
            wrong.push(format!("{release}: {failed:?} fail, and {named:?} are named"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
