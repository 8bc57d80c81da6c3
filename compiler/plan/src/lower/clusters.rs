//! What whoever deploys a cluster must know.

use std::collections::{BTreeMap, BTreeSet};

use meshc_vocabulary::model::{Cluster, Id, Model};

use crate::{ClusterPlan, Deployment, ProxyPlan};

pub(super) fn lower(model: &Model, proxies: &[ProxyPlan]) -> Vec<ClusterPlan> {
    let mut namespaces: BTreeMap<Id<Cluster>, BTreeSet<&str>> = BTreeMap::new();
    for proxy in proxies {
        let namespace = match &proxy.deployment {
            Deployment::Sidecar(sidecar) => sidecar.namespace.as_str(),
            Deployment::Gateway(_) => model.mesh.namespace.as_str(),
        };
        namespaces.entry(proxy.cluster).or_default().insert(namespace);
    }
    let trust_domains: BTreeSet<&str> = model.clusters.ids().map(|id| model.trust_domain(id)).collect();
    let owned = |names: &BTreeSet<&str>| names.iter().map(|name| (*name).to_owned()).collect();
    model
        .clusters
        .iter()
        .map(|(id, cluster)| ClusterPlan {
            id,
            name: cluster.name.clone(),
            mesh_namespace: model.mesh.namespace.clone(),
            domain: cluster.domain.clone(),
            ip_family: cluster.ip_family,
            kubernetes: cluster.kubernetes,
            network_policy: cluster.network_policy,
            data_plane: model.data_plane(id),
            namespaces: namespaces.get(&id).map(owned).unwrap_or_default(),
            trust_domains: owned(&trust_domains),
            origin: cluster.data_plane_origin.clone().unwrap_or_else(|| cluster.origin.clone()),
        })
        .collect()
}
