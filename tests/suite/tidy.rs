//! Rules of the house that a machine can check: headers, file sizes, dependency direction, left-overs. Licences and
//! duplicates in the dependency graph are in `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use mesh_tests::{process, tools};

/// Every file that git knows or would add, relative to the root.
fn files() -> Vec<PathBuf> {
    let root = tools::workspace();
    let mut command = Command::new("git");
    command.current_dir(&root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = process::succeed(&mut command);
    let files: Vec<_> = listed.lines().map(PathBuf::from).filter(|file| root.join(file).is_file()).collect();
    assert!(files.len() > 50, "git lists the workspace: {}", files.len());
    files
}

fn with_extension<'a>(files: &'a [PathBuf], extension: &str) -> impl Iterator<Item = &'a PathBuf> {
    files.iter().filter(move |file| file.extension().is_some_and(|found| found == extension))
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(tools::workspace().join(file)).unwrap_or_default()
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    let files = files();
    let silent: Vec<_> = with_extension(&files, "rs")
        .filter(|file| !read(file).lines().next().unwrap_or_default().starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "no `//!` on the first line: {silent:#?}");
}

#[test]
fn files_stay_small() {
    let files = files();
    let mut sizes: Vec<(usize, &PathBuf)> = Vec::new();
    for file in with_extension(&files, "rs") {
        let text = read(file);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
        sizes.push((code.lines().count(), file));
    }
    sizes.sort();
    let large: Vec<_> = sizes.iter().filter(|(lines, _)| *lines > 500).collect();
    assert!(large.is_empty(), "more than 500 lines outside tests: {large:#?}");
    let p90 = sizes[sizes.len() * 9 / 10].0;
    assert!(p90 <= 350, "the 90th percentile of file sizes is {p90} lines");
}

#[test]
fn nothing_is_left_over() {
    let files = files();
    let words = [["TO", "DO"], ["FIX", "ME"], ["X", "XX"]].map(|parts| parts.concat());
    let mut found = Vec::new();
    for extension in ["rs", "md", "mesh", "sh", "toml"] {
        for file in with_extension(&files, extension) {
            for (number, line) in read(file).lines().enumerate() {
                let ignored = line.trim_start().starts_with(&["#[", "ignore"].concat());
                if ignored || words.iter().any(|word| line.contains(word.as_str())) {
                    found.push(format!("{}:{}: {line}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// `cargo metadata` of the locked graph.
fn metadata() -> serde_json::Value {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(tools::workspace()).args(["metadata", "--format-version", "1", "--locked"]);
    serde_json::from_str(&process::succeed(&mut command)).expect("cargo prints JSON")
}

fn text<'a>(value: &'a serde_json::Value, key: &str) -> &'a str {
    value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// Crates of the workspace in the order in which dependencies may point: only to the left. A crate in a group of its
/// own may use every group before it, and nothing of its own group.
const ORDER: &[&[&str]] = &[
    &[
        "lang-diagnostics",
        "meshc-yaml",
        "meshc-stdlib",
        "meshd-certificates",
        "meshd-config",
        "meshd-heap",
        "meshd-rate-limit",
        "meshd-redirect",
    ],
    &["lang-syntax", "meshc-pki", "meshd-proxy"],
    &["lang-evaluate"],
    &["meshc-vocabulary"],
    &["meshc-resolve"],
    &["meshc-topology"],
    &["meshc-plan"],
    &["meshc-check", "meshc-envoy", "meshc-meshd", "meshc-kubernetes", "meshc-local"],
    &["meshc-driver"],
    &["meshc-cli", "meshd"],
    &["mesh-tests", "mesh-fuzz"],
];

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let rank: BTreeMap<&str, usize> = ORDER
        .iter()
        .enumerate()
        .flat_map(|(rank, group)| group.iter().map(move |name| (*name, rank)))
        .collect();
    let members: BTreeSet<&str> = metadata["workspace_members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = text(package, "name");
        if !members.contains(text(package, "id")) {
            continue;
        }
        let Some(own) = rank.get(name) else {
            wrong.push(format!("{name} has no place in the order"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = text(dependency, "name");
            let development = text(dependency, "kind") == "dev";
            if let Some(other) = rank.get(used)
                && other >= own
                && !development
            {
                wrong.push(format!("{name} uses {used}"));
            }
            let folder = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
            if folder(name) == "meshd"
                && !development
                && (used.starts_with("lang-") || used.starts_with("meshc-"))
            {
                wrong.push(format!("{name} is runtime and uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn foreign_schemas_stay_at_the_edge() {
    let metadata = metadata();
    let may: &[(&str, &[&str])] = &[
        ("miette", &["lang-diagnostics"]),
        ("petgraph", &["meshc-topology"]),
        ("k8s-openapi", &["meshc-kubernetes"]),
        ("envoy-types", &["meshc-envoy", "meshd-rate-limit"]),
        ("clap", &["meshc-cli", "meshd"]),
        ("redis", &["meshd-rate-limit"]),
        ("meshd-config", &["meshc-meshd", "meshd-proxy", "meshd", "mesh-fuzz"]),
    ];
    let members = ORDER.concat();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = text(package, "name");
        if !members.contains(&name) {
            continue;
        }
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = text(dependency, "name");
            let allowed = may.iter().find(|(crate_name, _)| *crate_name == used);
            if let Some((_, users)) = allowed
                && !users.contains(&name)
                && text(dependency, "kind") != "dev"
            {
                wrong.push(format!("{name} uses {used}; only {users:?} may"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_root_has_only_its_folders() {
    let known = ["compiler", "examples", "findings", "lang", "runtime", "stdlib", "tests"];
    let mut folders: BTreeSet<String> = files()
        .iter()
        .filter(|file| file.components().count() > 1)
        .filter_map(|file| Some(file.components().next()?.as_os_str().to_str()?.to_owned()))
        .collect();
    folders.retain(|folder| !folder.starts_with('.'));
    assert_eq!(folders.into_iter().collect::<Vec<_>>(), known);
}
