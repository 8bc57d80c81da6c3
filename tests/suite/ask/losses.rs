//! What `meshc prove failover` says of random meshes, and what the interpreter says: each single loss, and each pair.
//!
//!     MESH_SEEDS=0..500 cargo test -p mesh-tests --test ask losses -- --nocapture

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use mesh_tests::random::Random;
use mesh_tests::{process, tools};
use serde_json::{Value, json};

use crate::agreement::{seeds, universe};
use crate::described::{Action, Described, Route, Scope};
use crate::oracle::{Caller, Fate as Met, Lost, Oracle, Request, any};
use crate::questions::HOSTS;

const FEW: u64 = 20;

/// Whether requests are answered; the order is that of what is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Served,
    Partly,
    Broken,
}

/// A call or a rule at one proxy.
#[derive(Clone, Debug)]
struct Flow {
    from: Caller,
    /// The proxy, what is called, and the rule, as they are named.
    name: (String, String, Option<String>),
    /// Services with their ports.
    to: Vec<(usize, usize)>,
    stand_in: bool,
    /// The clusters of all gateways that have the rule.
    gateways: Vec<usize>,
    /// The requests that get there, as far as they are known.
    met: Vec<Request>,
}

/// A verdict, and who answers.
type Fate = (Verdict, BTreeSet<String>);

fn flows(mesh: &Described) -> Vec<Flow> {
    let mut flows = Vec::new();
    for (number, route) in mesh.routes.iter().enumerate() {
        if let Scope::Gateways { clusters, hosts: _ } = &route.scope {
            for cluster in clusters {
                let (from, place) = (Caller::Ingress(*cluster), format!("c{cluster}.in"));
                flows.extend(of_rules(mesh, number, route, (from, place, None), clusters));
            }
        }
    }
    for (caller, service) in mesh.services.iter().enumerate() {
        let mut called = BTreeSet::new();
        for call in &service.calls {
            let ports = 0..mesh.services[call.callee].ports.len();
            called.extend(
                ports.filter(|own| call.port.is_none_or(|port| port == *own)).map(|port| (call.callee, port)),
            );
        }
        for (callee, port) in called {
            let to = if mesh.services[callee].ports.len() > 1 {
                mesh.port(callee, port)
            } else {
                mesh.name(callee)
            };
            let own = |route: &&Route| match &route.scope {
                Scope::Calls { callee: routed, port: own, from } => {
                    (*routed, *own) == (callee, port) && (from.is_empty() || from.contains(&caller))
                }
                Scope::Gateways { .. } => false,
            };
            let route = mesh
                .routes
                .iter()
                .position(|route| own(&route))
                .filter(|_| !mesh.services[callee].ports[port].tcp);
            for cluster in &service.clusters {
                let from = Caller::Service(caller, *cluster);
                let place = format!("{} in c{cluster}", mesh.name(caller));
                let rules = route.map(|number| {
                    of_rules(mesh, number, &mesh.routes[number], (from, place.clone(), Some(to.clone())), &[])
                });
                let rules_of = route.map_or(&[][..], |number| &mesh.routes[number].rules);
                let rest = universe(&HOSTS[..1])
                    .filter(|request| rules_of.iter().all(|rule| !any(&rule.matches, request)));
                let rest = rest.collect();
                flows.extend(rules.into_iter().flatten());
                flows.push(Flow {
                    from,
                    name: (place, to.clone(), None),
                    to: vec![(callee, port)],
                    stand_in: false,
                    gateways: Vec::new(),
                    met: rest,
                });
            }
        }
    }
    flows
}

fn of_rules(
    mesh: &Described,
    number: usize,
    route: &Route,
    (from, place, called): (Caller, String, Option<String>),
    gateways: &[usize],
) -> Vec<Flow> {
    let mut flows = Vec::new();
    for (position, rule) in route.rules.iter().enumerate() {
        let Action::To(to) = &rule.action else { continue };
        let before = &route.rules[..position];
        let met = universe(&HOSTS[..1]).filter(|request| {
            any(&rule.matches, request) && before.iter().all(|rule| !any(&rule.matches, request))
        });
        let met = met.collect();
        let name = if route.rules.len() == 1 {
            format!("route r{number}")
        } else {
            format!("rule {} of route r{number}", position + 1)
        };
        let drawn: Vec<_> = to.iter().filter(|(_, _, weight)| *weight > 0).collect();
        let mut names: Vec<String> = drawn
            .iter()
            .map(|(service, port, _)| match mesh.services[*service].ports.len() {
                1 => mesh.name(*service),
                _ => mesh.port(*service, *port),
            })
            .collect();
        names.dedup();
        flows.push(Flow {
            from,
            name: (place.clone(), called.clone().unwrap_or_else(|| names.join(" or ")), Some(name)),
            to: drawn.iter().map(|(service, port, _)| (*service, *port)).collect(),
            stand_in: rule.stand_in,
            gateways: gateways.to_vec(),
            met,
        });
    }
    flows
}

/// What becomes of a flow; nothing where a service that calls has failed itself.
fn fate(mesh: &Described, flow: &Flow, lost: &[Lost]) -> Option<Fate> {
    let oracle = Oracle { mesh, lost };
    if !oracle.has_failed(flow.from) {
        return Some(sent(&oracle, flow));
    }
    match flow.from {
        Caller::Service(..) => None,
        Caller::Ingress(own) => {
            let others =
                flow.gateways.iter().filter(|other| **other != own).map(|other| Caller::Ingress(*other));
            let left = others.filter(|other| !oracle.has_failed(*other));
            let fates: Vec<(Caller, Verdict)> =
                left.map(|from| (from, sent(&oracle, &Flow { from, ..flow.clone() }).0)).collect();
            let best = fates.iter().map(|(_, verdict)| *verdict).min().unwrap_or(Verdict::Broken);
            let serving = fates.iter().filter(|(_, verdict)| *verdict == best && best != Verdict::Broken);
            let names = serving.map(|(from, _)| match from {
                Caller::Ingress(cluster) => format!("c{cluster}.in"),
                Caller::Service(..) => String::new(),
            });
            Some((best, names.collect()))
        }
    }
}

fn sent(oracle: &Oracle<'_>, flow: &Flow) -> Fate {
    let answered: Vec<Option<(usize, usize)>> =
        flow.to.iter().map(|(service, _)| Some((*service, oracle.answers(flow.from, *service)?))).collect();
    let some = answered.iter().flatten().count();
    let verdict = match (some, some == answered.len() || flow.stand_in) {
        (0, _) => Verdict::Broken,
        (_, true) => Verdict::Served,
        (_, false) => Verdict::Partly,
    };
    let pods = answered.iter().flatten();
    (
        verdict,
        pods.map(|(service, cluster)| format!("{} in c{cluster}", oracle.mesh.name(*service))).collect(),
    )
}

/// What a loss is, by the name that it has.
fn lost(mesh: &Described, kind: &str, name: &str) -> Vec<Lost> {
    let number = |text: &str| text[1..].parse::<usize>().expect("a number");
    match kind {
        "cluster" => vec![Lost::Cluster(number(name))],
        "gateway" => match name.split_once('.').expect("a gateway") {
            (cluster, "ew") => vec![Lost::EastWest(number(cluster))],
            (cluster, _) => vec![Lost::Ingress(number(cluster))],
        },
        "network" => vec![Lost::Network(number(name))],
        "zone" => {
            let rest = name.strip_prefix("zone z").expect("a zone");
            let (zone, region) = rest.split_once(" of r").expect("of a region");
            let (zone, region): (usize, usize) =
                (zone.parse().expect("a number"), region.parse().expect("a number"));
            let own =
                mesh.clusters.iter().enumerate().filter(|(_, it)| (it.zone, it.region) == (zone, region));
            own.map(|(cluster, _)| Lost::Cluster(cluster)).collect()
        }
        "link" => {
            let (one, other) = name.split_once(" -> ").expect("two networks");
            vec![Lost::Link(number(one), number(other))]
        }
        "service" => {
            let (service, cluster) = name.split_once(" in ").expect("a place");
            let service = (0..mesh.services.len()).find(|one| mesh.name(*one) == service).expect("a service");
            vec![Lost::Service(service, Some(number(cluster)))]
        }
        other => panic!("a loss of {other}"),
    }
}

/// The clusters that a loss takes away.
fn taken(mesh: &Described, lost: &[Lost]) -> BTreeSet<usize> {
    let gone = |cluster: &usize| {
        lost.iter().any(|lost| match lost {
            Lost::Cluster(one) => one == cluster,
            Lost::Network(network) => mesh.clusters[*cluster].network == *network,
            Lost::Service(..) | Lost::EastWest(_) | Lost::Ingress(_) | Lost::Link(..) => false,
        })
    };
    (0..mesh.clusters.len()).filter(gone).collect()
}

/// Whether everything that may be lost is among the losses.
fn is_complete(mesh: &Described, losses: &[(String, Vec<Lost>)]) -> Result<(), String> {
    let names: BTreeSet<&str> = losses.iter().map(|(name, _)| name.as_str()).collect();
    let sets: BTreeSet<BTreeSet<usize>> = losses.iter().map(|(_, lost)| taken(mesh, lost)).collect();
    let mut wanted: Vec<Vec<Lost>> = (0..mesh.clusters.len()).map(|one| vec![Lost::Cluster(one)]).collect();
    wanted.extend(mesh.clusters.iter().map(|cluster| vec![Lost::Network(cluster.network)]));
    for cluster in mesh.clusters.iter().filter(|cluster| cluster.zone > 0) {
        wanted.push(lost(mesh, "zone", &format!("zone z{} of r{}", cluster.zone, cluster.region)));
    }
    for lost in wanted {
        let set = taken(mesh, &lost);
        if set.len() < mesh.clusters.len() && !sets.contains(&set) {
            return Err(format!("{lost:?} is not among the losses"));
        }
    }
    let mut called: Vec<String> = Vec::new();
    for (number, service) in mesh.services.iter().enumerate().filter(|(_, service)| !service.ports.is_empty())
    {
        called.extend(service.clusters.iter().map(|cluster| format!("{} in c{cluster}", mesh.name(number))));
    }
    for (number, cluster) in mesh.clusters.iter().enumerate() {
        called.extend(cluster.ingress.then(|| format!("c{number}.in")));
        called.extend(mesh.several_networks().then(|| format!("c{number}.ew")));
    }
    match called.iter().find(|name| !names.contains(name.as_str())) {
        Some(missing) => Err(format!("{missing} is not among the losses")),
        None => Ok(()),
    }
}

fn proof(text: &str) -> Result<Value, String> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(folder.path().join("mesh.mesh"), text).expect("writable");
    let mut command = Command::new(tools::binary("meshc"));
    command.args(["prove", "failover", "mesh.mesh", "--double", "-o", "json"]).current_dir(folder.path());
    let output = process::run(&mut command);
    if output.stdout.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("error["), "{said}");
        return Err(said);
    }
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let code = match value["verdict"].as_str() {
        Some("served") => 0,
        Some("partly" | "depends") => 3,
        _ => 1,
    };
    assert_eq!(output.status.code(), Some(code), "{}", value["verdict"]);
    Ok(value)
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

fn said(value: &Value) -> Fate {
    let verdict = match value["verdict"].as_str() {
        Some("served") => Verdict::Served,
        Some("partly") => Verdict::Partly,
        Some("not served") => Verdict::Broken,
        other => panic!("{other:?}"),
    };
    (verdict, strings(&value["answered_by"]))
}

/// How many verdicts were compared.
#[derive(Default)]
struct Tally {
    meshes: usize,
    refused: usize,
    /// Flows of which rules of access admit nothing, and some or what is left open.
    closed: usize,
    open: usize,
    singles: BTreeMap<Verdict, usize>,
    pairs: BTreeMap<Verdict, usize>,
}

fn compare(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let mut random = Random::new(seed);
    let mut mesh = Described::of(&mut random);
    for rule in mesh.routes.iter_mut().flat_map(|route| &mut route.rules) {
        if let Action::To(to) = &rule.action {
            let drawn = to.iter().filter(|(_, _, weight)| *weight > 0).count();
            rule.stand_in = drawn > 1 && random.percent(50);
        }
    }
    let text = mesh.text();
    let Ok(proof) = proof(&text) else {
        tally.refused += 1;
        return Ok(());
    };
    tally.meshes += 1;
    agree(&mesh, &proof, tally).map_err(|why| format!("seed {seed}: {why}\n{text}"))
}

fn agree(mesh: &Described, proof: &Value, tally: &mut Tally) -> Result<(), String> {
    let losses = proof["losses"].as_array().expect("losses").iter();
    let losses: Vec<(String, Vec<Lost>)> = losses
        .map(|loss| {
            let (kind, name) =
                (loss["kind"].as_str().expect("a kind"), loss["name"].as_str().expect("a name"));
            (name.to_owned(), lost(mesh, kind, name))
        })
        .collect();
    is_complete(mesh, &losses)?;
    let mut found: BTreeMap<(String, String, Option<String>), &Value> = BTreeMap::new();
    for flow in proof["flows"].as_array().expect("flows") {
        let text = |key: &str| flow[key].as_str().map(str::to_owned);
        let name = (text("from").expect("a proxy"), text("to").expect("a callee"), text("rule"));
        if found.insert(name.clone(), flow).is_some() {
            return Err(format!("{name:?} is there twice"));
        }
    }
    for flow in flows(mesh) {
        match found.remove(&flow.name) {
            Some(value) => {
                one(mesh, &flow, value, &losses, tally).map_err(|why| format!("{:?}: {why}", flow.name))?
            }
            None if !flow.met.is_empty() => return Err(format!("{:?} is not proved", flow.name)),
            None => {}
        }
    }
    match found.keys().next() {
        Some(more) => Err(format!("{more:?} is proved, and is not there")),
        None => Ok(()),
    }
}

fn one(
    mesh: &Described,
    flow: &Flow,
    value: &Value,
    losses: &[(String, Vec<Lost>)],
    tally: &mut Tally,
) -> Result<(), String> {
    let oracle = Oracle { mesh, lost: &[] };
    let refused = |request: &Request| {
        flow.to.iter().map(|to| oracle.arrives(flow.from, *to, request) == Met::Refused).collect::<Vec<_>>()
    };
    let refused: BTreeSet<bool> = flow.met.iter().flat_map(refused).collect();
    let admitted = value["admitted"].as_str().expect("a word");
    match admitted {
        // An own reading of every request, against one that leaves all of them open.
        "yes" if refused.contains(&true) => return Err(String::from("some request is refused")),
        "no" if refused.contains(&false) => return Err(String::from("some request is admitted")),
        "no" => {
            tally.closed += 1;
            let (verdict, by) = said(value);
            let is_plain = verdict == Verdict::Broken && by.is_empty() && value["cases"] == json!([]);
            return if is_plain { Ok(()) } else { Err(String::from("refused, and served")) };
        }
        "depends" => tally.open += 1,
        "yes" => {}
        other => panic!("{other}"),
    }
    let everyday = fate(mesh, flow, &[]).expect("nothing has failed");
    if said(value) != everyday {
        return Err(format!("prove: {:?}, the interpreter: {everyday:?}", said(value)));
    }
    let mut cases: BTreeMap<Vec<usize>, Fate> = BTreeMap::new();
    for case in value["cases"].as_array().expect("cases") {
        let places = case["without"].as_array().expect("losses").iter();
        let places =
            places.map(|place| place.as_u64().and_then(|it| usize::try_from(it).ok()).expect("a position"));
        cases.insert(places.collect(), said(case));
    }
    let mut singles = Vec::new();
    for (place, (name, lost)) in losses.iter().enumerate() {
        let own = fate(mesh, flow, lost);
        let case = cases.remove(&vec![place]);
        match (&own, &case) {
            (None, None) => {}
            (Some(own), _) => {
                *tally.singles.entry(own.0).or_default() += 1;
                if case.as_ref().unwrap_or(&everyday) != own {
                    return Err(format!("without {name}: prove: {case:?}, the interpreter: {own:?}"));
                }
            }
            (None, Some(_)) => {
                return Err(format!("without {name}: the caller has failed, and has {case:?}"));
            }
        }
        singles.push(own.map_or(everyday.0, |own| own.0));
    }
    for one in 0..losses.len() {
        for other in one + 1..losses.len() {
            let both: Vec<Lost> = losses[one].1.iter().chain(&losses[other].1).cloned().collect();
            let case = cases.remove(&vec![one, other]);
            let worst = singles[one].max(singles[other]);
            let is_total = taken(mesh, &both).len() == mesh.clusters.len();
            let own = if is_total { None } else { fate(mesh, flow, &both).filter(|own| own.0 > worst) };
            if let Some((verdict, _)) = &own {
                *tally.pairs.entry(*verdict).or_default() += 1;
            }
            if case != own {
                let names = (&losses[one].0, &losses[other].0);
                return Err(format!("without {names:?}: prove: {case:?}, the interpreter: {own:?}"));
            }
        }
    }
    match cases.keys().next() {
        Some(more) => Err(format!("a case of {more:?}")),
        None => Ok(()),
    }
}

#[test]
fn what_is_proved_is_what_an_interpreter_says() {
    let seeds = seeds(FEW);
    let all = usize::try_from(seeds.end - seeds.start).expect("small");
    let mut tally = Tally::default();
    let mut differences = Vec::new();
    for seed in seeds {
        if let Err(difference) = compare(seed, &mut tally) {
            println!("{difference}\n");
            differences.push(difference);
        }
    }
    let Tally { meshes, refused, closed, open, singles, pairs } = &tally;
    println!(
        "{meshes} meshes ({refused} refused): single losses {singles:?}, pairs worse than either {pairs:?}, \
         {open} calls and rules depend on rules of access, {closed} are refused by them"
    );
    assert!(differences.is_empty(), "{} of {meshes} meshes differ", differences.len());
    assert!(*open > 0, "rules of access leave nothing open");
    assert!(meshes * 10 > all * 8, "{refused} of {all} are refused");
    for verdict in [Verdict::Served, Verdict::Partly, Verdict::Broken] {
        assert!(singles.get(&verdict).is_some_and(|count| *count > 0), "no loss is {verdict:?}: {singles:?}");
    }
    assert!(pairs.values().sum::<usize>() > 0, "no pair is worse than either");
}
