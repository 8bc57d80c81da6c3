//! What whoever deploys a cluster must know.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

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
        .map(|(id, cluster)| {
            let Cluster {
                origin,
                name,
                domain,
                ip_family,
                kubernetes,
                network_policy,
                platform,
                data_plane_origin,
                // A cluster of its own says these only if they differ from the mesh's, so the model is asked.
                trust_domain: _,
                data_plane: _,
                // Part of each proxy's locality.
                region: _,
                zone: _,
                // The topology's.
                network: _,
                domain_resolvable: _,
                state: _,
            } = cluster;
            ClusterPlan {
                id,
                name: name.clone(),
                mesh_namespace: model.mesh.namespace.clone(),
                domain: domain.clone(),
                ip_family: *ip_family,
                kubernetes: *kubernetes,
                network_policy: *network_policy,
                platform: *platform,
                data_plane: model.data_plane(id),
                namespaces: namespaces.get(&id).map(owned).unwrap_or_default(),
                trust_domains: owned(&trust_domains),
                origin: data_plane_origin.as_ref().unwrap_or(origin).clone(),
            }
        })
        .collect()
}
