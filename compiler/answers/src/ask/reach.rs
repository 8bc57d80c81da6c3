//! Who calls something, and what somebody reaches, directly or through others.

use std::collections::{BTreeMap, BTreeSet};

use meshc_topology::ProxyKey;
use meshc_vocabulary::model::Callee;
use meshc_vocabulary::testing::{CallFrom, CallTo};

use super::reply::Line;
use super::{Asked, RequestWords};
use crate::truth::Truth;

impl Asked<'_, '_> {
    /// Who calls something with a request, or with any.
    pub(crate) fn who(&self, to: &CallTo, request: Option<&RequestWords>) -> (Truth, Vec<Line>) {
        let mut lines = Vec::new();
        for from in self.candidates(to.callee) {
            let (verdict, own) = self.can(&self.call(from, to.clone(), request));
            match verdict {
                Truth::No => {}
                Truth::Yes | Truth::Depends => {
                    lines.push(merged(&self.asking.caller_name(from), verdict, own))
                }
            }
        }
        (Truth::any(lines.iter().map(|line| line.verdict)), lines)
    }

    /// Whoever has a way to a callee or to a part of it, or is let in past their own proxy: services, clients and gateways,
    /// in order.
    pub(crate) fn candidates(&self, callee: Callee) -> Vec<CallFrom> {
        let world = self.asking.world;
        let reaching = world.topology.reaches.iter().filter(|(_, reaches)| {
            reaches
                .iter()
                .any(|reach| world.is_part(reach.callee, callee) || world.is_part(callee, reach.callee))
        });
        let mut callers: BTreeSet<_> = reaching.filter_map(|(key, _)| self.caller(*key)).collect();
        callers.extend(self.let_in(callee));
        callers.into_iter().collect()
    }

    /// What is in front of a proxy: its application, or clients outside.
    pub(crate) fn caller(&self, key: ProxyKey) -> Option<CallFrom> {
        let world = self.asking.world;
        match key {
            ProxyKey::Sidecar { cluster: _, service } => {
                let whole = world.model.whole(service);
                (world.model.limiter != Some(whole)).then_some(CallFrom::Service(whole, None))
            }
            ProxyKey::Gateway(gateway) => {
                let has_identity = world.proxy(key).is_some_and(|proxy| proxy.identity.is_some());
                has_identity.then_some(CallFrom::Gateway(gateway, None))
            }
        }
    }

    /// What somebody calls, or may, with each way there: the callees in the order of how far they are, then of names.
    pub(crate) fn what(&self, from: CallFrom) -> (Truth, Vec<Line>) {
        let mut lines: Vec<Line> = Vec::new();
        let mut found: BTreeMap<Callee, Vec<String>> = BTreeMap::new();
        let mut open: Vec<(CallFrom, Vec<String>, Truth)> =
            vec![(from, vec![self.asking.caller_name(from)], Truth::Yes)];
        // Nobody is told that they reach themselves.
        if let Some(own) = called_as(from) {
            found.insert(own, Vec::new());
        }
        while !open.is_empty() {
            let mut next = Vec::new();
            for (from, way, so_far) in open {
                for callee in self.called(from) {
                    if found.contains_key(&callee) || Some(callee) == called_as(from) {
                        continue;
                    }
                    let (verdict, all) =
                        self.can(&self.call(from, CallTo { callee, port: None, cluster: None }, None));
                    if verdict == Truth::No {
                        continue;
                    }
                    let name = self.asking.world.model.callee_name(callee);
                    let mut way = way.clone();
                    way.push(name.clone());
                    let verdict = verdict.and(so_far);
                    let mut line = merged(&name, verdict, all);
                    let through = match way.len() {
                        0..=2 => String::from("directly"),
                        _ => format!("through {}", way.join(" -> ")),
                    };
                    line.text = if verdict == Truth::Depends {
                        format!("{through}, for some requests: {}", line.text)
                    } else {
                        format!("{through}: {}", line.text)
                    };
                    lines.push(line);
                    found.insert(callee, way.clone());
                    if let Callee::Service(service) = callee {
                        let whole = self.asking.world.model.whole(service);
                        next.push((CallFrom::Service(whole, None), way, verdict));
                    }
                }
            }
            open = next;
        }
        (Truth::any(lines.iter().map(|line| line.verdict)), lines)
    }

    /// The callees to which the proxies of a caller have ways, and those that let it in past them, in order.
    pub(crate) fn called(&self, from: CallFrom) -> Vec<Callee> {
        let world = self.asking.world;
        let proxies = world.callers(from);
        let reaches = proxies.iter().filter_map(|(key, _)| world.topology.reaches.get(key)).flatten();
        let counts = |callee: &Callee| match callee {
            Callee::Service(service) => world.model.limiter != Some(*service),
            Callee::External(_) => true,
        };
        let mut callees: BTreeSet<Callee> = reaches.map(|reach| reach.callee).filter(counts).collect();
        callees.extend(self.letting_in(from));
        callees.into_iter().collect()
    }
}

fn called_as(from: CallFrom) -> Option<Callee> {
    match from {
        CallFrom::Service(service, _) => Some(Callee::Service(service)),
        CallFrom::Gateway(..) => None,
    }
}

/// What becomes of a call, in one line for all proxies of the caller.
fn merged(who: &str, verdict: Truth, lines: Vec<Line>) -> Line {
    let mut whole = Line {
        verdict,
        who: who.to_owned(),
        text: String::new(),
        answered_by: Vec::new(),
        facts: Vec::new(),
    };
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        let Line { verdict: own, who: _, text, answered_by, facts } = line;
        // What decides is what is said: the rest does not change the answer.
        if own != verdict && verdict != Truth::Depends {
            continue;
        }
        if !texts.contains(&text) {
            texts.push(text);
        }
        for one in answered_by {
            if !whole.answered_by.contains(&one) {
                whole.answered_by.push(one);
            }
        }
        for fact in facts {
            if !whole.facts.contains(&fact) {
                whole.facts.push(fact);
            }
        }
    }
    whole.text = texts.join("; ");
    whole
}
