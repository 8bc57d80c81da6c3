//! `meshc build` as a process: killed with SIGKILL at many moments, repeated, and run against edited trees.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Directory, contents, example};

/// A mesh of one cluster with `services` services in the namespace `app`.
fn mesh(services: usize) -> String {
    let mut text = String::from(
        "mesh small { trust_domain = \"cluster.local\", trust = own }\n\
         trust own { issuer = builtin, root { common_name = \"root.example\" } }\n\
         network net {}\n\
         cluster one { network = net, region = \"here\" }\n\
         namespace app {\n",
    );
    for number in 0..services {
        text.push_str(&format!("  service s{number} {{ clusters = [one], port http {{ number = 80 }} }}\n"));
    }
    text.push_str("}\n");
    text
}

#[test]
fn a_build_that_is_killed_leaves_old_or_new_and_the_next_one_finishes() {
    let directory = Directory::new();
    let sources = ["a.mesh", "b.mesh"];
    directory.write("a.mesh", &mesh(3));
    directory.write("b.mesh", &mesh(12));
    // What each source gives when nothing goes wrong, beside a file that is nobody's.
    let mut clean = Vec::new();
    for source in sources {
        let out = format!("{source}.out");
        directory.write(&format!("{out}/one/notes.txt"), "mine");
        directory.succeed(&["build", source, "-o", &out]);
        clean.push(contents(&directory.path(&out)));
    }
    let began = Instant::now();
    directory.write("out/one/notes.txt", "mine");
    directory.succeed(&["build", "a.mesh", "-o", "out"]);
    let whole = began.elapsed();
    let (mut killed, mut interrupted) = (0, 0);
    let rounds = 40;
    for round in 0..rounds {
        let before = contents(&directory.path("out"));
        let source = sources[usize::from(before == clean[0])];
        let mut child =
            directory.meshc(&["build", source, "-o", "out"]).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * round / rounds + Duration::from_micros(u64::from(round) * 37 % 500));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        let now = contents(&directory.path("out"));
        if directory.path("out/.meshc-stage").exists() {
            interrupted += 1;
        } else {
            assert!(clean.contains(&now), "round {round}: a mixture of {:?}", now.keys());
        }
        let next = sources[usize::from(round % 2 == 0)];
        directory.succeed(&["build", next, "-o", "out"]);
        let now = contents(&directory.path("out"));
        assert_eq!(
            now.keys().collect::<Vec<_>>(),
            clean[usize::from(round % 2 == 0)].keys().collect::<Vec<_>>()
        );
        assert_eq!(now, clean[usize::from(round % 2 == 0)], "round {round}");
    }
    assert!(killed > 0, "no build was killed");
    println!("{killed} of {rounds} builds were killed, {interrupted} of them while they wrote");
}

#[test]
fn the_second_build_writes_nothing_and_says_so() {
    let directory = Directory::new();
    directory.write("a.mesh", &mesh(2));
    directory.succeed(&["build", "a.mesh", "-o", "out"]);
    let time = |path: &str| fs::metadata(directory.path(path)).unwrap().modified().unwrap();
    let before = (time("out/one/mesh.lock.json"), time("out/one"), time("out"));
    let (_, said) = directory.succeed(&["build", "a.mesh", "-o", "out"]);
    assert!(said.contains("nothing changed"), "{said}");
    assert_eq!((time("out/one/mesh.lock.json"), time("out/one"), time("out")), before);
}

#[test]
fn a_check_lists_what_differs_and_writes_nothing() {
    let directory = Directory::new();
    directory.write("a.mesh", &mesh(2));
    let output = directory.run(&["build", "a.mesh", "-o", "out", "--check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!directory.path("out").exists());
    directory.succeed(&["build", "a.mesh", "-o", "out"]);
    directory.succeed(&["build", "a.mesh", "-o", "out", "--check"]);
    directory.write("a.mesh", &mesh(1));
    let before = contents(&directory.path("out"));
    let output = directory.run(&["build", "a.mesh", "-o", "out", "--check"]);
    assert_eq!(output.status.code(), Some(1));
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(listed.lines().any(|line| line.starts_with("leftover") && line.contains("/s1/")), "{listed}");
    assert!(listed.lines().any(|line| line == "differs      out/one/mesh.lock.json"), "{listed}");
    assert_eq!(contents(&directory.path("out")), before);
}

#[test]
fn an_edit_by_hand_stops_the_build_with_its_place() {
    let directory = Directory::new();
    directory.write("a.mesh", &mesh(2));
    directory.succeed(&["build", "a.mesh", "-o", "out"]);
    let path = contents(&directory.path("out")).into_keys().find(|path| path.ends_with("kustomization.yaml"));
    let path = format!("out/{}", path.unwrap().display());
    directory.write(&path, "edited: true\n");
    let output = directory.run(&["build", "a.mesh", "-o", "out", "--error-format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    let found = errors.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let found: Vec<_> = found.filter(|found| found["code"] == "E0701").collect();
    assert_eq!(found.len(), 1, "{errors}");
    assert_eq!(found[0]["primary"]["file"], path.as_str());
    directory.succeed(&["build", "a.mesh", "-o", "out", "--overwrite-edits"]);
    assert_ne!(fs::read_to_string(directory.path(&path)).unwrap(), "edited: true\n");
}

#[test]
fn two_builds_at_once_do_not_mix() {
    let directory = Directory::new();
    directory.write("a.mesh", &mesh(2));
    fs::create_dir(directory.path("out")).unwrap();
    let held = fs::File::open(directory.path("out")).unwrap();
    held.lock().unwrap();
    let output = directory.run(&["build", "a.mesh", "-o", "out"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("another build is writing to `out`"));
    // Not by closing it: a process that another test is starting just now may have the file open for a moment longer.
    held.unlock().unwrap();
    directory.succeed(&["build", "a.mesh", "-o", "out"]);
}

#[test]
fn the_same_source_gives_the_same_bytes_wherever_it_lies_and_whatever_it_is_called() {
    let directory = Directory::new();
    directory.write("here/a.mesh", &mesh(3));
    directory.write("there/deep/renamed.mesh", &mesh(3));
    directory.succeed(&["build", "here/a.mesh", "-o", "one"]);
    directory.succeed(&["build", "there/deep/renamed.mesh", "-o", "two"]);
    let (one, two) = (contents(&directory.path("one")), contents(&directory.path("two")));
    assert_eq!(one, two);
    for (path, bytes) in one {
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let header =
                "# Generated by meshc: edit the mesh's source and run `meshc build`, not this file.\n";
            assert!(String::from_utf8(bytes).unwrap().starts_with(header), "{}", path.display());
        }
    }
}

#[test]
fn what_cannot_be_read_is_no_finding() {
    let directory = Directory::new();
    for arguments in [["check", "none.mesh"], ["build", "none.mesh"]] {
        let output = directory.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    directory.write("bad.mesh", "mesh m { trust_domain = 5s }\n");
    for arguments in [["check", "bad.mesh"], ["build", "bad.mesh"]] {
        let output = directory.run(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    }
    assert!(!directory.path("out").exists());
}

#[test]
fn nothing_is_written_or_removed_through_a_link() {
    let directory = Directory::new();
    directory.write("a.mesh", &mesh(2));
    directory.write("elsewhere/precious", "mine");
    directory.write("stolen", "somebody else's");
    let before = contents(&directory.path("elsewhere"));
    let digest = "3fd30542fe3f61b14bd4a4b2dc0b6fb30fa6f63ebce52dd1778aaa8c4dc02cff";
    for journal in [
        // As if a build had been interrupted that was about to write there, or to remove something.
        String::from(r#"{"version":1,"puts":[{"path":"one/link/new","old":null}],"removals":[]}"#),
        format!(r#"{{"version":1,"puts":[],"removals":[{{"path":"one/link/precious","old":"{digest}"}}]}}"#),
        String::from(r#"{"version":1,"puts":[{"path":"../elsewhere/new","old":null}],"removals":[]}"#),
    ] {
        for more in [&[][..], &["--overwrite-edits"]] {
            let _ = fs::remove_dir_all(directory.path("out"));
            directory.write("out/.meshc-stage/journal", &journal);
            directory.write("out/.meshc-stage/0", "staged");
            fs::create_dir(directory.path("out/one")).unwrap();
            std::os::unix::fs::symlink("../../elsewhere", directory.path("out/one/link")).unwrap();
            let output = directory.run(&[&["build", "a.mesh", "-o", "out"], more].concat());
            assert_eq!(contents(&directory.path("elsewhere")), before, "{journal} {more:?}: {output:?}");
        }
    }
    // A folder of the tree that is a link is in the way, wherever it leads.
    fs::remove_dir_all(directory.path("out")).unwrap();
    fs::create_dir(directory.path("out")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", directory.path("out/one")).unwrap();
    let output = directory.run(&["build", "a.mesh", "-o", "out"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("E0702"));
    assert_eq!(contents(&directory.path("elsewhere")), before);
    // The output directory itself may be one: that is its owner's word.
    std::os::unix::fs::symlink("real", directory.path("linked")).unwrap();
    fs::create_dir(directory.path("real")).unwrap();
    directory.succeed(&["build", "a.mesh", "-o", "linked"]);
    assert!(directory.path("real/one/mesh.lock.json").is_file());
}

#[test]
fn several_builds_at_once_write_one_whole_tree() {
    let directory = Directory::new();
    directory.write("a.mesh", &mesh(20));
    directory.succeed(&["build", "a.mesh", "-o", "clean"]);
    let start = || directory.meshc(&["build", "a.mesh", "-o", "out"]).stderr(Stdio::null()).spawn().unwrap();
    let builds: Vec<_> = (0..4).map(|_| start()).collect();
    let statuses: Vec<_> =
        builds.into_iter().map(|mut build| build.wait().unwrap().code().unwrap()).collect();
    // Who comes second is told so; nobody fails in another way.
    assert!(statuses.contains(&0) && statuses.iter().all(|status| [0, 2].contains(status)), "{statuses:?}");
    assert_eq!(contents(&directory.path("out")), contents(&directory.path("clean")));
}

#[test]
fn a_directory_that_cannot_be_written_is_said_and_left() {
    let directory = Directory::new();
    directory.write("a.mesh", &mesh(2));
    directory.write("file", "mine");
    std::os::unix::fs::symlink("nowhere", directory.path("dangling")).unwrap();
    for output in ["file", "file/below", "dangling", "/proc/self/out"] {
        let found = directory.run(&["build", "a.mesh", "-o", output]);
        assert_eq!(found.status.code(), Some(2), "{output}: {found:?}");
        let check = directory.run(&["build", "a.mesh", "-o", output, "--check"]);
        assert!([Some(1), Some(2)].contains(&check.status.code()), "{output}: {check:?}");
    }
    assert_eq!(fs::read_to_string(directory.path("file")).unwrap(), "mine");
    // No file may get longer than this: the disk is full, as far as the build can tell.
    directory.succeed(&["build", "a.mesh", "-o", "out"]);
    let before = contents(&directory.path("out"));
    directory.write("a.mesh", &mesh(9));
    let line = format!("trap '' XFSZ; ulimit -f 0; exec {} build a.mesh -o out", env!("CARGO_BIN_EXE_meshc"));
    let mut command = std::process::Command::new("bash");
    let full = command.args(["-c", &line]).current_dir(directory.path(".")).output().unwrap();
    assert_eq!(full.status.code(), Some(2), "{full:?}");
    assert!(String::from_utf8(full.stderr).unwrap().contains("File too large"));
    assert_eq!(contents(&directory.path("out")), before, "all or nothing");
    directory.succeed(&["build", "a.mesh", "-o", "out"]);
}

#[test]
fn a_journal_that_is_no_file_is_not_read() {
    let directory = Directory::new();
    std::fs::copy(example(), directory.path("mesh.mesh")).unwrap();
    directory.succeed(&["build", "mesh.mesh"]);
    let before = contents(&directory.path("out"));
    std::fs::create_dir(directory.path("out/.meshc-stage")).unwrap();
    let journal = directory.path("out/.meshc-stage/journal");
    // Reading a pipe would wait for ever, and a link leads out of the tree.
    assert!(std::process::Command::new("mkfifo").arg(&journal).status().unwrap().success());
    for kind in ["a pipe", "a link"] {
        let output = directory.run(&["build", "mesh.mesh"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{kind}: {said}");
        assert!(
            said.contains("E0702") && said.contains("`.meshc-stage/journal` is in the way"),
            "{kind}: {said}"
        );
        std::fs::remove_file(&journal).unwrap();
        std::os::unix::fs::symlink(directory.path("mesh.mesh"), &journal).unwrap();
    }
    std::fs::remove_file(&journal).unwrap();
    directory.succeed(&["build", "mesh.mesh"]);
    assert_eq!(contents(&directory.path("out")), before);
}

#[test]
fn one_file_differs_and_several_differ() {
    let directory = Directory::new();
    std::fs::copy(example(), directory.path("mesh.mesh")).unwrap();
    directory.succeed(&["build", "mesh.mesh"]);
    let said = || {
        let output = directory.run(&["build", "mesh.mesh", "--check"]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    std::fs::remove_file(directory.path("out/west/kustomization.yaml")).unwrap();
    assert!(said().ends_with("1 file differs from the build of `mesh.mesh`\n"), "{}", said());
    std::fs::remove_file(directory.path("out/east/kustomization.yaml")).unwrap();
    assert!(said().ends_with("2 files differ from the build of `mesh.mesh`\n"), "{}", said());
}
