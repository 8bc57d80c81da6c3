//! Random sequences of changes and builds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshc_driver::output::{Edits, Outcome, RECORD};
use meshc_driver::{Forms, MemoryFileSystem};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::*;

/// What is done between two builds.
#[derive(Clone, Copy, Debug)]
enum Step {
    Target(u8, u16),
    Timeout(u8, u8),
    Calls(u8, u8),
    There(u8),
    Plane,
    Static,
    Program,
    Roots,
    Edit(u8),
    EditInSecret(u8),
    Remove(u8),
    Advance,
    AdvanceLittle,
    Copy,
    LoseRecord,
    CutRecord(u16),
    OldRecord,
    OldTree,
    Check,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<u8>(), 8000..8004_u16).prop_map(|(service, target)| Step::Target(service, target)),
        (any::<u8>(), 1..4_u8).prop_map(|(service, timeout)| Step::Timeout(service, timeout)),
        (any::<u8>(), any::<u8>()).prop_map(|(service, calls)| Step::Calls(service, calls)),
        any::<u8>().prop_map(Step::There),
        Just(Step::Plane),
        Just(Step::Static),
        Just(Step::Program),
        Just(Step::Roots),
        any::<u8>().prop_map(Step::Edit),
        any::<u8>().prop_map(Step::EditInSecret),
        any::<u8>().prop_map(Step::Remove),
        Just(Step::Advance),
        Just(Step::AdvanceLittle),
        Just(Step::Copy),
        Just(Step::LoseRecord),
        any::<u16>().prop_map(Step::CutRecord),
        Just(Step::OldRecord),
        Just(Step::OldTree),
        Just(Step::Check),
    ]
}

/// Changes the state or what is on disk, as long as that is a mesh.
fn take(step: Step, state: &mut State, files: &mut MemoryFileSystem, old: &BTreeMap<PathBuf, Vec<u8>>) {
    let index = |service: u8| usize::from(service) % 6;
    let text = |path: &Path| path.display().to_string();
    let edited = |number: u8, files: &MemoryFileSystem| {
        // Lock files are what tells whose a file is: without them there is another story.
        let all: Vec<PathBuf> =
            tree(files).into_keys().filter(|path| !path.ends_with("mesh.lock.json")).collect();
        (!all.is_empty()).then(|| all[usize::from(number) % all.len()].clone())
    };
    match step {
        Step::Target(service, target) => state.services[index(service)].target = target,
        Step::Timeout(service, timeout) => state.services[index(service)].timeout = timeout,
        Step::Calls(service, calls) => state.services[index(service)].calls = calls,
        Step::There(service) => {
            let service = index(service).clamp(2, 4);
            state.services[service].there = !state.services[service].there;
        }
        Step::Plane => state.envoy = !state.envoy,
        Step::Static => {
            state.forms = match state.forms {
                Forms::Watched => Forms::WatchedAndStatic,
                Forms::WatchedAndStatic => Forms::Watched,
            }
        }
        Step::Program => state.program = if state.program == "one" { "two" } else { "one" },
        Step::Roots => state.roots = if state.roots == "roots" { "other" } else { "roots" },
        Step::Edit(number) => {
            if let Some(path) = edited(number, files).filter(|path| path.components().count() > 2) {
                files.put(&text(&path), b"mine");
            }
        }
        Step::EditInSecret(number) => {
            if let Some(path) = edited(number, files).filter(|path| path.components().count() > 2) {
                let mut bytes = files.files()[&path].clone();
                bytes.reverse();
                files.put_in_secret(&text(&path), &bytes);
            }
        }
        Step::Remove(number) => {
            if let Some(path) = edited(number, files) {
                files.take(&text(&path));
            }
        }
        Step::Advance => files.advance(LONG),
        Step::AdvanceLittle => files.advance(1_000_000),
        Step::Copy => *files = files.copied(),
        Step::LoseRecord => {
            files.take(&record());
        }
        Step::CutRecord(length) => {
            if let Some(bytes) = files.take(&record()) {
                files.put(&record(), &bytes[..usize::from(length).min(bytes.len())]);
            }
        }
        Step::OldRecord => {
            if let Some(bytes) = old.get(Path::new(&record())) {
                files.put(&record(), bytes);
            }
        }
        // As version control brings an earlier tree back, under the record of the later one.
        Step::OldTree => {
            let is_tree =
                |path: &Path| path.starts_with(ROOT) && !path.starts_with(Path::new(ROOT).join(RECORD));
            if old.keys().any(|path| is_tree(path)) {
                for path in tree(files).keys() {
                    files.take(&text(path));
                }
                for (path, bytes) in old.iter().filter(|(path, _)| is_tree(path)) {
                    files.put(&text(path), bytes);
                }
            }
        }
        Step::Check => {
            let same = tree(files) == state.cold();
            let differences = state.differences(files);
            assert_eq!(differences.is_empty(), same, "{differences:?}");
        }
    }
}

fn cases() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()) {
        Some(cases) => ProptestConfig { cases, ..config },
        None => ProptestConfig { cases: 12, rng_seed: RngSeed::Fixed(7), ..config },
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn builds_after_any_changes_give_the_bytes_of_a_first_build(
        rounds in prop::collection::vec(prop::collection::vec(step(), 0..4), 1..8),
    ) {
        let (mut state, mut files) = (State::default(), MemoryFileSystem::default());
        let mut old = BTreeMap::new();
        for steps in rounds {
            for step in steps {
                take(step, &mut state, &mut files, &old);
            }
            old = files.files();
            let outcome = state.build(&files, Edits::Overwrite);
            prop_assert!(!matches!(outcome, Outcome::Refused(_)), "{:?}", outcome);
            prop_assert_eq!(tree(&files), state.cold());
        }
    }
}
