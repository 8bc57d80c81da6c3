//! What the topology says.
//!
//! Lists that many proxies share are `Arc`s: the groups of a callee are the same for every caller in a cluster, so
//! the size of a topology grows with calls and not with calls times clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{Callee, Cluster, Gateway, Id, IpFamily, Network, Service};

/// A proxy of the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProxyKey {
    /// The sidecar of a service (or client) in a cluster; of each of its subsets, if it has any.
    Sidecar {
        /// The cluster.
        cluster: Id<Cluster>,
        /// The service, or the subset.
        service: Id<Service>,
    },
    /// A gateway.
    Gateway(Id<Gateway>),
}

/// Who reaches whom, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// For each proxy what it may call, in order of (callee, port). Every proxy of the mesh has an entry.
    pub reaches: BTreeMap<ProxyKey, Vec<Reach>>,
    /// For each east-west gateway what it passes on, in order of (service, port). Only what declared callers outside
    /// the gateway's cluster reach through it. Every east-west gateway has an entry.
    pub exports: BTreeMap<Id<Gateway>, Vec<Export>>,
    /// Declared calls without a path to some cluster of the callee, for the checks; in order of (callee, caller,
    /// cluster).
    pub unreachable: Vec<Unreachable>,
}

/// One callee port that a proxy may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The callee.
    pub callee: Callee,
    /// Position of the port in the callee's `ports`.
    pub port: usize,
    /// How the proxy is asked for it.
    pub asked: Asked,
    /// Groups of endpoints, the nearest first; never empty (a call without any path is in
    /// [`Topology::unreachable`] only).
    pub groups: Arc<[Group]>,
    /// The calls and routes that ask for it, in source order; never empty.
    pub origins: Arc<[Origin]>,
}

/// How a proxy is asked for a callee; the order is that of what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    /// Only rules of routes lead there, or limits: it has no name and no address at the caller.
    ByRoute,
    /// The caller's application calls it by its name.
    ByName,
}

/// The endpoints of a callee in one cluster, as one proxy sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Where the pods run that answer first. For an external host: the caller's own cluster.
    pub cluster: Id<Cluster>,
    /// How near that is.
    pub nearness: Nearness,
    /// The next hop.
    pub via: Via,
    /// Declared replicas behind this group, at least 1.
    pub weight: u32,
}

/// How near a group is; the order is the order of preference unless links decide.
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
    /// East-west gateways, all of one cluster: the first on the path. `hops` is the whole chain of clusters whose
    /// gateways pass the connection on. The last is the group's own, unless the last gateway reaches the pods of a
    /// cluster in its own network by their names.
    Gateways {
        /// The gateways to connect to, in order, each with an address that `from` reaches; never empty.
        gateways: Arc<[Id<Gateway>]>,
        /// The addresses of the pods that connect to them.
        from: IpFamily,
        /// The clusters passed, in order; never empty.
        hops: Arc<[Id<Cluster>]>,
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
    /// Where it goes, the nearest first; never empty: the pods of the gateway's own cluster and nothing else if the
    /// service runs there, else further gateways (a transit). An SNI names no cluster, so a gateway decides alike
    /// for every caller; each step leads strictly nearer to the service, so that no connection ever runs in a circle.
    pub hops: Arc<[Hop]>,
    /// The calls and routes that ask for it, in source order.
    pub origins: Arc<[Origin]>,
}

/// One next hop of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where the pods run that answer first.
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
    /// All ways lead through this network, and no active cluster of it has an east-west gateway with an address.
    NoTransit(Id<Network>),
    /// This cluster must be entered through an east-west gateway, and has none.
    NoGateway(Id<Cluster>),
    /// This gateway must be reached from outside, and has no address.
    NoAddress(Id<Gateway>),
    /// This gateway must be reached from pods of that cluster, and has no address of their family.
    OtherFamily(Id<Gateway>, Id<Cluster>),
    /// This cluster is joining or draining, so it gets no traffic from others.
    NotActive(Id<Cluster>),
    /// The path leads through the gateways of a cluster that pass this callee on to another cluster: an SNI names no
    /// cluster, so they cannot tell who meant which.
    Hidden {
        /// The cluster whose gateways decide.
        at: Id<Cluster>,
        /// The cluster that answers instead.
        answers: Id<Cluster>,
    },
}
