//! What the topology says.

use std::collections::BTreeMap;

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{Callee, Cluster, Gateway, Id, Network, Service};

/// A proxy of the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProxyKey {
    /// The sidecar of a service (or client) in a cluster.
    Sidecar {
        /// The cluster.
        cluster: Id<Cluster>,
        /// The service.
        service: Id<Service>,
    },
    /// A gateway.
    Gateway(Id<Gateway>),
}

/// Who reaches whom, and how.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// For each proxy what it may call, in order of (callee, port). Every proxy of the mesh has an entry.
    pub reaches: BTreeMap<ProxyKey, Vec<Reach>>,
    /// For each east-west gateway what it passes on, in order of (service, port). Only what has declared callers
    /// outside the gateway's cluster.
    pub exports: BTreeMap<Id<Gateway>, Vec<Export>>,
    /// Declared calls without any path, for the checks.
    pub unreachable: Vec<Unreachable>,
}

/// One callee port that a proxy may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The callee.
    pub callee: Callee,
    /// Position of the port in the callee's `ports`.
    pub port: usize,
    /// Groups of endpoints, the nearest first; never empty.
    pub groups: Vec<Group>,
    /// The calls and routes that ask for it, in source order; never empty.
    pub origins: Vec<Origin>,
}

/// The endpoints of a callee in one cluster, as one proxy sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Where the pods run. For an external host: the caller's own cluster.
    pub cluster: Id<Cluster>,
    /// How near that is.
    pub nearness: Nearness,
    /// The next hop.
    pub via: Via,
    /// Declared replicas behind this group, at least 1.
    pub weight: u32,
}

/// How near a group is; the order is the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nearness {
    /// The caller's own cluster.
    SameCluster,
    /// Another cluster in the same zone of the same region.
    SameZone,
    /// The same region.
    SameRegion,
    /// Anywhere else.
    OtherRegion,
}

/// The next hop towards a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// The pods, through DNS of the companion Service of the group's cluster.
    Pods,
    /// East-west gateways, all of one cluster: the first on the shortest path. `hops` is the whole chain of clusters
    /// whose gateways pass the connection on, the last being the group's own.
    Gateways {
        /// The gateways to connect to, in order; never empty.
        gateways: Vec<Id<Gateway>>,
        /// The clusters passed, in order; never empty.
        hops: Vec<Id<Cluster>>,
    },
    /// A host outside the mesh.
    External,
}

/// One SNI that an east-west gateway passes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The service.
    pub service: Id<Service>,
    /// Position of the port in the service's `ports`.
    pub port: usize,
    /// Where it goes, the nearest first: the gateway's own cluster's pods, or further gateways (a transit). All
    /// hops of an export are used only in order, as groups are.
    pub hops: Vec<Hop>,
    /// The calls and routes that ask for it, in source order.
    pub origins: Vec<Origin>,
}

/// One next hop of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where the pods run.
    pub cluster: Id<Cluster>,
    /// The next hop.
    pub via: Via,
    /// Declared replicas behind it, at least 1.
    pub weight: u32,
}

/// A declared call without a path to one of the callee's clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// Who calls.
    pub caller: ProxyKey,
    /// What is called.
    pub callee: Id<Service>,
    /// The callee's cluster that cannot be reached.
    pub cluster: Id<Cluster>,
    /// The call or route.
    pub origin: Origin,
    /// Why.
    pub reason: BrokenHop,
    /// Whether some other cluster of the callee can be reached.
    pub partly: bool,
}

/// The hop where a path breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BrokenHop {
    /// No chain of links leads from this network to that one.
    NoLink(Id<Network>, Id<Network>),
    /// This cluster must be entered through an east-west gateway, and has none.
    NoGateway(Id<Cluster>),
    /// This gateway must be reached from outside, and has no address.
    NoAddress(Id<Gateway>),
}
