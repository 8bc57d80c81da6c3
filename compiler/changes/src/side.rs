//! One of the two meshes, with what is looked up in it.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;

use meshc_answers::World;
use meshc_answers::ask::Judge;
use meshc_plan::{ClusterPlan, ListenerKind, ProxyPlan, Role, Upstream};
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::{Callee, Port, SpiffeId};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::labels::{self, Labels};

/// A mesh and its names.
pub(crate) struct Side<'w, 'm> {
    pub(crate) world: &'w World<'m>,
    pub(crate) labels: &'w Labels,
    pub(crate) judge: Judge<'w, 'm>,
    callees: BTreeMap<String, Callee>,
    clusters: BTreeMap<&'m str, &'m ClusterPlan>,
    owners: OnceCell<BTreeMap<SpiffeId, Vec<String>>>,
    identities: OnceCell<BTreeMap<String, Vec<SpiffeId>>>,
    callers: OnceCell<BTreeMap<String, Vec<String>>>,
    upstreams: RefCell<FxHashMap<*const Upstream, u64>>,
}

impl<'w, 'm> Side<'w, 'm> {
    pub(crate) fn new(world: &'w World<'m>, labels: &'w Labels) -> Self {
        let model = world.model;
        let services = model.services.ids().map(Callee::Service);
        let callees = services.chain(model.externals.ids().map(Callee::External));
        Self {
            world,
            labels,
            judge: Judge::new(world),
            callees: callees.map(|callee| (model.callee_name(callee), callee)).collect(),
            clusters: world.plan.clusters.iter().map(|cluster| (cluster.name.as_str(), cluster)).collect(),
            owners: OnceCell::new(),
            identities: OnceCell::new(),
            callers: OnceCell::new(),
            upstreams: RefCell::new(FxHashMap::default()),
        }
    }

    /// The name of a port of a callee that has this number.
    pub(crate) fn label(&self, callee: &str, number: u16) -> Option<String> {
        let (_, port) = self.port(callee, number)?;
        Some(self.labels.port(callee, port))
    }

    pub(crate) fn port(&self, callee: &str, number: u16) -> Option<(Callee, &'m Port)> {
        let id = *self.callees.get(callee)?;
        let port = self.world.model.ports(id).iter().find(|port| port.number == number)?;
        Some((id, port))
    }

    /// What an upstream leads to, with the cluster if only one is meant; `None` for those of the mesh's own.
    pub(crate) fn upstream(&self, name: &str) -> Option<String> {
        let (callee, cluster, number) = labels::of_upstream(name)?;
        if self.is_limiter(&callee) {
            return None;
        }
        let label = self.label(&callee, number)?;
        Some(cluster.map_or_else(|| label.clone(), |cluster| format!("{label} in {cluster}")))
    }

    /// Whom requests reach by an upstream: a port of a callee, in whatever cluster and by whatever subset.
    pub(crate) fn reached(&self, upstream: &str) -> String {
        let found = labels::of_upstream(upstream).and_then(|(name, _, number)| self.port(&name, number));
        let Some((callee, port)) = found else { return upstream.to_owned() };
        let model = self.world.model;
        let whole = match callee {
            Callee::Service(service) => Callee::Service(model.whole(service)),
            Callee::External(external) => Callee::External(external),
        };
        self.labels.port(&model.callee_name(whole), port)
    }

    pub(crate) fn is_limiter(&self, callee: &str) -> bool {
        let model = self.world.model;
        model.limiter.is_some_and(|limiter| model.service_name(limiter) == callee)
    }

    /// Who a proxy works for: `shop.web`, also where these are pods of a subset, or `west.ingress`.
    pub(crate) fn owner(&self, proxy: &ProxyPlan) -> String {
        let model = self.world.model;
        match proxy.role {
            Role::Sidecar(service) => model.service_name(model.whole(service)),
            Role::IngressGateway(gateway) | Role::EastWestGateway(gateway) | Role::EgressGateway(gateway) => {
                model.gateway_name(gateway)
            }
        }
    }

    /// Where it runs: `west`, or `v2 in west` for the pods of a subset; nothing for a gateway, which is named by its cluster.
    pub(crate) fn place(&self, proxy: &ProxyPlan) -> String {
        let cluster = &proxy.name.cluster;
        match proxy.role {
            Role::Sidecar(service) => match &self.world.model.services.at(service).subset_of {
                Some(subset) => format!("{} in {cluster}", subset.name),
                None => cluster.clone(),
            },
            Role::IngressGateway(_) | Role::EastWestGateway(_) | Role::EgressGateway(_) => String::new(),
        }
    }

    /// Whose an identity is: services, clients and gateways; nobody's that is not of this mesh.
    pub(crate) fn owners(&self, identity: &SpiffeId) -> &[String] {
        let owners = self.owners.get_or_init(|| {
            let mut owners: BTreeMap<SpiffeId, Vec<String>> = BTreeMap::new();
            for (name, identities) in self.all_identities() {
                for identity in identities {
                    owners.entry(identity.clone()).or_default().push(name.clone());
                }
            }
            owners
        });
        owners.get(identity).map_or(&[], Vec::as_slice)
    }

    /// The identities of a service, client or gateway; none if there is none of that name.
    pub(crate) fn identities(&self, name: &str) -> Vec<SpiffeId> {
        self.all_identities().get(name).cloned().unwrap_or_default()
    }

    /// Identities that are not the same services' and gateways' on another side, of those who are on both.
    pub(crate) fn moved_identities(&self, other: &Self) -> BTreeSet<SpiffeId> {
        let (mine, theirs) = (self.all_identities(), other.all_identities());
        let mut moved = BTreeSet::new();
        for (name, identities) in mine {
            match theirs.get(name) {
                Some(others) if identities != others => {
                    moved.extend(identities.iter().chain(others).cloned())
                }
                Some(_) => {}
                // Others may have had it, too.
                None => moved.extend(identities.iter().filter(|one| self.owners(one).len() > 1).cloned()),
            }
        }
        for (_, identities) in theirs.iter().filter(|(name, _)| !mine.contains_key(*name)) {
            moved.extend(identities.iter().filter(|one| other.owners(one).len() > 1).cloned());
        }
        moved
    }

    /// A host for each pattern that the routes of a gateway are for; none of a service.
    pub(crate) fn hosts_of(&self, name: &str) -> Vec<String> {
        let model = self.world.model;
        let gateway = model.gateways.ids().find(|id| model.gateway_name(*id) == name);
        let proxy = gateway.and_then(|id| self.world.proxy(ProxyKey::Gateway(id)));
        let listeners = proxy.map_or(&[][..], |proxy| proxy.listeners.as_slice());
        let hosts = listeners.iter().filter_map(|listener| match &listener.kind {
            ListenerKind::Http(http) => Some(http.virtual_hosts.iter().flat_map(|host| host.hosts.iter())),
            ListenerKind::Tcp(_)
            | ListenerKind::Inbound(_)
            | ListenerKind::PassThrough(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => None,
        });
        hosts.flatten().map(|pattern| concrete(pattern)).collect()
    }

    /// Some services, clients and gateways.
    pub(crate) fn some_callers(&self, few: usize) -> Vec<String> {
        self.all_identities().keys().take(few).cloned().collect()
    }

    fn all_identities(&self) -> &BTreeMap<String, Vec<SpiffeId>> {
        self.identities.get_or_init(|| {
            let model = self.world.model;
            let services = model.whole_services().filter(|(id, _)| model.limiter != Some(*id));
            let services = services.map(|(id, _)| (model.service_name(id), model.service_identities(id)));
            let gateways = model
                .gateways
                .ids()
                .filter_map(|id| Some((model.gateway_name(id), vec![model.gateway_identity(id)?])));
            services.chain(gateways).collect()
        })
    }

    /// Some of those whose proxies have a way to a port of a callee.
    pub(crate) fn callers_of(&self, label: &str, few: usize) -> Vec<String> {
        let callers = self.callers.get_or_init(|| {
            let mut callers: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for proxy in self.world.plan.proxies.iter().filter(|proxy| proxy.identity.is_some()) {
                let owner = self.owner(proxy);
                for upstream in &proxy.upstreams {
                    let Some(called) = self.upstream(&upstream.name) else { continue };
                    let known = callers.entry(called).or_default();
                    if known.len() < few && known.last() != Some(&owner) {
                        known.push(owner.clone());
                    }
                }
            }
            callers
        });
        callers.get(label).cloned().unwrap_or_default()
    }

    pub(crate) fn cluster(&self, proxy: &ProxyPlan) -> Option<&'m ClusterPlan> {
        self.clusters.get(proxy.name.cluster.as_str()).copied()
    }

    /// Stands for all that a proxy is told, and for how it is deployed.
    pub(crate) fn digest(&self, proxy: &ProxyPlan) -> u64 {
        let mut state = FxBuildHasher.build_hasher();
        if let Some(cluster) = self.cluster(proxy) {
            cluster.hash_content(&mut state);
        }
        let mut known = self.upstreams.borrow_mut();
        proxy.hash_content(&mut state, |upstream| {
            *known.entry(Arc::as_ptr(upstream)).or_insert_with(|| FxBuildHasher.hash_one(upstream))
        });
        state.finish()
    }

    /// The same of what its pods are made of.
    pub(crate) fn pods(&self, proxy: &ProxyPlan) -> u64 {
        let mut state = FxBuildHasher.build_hasher();
        if let Some(cluster) = self.cluster(proxy) {
            meshc_kubernetes::hash_pods(cluster, proxy, &mut state);
        }
        state.finish()
    }
}

/// A name that a pattern of hosts is for.
pub(crate) fn concrete(pattern: &str) -> String {
    match pattern.strip_prefix("*.") {
        Some(rest) => format!("www.{rest}"),
        None if pattern == "*" => String::from("localhost"),
        None => pattern.to_owned(),
    }
}
