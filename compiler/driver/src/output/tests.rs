//! Builds that are killed at every step, repeated, hand-edited and pruned, in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::{MemoryFileSystem, Step};

const ROOT: &str = "out";

fn tree(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn old_tree() -> Tree {
    tree(&[
        ("west/a.yaml", "a: 1"),
        ("west/gone/deep/b.yaml", "b: 1"),
        ("west/same.yaml", "s: 1"),
        ("east/c.yaml", "c: 1"),
    ])
}

fn new_tree() -> Tree {
    tree(&[
        (".gitattributes", "*"),
        ("west/a.yaml", "a: 2 and much longer than it was"),
        ("west/new/deep/d.yaml", "d: 2"),
        ("west/same.yaml", "s: 1"),
        ("north/e.yaml", "e: 2"),
    ])
}

fn build(files: &MemoryFileSystem, tree: &Tree) -> Result<(Recovery, Outcome), OutputError> {
    write(files, Path::new(ROOT), "m", tree.clone(), Edits::Keep)
}

/// A directory with the old tree and things that are not ours.
fn start() -> MemoryFileSystem {
    let files = MemoryFileSystem::default();
    files.put("out/README.md", b"mine");
    files.put("out/west/notes.txt", b"mine too");
    files.put("out/west/gone/deep/mine.yaml", b"mine as well");
    files.put("elsewhere/x", b"far away");
    build(&files, &old_tree()).unwrap();
    files.take_steps();
    files
}

fn contents(files: &MemoryFileSystem) -> BTreeMap<PathBuf, Vec<u8>> {
    files.files()
}

#[test]
fn killed_at_any_step_and_recovered_leaves_old_or_new() {
    let old = contents(&start());
    let finished = start();
    build(&finished, &new_tree()).unwrap();
    let new = contents(&finished);
    let total = u64::try_from(finished.take_steps().len()).unwrap();
    assert!(total > 10, "the build takes {total} steps");
    let (mut olds, mut news) = (0, 0);
    for killed_after in 0..total {
        let files = start();
        files.die_after(Some(killed_after));
        assert!(build(&files, &new_tree()).is_err(), "step {killed_after} was survived");
        files.die_after(None);
        let mut recovery = 0;
        loop {
            // The recovery is killed at every one of its own steps too, each time from where the last one died.
            files.die_after(Some(recovery));
            let recovered = commit::Commit::new(&files, Path::new(ROOT)).recover(Edits::Keep);
            files.die_after(None);
            if recovered.is_ok() {
                break;
            }
            recovery += 1;
        }
        let now = contents(&files);
        assert!(now == old || now == new, "a mixture after step {killed_after}: {:?}", now.keys());
        if now == old {
            olds += 1
        } else {
            news += 1
        }
        build(&files, &new_tree()).unwrap();
        assert_eq!(contents(&files), new, "killed after {killed_after}");
        assert_eq!(files.directories(), finished.directories(), "killed after {killed_after}");
    }
    assert!(olds > 0 && news > 0, "{olds} rolled back, {news} rolled forward");
}

#[test]
fn a_second_build_takes_no_step() {
    let files = start();
    let (recovery, outcome) = build(&files, &old_tree()).unwrap();
    assert_eq!((recovery, outcome), (Recovery::Nothing, Outcome::Unchanged));
    assert_eq!(files.take_steps(), []);
}

#[test]
fn a_file_whose_bytes_stay_is_not_touched() {
    let files = start();
    let (_, outcome) = build(&files, &new_tree()).unwrap();
    let Outcome::Written(written) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        written.written,
        [
            ".gitattributes",
            "north/e.yaml",
            "north/mesh.lock.json",
            "west/a.yaml",
            "west/mesh.lock.json",
            "west/new/deep/d.yaml"
        ]
    );
    assert_eq!(written.removed, ["east/c.yaml", "east/mesh.lock.json", "west/gone/deep/b.yaml"]);
    let same = Path::new("out/west/same.yaml");
    let touched = |step: &Step| matches!(step, Step::Rename(_, to) | Step::Write(to) if to == same);
    assert!(!files.take_steps().iter().any(touched));
}

#[test]
fn what_is_not_ours_stays() {
    let files = start();
    build(&files, &new_tree()).unwrap();
    build(&files, &tree(&[])).unwrap();
    let left: Vec<_> = files.files().into_keys().map(|path| path.display().to_string()).collect();
    assert_eq!(
        left,
        [
            "elsewhere/x",
            "out/.gitattributes",
            "out/README.md",
            "out/west/gone/deep/mine.yaml",
            "out/west/notes.txt"
        ]
    );
    assert!(!files.directories().contains(Path::new("out/north")), "an empty folder of ours goes");
}

fn refused(outcome: Outcome) -> Vec<(String, ConflictKind)> {
    let Outcome::Refused(conflicts) = outcome else { panic!("{outcome:?}") };
    conflicts.into_iter().map(|conflict| (conflict.path, conflict.kind)).collect()
}

#[test]
fn edits_by_hand_stop_the_build_until_it_may_lose_them() {
    let files = start();
    files.put("out/west/a.yaml", b"a: mine");
    files.put("out/west/gone/deep/b.yaml", b"b: mine");
    let before = contents(&files);
    let (_, outcome) = build(&files, &new_tree()).unwrap();
    let edited = |path: &str| (path.to_owned(), ConflictKind::EditedByHand);
    assert_eq!(refused(outcome), [edited("west/a.yaml"), edited("west/gone/deep/b.yaml")]);
    assert_eq!(contents(&files), before);
    write(&files, Path::new(ROOT), "m", new_tree(), Edits::Overwrite).unwrap();
    assert_eq!(contents(&files)[Path::new("out/west/a.yaml")], b"a: 2 and much longer than it was");
    assert!(!contents(&files).contains_key(Path::new("out/west/gone/deep/b.yaml")));
}

#[test]
fn an_edit_that_the_build_would_make_anyway_is_none() {
    let files = start();
    files.put("out/west/a.yaml", b"a: 2 and much longer than it was");
    assert!(matches!(build(&files, &new_tree()).unwrap().1, Outcome::Written(_)));
}

#[test]
fn a_file_that_was_deleted_comes_back() {
    let files = start();
    files.take("out/west/a.yaml").unwrap();
    let (_, outcome) = build(&files, &old_tree()).unwrap();
    let back = Written { written: vec![String::from("west/a.yaml")], removed: vec![] };
    assert_eq!(outcome, Outcome::Written(back));
}

#[test]
fn foreign_files_in_the_way_are_never_overwritten() {
    let files = start();
    files.put("out/north/e.yaml", b"mine");
    files.put("out/west/new", b"a file where a folder must go");
    let before = contents(&files);
    for edits in [Edits::Keep, Edits::Overwrite] {
        let (_, outcome) = write(&files, Path::new(ROOT), "m", new_tree(), edits).unwrap();
        let foreign = |path: &str| (path.to_owned(), ConflictKind::Foreign);
        assert_eq!(refused(outcome), [foreign("north/e.yaml"), foreign("west/new")]);
        assert_eq!(contents(&files), before);
    }
}

#[test]
fn a_damaged_lock_and_another_mesh_stop_the_build() {
    let files = start();
    files.put("out/west/mesh.lock.json", b"<<<<<<< HEAD\n");
    let (_, outcome) = build(&files, &new_tree()).unwrap();
    assert_eq!(refused(outcome), [(String::from("west/mesh.lock.json"), ConflictKind::DamagedLock)]);
    let files = start();
    let (_, outcome) = write(&files, Path::new(ROOT), "other", old_tree(), Edits::Keep).unwrap();
    let theirs = ConflictKind::OtherMesh { mesh: String::from("m") };
    let lock = |cluster: &str| (format!("{cluster}/mesh.lock.json"), theirs.clone());
    assert_eq!(refused(outcome), [lock("east"), lock("west")]);
}

#[test]
fn a_lock_file_cannot_make_us_remove_what_lies_outside() {
    let files = start();
    let far = digest::digest(b"far away");
    let lock = format!(r#"{{"version":1,"mesh":"m","files":{{"../../elsewhere/x":"{far}"}}}}"#);
    files.put("out/east/mesh.lock.json", lock.as_bytes());
    build(&files, &new_tree()).unwrap();
    assert!(contents(&files).contains_key(Path::new("elsewhere/x")));
}

#[test]
fn a_file_changed_while_a_build_lay_interrupted_is_not_lost() {
    let finished = start();
    build(&finished, &new_tree()).unwrap();
    let steps = finished.take_steps();
    let decided =
        steps.iter().position(|step| matches!(step, Step::Rename(_, to) if to.ends_with("journal")));
    let files = start();
    files.die_after(Some(u64::try_from(decided.unwrap()).unwrap() + 1));
    build(&files, &new_tree()).unwrap_err();
    files.die_after(None);
    files.put("out/west/a.yaml", b"a: mine");
    let (recovery, outcome) = build(&files, &new_tree()).unwrap();
    assert!(matches!(recovery, Recovery::Blocked(_)));
    assert_eq!(refused(outcome), [(String::from("west/a.yaml"), ConflictKind::EditedByHand)]);
    let (recovery, _) = write(&files, Path::new(ROOT), "m", new_tree(), Edits::Overwrite).unwrap();
    assert_eq!(recovery, Recovery::RolledForward);
}

#[test]
fn a_check_lists_what_differs_and_takes_no_step() {
    let files = start();
    files.put("out/west/same.yaml", b"s: mine");
    let differences = compare(&files, Path::new(ROOT), "m", new_tree()).unwrap();
    let text: Vec<_> = differences.iter().map(|each| format!("{} {:?}", each.path, each.kind)).collect();
    assert_eq!(
        text,
        [
            ".gitattributes Missing",
            "east/c.yaml Leftover",
            "east/mesh.lock.json Leftover",
            "north/e.yaml Missing",
            "north/mesh.lock.json Missing",
            "west/a.yaml Changed",
            "west/gone/deep/b.yaml Leftover",
            "west/mesh.lock.json Changed",
            "west/new/deep/d.yaml Missing",
            "west/same.yaml Changed"
        ]
    );
    assert_eq!(files.take_steps(), []);
    assert_eq!(compare(&start(), Path::new(ROOT), "m", old_tree()).unwrap(), []);
}
