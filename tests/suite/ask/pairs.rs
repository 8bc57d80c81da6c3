//! What `meshc diff` says of two random meshes of which one is a change of the other, and what the interpreter says of both.
//!
//!     MESH_SEEDS=0..500 cargo test -p mesh-tests --test ask pairs -- --nocapture
//!
//! Each request that diff shows is decided differently by the interpreter, and of each request that the interpreter decides
//! differently diff tells something.

use std::process::Command;

use mesh_tests::random::Random;
use mesh_tests::{process, tools};
use serde_json::Value;

use crate::agreement::seeds;
use crate::described::{self, Action, Described, METHODS, PATHS, Scope, VALUES};
use crate::oracle::{Caller, Oracle, Request, verdict};
use crate::questions::HOSTS;

const FEW: u64 = 20;
/// Requests that are tried of each pair.
const TRIED: usize = 150;

/// A mesh with one change, and what that is.
fn changed(mesh: &Described, random: &mut Random) -> (Described, &'static str) {
    let mut new = mesh.clone();
    let service = random.below(new.services.len());
    let what = match random.below(8) {
        0 if !new.services[service].calls.is_empty() => {
            let call = random.below(new.services[service].calls.len());
            new.services[service].calls.remove(call);
            "a call is dropped"
        }
        1 if service > 0 => {
            let earlier = new.services[..service].to_vec();
            new.services[service].calls = described::calls(&earlier, random);
            "other calls"
        }
        2 => {
            new.services[service].failover ^= true;
            "failover"
        }
        3 | 4 => {
            described::admission(&mut new, service, random);
            "other rules of access"
        }
        5 => {
            let all: Vec<usize> = (0..new.clusters.len()).collect();
            new.services[service].clusters = random.some(&all);
            "another place"
        }
        _ if !new.routes.is_empty() => {
            let route = random.below(new.routes.len());
            let callee = match &new.routes[route].scope {
                Scope::Calls { callee, port, from: _ } => Some((*callee, *port)),
                Scope::Gateways { .. } => None,
            };
            match random.below(3) {
                0 => {
                    new.routes[route].rules.reverse();
                    "rules in another order"
                }
                1 => {
                    for rule in &mut new.routes[route].rules {
                        if let Action::To(to) = &mut rule.action {
                            to[0].2 += 1;
                        }
                    }
                    "other shares"
                }
                _ => {
                    new.routes[route].rules = described::rules(mesh, callee, random);
                    "other rules of a route"
                }
            }
        }
        _ => {
            new.services[service].failover ^= true;
            "failover"
        }
    };
    (new, what)
}

/// The effects, or why a mesh is refused.
fn effects(old: &Described, new: &Described) -> Result<Vec<Value>, String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(folder.path().join("old.mesh"), old.text()).expect("writable");
    std::fs::write(folder.path().join("new.mesh"), new.text()).expect("writable");
    let mut command = Command::new(tools::binary("meshc"));
    command.args(["diff", "old.mesh", "new.mesh", "-o", "json"]).current_dir(folder.path());
    let output = process::run(&mut command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(0) {
        assert!(said.contains("error["), "{said}");
        return Err(said.lines().filter(|line| line.starts_with("error[")).take(2).collect());
    }
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    Ok(comparison["effects"].as_array().expect("a list").clone())
}

/// Whoever has a name, wherever they are.
fn callers(mesh: &Described, name: &str) -> Vec<Caller> {
    let gateway = name.strip_prefix('c').and_then(|rest| rest.split('.').next()?.parse().ok());
    match gateway {
        Some(cluster) => vec![Caller::Ingress(cluster)],
        None => (0..mesh.services.len())
            .filter(|service| mesh.name(*service) == name)
            .flat_map(|service| {
                mesh.services[service].clusters.iter().map(move |cluster| Caller::Service(service, *cluster))
            })
            .collect(),
    }
}

/// What is done with a request, with shares that have nothing in common.
fn plain(action: Option<&Action>) -> String {
    match action {
        Some(Action::To(to)) => {
            let common = to.iter().fold(0, |one, (_, _, weight)| common(one, *weight)).max(1);
            let drawn = to.iter().filter(|(_, _, weight)| *weight > 0);
            let mut shares: Vec<_> =
                drawn.map(|(service, port, weight)| (service, port, weight / common)).collect();
            shares.sort();
            format!("{shares:?}")
        }
        Some(Action::Redirect(_) | Action::Respond(_)) | None => format!("{action:?}"),
    }
}

fn common(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { common(other, one % other) }
}

/// What the interpreter makes of a question: a verdict, and all that becomes of the request.
fn judged(mesh: &Described, question: &str) -> (Option<bool>, String) {
    let oracle = Oracle { mesh, lost: &[] };
    let words: Vec<&'static str> =
        Box::leak(question.to_owned().into_boxed_str()).split_whitespace().collect();
    let with: Vec<(&str, &'static str)> = words.iter().filter_map(|word| word.split_once('=')).collect();
    let header = with.iter().find(|(name, _)| *name == "x-t").map(|(_, value)| *value);
    let request = |method, target: &'static str, host| {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request { method, path, query: query.strip_prefix("v="), header, host }
    };
    match words.as_slice() {
        ["can", from, "call", to, rest @ ..] => {
            let host = with.iter().find(|(name, _)| *name == "host").map_or(HOSTS[0], |(_, value)| *value);
            let (method, target) = match rest {
                [method, target, ..] => (*method, *target),
                _ => ("GET", "/"),
            };
            let request = request(method, target, host);
            let callee = (0..mesh.services.len()).find(|service| to.starts_with(&mesh.name(*service)));
            let Some(callee) = callee else { return (Some(false), String::new()) };
            let port = to.strip_prefix(&format!("{}.", mesh.name(callee)));
            let port =
                port.and_then(|port| mesh.services[callee].ports.iter().position(|own| own.name == port));
            let fates: Vec<_> = callers(mesh, from)
                .iter()
                .flat_map(|from| oracle.call(*from, callee, port, &request))
                .collect();
            let taken: Vec<_> = callers(mesh, from)
                .iter()
                .flat_map(|from| oracle.rule(*from, callee, port, &request))
                .map(plain)
                .collect();
            (verdict(&fates, None), format!("{fates:?} {taken:?}"))
        }
        ["where", "does", method, place, "go", "from", at, ..] => {
            let slash = place.find('/').expect("a path");
            let request = request(method, &place[slash..], &place[..slash]);
            let [Caller::Ingress(cluster)] = callers(mesh, at)[..] else { panic!("{question}") };
            let action = oracle.at_gateway(cluster, &request);
            let fates: Vec<_> = match action {
                Some(Action::To(to)) => to
                    .iter()
                    .map(|(service, port, _)| {
                        oracle.arrives(Caller::Ingress(cluster), (*service, *port), &request)
                    })
                    .collect(),
                Some(Action::Redirect(_) | Action::Respond(_)) | None => Vec::new(),
            };
            (verdict(&fates, None), format!("{} {fates:?}", plain(action)))
        }
        other => panic!("a question: {other:?}"),
    }
}

/// Kinds of effects that are about who may call and where requests go.
fn is_about_requests(effect: &Value) -> bool {
    ["widened-access", "narrowed-access", "exposure", "routing"]
        .contains(&effect["kind"].as_str().unwrap_or_default())
}

/// Holds a pair to the interpreter; says how many requests were shown, and how many differed of those that were tried.
fn compare(old: &Described, new: &Described, random: &mut Random) -> Result<Option<(usize, usize)>, String> {
    let Ok(effects) = effects(old, new) else { return Ok(None) };
    let mut shown = 0;
    for effect in effects.iter().filter(|effect| is_about_requests(effect) && !effect["witness"].is_null()) {
        let question = effect["witness"]["question"].as_str().expect("a text");
        let (before, after) = (judged(old, question), judged(new, question));
        let access = effect["kind"].as_str().is_some_and(|kind| kind.ends_with("-access"));
        let differs = if access { before.0 != after.0 || before.1 != after.1 } else { before.1 != after.1 };
        if !differs {
            return Err(format!("the interpreter decides alike: {effect}\n{before:?}"));
        }
        shown += 1;
    }
    let mut differing = 0;
    for _ in 0..TRIED {
        let services: Vec<usize> =
            (0..old.services.len()).filter(|one| !old.services[*one].ports.is_empty()).collect();
        let callee = services[random.below(services.len())];
        let mut names: Vec<String> = (0..old.services.len()).map(|service| old.name(service)).collect();
        let gateways = old.clusters.iter().enumerate().filter(|(_, cluster)| cluster.ingress);
        names.extend(gateways.map(|(cluster, _)| format!("c{cluster}.in")));
        let from = &names[random.below(names.len())];
        let query = if random.percent(20) { "?v=1" } else { "" };
        let mut with = vec![format!("host={}", random.of(&HOSTS))];
        if random.percent(40) {
            with.push(format!("x-t={}", random.of(&VALUES)));
        }
        let (to, method, path) = (old.name(callee), random.of(&METHODS), random.of(&PATHS));
        let question = format!("can {from} call {to} {method} {path}{query} with {}", with.join(" "));
        let (before, after) = (judged(old, &question), judged(new, &question));
        if before == after {
            continue;
        }
        differing += 1;
        let mut concerned: Vec<String> = (0..old.services.len())
            .map(|service| old.name(service))
            .filter(|name| name == from || *name == to)
            .collect();
        concerned.push(from.clone());
        let tells = |effect: &Value| {
            let text = effect.to_string();
            is_about_requests(effect) && concerned.iter().any(|name| text.contains(name.as_str()))
        };
        if !effects.iter().any(tells) {
            let all: Vec<String> = effects.iter().map(ToString::to_string).collect();
            return Err(format!("{question}: {before:?} and {after:?}, diff:\n{}", all.join("\n")));
        }
    }
    Ok(Some((shown, differing)))
}

#[test]
fn pairs_are_told_apart_as_an_interpreter_does() {
    let seeds = seeds(FEW);
    let all = seeds.end - seeds.start;
    let (mut compared, mut shown, mut differing, mut wrong) = (0_u64, 0, 0, Vec::new());
    for seed in seeds {
        let mut random = Random::new(seed);
        let old = Described::of(&mut random);
        let (new, what) = changed(&old, &mut random);
        match compare(&old, &new, &mut random) {
            Ok(None) => {}
            Ok(Some((own, differ))) => {
                compared += 1;
                shown += own;
                differing += differ;
            }
            Err(why) => {
                let why = format!("seed {seed}: {what}: {why}");
                println!("{why}\n{}\n{}\n", old.text(), new.text());
                wrong.push(why);
            }
        }
    }
    println!("{compared} of {all} pairs, {shown} requests shown, {differing} of those tried differ");
    let few: Vec<_> = wrong.iter().take(3).cloned().collect();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), few.join("\n\n"));
    assert!(compared * 2 >= all && shown > 3 && differing > 20, "{compared} of {all}, {shown}, {differing}");
}
