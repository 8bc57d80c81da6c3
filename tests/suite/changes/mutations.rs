//! Each change of the table: its effects are those that are written there and no others, and what is said of requests, pods and
//! proxies is so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use mesh_tests::{process, tools};
use serde_json::Value;

use crate::table::{Mutation, is_like, read};

/// Files by their paths.
type Files = BTreeMap<String, String>;

/// A mesh; of an example without its tests, which name what a change may take away.
fn mesh(path: &str) -> String {
    let text = std::fs::read_to_string(tools::workspace().join(path)).expect("readable");
    match text.find("\ntest \"").filter(|_| path.starts_with("examples/")) {
        Some(end) => text[..=end].to_owned(),
        None => text,
    }
}

fn changed(mutation: &Mutation, text: &str) -> Result<String, String> {
    let mut changed = text.to_owned();
    for (old, new) in &mutation.replaced {
        let count = changed.matches(old.as_str()).count();
        if count != 1 {
            return Err(format!("`{old}` is there {count} times"));
        }
        changed = changed.replacen(old.as_str(), new, 1);
    }
    if changed == text { Err(String::from("nothing is changed")) } else { Ok(changed) }
}

fn meshc(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(tools::binary("meshc"));
    let output = process::run(command.args(arguments).current_dir(folder));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// An effect as the table has it.
fn line(effect: &Value) -> String {
    let text = |key: &str| effect[key].as_str().unwrap_or_default();
    let of = effect["of"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let change = match (effect["before"].as_str(), effect["after"].as_str()) {
        (Some(before), Some(after)) => format!("{before} -> {after}"),
        (None, Some(after)) => format!("{after} (new)"),
        (Some(before), None) => format!("{before} (gone)"),
        (None, None) => panic!("no change: {effect}"),
    };
    let shown = if effect["witness"].is_null() { "-" } else { "shown" };
    let of = of.collect::<Vec<_>>().join("; ");
    format!("{} | {of} | {} | {change} | {shown}", text("kind"), text("aspect"))
}

/// Runs one change and says what is not as it is written.
fn run(mutation: &Mutation) -> Result<usize, String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let old = mesh(&mutation.mesh);
    let new = changed(mutation, &old)?;
    std::fs::write(folder.path().join("old.mesh"), &old).expect("writable");
    std::fs::write(folder.path().join("new.mesh"), &new).expect("writable");
    let (code, printed, said) = meshc(folder.path(), &["diff", "old.mesh", "new.mesh", "-o", "json"]);
    if code != Some(0) {
        return Err(said);
    }
    let comparison: Value = serde_json::from_str(&printed).expect("JSON");
    let effects = comparison["effects"].as_array().expect("a list");
    let found: Vec<String> = effects.iter().map(line).collect();
    let mut missing = Vec::new();
    let mut left: Vec<&String> = found.iter().collect();
    for expected in &mutation.effects {
        match left.iter().position(|line| is_like(expected, line)) {
            Some(at) => {
                left.remove(at);
            }
            None => missing.push(expected.clone()),
        }
    }
    if !missing.is_empty() || !left.is_empty() {
        return Err(format!("  missing:\n    {}\n  besides:\n    {}", missing.join("\n    "), {
            let left: Vec<&str> = left.into_iter().map(String::as_str).collect();
            left.join("\n    ")
        }));
    }
    let mut shown = 0;
    for effect in effects.iter().filter(|effect| !effect["witness"].is_null()) {
        shown += usize::from(confirmed(folder.path(), effect)?);
    }
    rollout(folder.path(), &mutation.mesh, &comparison["proxies"])?;
    Ok(shown)
}

/// Whether `meshc ask` answers the question of a witness differently for both meshes: of access, and of where requests go.
fn confirmed(folder: &Path, effect: &Value) -> Result<bool, String> {
    let kind = effect["kind"].as_str().unwrap_or_default();
    if !["widened-access", "narrowed-access", "exposure"].contains(&kind) {
        return Ok(false);
    }
    let question = effect["witness"]["question"].as_str().unwrap_or_default();
    let ask = |mesh: &str| meshc(folder, &["ask", question, mesh]);
    let (before, after) = (ask("old.mesh"), ask("new.mesh"));
    if (before.0, &before.1) == (after.0, &after.1) {
        return Err(format!("`{question}` has the same answer:\n{}{}", before.1, before.2));
    }
    Ok(true)
}

/// Holds what is said of pods and proxies to the files that both meshes are built to.
fn rollout(folder: &Path, original: &str, said: &Value) -> Result<(), String> {
    let build = |mesh: &str, out: &str| {
        let (code, _, wrong) = meshc(folder, &["build", mesh, "-o", out]);
        assert_eq!(code, Some(0), "{wrong}");
        files(&folder.join(out))
    };
    let (before, after) = (built_before(original, &build), build("new.mesh", "out-new"));
    let proxies = |tree: &BTreeMap<String, String>| -> BTreeSet<String> {
        tree.keys().filter_map(|path| Some(path.split_once("/config/")?.0.to_owned())).collect()
    };
    let (one, other) = (proxies(&before), proxies(&after));
    let list = |key: &str| -> BTreeSet<String> {
        let list = said[key].as_array().expect("a list").iter();
        list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let same = |what: &str, own: BTreeSet<String>, said: &BTreeSet<String>| {
        if own == *said { Ok(()) } else { Err(format!("{what}: the files: {own:?}, diff: {said:?}")) }
    };
    same("added", other.difference(&one).cloned().collect(), &list("added"))?;
    same("removed", one.difference(&other).cloned().collect(), &list("removed"))?;
    let (mut restarted, mut stale, mut touched) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for proxy in one.intersection(&other) {
        let own = |tree: &BTreeMap<String, String>, config: bool| -> BTreeMap<String, String> {
            let begin = format!("{proxy}/");
            let inside = tree.iter().filter(|(path, _)| path.starts_with(&begin));
            let wanted = inside.filter(|(path, _)| path.starts_with(&format!("{proxy}/config/")) == config);
            wanted.map(|(path, text)| (path.clone(), text.clone())).collect()
        };
        let pods = |tree| own(tree, false).iter().map(|(path, text)| pod(path, text)).collect::<Vec<_>>();
        let start = |tree| {
            own(tree, true)
                .into_iter()
                .filter(|(path, _)| path.ends_with("bootstrap.yaml"))
                .collect::<Vec<_>>()
        };
        if pods(&before) != pods(&after) {
            restarted.insert(proxy.clone());
        } else if start(&before) != start(&after) {
            stale.insert(proxy.clone());
        } else if own(&before, true) != own(&after, true) {
            touched.insert(proxy.clone());
        }
    }
    same("restarted", restarted, &list("restarted"))?;
    same("restarted by hand", stale, &list("restart_by_hand"))?;
    same("reloaded", touched, &list("reloaded"))
}

/// The files of a mesh as it was, which are built once.
fn built_before(mesh: &str, build: &dyn Fn(&str, &str) -> Files) -> Arc<Files> {
    static BUILT: Mutex<BTreeMap<String, Arc<Files>>> = Mutex::new(BTreeMap::new());
    let known = BUILT.lock().expect("no panic").get(mesh).cloned();
    known.unwrap_or_else(|| {
        let files = Arc::new(build("old.mesh", "out-old"));
        BUILT.lock().expect("no panic").insert(mesh.to_owned(), Arc::clone(&files));
        files
    })
}

/// What of a manifest is part of pods.
fn pod(path: &str, text: &str) -> (String, String) {
    let name = path.rsplit('/').next().unwrap_or_default();
    let part = match name {
        // A patch of the pods; what is copied into them.
        "mesh-proxy.service" | "hosts" | "order.yaml" | "probes.yaml" => text.to_owned(),
        _ if name.starts_with("patch") || name == "settings.yaml" => text.to_owned(),
        "deployment.yaml" => {
            // The pod template is the last part of a Deployment, which is the last document.
            text.split_once("  template:").map(|(_, template)| template.to_owned()).unwrap_or_default()
        }
        _ => String::new(),
    };
    (path.to_owned(), part)
}

fn files(folder: &Path) -> Files {
    let mut all = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("inside").display().to_string();
                all.insert(name, std::fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    all
}

/// `MESH_ONLY=name` runs the changes of that name.
#[test]
fn each_change_has_the_effects_that_are_written_and_no_others() {
    let table = std::fs::read_to_string(tools::workspace().join("tests/suite/changes/mutations.txt"));
    let all = read(&table.expect("readable"));
    let (with, without): (Vec<&Mutation>, Vec<&Mutation>) =
        all.iter().partition(|mutation| !mutation.effects.is_empty());
    assert!(with.len() >= 100 && without.len() >= 15, "{} and {}", with.len(), without.len());
    let only = std::env::var("MESH_ONLY").ok();
    let wanted: Vec<&Mutation> =
        all.iter().filter(|mutation| only.as_ref().is_none_or(|only| mutation.name.contains(only))).collect();
    let parts: Vec<Vec<&Mutation>> =
        (0..4).map(|part| wanted.iter().skip(part).step_by(4).copied().collect()).collect();
    let results: Vec<(usize, Vec<String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = parts
            .iter()
            .map(|part| {
                scope.spawn(move || {
                    let (mut shown, mut wrong) = (0, Vec::new());
                    for mutation in part {
                        match run(mutation) {
                            Ok(own) => shown += own,
                            Err(why) => wrong.push(format!("{}: {}\n{why}", mutation.mesh, mutation.name)),
                        }
                    }
                    (shown, wrong)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let wrong: Vec<String> = results.iter().flat_map(|(_, wrong)| wrong.clone()).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), wanted.len(), wrong.join("\n\n"));
    let shown: usize = results.iter().map(|(shown, _)| shown).sum();
    assert!(only.is_some() || shown > 30, "{shown} answers were asked again");
    println!("{} changes, {shown} requests asked again", wanted.len());
}
