//! What the files of one proxy are made of, for digests: everything in its plan but the places in the source.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::sync::Arc;

use crate::{ClusterPlan, ProxyPlan, Upstream};

impl ClusterPlan {
    /// Feeds all that files are made of: not ids, which change with what is declared before, and not places.
    pub fn hash_content<H: Hasher>(&self, state: &mut H) {
        let Self {
            id: _,
            name,
            mesh_namespace,
            domain,
            ip_family,
            kubernetes,
            network_policy,
            platform,
            data_plane,
            namespaces,
            trust_domains,
            origin: _,
        } = self;
        (name, mesh_namespace, domain, ip_family, kubernetes).hash(state);
        (network_policy, platform, data_plane, namespaces, trust_domains).hash(state);
    }
}

impl ProxyPlan {
    /// Feeds all that files are made of. Upstreams are shared by their callers, so `upstream` gives what stands for one.
    pub fn hash_content<H: Hasher, D: Hash>(
        &self,
        state: &mut H,
        mut upstream: impl FnMut(&Arc<Upstream>) -> D,
    ) {
        let Self {
            name,
            role,
            // Fed with the cluster.
            cluster: _,
            data_plane,
            ip_family,
            locality,
            memory,
            identity,
            listeners,
            upstreams,
            capture,
            host_aliases,
            trusted_hops,
            rate_limit_upstream,
            deployment,
            origin,
        } = self;
        // Which one it is says its name; ids change with what is declared before.
        (name, discriminant(role), data_plane, ip_family, locality, memory).hash(state);
        (identity, listeners, capture, host_aliases).hash(state);
        (trusted_hops, rate_limit_upstream, deployment, origin).hash(state);
        upstreams.len().hash(state);
        for each in upstreams {
            upstream(each).hash(state);
        }
    }
}
