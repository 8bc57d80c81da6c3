//! What is critical and not served after a single loss, as errors of the mesh.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Diagnostic, Sink, Span};
use meshc_answers::{Truth, World};
use meshc_vocabulary::model::Model;

use crate::chains::{Arrival, arrivals};
use crate::codes;
use crate::engine::Verdict;
use crate::flow::has_critical;
use crate::loss::{Kind, Loss};
use crate::proof::{Asked, Case, Proof, Proved, prove};

/// A flow, with the cases in which it is not served.
type Refuted<'p> = (&'p Proved, Vec<&'p Case>);

/// How many losses a report names.
const FEW: usize = 4;

/// Whether a mesh claims something that has to be proved.
#[must_use]
pub fn has_claims(model: &Model) -> bool {
    has_critical(model) || has_bound(model)
}

fn has_bound(model: &Model) -> bool {
    let mut services = model.services.iter();
    model.mesh.max_amplification.is_some() || services.any(|(_, service)| service.max_amplification.is_some())
}

/// Reports what is claimed in a mesh and is not so.
pub fn check(world: &World<'_>, sink: &mut Sink) {
    if has_critical(world.model) {
        check_losses(world, sink);
    }
    if has_bound(world.model) {
        check_chains(world, sink);
    }
}

/// Reports where requests may arrive more often than is declared: at the first service of a chain where that is so.
fn check_chains(world: &World<'_>, sink: &mut Sink) {
    let all = arrivals(world);
    let is_beyond = |name: &str| all.iter().any(|arrival| arrival.name == name && arrival.is_too_often());
    // Of a circle one report is enough.
    let mut circles = BTreeSet::new();
    for arrival in all.iter().filter(|arrival| arrival.is_too_often()) {
        let Some((most, span)) = arrival.bound else { continue };
        let is_known = arrival.chain.is_empty()
            && arrival.circle.first().is_some_and(|hop| !circles.insert((hop.from.as_str(), span)));
        if is_known {
            continue;
        }
        if arrival.chain.last().is_some_and(|hop| is_beyond(&hop.from)) {
            continue;
        }
        let Arrival { name, times, circle, chain, bound: _, left: _, by: _ } = arrival;
        let (message, help) = match times {
            Some(times) => (
                format!("one request can arrive {times} times at `{name}`"),
                "retry in one place of the chain, best at its beginning, or lower `attempts`",
            ),
            None => (
                format!("one request can arrive at `{name}` without bound, because of a circle of calls"),
                "let no call of the circle be sent again, or break the circle",
            ),
        };
        let mut diagnostic =
            Diagnostic::error(codes::AMPLIFIED, span, message).label(format!("at most {most} times"));
        for hop in circle.iter().chain(chain) {
            let rule = hop.rule.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
            let how = match hop.tries {
                1 => String::from("once"),
                tries => format!("up to {tries} times"),
            };
            diagnostic =
                diagnostic.also(hop.place, format!("`{}` sends it to `{}`{rule} {how}", hop.from, hop.to));
        }
        sink.push(diagnostic.help(help));
    }
}

/// Reports what single losses break of what is critical.
fn check_losses(world: &World<'_>, sink: &mut Sink) {
    let kinds = BTreeSet::from(Kind::LOSSES);
    let Proof { losses, flows } = prove(world, &Asked { kinds, double: false, critical: true });
    // The same call is made by several proxies; one report is enough.
    let mut refuted: BTreeMap<(Span, &str), Vec<Refuted<'_>>> = BTreeMap::new();
    for flow in &flows {
        let Some(critical) = flow.critical else { continue };
        let worse: Vec<&Case> = flow.cases.iter().filter(|case| case.verdict != Verdict::Served).collect();
        if !worse.is_empty() || flow.verdict != Verdict::Served {
            refuted.entry((critical, &flow.to)).or_default().push((flow, worse));
        }
    }
    for ((critical, _), all) in &refuted {
        if let Some((flow, worse)) = all.first() {
            sink.push(report(&losses, *critical, flow, worse, all.len() - 1));
        }
    }
}

fn report(losses: &[Loss], critical: Span, flow: &Proved, worse: &[&Case], others: usize) -> Diagnostic {
    let names = worse.iter().flat_map(|case| &case.losses);
    let names: Vec<String> =
        names.filter_map(|place| losses.get(*place)).map(|loss| format!("`{}`", loss.name)).collect();
    let more = names.len().saturating_sub(FEW);
    let mut shown: Vec<String> = names.iter().take(FEW).cloned().collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    let last = shown.pop().unwrap_or_default();
    let shown = if shown.is_empty() { last } else { format!("{} or {last}", shown.join(", ")) };
    let is_broken =
        worse.iter().map(|case| case.verdict).chain([flow.verdict]).any(|it| it == Verdict::Broken);
    let (from, to) = (&flow.from, &flow.to);
    let what = if is_broken {
        format!("`{from}` -> `{to}`, which is critical, is not served")
    } else {
        format!("a part of `{from}` -> `{to}`, which is critical, is not served")
    };
    let message = match flow.verdict {
        Verdict::Served => format!("{what} without {shown}"),
        Verdict::Partly | Verdict::Broken => format!("{what} even if nothing is lost"),
    };
    let way = worse.iter().flat_map(|case| &case.ways).next();
    let mut diagnostic = Diagnostic::error(codes::NOT_SERVED, critical, message).label("critical");
    if flow.place != critical {
        diagnostic = diagnostic.also(
            flow.place,
            match &flow.rule {
                Some(rule) => format!("{rule} leads there"),
                None => String::from("called here"),
            },
        );
    }
    if let Some(way) = way {
        diagnostic = diagnostic.also(flow.callee, format!("breaks: {way}"));
    }
    let mend = worse.iter().find_map(|case| case.mend.clone());
    let mend = mend.unwrap_or_else(|| match flow.admitted {
        Truth::No => format!("let `allow` and `deny` of `{to}`, or of the gateway, admit it"),
        Truth::Depends | Truth::Yes => String::from("`meshc prove failover --critical` shows each loss"),
    });
    let mend = match others {
        0 => mend,
        1 => format!("{mend}; it is not served from another proxy, either"),
        others => format!("{mend}; it is not served from {others} other proxies, either"),
    };
    diagnostic.help(mend)
}
