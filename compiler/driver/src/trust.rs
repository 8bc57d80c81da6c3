//! What a mesh asks of its key directory.

use std::path::{Path, PathBuf};

use meshc_pki::{
    BroughtCluster, BroughtFile, BroughtTrust, ClusterRequest, Identity, Issuer, RootRequest, TrustRequest,
};
use meshc_vocabulary::model;

use crate::{CheckedMesh, FileSystem};

/// Everything that the key directory of a mesh should hold: one intermediate per cluster, and the identity of every
/// proxy that has one.
#[must_use]
pub fn trust_request(mesh: &CheckedMesh) -> TrustRequest {
    let trust = &mesh.model.trust;
    TrustRequest {
        issuer: match &trust.issuer {
            model::Issuer::Builtin | model::Issuer::CertManager => Issuer::Builtin,
            model::Issuer::Files(_) => Issuer::Files,
        },
        root: RootRequest {
            common_name: trust.root_common_name.clone(),
            lifetime: trust.root_lifetime.value,
        },
        intermediate_lifetime: trust.intermediate_lifetime.value,
        workload_lifetime: trust.workload_lifetime.value,
        clusters: mesh
            .model
            .clusters
            .iter()
            .map(|(id, cluster)| cluster_request(mesh, id, cluster))
            .collect(),
    }
}

fn cluster_request(
    mesh: &CheckedMesh,
    id: model::Id<model::Cluster>,
    cluster: &model::Cluster,
) -> ClusterRequest {
    let proxies = mesh.plan.proxies.iter().filter(|proxy| proxy.cluster == id);
    let mut identities: Vec<Identity> = proxies
        .filter_map(|proxy| proxy.identity.as_ref())
        .map(|identity| {
            let spiffe = &identity.spiffe;
            Identity::new(&spiffe.trust_domain, &spiffe.namespace, &spiffe.account)
        })
        .collect();
    // Services that share an account share one identity.
    identities.sort();
    identities.dedup();
    let trust_domain = mesh.model.trust_domain(id).to_owned();
    ClusterRequest { name: cluster.name.clone(), trust_domain, identities }
}

/// What the user brings with `issuer = files`, read from next to the entry file; `None` for other issuers. Files that
/// are not there are left out, and verification says what that means.
#[must_use]
pub fn brought_trust(files: &dyn FileSystem, entry: &Path, mesh: &CheckedMesh) -> Option<BroughtTrust> {
    let model::Issuer::Files(brought) = &mesh.model.trust.issuer else { return None };
    let declared = Path::new(&brought.directory.value);
    let real = entry.parent().unwrap_or(Path::new("")).join(declared);
    let read = |relative: &str| {
        let bytes = files.read(&real.join(relative)).ok()?;
        let path: PathBuf = declared.join(relative);
        Some(BroughtFile { path: path.display().to_string(), bytes })
    };
    let clusters = mesh.model.clusters.iter().filter_map(|(_, cluster)| {
        let name = &cluster.name;
        Some(BroughtCluster {
            name: name.clone(),
            certificate: read(&format!("{name}/cert.pem"))?,
            key: read(&format!("{name}/key.pem"))?,
            chain: read(&format!("{name}/chain.pem")),
        })
    });
    Some(BroughtTrust { roots: read("roots.pem").into_iter().collect(), clusters: clusters.collect() })
}
