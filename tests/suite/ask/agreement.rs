//! What `meshc ask` says of random meshes, and what the interpreter says.
//!
//!     MESH_SEEDS=0..2000 MESH_QUESTIONS=100 cargo test -p mesh-tests --test ask agreement -- --nocapture
//!
//! A seed is a mesh with its questions and stands by itself, so that a long run goes on at any of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::ops::Range;
use std::process::{Command, Stdio};

use mesh_tests::random::Random;
use mesh_tests::{process, tools};
use serde_json::Value;

use crate::described::{Action, Described, METHODS, PATHS, VALUES};
use crate::oracle::{Caller, Fate, Oracle, Request, verdict};
use crate::questions::{Asked, HOSTS, Question, question};

const FEW: u64 = 20;

pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

pub(crate) fn seeds(few: u64) -> Range<u64> {
    let Ok(range) = std::env::var("MESH_SEEDS") else { return 0..few };
    let ends = range.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.unwrap_or_else(|| panic!("MESH_SEEDS is like 0..2000, not {range}"))
}

/// The answers of the compiler, or why it refuses the mesh.
pub(crate) fn answers(text: &str, questions: &[String]) -> Result<Vec<Value>, String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(folder.path().join("mesh.mesh"), text).expect("writable");
    let mut command = Command::new(tools::binary("meshc"));
    command.args(["ask", "-", "mesh.mesh", "--format", "json"]).current_dir(folder.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    let lines = questions.join("\n");
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    // A mesh that is refused is refused before any question is read to its end.
    let _ = writer.join().expect("no panic");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    if answers.len() == questions.len() {
        return Ok(answers);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(answers.is_empty() && said.contains("error["), "{said}");
    Err(said.lines().filter(|line| line.starts_with("error[")).take(3).collect::<Vec<_>>().join("; "))
}

/// How many answers were compared, by the word.
#[derive(Default)]
struct Tally {
    meshes: usize,
    refused: Vec<String>,
    words: BTreeMap<String, usize>,
    /// Questions about any request that are left open although every request that was tried has one answer.
    open: usize,
}

fn compare(seed: u64, count: u64, tally: &mut Tally) -> Result<(), String> {
    let mut random = Random::new(seed);
    let mesh = Described::of(&mut random);
    let text = mesh.text();
    let questions: Vec<Question> = (0..count).map(|_| question(&mesh, &mut random)).collect();
    let texts: Vec<String> = questions.iter().map(|question| question.text.clone()).collect();
    let answers = match answers(&text, &texts) {
        Ok(answers) => answers,
        Err(why) => {
            tally.refused.push(format!("seed {seed}: {why}"));
            return Ok(());
        }
    };
    tally.meshes += 1;
    matrix(&mesh, &text).map_err(|why| format!("seed {seed}: matrix\n{why}\n{text}"))?;
    for (question, answer) in questions.iter().zip(&answers) {
        let word = answer["answer"].as_str().unwrap_or("wrong").to_owned();
        *tally.words.entry(word).or_default() += 1;
        judge(&mesh, question, answer, tally)
            .map_err(|why| format!("seed {seed}: {}\n{why}\n{answer}\n{text}", question.text))?;
    }
    Ok(())
}

/// The matrix of a mesh, pair by pair.
fn matrix(mesh: &Described, text: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(folder.path().join("mesh.mesh"), text).expect("writable");
    let mut command = Command::new(tools::binary("meshc"));
    command.args(["matrix", "mesh.mesh", "-o", "json"]).current_dir(folder.path());
    let printed: Value = serde_json::from_str(&process::succeed(&mut command)).expect("JSON");
    let calls = printed["calls"].as_array().expect("a list");
    let said = |word: &str| -> BTreeSet<(String, String)> {
        let own = calls.iter().filter(|call| call["answer"] == word);
        own.map(|call| (call["from"].to_string(), call["to"].to_string())).collect()
    };
    let (yes, some) = (said("yes"), said("some"));
    let oracle = Oracle { mesh, lost: &[] };
    let mut by_name: BTreeMap<String, Vec<Caller>> = BTreeMap::new();
    for caller in oracle.callers() {
        by_name.entry(name(mesh, caller)).or_default().push(caller);
    }
    for (from, callers) in by_name {
        for callee in (0..mesh.services.len()).filter(|callee| !mesh.services[*callee].ports.is_empty()) {
            let own = any_request(&oracle, &callers, callee, None, None);
            let pair = (format!("\"{from}\""), format!("\"{}\"", mesh.name(callee)));
            let fits = match own {
                // What several rules together leave nothing of may be said to be for some requests.
                Some(false) => !yes.contains(&pair),
                Some(true) => yes.contains(&pair) || some.contains(&pair),
                None => some.contains(&pair),
            };
            if !fits {
                return Err(format!(
                    "{pair:?}: the interpreter: {}, yes: {yes:?}, some: {some:?}",
                    word(own)
                ));
            }
        }
    }
    Ok(())
}

fn word(verdict: Option<bool>) -> &'static str {
    match verdict {
        Some(true) => "yes",
        Some(false) => "no",
        None => "depends",
    }
}

/// Whether an answer is the interpreter's.
fn judge(mesh: &Described, question: &Question, answer: &Value, tally: &mut Tally) -> Result<(), String> {
    let oracle = Oracle { mesh, lost: &question.lost };
    let said = answer["answer"].as_str().unwrap_or("wrong");
    let is = |wanted: &str| {
        if said == wanted { Ok(()) } else { Err(format!("ask: {said}, the interpreter: {wanted}")) }
    };
    match &question.asked {
        Asked::Can { from, callee, port, place, request: Some(request) } => {
            let fates: Vec<Fate> =
                from.iter().flat_map(|from| oracle.call(*from, *callee, *port, request)).collect();
            let own = verdict(&fates, *place);
            is(word(own)).map_err(|why| format!("{why}, {fates:?}"))?;
            if own == Some(true) {
                let pods = fates.iter().filter_map(|fate| answered(mesh, fate)).collect();
                same(&pods_of(answer, |_| true), &pods)?;
            }
            Ok(())
        }
        Asked::Can { from, callee, port, place, request: None } => {
            let own = any_request(&oracle, from, *callee, *port, *place);
            match (said, own) {
                ("depends", Some(_)) => tally.open += 1,
                ("depends", None) => {}
                (_, own) => is(word(own))?,
            }
            Ok(())
        }
        Asked::Who { callee, port, request } => {
            let mut names = BTreeSet::new();
            let mut by_name: BTreeMap<String, Vec<Caller>> = BTreeMap::new();
            for caller in oracle.callers() {
                by_name.entry(name(mesh, caller)).or_default().push(caller);
            }
            for (name, from) in by_name {
                let own = match request {
                    Some(request) => {
                        let fates: Vec<Fate> = from
                            .iter()
                            .flat_map(|from| oracle.call(*from, *callee, *port, request))
                            .collect();
                        verdict(&fates, None)
                    }
                    None => any_request(&oracle, &from, *callee, *port, None),
                };
                if own != Some(false) {
                    names.insert(name);
                }
            }
            match request {
                Some(_) => same(&listed(answer), &names),
                None => at_least(answer, &names, tally),
            }
        }
        Asked::What { from } => {
            let mut reached: BTreeSet<usize> = BTreeSet::new();
            let mut open: Vec<Vec<Caller>> = vec![from.clone()];
            let start = from.first().and_then(|from| match from {
                Caller::Service(service, _) => Some(*service),
                Caller::Ingress(_) => None,
            });
            while let Some(from) = open.pop() {
                for callee in 0..mesh.services.len() {
                    if reached.contains(&callee) || Some(callee) == start {
                        continue;
                    }
                    if any_request(&oracle, &from, callee, None, None) != Some(false) {
                        reached.insert(callee);
                        let clusters = mesh.services[callee].clusters.iter();
                        open.push(clusters.map(|cluster| Caller::Service(callee, *cluster)).collect());
                    }
                }
            }
            let names: BTreeSet<String> = reached.iter().map(|service| mesh.name(*service)).collect();
            at_least(answer, &names, tally)
        }
        Asked::Where { request, at } => {
            let mut all = Vec::new();
            for cluster in at {
                let gateway = format!("c{cluster}.in.http");
                let line = |line: &Value| line["who"] == gateway.as_str();
                let own = if oracle.has_failed(Caller::Ingress(*cluster)) {
                    None
                } else {
                    oracle.at_gateway(*cluster, request)
                };
                let fates: Vec<Fate> = match own {
                    None => Vec::new(),
                    Some(Action::Redirect(status) | Action::Respond(status)) => vec![Fate::Proxy(*status)],
                    Some(Action::To(to)) => to
                        .iter()
                        .filter(|(_, _, weight)| *weight > 0)
                        .map(|(service, port, _)| {
                            oracle.arrives(Caller::Ingress(*cluster), (*service, *port), request)
                        })
                        .collect(),
                };
                let pods = fates.iter().filter_map(|fate| answered(mesh, fate)).collect();
                same(&pods_of(answer, line), &pods).map_err(|why| format!("{gateway}: {why}"))?;
                all.push(match own {
                    Some(Action::Redirect(_) | Action::Respond(_)) => Some(true),
                    Some(Action::To(_)) | None => verdict(&fates, None),
                });
            }
            is(match (all.contains(&Some(true)), all.contains(&None)) {
                (true, _) => "yes",
                (false, true) => "depends",
                (false, false) => "no",
            })
        }
    }
}

/// The pods that answer.
fn answered(mesh: &Described, fate: &Fate) -> Option<String> {
    match fate {
        Fate::Answered(service, cluster) => Some(format!("{} in c{cluster}", mesh.name(*service))),
        Fate::Proxy(_)
        | Fate::Refused
        | Fate::Nobody
        | Fate::Elsewhere
        | Fate::Undeclared
        | Fate::Admitted(_) => None,
    }
}

fn same(ask: &BTreeSet<String>, own: &BTreeSet<String>) -> Result<(), String> {
    if ask == own { Ok(()) } else { Err(format!("ask: {ask:?}, the interpreter: {own:?}")) }
}

/// Of any request, what depends on it is left open, also where the interpreter has tried all that differ.
fn at_least(answer: &Value, own: &BTreeSet<String>, tally: &mut Tally) -> Result<(), String> {
    let all = listed(answer);
    let sure = lines(answer).into_iter().filter(|line| line["answer"] == "yes");
    let sure: BTreeSet<String> = sure.filter_map(|line| line["who"].as_str().map(str::to_owned)).collect();
    tally.open += usize::from(all.len() > own.len());
    if own.is_subset(&all) && sure.is_subset(own) {
        return Ok(());
    }
    Err(format!("ask: {all:?}, of which {sure:?} for sure, the interpreter: {own:?}"))
}

fn lines(answer: &Value) -> Vec<Value> {
    answer["lines"].as_array().cloned().unwrap_or_default()
}

fn listed(answer: &Value) -> BTreeSet<String> {
    lines(answer).iter().filter_map(|line| line["who"].as_str().map(str::to_owned)).collect()
}

fn pods_of(answer: &Value, of: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let lines = lines(answer).into_iter().filter(|line| of(line));
    let pods = lines.flat_map(|line| line["answered_by"].as_array().cloned().unwrap_or_default());
    pods.filter_map(|pod| pod.as_str().map(str::to_owned)).collect()
}

fn name(mesh: &Described, caller: Caller) -> String {
    match caller {
        Caller::Service(service, _) => mesh.name(service),
        Caller::Ingress(cluster) => format!("c{cluster}.in"),
    }
}

/// What the interpreter says of any request: of all of them that differ in what conditions are about. From a gateway, these are
/// the requests that its routes send to the callee, if there are any.
fn any_request(
    oracle: &Oracle<'_>,
    from: &[Caller],
    callee: usize,
    port: Option<usize>,
    place: Option<usize>,
) -> Option<bool> {
    let mut all = Vec::new();
    for caller in from {
        // Only gateways look at the host.
        let hosts = match caller {
            Caller::Ingress(_) => &HOSTS[..],
            Caller::Service(..) => &HOSTS[..1],
        };
        let mut own: Vec<Vec<Fate>> =
            universe(hosts).map(|request| oracle.call(*caller, callee, port, &request)).collect();
        let leads = |fates: &Vec<Fate>| {
            fates.iter().any(|fate| {
                !matches!(fate, Fate::Elsewhere | Fate::Proxy(_) | Fate::Undeclared | Fate::Admitted(_))
            })
        };
        let by_name = match caller {
            Caller::Ingress(_) => false,
            Caller::Service(service, _) => oracle.mesh.services[*service].calls.iter().any(|call| {
                call.callee == callee && (call.port.is_none() || port.is_none() || call.port == port)
            }),
        };
        if !by_name && own.iter().any(leads) {
            own.retain(leads);
        }
        all.extend(own.into_iter().flatten());
    }
    verdict(&all, place)
}

/// Paths that begin as conditions do, and go on.
const OTHER_PATHS: [&str; 9] = ["/z", "/c", "/a/z", "/az", "/b/z", "/bz", "/c/z", "/a/b/z", "/a/bz"];

/// Of each part that conditions are about, every value that is in one, and one that is in none.
pub(crate) fn universe(hosts: &[&'static str]) -> impl Iterator<Item = Request> {
    let headers = || [None, Some("9")].into_iter().chain(VALUES.into_iter().map(Some));
    let methods = || METHODS.into_iter().chain(["DELETE"]);
    let paths = || PATHS.into_iter().chain(OTHER_PATHS);
    hosts.iter().flat_map(move |host| {
        methods().flat_map(move |method| {
            paths().flat_map(move |path| {
                [None, Some("1")].into_iter().flat_map(move |query| {
                    headers().map(move |header| Request { method, path, query, header, host })
                })
            })
        })
    })
}

#[test]
fn answers_are_those_of_an_interpreter() {
    let (seeds, count) = (seeds(FEW), number("MESH_QUESTIONS", 20));
    let is_long = seeds.end - seeds.start > FEW;
    let mut tally = Tally::default();
    let mut differences = Vec::new();
    let all = seeds.end - seeds.start;
    for seed in seeds {
        if let Err(difference) = compare(seed, count, &mut tally) {
            println!("{difference}\n");
            differences.push(difference);
        }
        if is_long && seed % 20 == 19 {
            let (words, differ) = (&tally.words, differences.len());
            println!("seed {seed}: {} meshes, {differ} differ, {words:?}, {} open", tally.meshes, tally.open);
        }
    }
    let shown: Vec<_> = differences.iter().take(3).cloned().collect();
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), shown.join("\n\n"));
    let refused = tally.refused.len() as u64;
    assert!(refused * 5 <= all, "{refused} of {all} are no meshes:\n{}", tally.refused.join("\n"));
    for word in ["yes", "no", "depends"] {
        assert!(tally.words.get(word).is_some_and(|count| *count > 5), "{:?}", tally.words);
    }
    println!("{} meshes, {refused} refused, {:?}, {} open", tally.meshes, tally.words, tally.open);
}
