//! Whom callees let in, whatever the caller's own proxy would do: those of whom more than their declared calls is asked.

use std::collections::{BTreeMap, BTreeSet};

use meshc_plan::{PeerCheck, Principal};
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::{Callee, Id, Service, SpiffeId};
use meshc_vocabulary::testing::CallFrom;

use super::Asked;
use crate::admission::{Door, door};
use crate::world::World;

/// The services whose ports somebody gets as far as the rules of.
#[derive(Debug, Default)]
pub(super) struct Doors {
    /// Everybody does.
    open: BTreeSet<Id<Service>>,
    /// All of a trust domain do.
    domains: BTreeMap<String, BTreeSet<Id<Service>>>,
    /// One identity does.
    identities: BTreeMap<SpiffeId, BTreeSet<Id<Service>>>,
}

impl Doors {
    fn new(world: &World<'_>) -> Self {
        let mut doors = Self::default();
        for (service, entry) in world.model.whole_services() {
            if world.model.limiter == Some(service) {
                continue;
            }
            for (key, proxy) in world.sidecars(service, None) {
                let own = match key {
                    ProxyKey::Sidecar { cluster: _, service } => service,
                    ProxyKey::Gateway(_) => service,
                };
                for door in entry.ports.iter().filter_map(|port| door(world, proxy, own, port)) {
                    doors.add(service, &door);
                }
            }
        }
        doors
    }

    fn add(&mut self, service: Id<Service>, door: &Door<'_>) {
        match door {
            Door::Open => {
                self.open.insert(service);
            }
            Door::Peers(PeerCheck::TrustDomains(domains)) => {
                for domain in domains {
                    self.domains.entry(domain.clone()).or_default().insert(service);
                }
            }
            Door::Peers(PeerCheck::Exactly(identities)) => {
                for identity in identities {
                    self.identities.entry(identity.clone()).or_default().insert(service);
                }
            }
            Door::Peers(PeerCheck::Nobody) => {}
            Door::Named(rules) => {
                for principal in rules.allow.iter().flat_map(|rule| &rule.principals) {
                    self.name(service, principal);
                }
            }
        }
    }

    fn name(&mut self, service: Id<Service>, principal: &Principal) {
        match principal {
            Principal::Identity(identity) => {
                self.identities.entry(identity.clone()).or_default().insert(service);
            }
            Principal::Namespace { trust_domain, namespace: _ } => {
                self.domains.entry(trust_domain.clone()).or_default().insert(service);
            }
            Principal::Anyone | Principal::Client(_) => {
                self.open.insert(service);
            }
        }
    }

    fn of(&self, identity: &SpiffeId) -> impl Iterator<Item = Id<Service>> {
        let own = self.identities.get(identity).into_iter().flatten();
        own.chain(self.domains.get(&identity.trust_domain).into_iter().flatten()).copied()
    }
}

impl Asked<'_, '_> {
    /// The services that let a service or client in past its own proxy. Gateways do only what they are told.
    pub(super) fn letting_in(&self, from: CallFrom) -> BTreeSet<Callee> {
        let CallFrom::Service(service, _) = from else { return BTreeSet::new() };
        let doors = self.doors.get_or_init(|| Doors::new(self.asking.world));
        let identities = self.asking.world.model.service_identities(service);
        let own = identities.iter().flat_map(|identity| doors.of(identity));
        doors.open.iter().copied().chain(own).map(Callee::Service).collect()
    }

    /// The services and clients that a callee lets in past their own proxies.
    pub(super) fn let_in(&self, callee: Callee) -> Vec<CallFrom> {
        let Callee::Service(service) = callee else { return Vec::new() };
        let model = self.asking.world.model;
        let whole = model.whole(service);
        let doors = self.doors.get_or_init(|| Doors::new(self.asking.world));
        let mut callers = self.all_callers();
        callers.retain(|from| match from {
            CallFrom::Gateway(..) => false,
            CallFrom::Service(caller, _) => {
                let identities = || model.service_identities(*caller);
                doors.open.contains(&whole)
                    || identities().iter().any(|own| doors.of(own).any(|service| service == whole))
            }
        });
        callers
    }
}
