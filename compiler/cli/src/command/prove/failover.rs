//! `meshc prove failover`: who takes over after each loss, how soon at most, or where it breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::{Args, ValueEnum};
use meshc_driver::{AskedProof, Case, LossKind, Served, ToldFlow, ToldProof, Truth, prove_failover, waiting};
use serde_json::{Value, json};

use crate::compile::{DataPlaneWord, MeshArguments, compile, show};
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc prove failover mesh.mesh --critical
  $ meshc prove failover mesh.mesh --single pod
  $ meshc prove failover mesh.mesh --single cluster,gateway --double || true

Without `--single`, everything that can be lost as a whole is lost in turn:
clusters, gateways, zones, networks, ways between networks, the pods of a
service in one cluster, and rate-limit services. `pod`, `errors` (500),
`unavailable` (503), `hangs` and `resets` are things that are still there and
fail; `partial` is all of them. `--double` adds each pair of losses that is
worse than either.

Printed is what is not served, with the way on which it breaks and what would
mend it, and what others take over: how soon at most, what becomes of requests
until then, and how many replicas are left. What is not printed is as before.
lang/PROVING.md says how the bounds are made, and what they assume.

Exits with 0 if everything is served after each loss, with 1 if something is
not, with 2 if the mesh has errors or a file cannot be read, and with 3 if a
part of the requests of something is not, or if it depends on rules of access.
With `--critical`, only calls and routes that are `critical = true` count.";

/// Arguments of `meshc prove failover`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    mesh: MeshArguments,
    /// What is lost, or fails.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "all")]
    single: Vec<Word>,
    /// Lose two things at once as well.
    #[arg(long)]
    double: bool,
    /// Look at critical calls and routes only.
    #[arg(long)]
    critical: bool,
    /// Format, on standard output.
    #[arg(short = 'o', long, value_enum, default_value = "text")]
    format: Format,
    /// Ask about this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
}

/// What is lost, or fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Word {
    /// Everything that can be lost as a whole.
    All,
    /// Clusters, with their gateways.
    Cluster,
    /// Gateways, with all replicas.
    Gateway,
    /// All clusters of a zone.
    Zone,
    /// All clusters of a network.
    Network,
    /// Ways between two networks.
    Link,
    /// All pods of a service in a cluster.
    Service,
    /// Rate-limit services.
    RateLimit,
    /// Everything that is there and fails.
    Partial,
    /// One of several pods.
    Pod,
    /// All pods of a service in a cluster answer with 500.
    Errors,
    /// They answer with 503.
    Unavailable,
    /// They do not answer.
    Hangs,
    /// They close connections.
    Resets,
}

/// In which format it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object.
    Json,
}

impl Word {
    fn kinds(self) -> Vec<LossKind> {
        match self {
            Self::All => LossKind::LOSSES.to_vec(),
            Self::Partial => LossKind::PARTIAL.to_vec(),
            Self::Cluster => vec![LossKind::Cluster],
            Self::Gateway => vec![LossKind::Gateway],
            Self::Zone => vec![LossKind::Zone],
            Self::Network => vec![LossKind::Network],
            Self::Link => vec![LossKind::Link],
            Self::Service => vec![LossKind::Service],
            Self::RateLimit => vec![LossKind::RateLimit],
            Self::Pod => vec![LossKind::Pod],
            Self::Errors => vec![LossKind::Errors],
            Self::Unavailable => vec![LossKind::Unavailable],
            Self::Hangs => vec![LossKind::Hangs],
            Self::Resets => vec![LossKind::Resets],
        }
    }
}

/// Proves, and prints what was found.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let compilation = compile(&arguments.mesh, arguments.data_plane)?;
    let kinds: BTreeSet<LossKind> = arguments.single.iter().flat_map(|word| word.kinds()).collect();
    let asked = AskedProof { kinds, double: arguments.double, critical: arguments.critical };
    let Some(proof) = prove_failover(&compilation, &asked) else {
        show(&compilation, console);
        return Ok(Exit::Usage);
    };
    let text = match arguments.format {
        Format::Text => text(&proof),
        Format::Json => format!("{:#}\n", record(&proof)),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    Ok(match worst(&proof) {
        Served::Served if is_open(&proof) => Exit::Depends,
        Served::Served => Exit::Ok,
        Served::Partly => Exit::Depends,
        Served::Broken => Exit::Findings,
    })
}

fn worst(proof: &ToldProof) -> Served {
    let verdicts =
        proof.flows.iter().flat_map(|flow| flow.cases.iter().map(|case| case.verdict).chain([flow.verdict]));
    verdicts.max().unwrap_or(Served::Served)
}

/// Whether it is left open of something if all of its requests are admitted.
fn is_open(proof: &ToldProof) -> bool {
    proof.flows.iter().any(|flow| flow.admitted == Truth::Depends)
}

fn word(verdict: Served) -> &'static str {
    match verdict {
        Served::Served => "served",
        Served::Partly => "partly",
        Served::Broken => "not served",
    }
}

/// `east`, or both of two.
fn without(proof: &ToldProof, case: &Case) -> String {
    let name = |place: &usize| match proof.losses.get(*place) {
        None => String::new(),
        Some((kind, name)) => match kind {
            LossKind::Cluster
            | LossKind::Gateway
            | LossKind::Zone
            | LossKind::Network
            | LossKind::Link
            | LossKind::Service
            | LossKind::RateLimit => name.clone(),
            LossKind::Pod => format!("a pod of {name}"),
            LossKind::Errors => format!("{name} answers 500"),
            LossKind::Unavailable => format!("{name} answers 503"),
            LossKind::Hangs => format!("{name} hangs"),
            LossKind::Resets => format!("{name} closes connections"),
        },
    };
    let word = match case.losses.first().and_then(|place| proof.losses.get(*place)) {
        Some((LossKind::Errors | LossKind::Unavailable | LossKind::Hangs | LossKind::Resets, _)) => "when",
        Some((
            LossKind::Cluster
            | LossKind::Gateway
            | LossKind::Zone
            | LossKind::Network
            | LossKind::Link
            | LossKind::Service
            | LossKind::RateLimit
            | LossKind::Pod,
            _,
        ))
        | None => "without",
    };
    format!("{word} {}", case.losses.iter().map(name).collect::<Vec<_>>().join(" and "))
}

fn title(flow: &ToldFlow) -> String {
    let rule = flow.rule.as_ref().map(|rule| format!(", {rule}")).unwrap_or_default();
    let critical = if flow.critical { "critical, " } else { "" };
    format!("{} -> {}{rule}  ({critical}{})", flow.from, flow.to, flow.place)
}

fn text(proof: &ToldProof) -> String {
    let mut text = summary(proof);
    for (heading, wanted) in [
        ("not served:", Served::Broken),
        ("served in part:", Served::Partly),
        ("taken over:", Served::Served),
    ] {
        let mut part = String::new();
        for flow in &proof.flows {
            let mut lines = Vec::new();
            if flow.verdict == wanted && wanted != Served::Served {
                lines.push(match flow.admitted {
                    Truth::No => String::from("without any loss: rules of access refuse each request"),
                    Truth::Depends | Truth::Yes => String::from("without any loss"),
                });
            }
            let own: Vec<&Case> = flow.cases.iter().filter(|case| case.verdict == wanted).collect();
            lines.extend(alike(proof, &own));
            if !lines.is_empty() {
                part.push_str(&format!("  {}\n", title(flow)));
                lines.iter().for_each(|line| part.push_str(&format!("    {line}\n")));
            }
        }
        if !part.is_empty() {
            text.push_str(&format!("{heading}\n{part}"));
        }
    }
    let open = proof.flows.iter().filter(|flow| flow.admitted == Truth::Depends);
    let open: String = open.map(|flow| format!("  {}\n", title(flow))).collect();
    if !open.is_empty() {
        text.push_str(&format!("rules of access admit some of its requests, or leave that open:\n{open}"));
    }
    text
}

/// Losses after which the same is so are shown together.
fn alike(proof: &ToldProof, cases: &[&Case]) -> Vec<String> {
    let mut known: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for case in cases {
        let (said, name) = (details(case), without(proof, case));
        match known.iter_mut().find(|(other, _)| *other == said) {
            Some((_, names)) => names.push(name),
            None => known.push((said, vec![name])),
        }
    }
    let block = |(said, names): (Vec<String>, Vec<String>)| {
        let mut lines = vec![format!("{}:", names.join("; "))];
        lines.extend(said.into_iter().map(|line| format!("  {line}")));
        lines
    };
    known.into_iter().flat_map(block).collect()
}

fn details(case: &Case) -> Vec<String> {
    let word = if case.verdict == Served::Served { "past" } else { "breaks" };
    let mut lines: Vec<String> = case.ways.iter().map(|way| format!("{word}: {way}")).collect();
    let (left, all) = case.replicas;
    match case.verdict {
        Served::Broken => {}
        Served::Partly => {
            let (dead, whole) = case.unanswered;
            lines.push(match dead {
                0 => String::from("requests that a limit counts are refused"),
                dead => format!("{dead} of {whole} shares are not answered"),
            });
        }
        Served::Served => {
            lines.push(format!("answered by {}", case.by.join(" and ")));
        }
    }
    if case.verdict != Served::Broken && case.meanwhile.is_some() {
        lines.push(format!("{}, {}", bound(case.noticed), until(case)));
        if case.silent != case.noticed {
            lines.push(format!("if it falls silent: {}", bound(case.silent)));
        }
        lines.push(format!("replicas left: {left} of {all}"));
    } else if case.verdict == Served::Served && left < all && case.by.iter().any(|by| by.contains(" in ")) {
        lines.push(format!("replicas left: {left} of {all}"));
    }
    lines.extend(case.mend.iter().map(|mend| format!("mend: {mend}")));
    lines
}

fn until(case: &Case) -> String {
    match case.meanwhile.as_ref().and_then(waiting) {
        None => String::from("requests may fail until then"),
        Some((wait, [])) => format!("requests wait at most {} until then", seconds(wait)),
        Some((wait, methods)) => {
            format!("{} wait at most {} until then, others fail", methods.join(", "), seconds(wait))
        }
    }
}

fn bound(time: Option<Duration>) -> String {
    time.map_or_else(
        || String::from("not noticed for certain"),
        |time| format!("noticed after {} at most", seconds(time)),
    )
}

fn seconds(time: Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

fn summary(proof: &ToldProof) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for flow in &proof.flows {
        let worst = flow.cases.iter().map(|case| case.verdict).chain([flow.verdict]).max();
        *counts.entry(word(worst.unwrap_or(flow.verdict))).or_default() += 1;
    }
    let count = |word: &str| counts.get(word).copied().unwrap_or(0);
    if proof.flows.is_empty() {
        return String::from("there is no call or route to prove\n");
    }
    format!(
        "{} calls and rules, {} losses: {} served after each, {} in part, {} not served after some\n",
        proof.flows.len(),
        proof.losses.len(),
        count("served"),
        count("partly"),
        count("not served"),
    )
}

fn record(proof: &ToldProof) -> Value {
    let losses = proof.losses.iter().map(|(kind, name)| json!({ "kind": kind.word(), "name": name }));
    let millis =
        |time: Option<Duration>| time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let case = |case: &Case| {
        let (left, all) = case.replicas;
        let (dead, whole) = case.unanswered;
        let meanwhile = case.meanwhile.as_ref().map(|meanwhile| match waiting(meanwhile) {
            None => json!({ "requests": "fail" }),
            Some((wait, methods)) => {
                json!({ "requests": "wait", "most_ms": millis(Some(wait)), "methods": methods })
            }
        });
        json!({
            "without": case.losses,
            "verdict": word(case.verdict),
            "answered_by": case.by,
            "breaks": case.ways,
            "until_noticed": meanwhile,
            "noticed_ms": millis(case.noticed),
            "noticed_if_silent_ms": millis(case.silent),
            "unanswered": { "weight": dead, "of": whole },
            "left": { "replicas": left, "of": all },
            "mend": case.mend,
        })
    };
    let flow = |flow: &ToldFlow| {
        json!({
            "from": flow.from,
            "to": flow.to,
            "rule": flow.rule,
            "place": flow.place,
            "critical": flow.critical,
            "verdict": word(flow.verdict),
            "admitted": match flow.admitted {
                Truth::Yes => "yes",
                Truth::Depends => "depends",
                Truth::No => "no",
            },
            "answered_by": flow.everyday,
            "cases": flow.cases.iter().map(case).collect::<Vec<_>>(),
        })
    };
    json!({
        "verdict": if worst(proof) == Served::Served && is_open(proof) {
            "depends"
        } else {
            word(worst(proof))
        },
        "losses": losses.collect::<Vec<_>>(),
        "flows": proof.flows.iter().map(flow).collect::<Vec<_>>(),
    })
}
