//! `meshc prove amplification` and `meshc prove deadlines`: what becomes of requests along chains of calls.

use std::time::Duration;

use clap::{Args, ValueEnum};
use meshc_driver::{ToldArrival, ToldHop, ToldOverrun, prove_chains};
use serde_json::{Value, json};

use crate::compile::{DataPlaneWord, MeshArguments, compile, show};
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const AMPLIFICATION: &str = "\
Example:
  $ meshc prove amplification mesh.mesh

For each service and host outside, the chain of calls on which one request may
arrive there most often, if every hop sends it again as often as its `retry`
lets it: the product of the tries. What found no connection and is sent again
was seen by no application, and does not count. `max_amplification = 3` of the
mesh or of a service bounds it, and `meshc check` reports a chain that exceeds
it. On a circle of calls of which one is sent again, and behind it, there is
no bound.

Exits with 0, with 1 if a bound is exceeded, with 2 if the mesh has other errors
or a file cannot be read.";

pub(crate) const DEADLINES: &str = "\
Example:
  $ meshc prove deadlines mesh.mesh

For each service and host outside, the least `timeout` of all calls and rules
that lead there, directly or through others: after that, nobody waits any more.
A call with a longer `timeout` of its own, or with none, works for nobody in
the end.

Exits with 0, with 1 if a call takes longer than its caller is waited for,
with 2 if the mesh has errors or a file cannot be read.";

/// Arguments of both.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    mesh: MeshArguments,
    /// Format, on standard output.
    #[arg(short = 'o', long, value_enum, default_value = "text")]
    format: Format,
    /// Ask about this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
}

/// In which format it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object.
    Json,
}

/// How often requests arrive.
pub(crate) fn amplification(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let compilation = compile(&arguments.mesh, arguments.data_plane)?;
    let Some((arrivals, _)) = prove_chains(&compilation) else {
        show(&compilation, console);
        return Ok(Exit::Usage);
    };
    let text = match arguments.format {
        Format::Text => arrivals_text(&arrivals),
        Format::Json => {
            let all = arrivals.iter().map(|told| {
                json!({
                    "to": told.arrival.name,
                    "times": told.arrival.times,
                    "most": told.arrival.bound.map(|(most, _)| most),
                    "circle": told.circle.iter().map(record).collect::<Vec<_>>(),
                    "chain": told.chain.iter().map(record).collect::<Vec<_>>(),
                })
            });
            format!("{:#}\n", json!({ "services": all.collect::<Vec<_>>() }))
        }
    };
    print(&text).context(|| String::from("write to standard output"))?;
    let is_exceeded = arrivals.iter().any(|told| told.arrival.is_too_often());
    Ok(if is_exceeded { Exit::Findings } else { Exit::Ok })
}

/// How much time is left.
pub(crate) fn deadlines(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let compilation = compile(&arguments.mesh, arguments.data_plane)?;
    let Some((arrivals, overruns)) = prove_chains(&compilation) else {
        show(&compilation, console);
        return Ok(Exit::Usage);
    };
    let text = match arguments.format {
        Format::Text => deadlines_text(&arrivals, &overruns),
        Format::Json => {
            let all = arrivals.iter().map(|told| {
                json!({
                    "to": told.arrival.name,
                    "left_ms": told.arrival.left.map(millis),
                    "by": told.by.as_ref().map(record),
                })
            });
            let late = overruns.iter().map(|told| {
                json!({ "call": record(&told.hop), "left_ms": millis(told.left), "by": record(&told.by) })
            });
            let (all, late) = (all.collect::<Vec<_>>(), late.collect::<Vec<_>>());
            format!("{:#}\n", json!({ "services": all, "longer": late }))
        }
    };
    print(&text).context(|| String::from("write to standard output"))?;
    Ok(if overruns.is_empty() { Exit::Ok } else { Exit::Findings })
}

fn arrivals_text(arrivals: &[ToldArrival]) -> String {
    let mut text = String::new();
    let mut once = 0;
    for ToldArrival { arrival, circle, chain, by: _ } in arrivals {
        if arrival.times == Some(1) {
            once += 1;
            continue;
        }
        let often = match arrival.times {
            Some(times) => format!("up to {times} times"),
            None => String::from("without bound"),
        };
        let bound = match arrival.bound {
            Some((most, _)) if arrival.is_too_often() => format!(", more than the {most} that are declared"),
            Some((most, _)) => format!(", of {most} that are declared"),
            None => String::new(),
        };
        text.push_str(&format!("{}: {often}{bound}\n", arrival.name));
        for (place, told) in circle.iter().chain(chain).enumerate() {
            let tries = match told.hop.tries {
                1 => String::from("once"),
                tries => format!("up to {tries} times"),
            };
            let again = if place + 1 == circle.len() { ", and so on" } else { "" };
            text.push_str(&format!("  {}: {tries}{again}  ({})\n", way(told), told.place));
        }
    }
    match once {
        0 => {}
        once => text.push_str(&format!("once: {once} services and hosts outside\n")),
    }
    text
}

fn deadlines_text(arrivals: &[ToldArrival], overruns: &[ToldOverrun]) -> String {
    let mut text = String::new();
    for told in overruns {
        let own = match told.hop.hop.timeout {
            Some(own) => format!("takes up to {}", seconds(own)),
            None => String::from("has no bound"),
        };
        text.push_str(&format!("{} {own}  ({})\n", way(&told.hop), told.hop.place));
        let left = seconds(told.left);
        text.push_str(&format!(
            "  {} is waited for {left} only: {}  ({})\n",
            told.hop.hop.from,
            way(&told.by),
            told.by.place
        ));
    }
    for ToldArrival { arrival, circle: _, chain: _, by } in arrivals {
        text.push_str(&match (arrival.left, by) {
            (Some(left), Some(by)) => {
                format!("{}: {}, by {}  ({})\n", arrival.name, seconds(left), way(by), by.place)
            }
            (Some(_) | None, _) => format!("{}: no bound\n", arrival.name),
        });
    }
    text
}

fn way(told: &ToldHop) -> String {
    let rule = told.hop.rule.as_ref().map(|rule| format!(", {rule}")).unwrap_or_default();
    format!("{} -> {}{rule}", told.hop.from, told.hop.to)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn seconds(time: Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

fn record(told: &ToldHop) -> Value {
    json!({
        "from": told.hop.from,
        "to": told.hop.to,
        "rule": told.hop.rule,
        "tries": told.hop.tries,
        "timeout_ms": told.hop.timeout.map(millis),
        "place": told.place,
    })
}
