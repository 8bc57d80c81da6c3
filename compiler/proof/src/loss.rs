//! What may fail: everything of which a mesh has several, each thing once.

use std::collections::{BTreeMap, BTreeSet};

use meshc_plan::Plan;
use meshc_topology::{Failure, Failures};
use meshc_vocabulary::model::{Cluster, GatewayRole, Id, Model, Network, Service};

/// What kind of thing fails, or how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A cluster, with its gateways.
    Cluster,
    /// A gateway, with all its replicas.
    Gateway,
    /// All clusters of a zone.
    Zone,
    /// All clusters of a network.
    Network,
    /// The way between two networks.
    Link,
    /// All pods of a service, or of a subset, in a cluster.
    Service,
    /// The rate-limit service of a cluster.
    RateLimit,
    /// One of several pods of a service in a cluster.
    Pod,
    /// All pods of a service in a cluster answer with 500.
    Errors,
    /// All of them answer with 503.
    Unavailable,
    /// All of them take requests and do not answer.
    Hangs,
    /// All of them close connections instead of answering.
    Resets,
}

impl Kind {
    /// Things that are lost as a whole.
    pub const LOSSES: [Self; 7] =
        [Self::Cluster, Self::Gateway, Self::Zone, Self::Network, Self::Link, Self::Service, Self::RateLimit];
    /// Things that are there, and fail.
    pub const PARTIAL: [Self; 5] = [Self::Pod, Self::Errors, Self::Unavailable, Self::Hangs, Self::Resets];

    /// As one writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Gateway => "gateway",
            Self::Zone => "zone",
            Self::Network => "network",
            Self::Link => "link",
            Self::Service => "service",
            Self::RateLimit => "rate-limit",
            Self::Pod => "pod",
            Self::Errors => "errors",
            Self::Unavailable => "unavailable",
            Self::Hangs => "hangs",
            Self::Resets => "resets",
        }
    }

    /// How the pods of a service fail that are still there.
    pub(crate) const fn conduct(self) -> Option<Conduct> {
        match self {
            Self::Cluster
            | Self::Gateway
            | Self::Zone
            | Self::Network
            | Self::Link
            | Self::Service
            | Self::RateLimit
            | Self::Pod => None,
            Self::Errors => Some(Conduct::Status(500)),
            Self::Unavailable => Some(Conduct::Status(503)),
            Self::Hangs => Some(Conduct::Silent),
            Self::Resets => Some(Conduct::Resets),
        }
    }
}

/// How pods fail that are still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// They answer with this status.
    Status(u16),
    /// They do not answer.
    Silent,
    /// They close the connection.
    Resets,
}

/// Something that fails.
#[derive(Clone, Debug)]
pub struct Loss {
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its name, as `without` of a question has it where that can name it.
    pub name: String,
    /// What is gone, or answers with errors.
    pub(crate) failures: Failures,
    /// The clusters whose rate-limit service is gone.
    pub(crate) limiters: BTreeSet<Id<Cluster>>,
    /// The service of which one pod is gone.
    pub(crate) pod: Option<(Id<Service>, Id<Cluster>)>,
}

impl Loss {
    fn new(kind: Kind, name: String) -> Self {
        Self { kind, name, failures: Failures::default(), limiters: BTreeSet::new(), pod: None }
    }

    /// Both at once.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        let Failures { services, clusters, gateways, links } = other.failures.clone();
        both.failures.services.extend(services);
        both.failures.clusters.extend(clusters);
        both.failures.gateways.extend(gateways);
        both.failures.links.extend(links);
        both.limiters.extend(other.limiters.iter().copied());
        both
    }

    /// Whether no cluster is left.
    pub(crate) fn is_total(&self, model: &Model) -> bool {
        self.failures.clusters.len() == model.clusters.len()
    }
}

/// Everything of these kinds that may fail, in order of kind. What comes to the same as something before it is left out,
/// and so is what leaves no cluster.
#[must_use]
pub fn losses(model: &Model, plan: &Plan, kinds: &BTreeSet<Kind>) -> Vec<Loss> {
    let mut found: Vec<Loss> = Vec::new();
    for kind in kinds {
        found.extend(of_kind(model, plan, *kind));
    }
    let mut known: BTreeSet<Vec<Id<Cluster>>> = BTreeSet::new();
    found.retain(|loss| {
        let clusters: Vec<_> = loss.failures.clusters.iter().copied().collect();
        clusters.is_empty() || (!loss.is_total(model) && known.insert(clusters))
    });
    found
}

fn of_kind(model: &Model, plan: &Plan, kind: Kind) -> Vec<Loss> {
    let cluster_name = |cluster: Id<Cluster>| model.clusters.at(cluster).name.clone();
    match kind {
        Kind::Cluster => {
            let one = |cluster| of_clusters(kind, cluster_name(cluster), [cluster]);
            model.clusters.ids().map(one).collect()
        }
        Kind::Gateway => {
            let one = |gateway| {
                let mut loss = Loss::new(kind, model.gateway_name(gateway));
                loss.failures.gateways.insert(gateway);
                loss
            };
            model.gateways.ids().map(one).collect()
        }
        Kind::Zone => {
            let mut zones: BTreeMap<(&str, &str), Vec<Id<Cluster>>> = BTreeMap::new();
            for (id, cluster) in model.clusters.iter().filter(|(_, cluster)| !cluster.zone.is_empty()) {
                zones.entry((&cluster.region, &cluster.zone)).or_default().push(id);
            }
            let one = |((region, zone), clusters): ((&str, &str), Vec<Id<Cluster>>)| {
                of_clusters(kind, format!("zone {zone} of {region}"), clusters)
            };
            zones.into_iter().map(one).collect()
        }
        Kind::Network => {
            let one = |(id, network): (Id<Network>, &meshc_vocabulary::model::Network)| {
                let inside = model.clusters.iter().filter(|(_, cluster)| cluster.network == id);
                of_clusters(kind, network.name.clone(), inside.map(|(cluster, _)| cluster))
            };
            let networks = model.networks.iter().map(one);
            networks.filter(|loss| !loss.failures.clusters.is_empty()).collect()
        }
        Kind::Link => links(model),
        Kind::Service => of_services(model, kind, Failure::Gone),
        Kind::Errors | Kind::Unavailable | Kind::Hangs | Kind::Resets => {
            of_services(model, kind, Failure::Errors)
        }
        Kind::Pod => {
            let mut pods = of_services(model, kind, Failure::Gone);
            pods.retain_mut(|loss| {
                let Some(((service, cluster), _)) = loss.failures.services.pop_first() else { return false };
                loss.pod = Some((service, cluster));
                let presence = model.services.at(service).presence(cluster);
                presence.is_some_and(|presence| presence.replicas > 1)
            });
            pods
        }
        Kind::RateLimit => {
            let one = |cluster| {
                let mut loss = Loss::new(kind, format!("rate limits of {}", cluster_name(cluster)));
                loss.limiters.insert(cluster);
                loss
            };
            plan.rate_limits.iter().map(|service| one(service.cluster)).collect()
        }
    }
}

fn of_clusters(kind: Kind, name: String, clusters: impl IntoIterator<Item = Id<Cluster>>) -> Loss {
    let mut loss = Loss::new(kind, name);
    loss.failures.clusters.extend(clusters);
    loss
}

/// Ways between networks: those that are declared, else any two between which gateways connect.
fn links(model: &Model) -> Vec<Loss> {
    let mut pairs: BTreeSet<(Id<Network>, Id<Network>)> = BTreeSet::new();
    if model.links.is_empty() {
        for one in model.networks.ids() {
            pairs.extend(model.networks.ids().filter(|other| one < *other).map(|other| (one, other)));
        }
    } else {
        pairs.extend(model.links.iter().map(|link| (link.from.min(link.to), link.from.max(link.to))));
    }
    let is_entered = |network: Id<Network>| {
        model.gateways.iter().any(|(_, gateway)| {
            gateway.role != GatewayRole::Ingress && model.clusters.at(gateway.cluster).network == network
        })
    };
    let named = |(one, other): (Id<Network>, Id<Network>)| {
        let (from, to) = (&model.networks.at(one).name, &model.networks.at(other).name);
        let mut loss = Loss::new(Kind::Link, format!("{from} -> {to}"));
        loss.failures.cut(one, other);
        loss
    };
    let used = pairs.into_iter().filter(|(one, other)| is_entered(*one) || is_entered(*other));
    used.map(named).collect()
}

/// Each service and subset that is called, in each of its clusters.
fn of_services(model: &Model, kind: Kind, failure: Failure) -> Vec<Loss> {
    let mut found = Vec::new();
    for (id, service) in model.services.iter() {
        if service.is_client() {
            continue;
        }
        for presence in &service.clusters {
            let cluster = &model.clusters.at(presence.cluster).name;
            let mut loss = Loss::new(kind, format!("{} in {cluster}", model.service_name(id)));
            loss.failures.services.insert((id, presence.cluster), failure);
            found.push(loss);
        }
    }
    found
}
