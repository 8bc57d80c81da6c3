//! Retries that multiply along a chain of calls.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use meshc_resolve::{Edge, Provenance, Setting};
use meshc_vocabulary::model::policy::Retry;
use meshc_vocabulary::model::{Id, Service};

use crate::context::Context;
use crate::list::Check;

/// How often one request may arrive at the end of a chain without a warning: what a single generous retry
/// (`attempts = 7`) would come to.
const BEARABLE: u64 = 8;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0330"),
        title: "retries multiply along a chain of calls",
        explanation: r#"When a service at the end of a chain fails, each hop above it retries, and each of those attempts is retried again below:
three attempts at each of three hops are 27 requests for one, just when the service is in trouble.

```mesh
policy a { targets = [orders], retry { attempts = 3, when = [5xx] } }      // 4 tries
policy b { targets = [prices], retry { attempts = 3, when = [5xx] } }      // of 4 tries each: orders calls prices
```

Retry in one place of a chain, best at its beginning, and let the others fail fast; or lower `attempts`."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    let worst = Worst::of(context);
    let mut reported = BTreeSet::new();
    for edge in &context.resolved.edges {
        let Some((from, retry)) = retry(context, edge) else { continue };
        let below = worst.below(context.model.whole(edge.callee));
        let total = tries(retry).saturating_mul(below.product);
        // Only where the product becomes unbearable: further up everything would repeat the same chain.
        if total <= BEARABLE || below.product == 1 || below.product > BEARABLE || !reported.insert(from) {
            continue;
        }
        sink.push(report(context, edge, &further(context, &worst, edge), total));
    }
}

/// The report on a chain: one label for each hop that retries, and one for each place that says so.
fn report<'a>(context: &Context<'a>, first: &Edge<'a>, further: &[&Edge<'a>], total: u64) -> Diagnostic {
    let model = context.model;
    let hops: Vec<_> = std::iter::once(first).chain(further.iter().copied()).collect();
    let mut names = vec![first.caller.name(model)];
    names.extend(hops.iter().map(|edge| model.service_name(edge.callee)));
    let chain: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let mut tried = hops.iter().filter_map(|edge| {
        let (_, retry) = retry(context, edge)?;
        let tries = tries(retry);
        let (caller, callee) = (edge.caller.name(model), model.service_name(edge.callee));
        (tries > 1).then(|| {
            (edge.origin.span, format!("`{caller}` tries each request to `{callee}` up to {tries} times"))
        })
    });
    let message = format!("one request along {} can become {total}", chain.join(" → "));
    let mut diagnostic = Diagnostic::warning(CHECK.info.code, first.origin.span, message);
    // The first hop retries: without that it would not be reported.
    if let Some((_, label)) = tried.next() {
        diagnostic = diagnostic.label(label);
    }
    for (span, text) in tried {
        diagnostic = diagnostic.also(span, text);
    }
    let places: BTreeSet<_> =
        hops.iter().filter_map(|edge| retry(context, edge)).map(|(_, retry)| retry.origin.span).collect();
    for place in places {
        diagnostic = diagnostic.also(place, "these are the retries");
    }
    diagnostic.help("retry in one place of a chain, best at its beginning, or lower `attempts`")
}

/// The calls along the worst chain behind a call. Chains have no circles, so this ends.
fn further<'a>(context: &Context<'a>, worst: &Worst, edge: &Edge<'a>) -> Vec<&'a Edge<'a>> {
    let mut hops = Vec::new();
    let model = context.model;
    let mut next = worst.below(model.whole(edge.callee)).next;
    while let Some(call) = next.and_then(|place| context.resolved.edges.get(place)) {
        hops.push(call);
        next = worst.below(model.whole(call.callee)).next;
    }
    hops
}

/// The worst chain of calls that begins at a service.
#[derive(Clone, Copy)]
struct Chain {
    /// How many requests one request to the service can become at the chain's end.
    product: u64,
    /// The first call of it, as a position in the edges.
    next: Option<usize>,
}

/// The worst chain of each service, in one depth-first pass. A call that closes a circle ends the chain before it.
struct Worst {
    chains: Vec<Option<Chain>>,
    /// Whether a service's chain is final: not while it is still being followed.
    known: Vec<bool>,
}

const ALONE: Chain = Chain { product: 1, next: None };

impl Worst {
    fn of(context: &Context<'_>) -> Self {
        let mut outgoing = vec![Vec::new(); context.model.services.len()];
        for (place, edge) in context.resolved.edges.iter().enumerate() {
            let Some(caller) = edge.caller.service() else { continue };
            if let Some(list) = outgoing.get_mut(caller.index()) {
                list.push(place);
            }
        }
        let mut worst = Self { chains: vec![None; outgoing.len()], known: vec![false; outgoing.len()] };
        for service in context.model.services.ids() {
            worst.follow(context, &outgoing, service);
        }
        worst
    }

    /// Walks without recursion: chains may be as long as the mesh is large.
    fn follow(&mut self, context: &Context<'_>, outgoing: &[Vec<usize>], start: Id<Service>) {
        if self.chains.get(start.index()).is_some_and(Option::is_some) {
            return;
        }
        self.put(start, ALONE);
        let mut stack = vec![(start, 0)];
        while let Some((service, position)) = stack.pop() {
            let edge = outgoing.get(service.index()).and_then(|list| list.get(position));
            let Some(callee) = edge
                .and_then(|place| context.resolved.edges.get(*place))
                .map(|edge| context.model.whole(edge.callee))
            else {
                let calls = outgoing.get(service.index()).map_or(&[][..], Vec::as_slice);
                self.put(service, self.worst_of(context, calls));
                if let Some(known) = self.known.get_mut(service.index()) {
                    *known = true;
                }
                continue;
            };
            stack.push((service, position + 1));
            if self.chains.get(callee.index()).is_some_and(Option::is_none) {
                self.put(callee, ALONE);
                stack.push((callee, 0));
            }
        }
    }

    fn worst_of(&self, context: &Context<'_>, calls: &[usize]) -> Chain {
        let mut worst = ALONE;
        for place in calls {
            let Some(edge) = context.resolved.edges.get(*place) else { continue };
            let callee = context.model.whole(edge.callee);
            if self.known.get(callee.index()) != Some(&true) {
                continue;
            }
            let product = retry(context, edge)
                .map_or(1, |(_, retry)| tries(retry))
                .saturating_mul(self.below(callee).product);
            if product > worst.product {
                worst = Chain { product, next: Some(*place) };
            }
        }
        worst
    }

    fn below(&self, service: Id<Service>) -> Chain {
        self.chains.get(service.index()).copied().flatten().unwrap_or(ALONE)
    }

    fn put(&mut self, service: Id<Service>, chain: Chain) {
        if let Some(slot) = self.chains.get_mut(service.index()) {
            *slot = Some(chain);
        }
    }
}

/// The retries of a call, and who asked for them.
pub(crate) fn retry<'a>(context: &Context<'a>, edge: &Edge<'a>) -> Option<(Provenance<'a>, &'a Retry)> {
    let mut retries = context.resolved.conducts(edge).map(|conduct| conduct.retry);
    retries.find_map(|Setting { value, from }| Some((from, value?)))
}

fn tries(retry: &Retry) -> u64 {
    u64::from(retry.attempts) + 1
}
