//! Who may call: what callees admit, together with what callers send.
//!
//! A call has two ends, and each may change by itself. What is admitted newly and called newly is one effect; so is what is only
//! admitted, or only called where everybody was admitted before.

mod admitted;

use std::collections::{BTreeMap, BTreeSet};

use meshc_answers::requests::meeting;
use meshc_plan::{ListenerKind, ProxyPlan};
use meshc_resolve::covers_all;
use meshc_vocabulary::model::HttpMatch;
use meshc_vocabulary::testing::Request;

use crate::changes::Change;
use crate::effect::{Probe, Risk};
use crate::facts::inbound::called;
use crate::side::Side;
use crate::units::Unit;
use admitted::{Admitted, Requests, Who};

/// How many callers are asked for a request that shows an effect.
const FEW: usize = 16;

/// What each port of a callee admits, by place.
type Ports = BTreeMap<String, BTreeMap<String, Admitted>>;

/// What is called: the callers of a callee's port, by place.
type Calls = BTreeMap<(String, String), BTreeSet<String>>;

/// Everything about access in the units that differ.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    ports: (Ports, Ports),
    calls: (Calls, Calls),
    /// Callers that were looked at.
    callers: BTreeSet<String>,
}

impl Changes {
    pub(crate) fn add(&mut self, old: &Side<'_, '_>, new: &Side<'_, '_>, unit: &Unit<'_>) {
        for (side, proxies, ports, calls) in [
            (old, &unit.old, &mut self.ports.0, &mut self.calls.0),
            (new, &unit.new, &mut self.ports.1, &mut self.calls.1),
        ] {
            for proxy in proxies {
                let (owner, place) = (side.owner(proxy), side.place(proxy));
                self.callers.insert(owner.clone());
                for listener in &proxy.listeners {
                    let ListenerKind::Inbound(inbound) = &listener.kind else { continue };
                    for chain in &inbound.chains {
                        if let Some(label) = called(side, &owner, &chain.sni) {
                            let admitted = Admitted::of_chain(side, chain);
                            ports.entry(label).or_default().insert(place.clone(), admitted);
                        }
                    }
                }
                for label in admitted::open_ports(side, &owner, proxy) {
                    ports.entry(label).or_default().insert(place.clone(), Admitted::everybody());
                }
                // What an east-west gateway passes on is a call of somebody else.
                let own = if proxy.identity.is_some() { proxy.upstreams.as_slice() } else { &[] };
                for upstream in own {
                    if let Some(label) = side.upstream(&upstream.name) {
                        let label = label.split_once(" in ").map_or(label.as_str(), |(label, _)| label);
                        let call = (owner.clone(), label.to_owned());
                        calls.entry(call).or_default().insert(place.clone());
                    }
                }
            }
        }
    }

    /// Adds callees of which nothing differs, but that name an identity which is another's now.
    pub(crate) fn add_named<'u, 'm: 'u>(
        &mut self,
        old: &Side<'_, 'm>,
        new: &Side<'_, 'm>,
        units: impl Iterator<Item = &'u Unit<'m>>,
    ) {
        let moved = old.moved_identities(new);
        if moved.is_empty() {
            return;
        }
        for unit in units {
            let names = |proxy: &&ProxyPlan| admitted::names_any(proxy, &moved);
            if unit.old.iter().chain(&unit.new).any(names) {
                self.add(old, new, unit);
            }
        }
    }

    pub(crate) fn into_changes(self, old: &Side<'_, '_>, new: &Side<'_, '_>) -> Vec<Change> {
        let Self { ports, calls, callers: _ } = self;
        let mut changes = Vec::new();
        // Those whose admission tells of their call as well.
        let mut told: BTreeSet<(String, String)> = BTreeSet::new();
        let labels: BTreeSet<&String> = ports.0.keys().chain(ports.1.keys()).collect();
        let none = BTreeMap::new();
        for label in labels {
            let was = ports.0.get(label).unwrap_or(&none);
            let is = ports.1.get(label).unwrap_or(&none);
            let port = Port { label, was, is, old, new };
            for who in port.everybody_named() {
                for change in port.admits(&who) {
                    told.insert((who.name(), label.clone()));
                    changes.push(change);
                }
            }
            changes.extend(port.refuses());
        }
        let pairs: BTreeSet<&(String, String)> = calls.0.keys().chain(calls.1.keys()).collect();
        for pair in pairs {
            let comes = match (calls.0.contains_key(pair), calls.1.contains_key(pair)) {
                (true, true) | (false, false) => continue,
                (false, true) => true,
                (true, false) => false,
            };
            if !told.contains(pair) {
                changes.push(call(pair, comes, &ports, new));
            }
        }
        changes
    }
}

/// A call that comes or goes, of which what the callee admits stays as it is.
fn call((from, to): &(String, String), comes: bool, ports: &(Ports, Ports), new: &Side<'_, '_>) -> Change {
    let ports = if comes { &ports.1 } else { &ports.0 };
    let named = Who::Named(from.clone(), new.identities(from));
    // A callee that does not differ is not among them: it admits as before, as do hosts outside.
    let admitted = ports.get(to).map(|places| {
        places.values().fold(Requests::default(), |all, admitted| all.and(admitted.of(&named)))
    });
    let value = admitted.map_or_else(|| Some(String::from("any request")), |requests| requests.text());
    let text = value.clone().or_else(|| Some(String::from("refused by the callee")));
    let risk = match (value.is_some(), comes) {
        (true, true) => Risk::WidenedAccess,
        (true, false) => Risk::NarrowedAccess,
        (false, _) => Risk::Routing,
    };
    Change {
        risk,
        aspect: String::from("may call"),
        subject: format!("{from} -> {to}"),
        place: String::new(),
        before: if comes { None } else { text.clone() },
        after: if comes { text } else { None },
        probe: Probe::Call { from: vec![from.clone()], to: to.clone(), requests: vec![plain("GET")] },
    }
}

fn plain(method: &str) -> Request {
    Request { method: method.to_owned(), path: String::from("/"), host: None, headers: Vec::new() }
}

/// A port of a callee on both sides.
struct Port<'a, 'w, 'm> {
    label: &'a str,
    was: &'a BTreeMap<String, Admitted>,
    is: &'a BTreeMap<String, Admitted>,
    old: &'a Side<'w, 'm>,
    new: &'a Side<'w, 'm>,
}

impl Port<'_, '_, '_> {
    /// All whom a rule means on either side.
    fn everybody_named(&self) -> BTreeSet<Who> {
        let mut all: BTreeMap<String, Who> = BTreeMap::new();
        for admitted in self.was.values().chain(self.is.values()) {
            for who in admitted.named() {
                all.entry(who.name()).or_insert_with(|| who.clone());
            }
        }
        all.into_values().collect()
    }

    /// What differs of what somebody is admitted with.
    fn admits(&self, who: &Who) -> Vec<Change> {
        let (before, after) = (who.on(self.old), who.on(self.new));
        let common: Vec<&String> = self.was.keys().filter(|place| self.is.contains_key(*place)).collect();
        // A callee that comes, goes or moves is compared as a whole.
        if common.is_empty() {
            let all = |places: &BTreeMap<String, Admitted>, who: &Who| {
                places.values().fold(Requests::default(), |all, admitted| all.and(admitted.of(who)))
            };
            return self.change(who, &all(self.was, &before), &all(self.is, &after), String::new());
        }
        let mut by_value: BTreeMap<(Requests, Requests), Vec<&str>> = BTreeMap::new();
        for place in &common {
            let (Some(was), Some(is)) = (self.was.get(*place), self.is.get(*place)) else { continue };
            by_value.entry((was.of(&before), is.of(&after))).or_default().push(place);
        }
        let mut changes = Vec::new();
        for ((was, is), places) in by_value {
            let place = if places.len() == common.len() { String::new() } else { places.join(", ") };
            changes.extend(self.change(who, &was, &is, place));
        }
        changes
    }

    fn change(&self, who: &Who, was: &Requests, is: &Requests, place: String) -> Vec<Change> {
        if was == is {
            return Vec::new();
        }
        let (before, after) = (was.text(), is.text());
        let risk = match (&before, &after) {
            (None, _) => Risk::WidenedAccess,
            (_, None) => Risk::NarrowedAccess,
            (Some(_), Some(_)) => direction(was, is),
        };
        let requests = samples(was, is);
        let from = self.callers(who);
        vec![Change {
            risk,
            aspect: String::from("may call"),
            subject: format!("{} -> {}", who.name(), self.label),
            place,
            before,
            after,
            probe: Probe::Call { from, to: self.label.to_owned(), requests },
        }]
    }

    /// What is refused, whoever else admits it.
    fn refuses(&self) -> Vec<Change> {
        let refused = |places: &BTreeMap<String, Admitted>| -> BTreeMap<(String, String), HttpMatch> {
            places.values().flat_map(Admitted::refused).collect()
        };
        let (was, is) = (refused(self.was), refused(self.is));
        // Of a callee that comes or goes nothing is refused.
        if self.was.is_empty() || self.is.is_empty() {
            return Vec::new();
        }
        let keys: BTreeSet<&(String, String)> = was.keys().chain(is.keys()).collect();
        let mut changes = Vec::new();
        for key in keys {
            let (risk, comes) = match (was.contains_key(key), is.contains_key(key)) {
                (true, true) | (false, false) => continue,
                (false, true) => (Risk::NarrowedAccess, true),
                (true, false) => (Risk::WidenedAccess, false),
            };
            let (who, requests) = key;
            let matches = was.get(key).or(is.get(key)).cloned().unwrap_or_default();
            let from = self.callers(&Who::Everybody);
            changes.push(Change {
                risk,
                aspect: format!("refuses {requests} of"),
                subject: self.label.to_owned(),
                place: String::new(),
                before: if comes { None } else { Some(who.clone()) },
                after: if comes { Some(who.clone()) } else { None },
                probe: Probe::Call { from, to: self.label.to_owned(), requests: meeting(&matches, None) },
            });
        }
        changes
    }

    /// Callers that are asked on behalf of all whom a rule means.
    fn callers(&self, who: &Who) -> Vec<String> {
        match who {
            Who::Named(name, _) => vec![name.clone()],
            Who::Everybody | Who::Namespace { .. } | Who::Domain(_) | Who::Client(_) | Who::Nobody => {
                let mut names: Vec<String> = Vec::new();
                for side in [self.old, self.new] {
                    let named = self.was.values().chain(self.is.values()).flat_map(Admitted::named);
                    names.extend(named.filter(|other| who.means(other)).map(Who::name));
                    names.extend(side.callers_of(self.label, FEW));
                    names.extend(side.some_callers(FEW));
                }
                let mut seen = BTreeSet::new();
                names.retain(|name| seen.insert(name.clone()));
                names.truncate(2 * FEW);
                names
            }
        }
    }
}

/// Whether more is admitted.
fn direction(was: &Requests, is: &Requests) -> Risk {
    let (before, after): (Vec<_>, Vec<_>) = (was.matches().collect(), is.matches().collect());
    let within = |narrow: &[HttpMatch], wide: &[HttpMatch]| covers_all(wide, narrow);
    let narrower = within(&after, &before) && !within(&before, &after);
    if narrower || was.has_all_of(is) { Risk::NarrowedAccess } else { Risk::WidenedAccess }
}

/// Requests that some condition on either side is about.
fn samples(was: &Requests, is: &Requests) -> Vec<Request> {
    let mut all: Vec<Request> = Vec::new();
    for request in was
        .about()
        .chain(is.about())
        .flat_map(|conditions| meeting(&conditions, None).into_iter().take(4))
        .chain([plain("GET"), plain("POST"), plain("DELETE")])
    {
        if !all.contains(&request) {
            all.push(request);
        }
    }
    all
}
