//! What could make a record wrong, one by one.

use std::fmt::Write as _;
use std::path::Path;

use meshc_driver::output::{ConflictKind, DifferenceKind, Edits, Outcome, Program, RECORD, Recovery, Writer};
use meshc_driver::{Forms, MemoryFileSystem, Options, build_into, check};

use crate::support::*;

#[test]
fn an_unchanged_build_reads_no_file_of_a_proxy_and_an_edit_those_of_its_own() {
    let mut state = State::default();
    let files = settled(&state);
    let least = reads(&state, &files);
    assert!(least < 40, "{least} of {} files are read", tree(&files).len());
    state.services[1].target = 9000;
    let Outcome::Written(written) = state.build(&files, Edits::Keep) else { panic!("it changes") };
    assert!(written.written.iter().all(|path| path.contains("s1") || path.ends_with(".json")), "{written:?}");
    assert!(files.take_reads() < least + 30);
}

#[test]
fn what_another_compiler_recorded_is_not_believed() {
    let mut state = State::default();
    let files = settled(&state);
    state.program = "two";
    let files_of_proxies = tree(&files).len() - 40;
    assert!(reads(&state, &files) > files_of_proxies);
    files.advance(LONG);
    assert!(reads(&state, &files) < 40, "it was recorded anew");
}

#[test]
fn an_edit_by_hand_that_keeps_size_and_time_is_found() {
    for path in SOME {
        let state = State::default();
        // The second time the clock has not moved on since the build: then nothing is believed.
        for files in [settled(&state), {
            let files = MemoryFileSystem::default();
            state.build(&files, Edits::Keep);
            files
        }] {
            let mut bytes = files.files()[Path::new(path)].clone();
            bytes.reverse();
            files.put_in_secret(path, &bytes);
            let Outcome::Refused(conflicts) = state.build(&files, Edits::Keep) else { panic!("{path}") };
            assert_eq!(conflicts.len(), 1);
            assert_eq!(
                (&conflicts[0].kind, format!("{ROOT}/{}", conflicts[0].path)),
                (&ConflictKind::EditedByHand, path.to_owned())
            );
        }
    }
}

#[test]
fn a_build_that_is_refused_writes_nothing() {
    let state = State::default();
    let files = settled(&state);
    for lost in [false, true] {
        if lost {
            files.take(&record());
            files.take(&format!("{ROOT}/{RECORD}/.gitignore"));
        }
        files.put("out/one/namespace.yaml", b"mine");
        let before = files.files();
        let Outcome::Refused(_) = state.build(&files, Edits::Keep) else { panic!("it was edited") };
        assert_eq!(files.files(), before);
    }
}

#[test]
fn no_state_is_believed_that_the_clock_has_not_left_behind() {
    // Ticks of a kernel's clock, and file systems that count whole seconds.
    for (begin, little) in [(LONG + 7, 10_000_000), (LONG, 1_000_000_000)] {
        let state = State::default();
        let files = MemoryFileSystem::default();
        files.advance(begin);
        state.build(&files, Edits::Keep);
        files.advance(little);
        for _ in 0..2 {
            let all = reads(&state, &files);
            assert!(all > tree(&files).len() - 40, "{all} of {} are read", tree(&files).len());
            files.advance(little);
        }
        files.advance(LONG);
        reads(&state, &files);
        assert!(reads(&state, &files) < 40, "in the end all are believed");
    }
}

#[test]
fn a_copied_tree_is_read_and_recorded_anew() {
    let state = State::default();
    let files = settled(&state).copied();
    assert!(reads(&state, &files) > tree(&files).len() - 40);
    files.advance(LONG);
    reads(&state, &files);
    assert!(reads(&state, &files) < 40);
}

/// A record with other contents and a right end, as only somebody makes it who wants to deceive.
fn forged(files: &MemoryFileSystem, change: impl Fn(&str) -> String) {
    let text = String::from_utf8(files.files()[Path::new(&record())].clone()).unwrap();
    let body = &text[..text.trim_end().rfind('\n').unwrap() + 1];
    let mut body = change(body);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    for byte in digest.as_ref() {
        let _ = write!(body, "{byte:02x}");
    }
    body.push('\n');
    files.put(&record(), body.as_bytes());
}

#[test]
fn a_forged_record_makes_nothing_ours_and_leads_nowhere() {
    let state = State::default();
    for path in ["../../elsewhere/x", "sidecars/n1/s1/mine.txt", "../README.md"] {
        let files = settled(&state);
        files.put("elsewhere/x", b"far away");
        files.put("out/README.md", b"mine");
        files.put("out/one/sidecars/n1/s1/mine.txt", b"mine too");
        let before = files.files();
        // In the place of a file, with its state, and beside it without one.
        for with in [format!(" {path}\n"), format!(" sidecars/n1/s1/names.yaml\nf -1 {path}\n")] {
            forged(&files, |text| text.replacen(" sidecars/n1/s1/kustomization.yaml\n", &with, 1));
            assert_eq!(state.build(&files, Edits::Keep), Outcome::Unchanged, "{path}");
            let mut removed = state.clone();
            removed.services[1].there = false;
            files.advance(LONG);
            removed.build(&files, Edits::Keep);
            for own in ["elsewhere/x", "out/README.md", "out/one/sidecars/n1/s1/mine.txt"] {
                assert_eq!(files.files()[Path::new(own)], before[Path::new(own)]);
            }
            let locks = tree(&files).into_iter().filter(|(path, _)| path.ends_with("mesh.lock.json"));
            assert!(locks.into_iter().all(|(_, lock)| !String::from_utf8_lossy(&lock).contains(path)));
            state.build(&files, Edits::Keep);
            files.advance(LONG);
        }
    }
}

#[test]
fn a_record_behind_a_link_is_neither_read_nor_written() {
    let state = State::default();
    for (link, to) in [(format!("{ROOT}/{RECORD}"), "elsewhere"), (record(), "elsewhere/record")] {
        let files = settled(&state);
        let kept = files.take(&record()).unwrap();
        files.put("elsewhere/record", &kept);
        files.link(&link, to);
        assert!(reads(&state, &files) > tree(&files).len() - 40, "{link} is not read");
        assert_eq!(files.files()[Path::new("elsewhere/record")], kept);
        assert_eq!(tree(&files), state.cold());
    }
}

#[test]
fn a_damaged_record_is_ignored_and_written_anew() {
    let state = State::default();
    let whole = settled(&state).take(&record()).unwrap();
    for place in [0, 20, 100, whole.len() / 2, whole.len() - 10] {
        let files = settled(&state);
        let mut bytes = files.take(&record()).unwrap();
        bytes[place] ^= 1;
        files.put(&record(), &bytes);
        assert!(reads(&state, &files) > tree(&files).len() - 40, "byte {place}");
        files.advance(LONG);
        reads(&state, &files);
        assert!(reads(&state, &files) < 40, "byte {place}");
    }
}

#[test]
fn a_check_reads_every_file_whatever_was_recorded() {
    let state = State::default();
    for path in SOME {
        let files = settled(&state);
        assert_eq!(state.differences(&files), []);
        assert!(files.take_reads() > tree(&files).len() - 5);
        // Other bytes in the very state that was recorded.
        let mut bytes = files.files()[Path::new(path)].clone();
        bytes.reverse();
        files.put_unseen(path, &bytes);
        assert_eq!(state.build(&files, Edits::Keep), Outcome::Unchanged, "a build cannot see it");
        let inside = path.split_once('/').unwrap().1.to_owned();
        assert_eq!(state.differences(&files), [(inside, DifferenceKind::Changed)]);
    }
}

#[test]
fn killed_at_any_step_the_next_build_gives_the_same_bytes() {
    let old = State::default();
    let mut new = State::default();
    new.services[1].target = 9000;
    new.services[3].there = false;
    let begin = settled(&old);
    begin.take_steps();
    let files = begin.clone();
    new.build(&files, Edits::Keep);
    let total = u64::try_from(files.take_steps().len()).unwrap();
    assert!(total > 10);
    let cold = new.cold();
    for steps in 0..total {
        let files = begin.clone();
        files.die_after(Some(steps));
        let mut compilation = new.compiled();
        let clusters = ["one", "iron"].into_iter();
        let begun =
            Writer::write(&files, Path::new(ROOT), "small", clusters, Edits::Keep, new.program()).unwrap();
        let (Recovery::Nothing, Some(mut writer)) = begun else { panic!("nothing was interrupted") };
        let built = build_into(&mut compilation, new.forms, new.roots, &mut writer);
        let _ = built.and_then(|_| writer.finish());
        files.die_after(None);
        new.build(&files, Edits::Keep);
        assert_eq!(tree(&files), cold, "killed after {steps}");
    }
}

#[test]
fn what_was_warned_of_is_warned_of_again() {
    let mut text = String::from(
        "mesh big { trust_domain = \"cluster.local\", trust = own }
trust own { issuer = builtin, root { common_name = \"root.example\" } }
network net {}
cluster one { network = net, region = \"here\" }
namespace n {
",
    );
    let called: Vec<String> = (0..90).map(|number| format!("s{number}")).collect();
    for name in &called {
        let _ = writeln!(
            text,
            "  service {name} {{ clusters = [one], port http {{ number = 80, target = 8080 }} }}"
        );
    }
    let _ = writeln!(text, "  client c {{ clusters = [one], calls = [{}] }}\n}}", called.join(", "));
    let files = MemoryFileSystem::default();
    let mut said = Vec::new();
    for _ in 0..3 {
        let sources = MemoryFileSystem::with(&[("mesh.mesh", &text)]);
        let mut compilation = check(&sources, Path::new("mesh.mesh"), Options { data_plane: None }).unwrap();
        let program = Program::Known(String::from("one"));
        let clusters = ["one"].into_iter();
        let (_, writer) =
            Writer::write(&files, Path::new(ROOT), "big", clusters, Edits::Keep, program).unwrap();
        let mut writer = writer.unwrap();
        assert!(build_into(&mut compilation, Forms::Watched, "roots", &mut writer).unwrap());
        writer.finish().unwrap();
        files.advance(LONG);
        said.push(compilation.diagnostics);
    }
    assert_eq!(said[0].iter().filter(|found| found.message.contains("client-side apply")).count(), 1);
    assert_eq!(said[1], said[0]);
    assert_eq!(said[2], said[0]);
}
