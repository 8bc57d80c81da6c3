//! Who answers when parts of the mesh fail.
//!
//! The rules are those of the data planes: a caller leaves a group when all its endpoints are ejected; it sees pods
//! fail in any way, but of a pass-through gateway it sees only that it cannot be reached or closes the connection,
//! because a gateway is never ejected for an application's status.

use std::collections::{BTreeMap, BTreeSet};

use meshc_vocabulary::model::{Callee, Cluster, Gateway, Id, Model, Network, Service};

use crate::{Group, Hop, ProxyKey, Reach, Topology, Via};

/// How the instances of a service in a cluster fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// They answer, with errors.
    Errors,
    /// They are gone: nobody listens, and DNS forgets them.
    Gone,
}

/// What fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// All instances of a service, or of a subset of it, in a cluster.
    pub services: BTreeMap<(Id<Service>, Id<Cluster>), Failure>,
    /// Whole clusters, with their gateways.
    pub clusters: BTreeSet<Id<Cluster>>,
    /// Single gateways, with all replicas.
    pub gateways: BTreeSet<Id<Gateway>>,
    /// Ways between two networks, in both directions, each with the smaller network first.
    pub links: BTreeSet<(Id<Network>, Id<Network>)>,
}

impl Failures {
    /// The way between two networks fails.
    pub fn cut(&mut self, one: Id<Network>, other: Id<Network>) {
        self.links.insert((one.min(other), one.max(other)));
    }
}

/// What happens to a caller's requests once ejection has taken place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// They are answered.
    Answered {
        /// The position of the group in the caller's [`Reach::groups`].
        group: usize,
        /// Where the pods run that answer.
        cluster: Id<Cluster>,
    },
    /// They get the errors of these pods: no group before them is left, and the caller cannot see past the gateway
    /// that they are behind.
    Errors {
        /// The position of the group in the caller's [`Reach::groups`].
        group: usize,
        /// Where the failing pods run.
        cluster: Id<Cluster>,
    },
    /// Nobody is left: 503, or a closed connection.
    Nobody,
    /// The caller itself failed.
    CallerFailed,
}

/// The outcome for each (proxy, callee, port), in order.
pub type Simulation = BTreeMap<(ProxyKey, Callee, usize), Outcome>;

/// Who answers whom under these failures. Nothing failed gives the everyday answer.
#[must_use]
pub fn simulate(model: &Model, topology: &Topology, failures: &Failures) -> Simulation {
    let survivors = Survivors { model, topology, failures };
    let reaches = topology.reaches.iter();
    reaches
        .flat_map(|(proxy, reaches)| {
            let survivors = &survivors;
            reaches
                .iter()
                .map(move |reach| ((*proxy, reach.callee, reach.port), survivors.outcome(*proxy, reach)))
        })
        .collect()
}

/// A mesh of which something has failed.
#[derive(Clone, Copy, Debug)]
pub struct Survivors<'a> {
    /// The mesh.
    pub model: &'a Model,
    /// Who reaches whom in it.
    pub topology: &'a Topology,
    /// What has failed.
    pub failures: &'a Failures,
}

/// What is at the end of a group or of a gateway's hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// Pods in this cluster that answer.
    Healthy(Id<Cluster>),
    /// Pods in this cluster that answer with errors.
    Failing(Id<Cluster>),
    /// Nothing takes a connection.
    Closed,
}

impl Survivors<'_> {
    /// Whether a proxy, or what it stands beside, has failed.
    #[must_use]
    pub fn caller_failed(&self, proxy: ProxyKey) -> bool {
        match proxy {
            ProxyKey::Sidecar { cluster, service } => {
                self.failures.clusters.contains(&cluster) || self.failure(service, cluster).is_some()
            }
            ProxyKey::Gateway(gateway) => self.gateway_failed(gateway),
        }
    }

    /// What happens to a caller's requests.
    #[must_use]
    pub fn outcome(&self, proxy: ProxyKey, reach: &Reach) -> Outcome {
        if self.caller_failed(proxy) {
            return Outcome::CallerFailed;
        }
        let from = self.cluster(proxy);
        for (group, endpoints) in reach.groups.iter().enumerate() {
            let (cluster, via) = (endpoints.cluster, &endpoints.via);
            match (self.answer(from, reach.callee, reach.port, cluster, via), via) {
                (Answer::Healthy(cluster), _) => return Outcome::Answered { group, cluster },
                (Answer::Failing(cluster), Via::Gateways { .. }) => {
                    return Outcome::Errors { group, cluster };
                }
                (Answer::Failing(_), Via::Pods | Via::External) | (Answer::Closed, _) => {}
            }
        }
        Outcome::Nobody
    }

    /// Where the pods run that answer what is sent to one group; `None` if none do.
    #[must_use]
    pub fn answers_in(&self, proxy: ProxyKey, reach: &Reach, group: &Group) -> Option<Id<Cluster>> {
        match self.behind(proxy, reach, group) {
            Answer::Healthy(cluster) => Some(cluster),
            Answer::Failing(_) | Answer::Closed => None,
        }
    }

    /// What is at the end of one group of a caller.
    #[must_use]
    pub fn behind(&self, proxy: ProxyKey, reach: &Reach, group: &Group) -> Answer {
        self.answer(self.cluster(proxy), reach.callee, reach.port, group.cluster, &group.via)
    }

    /// Where a proxy runs.
    fn cluster(&self, proxy: ProxyKey) -> Id<Cluster> {
        match proxy {
            ProxyKey::Sidecar { cluster, service: _ } => cluster,
            ProxyKey::Gateway(gateway) => self.model.gateways.at(gateway).cluster,
        }
    }

    /// Whether a gateway can be connected to from a cluster.
    #[must_use]
    pub fn connects(&self, from: Id<Cluster>, gateway: Id<Gateway>) -> bool {
        let network = |cluster| self.model.clusters.at(cluster).network;
        let (here, there) = (network(from), network(self.model.gateways.at(gateway).cluster));
        let cut = self.failures.links.contains(&(here.min(there), here.max(there)));
        !(cut || self.gateway_failed(gateway))
    }

    /// What is at the end of a way that begins in a cluster.
    fn answer(
        &self,
        from: Id<Cluster>,
        callee: Callee,
        port: usize,
        cluster: Id<Cluster>,
        via: &Via,
    ) -> Answer {
        let service = match callee {
            Callee::External(id) => {
                let through = self.model.externals.at(id).through.as_ref();
                let open = through.is_none_or(|gateway| self.connects(from, gateway.value));
                return if open { Answer::Healthy(cluster) } else { Answer::Closed };
            }
            Callee::Service(service) => service,
        };
        match via {
            Via::External => Answer::Healthy(cluster),
            Via::Pods => self.pods(service, cluster),
            Via::Gateways { gateways, .. } => {
                let alive = gateways.iter().find(|gateway| self.connects(from, **gateway));
                alive.map_or(Answer::Closed, |gateway| self.passed_on(*gateway, service, port))
            }
        }
    }

    /// A gateway tries its hops in order and leaves one only when it cannot connect: what happens behind a further
    /// gateway that took the connection is final.
    fn passed_on(&self, gateway: Id<Gateway>, service: Id<Service>, port: usize) -> Answer {
        let exports = self.topology.exports.get(&gateway).map_or(&[][..], Vec::as_slice);
        let place = exports.binary_search_by_key(&(service, port), |export| (export.service, export.port));
        let hops: &[Hop] = place.ok().and_then(|place| exports.get(place)).map_or(&[], |export| &export.hops);
        let here = self.model.gateways.at(gateway).cluster;
        for hop in hops {
            let answer = self.answer(here, Callee::Service(service), port, hop.cluster, &hop.via);
            let connected = match &hop.via {
                Via::Gateways { gateways, .. } => {
                    gateways.iter().any(|gateway| self.connects(here, *gateway))
                }
                Via::Pods | Via::External => !matches!(answer, Answer::Closed),
            };
            if connected {
                return answer;
            }
        }
        Answer::Closed
    }

    fn pods(&self, service: Id<Service>, cluster: Id<Cluster>) -> Answer {
        if self.failures.clusters.contains(&cluster) {
            return Answer::Closed;
        }
        match self.failure(service, cluster) {
            None => Answer::Healthy(cluster),
            Some(Failure::Errors) => Answer::Failing(cluster),
            Some(Failure::Gone) => Answer::Closed,
        }
    }

    /// How all instances in a cluster fail, if they do. Those of a service are the ones of its subsets: it fails where
    /// they all do, and they do where it does.
    fn failure(&self, service: Id<Service>, cluster: Id<Cluster>) -> Option<Failure> {
        let named = |service| self.failures.services.get(&(service, cluster)).copied();
        if let Some(failure) = named(service).or_else(|| named(self.model.whole(service))) {
            return Some(failure);
        }
        let subsets = self.model.services.at(service).subsets.iter();
        let mut here =
            subsets.filter(|subset| self.model.services.at(**subset).presence(cluster).is_some()).peekable();
        here.peek()?;
        // Errors are what callers see if some answer with them and the others are gone.
        here.map(|subset| named(*subset)).try_fold(Failure::Gone, |all, one| Some(all.min(one?)))
    }

    fn gateway_failed(&self, gateway: Id<Gateway>) -> bool {
        self.failures.gateways.contains(&gateway)
            || self.failures.clusters.contains(&self.model.gateways.at(gateway).cluster)
    }
}
