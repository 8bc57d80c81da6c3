//! What is so of the proxies of a service or a gateway, as facts with names that do not depend on where something is written.
//!
//! A seam: what proxies are told is taken apart field by field, so that a new field does not build before it is a fact here,
//! or is named as following from others.

mod deployment;
pub(crate) mod inbound;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod mesh;
pub(crate) mod routes;
mod upstream;

use meshc_plan::{ListenerKind, ProxyPlan, Role};
use meshc_vocabulary::model::Capture;
use meshc_vocabulary::testing::Request;

use crate::cases;
use crate::changes::{Change, Facts, merged};
use crate::effect::{Probe, Risk};
use crate::side::Side;
use crate::units::Unit;

/// How many callers of a callee are asked.
const FEW: usize = 4;

/// What differs between the proxies of a unit, but for who may call.
pub(crate) fn compare(old: &Side<'_, '_>, new: &Side<'_, '_>, unit: &Unit<'_>) -> Vec<Change> {
    let told = |side: &Side<'_, '_>, proxies: &[&ProxyPlan]| {
        let mut facts = Facts::default();
        for proxy in proxies {
            facts.at(&side.place(proxy));
            of_proxy(side, proxy, &mut facts);
        }
        facts
    };
    let (before, after) = (told(old, &unit.old), told(new, &unit.new));
    let mut changes = before.changes(&after);
    for change in changes.iter_mut().filter(|change| change.risk == Risk::Limits) {
        change.probe = counted(old, new, change, [&before, &after]);
    }
    let pairs: Vec<_> = unit
        .old
        .iter()
        .flat_map(|before| {
            unit.new.iter().filter(|after| after.name == before.name).map(move |it| (before, it))
        })
        .collect();
    let cases = pairs.iter().flat_map(|(before, after)| cases::compare((old, before), (new, after)));
    changes.extend(merged(cases.collect(), |_| pairs.len()));
    // What is taken from the outside by a gateway that comes or goes.
    for before in unit.old.iter().filter(|one| unit.new.iter().all(|other| other.name != one.name)) {
        changes.extend(cases::gone(old, before));
    }
    for after in unit.new.iter().filter(|one| unit.old.iter().all(|other| other.name != one.name)) {
        changes.extend(cases::added(new, after));
    }
    changes
}

fn of_proxy(side: &Side<'_, '_>, proxy: &ProxyPlan, facts: &mut Facts) {
    let ProxyPlan {
        // The place, and the name of the unit.
        name: _,
        role,
        cluster: _,
        // Those of the cluster.
        data_plane: _,
        ip_family: _,
        locality: _,
        memory,
        identity,
        listeners,
        upstreams,
        capture,
        host_aliases,
        trusted_hops,
        // There is one if a limit asks it.
        rate_limit_upstream: _,
        deployment,
        origin: _,
    } = proxy;
    let owner = side.owner(proxy);
    facts.tell(Risk::Deployment, &owner, "memory", format!("{} MiB", memory >> 20));
    if let Some(identity) = identity {
        let account = format!("ns/{}/sa/{}", identity.spiffe.namespace, identity.spiffe.account);
        facts.tell(Risk::Trust, &owner, "identity", account);
    }
    facts.tell_if(
        Risk::Deployment,
        &owner,
        "capture",
        capture.map(|capture| match capture {
            Capture::Loopback => "loopback",
            Capture::Redirect => "redirect",
        }),
    );
    facts.tell_if(
        Risk::Exposure,
        &owner,
        "trusted hops in front",
        (*trusted_hops > 0).then(|| trusted_hops.to_string()),
    );
    for listener in listeners {
        listener::tell(side, &owner, listener, host_aliases, facts);
        if let ListenerKind::Inbound(inbound) = &listener.kind {
            for chain in &inbound.chains {
                inbound::tell(side, &owner, chain, facts);
            }
        }
    }
    match role {
        // What it passes on follows from who calls what.
        Role::EastWestGateway(_) => {}
        Role::IngressGateway(_) | Role::EgressGateway(_) | Role::Sidecar(_) => {
            for each in upstreams {
                upstream::tell(side, &owner, each, facts);
            }
        }
    }
    deployment::tell(side, &owner, deployment, facts);
}

/// Requests that a limit counts, as they get to where it counts.
fn counted(old: &Side<'_, '_>, new: &Side<'_, '_>, change: &Change, facts: [&Facts; 2]) -> Probe {
    let requests: Vec<Request> =
        facts.iter().flat_map(|facts| facts.samples(&change.subject)).cloned().collect();
    let at_gateway = requests.iter().any(|request| request.host.is_some());
    if at_gateway {
        return Probe::Arrival { at: change.subject.clone(), requests };
    }
    let mut from = new.callers_of(&change.subject, FEW);
    from.extend(old.callers_of(&change.subject, FEW));
    Probe::Call { from, to: change.subject.clone(), requests }
}
