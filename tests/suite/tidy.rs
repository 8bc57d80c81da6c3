//! Rules of the house that a machine can check: headers, file sizes, dependency direction, left-overs. Licences and
//! duplicates in the dependency graph are in `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use lang_diagnostics::{FileId, Sink};
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

/// Fixtures are excepted: many are about one line as somebody wrote it.
#[test]
fn meshes_are_formatted() {
    let files = files();
    let meshes: Vec<_> = with_extension(&files, "mesh").filter(|file| !file.starts_with("tests")).collect();
    assert!(meshes.len() > 5, "{meshes:?}");
    let formatted = |file: &Path| {
        let text = read(file);
        lang_syntax::format(FileId(0), &text, &mut Sink::default()).is_some_and(|formatted| formatted == text)
    };
    let untidy: Vec<_> = meshes.into_iter().filter(|file| !formatted(file)).collect();
    assert!(untidy.is_empty(), "run `meshc fmt` on {untidy:#?}");
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
        "lang-parallel",
        "meshc-yaml",
        "meshc-stdlib",
        "meshd-certificates",
        "meshd-config",
        "meshd-heap",
        "meshd-http",
        "meshd-rate-limit",
        "meshd-redirect",
    ],
    &["lang-syntax", "meshc-pki", "meshd-proxy"],
    &["lang-evaluate"],
    &["lang-expand", "meshc-vocabulary"],
    &["meshc-resolve"],
    &["meshc-topology"],
    &["meshc-plan"],
    &[
        "meshc-answers",
        "meshc-check",
        "meshc-envoy",
        "meshc-meshd",
        "meshc-kubernetes",
        "meshc-local",
        "meshc-machines",
        "meshc-reference",
    ],
    &["meshc-proof", "meshc-changes"],
    &["meshc-driver"],
    &["meshc-server"],
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

/// What a file's head says that takes values over from one layer to the next.
const SEAM: &str = "//! A seam: ";

/// A boundary between two layers: where the types are, what reads them, and which types cross it as they are.
struct Boundary {
    types: &'static [&'static str],
    readers: &'static [&'static str],
    whole: &'static [(&'static str, &'static str)],
}

/// The plan, as the two backends read it.
const PLAN: &[&str] = &[
    "compiler/plan/src/authorization.rs",
    "compiler/plan/src/listener.rs",
    "compiler/plan/src/proxy.rs",
    "compiler/plan/src/rate_limit.rs",
    "compiler/plan/src/route.rs",
    "compiler/plan/src/upstream.rs",
];

/// Types of the plan that no proxy's configuration is made of.
const NOT_OF_PROXIES: &[(&str, &str)] = &[
    ("Plan", "rendered proxy by proxy"),
    ("ExternalPlan", "the local placement's"),
    ("ExternalPortPlan", "the local placement's"),
    ("RateLimitService", "the manifests' and the local placement's"),
    ("RateLimitDomain", "the manifests' and the local placement's"),
    ("Descriptor", "the manifests' and the local placement's"),
];

const BOUNDARIES: &[Boundary] = &[
    Boundary {
        types: &["compiler/vocabulary/src/model/"],
        readers: &["compiler/resolve/src/", "compiler/plan/src/lower/"],
        whole: &[
            ("Model", "asked"),
            ("Table", "asked"),
            ("Id", "opaque"),
            ("SpiffeId", "handed on to the backends"),
            ("Policy", "asked by id for its name, scope or settings"),
            ("AddressRange", "handed on to the backends, which take it apart"),
            ("HttpMatch", "handed on to the backends, which take it apart"),
            ("HeaderMatch", "handed on to the backends, which take it apart"),
            ("QueryMatch", "handed on to the backends, which take it apart"),
            ("Workload", "handed on to the manifests"),
            ("KubernetesVersion", "handed on to the manifests"),
            ("Autoscale", "handed on to the manifests"),
            ("GatewayService", "handed on to the manifests"),
            ("Resources", "handed on to the manifests"),
            ("GatewayPortName", "asked by its route which ports it names"),
            ("Presence", "the topology's"),
            ("Network", "the topology's"),
            ("Link", "the topology's"),
            ("OutsideTls", "handed on to the backends, which take it apart"),
            ("Namespace", "a name"),
            ("Mesh", "asked by the model for what holds in a cluster"),
            ("Trust", "the authority's, not a proxy's"),
            ("IssuerFiles", "the authority's, not a proxy's"),
        ],
    },
    Boundary {
        types: &["compiler/resolve/src/"],
        readers: &["compiler/plan/src/lower/"],
        whole: &[
            ("Resolved", "asked"),
            ("Setting", "a value and its provenance, read where either matters"),
            ("LimitId", "compared"),
            ("CalledPort", "a question"),
            ("Edge", "the topology's"),
        ],
    },
    Boundary { types: &["runtime/config/src/raw/"], readers: &["runtime/config/src/"], whole: &[] },
    Boundary {
        types: &["runtime/config/src/"],
        readers: &["runtime/proxy/src/"],
        whole: &[
            ("Pattern", "opaque: it is asked, and not read"),
            ("AddressRange", "opaque: it is asked, and not read"),
            ("Invalid", "an error"),
            ("Problem", "an error"),
            ("Path", "an error's place"),
            ("SpiffeId", "opaque"),
            ("Period", "opaque"),
        ],
    },
    Boundary { types: PLAN, readers: &["compiler/envoy/src/"], whole: NOT_OF_PROXIES },
    Boundary { types: PLAN, readers: &["compiler/meshd/src/"], whole: NOT_OF_PROXIES },
];

/// The public structures with named fields that a source declares.
fn structures(source: &str) -> Vec<&str> {
    let declared = source.lines().filter_map(|line| line.strip_prefix("pub struct "));
    let names = declared.filter_map(|rest| rest.strip_suffix(" {"));
    names.map(|name| name.split('<').next().unwrap_or(name)).collect()
}

/// Whether a source takes a structure of this name apart, field by field: as `let Name { … } = …`, in a pattern of a
/// closure, of a loop or of an arm. Making one is followed by neither `=` nor `|` nor `)`.
fn takes_apart(source: &str, name: &str) -> bool {
    source.match_indices(&format!("{name} {{")).any(|(at, found)| {
        let before = source.get(..at).unwrap_or_default();
        let is_whole_word = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let path = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        let after = source.get(at + found.len()..).unwrap_or_default();
        let mut depth = 1_u32;
        let end = after.find(|c: char| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let rest = end.and_then(|end| after.get(end + 1..)).unwrap_or_default();
        let is_pattern = path.ends_with("let ")
            || path.ends_with("for ")
            || rest.starts_with(" =>")
            || rest.starts_with(") =>")
            || rest.starts_with('|')
            || rest.starts_with("] =>");
        is_whole_word && is_pattern
    })
}

/// Lines with a pattern that passes fields over in silence.
fn passed_over(source: &str) -> Vec<usize> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let squeezed: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        if line == ".." || squeezed.contains(",..}") || squeezed.contains("{..}") || squeezed.contains("(..)")
        {
            found.push(number + 1);
        }
    }
    found
}

#[test]
fn what_crosses_a_seam_is_taken_apart_field_by_field() {
    let files = files();
    let sources: Vec<(String, String)> =
        with_extension(&files, "rs").map(|file| (file.display().to_string(), read(file))).collect();
    let mut wrong = Vec::new();
    for (file, source) in &sources {
        if source.contains(&format!("\n{SEAM}")) {
            wrong.extend(
                passed_over(source).into_iter().map(|line| format!("{file}:{line} passes over fields")),
            );
        }
    }
    let below = |prefixes: &[&str], file: &str| {
        prefixes.iter().any(|prefix| file.strip_prefix(prefix).is_some_and(|rest| !rest.contains("raw/")))
    };
    for Boundary { types, readers, whole } in BOUNDARIES {
        let seams: Vec<&str> = sources
            .iter()
            .filter(|(file, source)| {
                readers.iter().any(|one| file.starts_with(one)) && source.contains(&format!("\n{SEAM}"))
            })
            .map(|(_, source)| source.as_str())
            .collect();
        assert!(!seams.is_empty(), "{readers:?} has no seam");
        let declared = sources.iter().filter(|(file, _)| below(types, file));
        let declared: Vec<&str> = declared.flat_map(|(_, source)| structures(source)).collect();
        assert!(!declared.is_empty(), "{types:?} declares nothing");
        for name in declared {
            let is_whole = whole.iter().any(|(known, _)| *known == name);
            let is_taken_apart = seams.iter().any(|source| takes_apart(source, name));
            if is_whole == is_taken_apart {
                let how = if is_whole { "is taken apart, and listed as whole" } else { "is not taken apart" };
                wrong.push(format!("{name} of {types:?} {how} in {readers:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_rule_of_seams_can_fail() {
    assert_eq!(structures("pub struct Edge<'m, To = Service> {\n}"), ["Edge"]);
    assert_eq!(structures("pub struct Route {\n}\npub struct Id(u32);\nstruct Own {\n}"), ["Route"]);
    assert!(takes_apart("let raw::Route { name, to } = raw;", "Route"));
    assert!(takes_apart("Some(Edge { hops }) => hops,", "Edge"));
    assert!(takes_apart("|Share { percent }| percent", "Share"));
    assert!(!takes_apart("Some(Route { name: raw.name.clone() })", "Route"));
    assert!(!takes_apart("let HttpRoute { name } = route;", "Route"));
    assert_eq!(passed_over("let Route { name, .. } = route;\nlet all = Limit { name, ..limit };"), [1]);
    assert_eq!(
        passed_over("Kind::Http { .. } => 1,\nScope::Proxy(..) => 2,\nlet rest = &text[..4];"),
        [1, 2]
    );
    assert_eq!(passed_over("let Route {\n    name,\n    ..\n} = route;\n// { .. }"), [3]);
}
