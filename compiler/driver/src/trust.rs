//! What a mesh asks of its key directory, and bringing the directory there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meshc_pki::{
    BroughtCluster, BroughtFile, BroughtTrust, ClusterRequest, FileProblem, Identity, Issuer, KeyDirectory,
    Outcome, PkiError, RootRequest, TrustRequest, adopt_files,
};
use meshc_vocabulary::model;

use crate::{CheckedMesh, Clock, FileSystem};

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

/// How far a key directory is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The root and the intermediates.
    Authorities,
    /// Those, and every workload's certificate.
    Everything,
}

/// Why a key directory stays as it is.
#[derive(Debug)]
pub enum RenewalError {
    /// What the user brings cannot be used.
    Brought(Vec<FileProblem>),
    /// A certificate cannot be made.
    Pki(PkiError),
}

/// Makes what is missing in a key directory, renews what nears its end, and adopts what the user brings with
/// `issuer = files`. What is still right stays, byte for byte.
///
/// # Errors
/// If what the user brings cannot be used, or a certificate cannot be made.
pub fn renew_trust(
    request: &TrustRequest,
    brought: Option<&BroughtTrust>,
    keys: &KeyDirectory,
    renewal: Renewal,
    clock: &dyn Clock,
) -> Result<Outcome, RenewalError> {
    let now = system_time(clock);
    let mut outcome = Outcome { directory: keys.clone(), changes: Vec::new() };
    if let Some(brought) = brought {
        outcome = adopt_files(brought, request, keys, now).map_err(RenewalError::Brought)?;
    }
    let operation = match renewal {
        Renewal::Authorities => meshc_pki::init,
        Renewal::Everything => meshc_pki::issue,
    };
    let renewed = operation(request, &outcome.directory, now).map_err(RenewalError::Pki)?;
    outcome.changes.extend(renewed.changes);
    Ok(Outcome { directory: renewed.directory, changes: outcome.changes })
}

/// The time in the form that certificates need.
#[must_use]
pub fn system_time(clock: &dyn Clock) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(clock.now())
}

/// A file of the user's that is needed and cannot be read.
#[derive(Debug)]
pub struct NotBrought {
    /// Where it should be.
    pub path: PathBuf,
    /// Why it cannot be read.
    pub error: io::Error,
}

/// What the user brings with `issuer = files`, read from next to the entry file; `None` for other issuers.
///
/// # Errors
/// Every file that is needed and cannot be read. Only a cluster's `chain.pem` need not be there.
pub fn brought_trust(
    files: &dyn FileSystem,
    entry: &Path,
    mesh: &CheckedMesh,
) -> Result<Option<BroughtTrust>, Vec<NotBrought>> {
    let model::Issuer::Files(brought) = &mesh.model.trust.issuer else { return Ok(None) };
    let directory = entry.parent().unwrap_or(Path::new("")).join(&brought.directory.value);
    let mut missing = Vec::new();
    let mut read = |relative: &str, needed: bool| {
        let path = directory.join(relative);
        match files.read(&path) {
            Ok(bytes) => Some(BroughtFile { path: path.display().to_string(), bytes }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !needed => None,
            Err(error) => {
                missing.push(NotBrought { path, error });
                None
            }
        }
    };
    let roots = read("roots.pem", true).into_iter().collect();
    let mut clusters = Vec::new();
    for (_, cluster) in mesh.model.clusters.iter() {
        let name = &cluster.name;
        let certificate = read(&format!("{name}/cert.pem"), true);
        let key = read(&format!("{name}/key.pem"), true);
        let chain = read(&format!("{name}/chain.pem"), false);
        if let (Some(certificate), Some(key)) = (certificate, key) {
            clusters.push(BroughtCluster { name: name.clone(), certificate, key, chain });
        }
    }
    if missing.is_empty() { Ok(Some(BroughtTrust { roots, clusters })) } else { Err(missing) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FixedClock, MemoryFileSystem, Options, check};

    const MESH: &str = "\
mesh small { trust_domain = \"cluster.local\", trust = own }
trust own { issuer = builtin, root { common_name = \"root.example\" } }
network net {}
cluster one { network = net, region = \"here\" }
namespace app {
  service a { clusters = [one], port http { number = 80, target = 8080 } }
  service b { clusters = [one], port http { number = 80, target = 8080 }, calls = [a] }
}
";

    #[test]
    fn everything_is_made_once_and_renewed_when_it_nears_its_end() {
        let files = MemoryFileSystem::with(&[("mesh.mesh", MESH)]);
        let compilation = check(&files, Path::new("mesh.mesh"), Options { data_plane: None }).unwrap();
        let mesh = compilation.mesh.unwrap();
        let request = trust_request(&mesh);
        assert_eq!(request.clusters.len(), 1);
        assert_eq!(request.clusters[0].identities.len(), 2);
        let renew = |keys: &KeyDirectory, renewal, now| {
            renew_trust(&request, None, keys, renewal, &FixedClock(now)).unwrap()
        };
        let begin = 1_800_000_000;
        let roots = renew(&KeyDirectory::new(), Renewal::Authorities, begin);
        let all = renew(&roots.directory, Renewal::Everything, begin);
        assert!(!all.changes.is_empty());
        assert_eq!(renew(&all.directory, Renewal::Everything, begin + 3600).changes, []);
        let late = begin + request.workload_lifetime.as_secs() * 3 / 4;
        let renewed = renew(&all.directory, Renewal::Everything, late);
        assert_eq!(renewed.changes.len(), 2, "both workloads: {:?}", renewed.changes);
    }

    #[test]
    fn every_file_that_was_not_brought_is_named() {
        let text = MESH.replace("builtin", "files { directory = \"brought\" }");
        let files = MemoryFileSystem::with(&[("far/mesh.mesh", &text), ("far/brought/one/cert.pem", "")]);
        let entry = Path::new("far/mesh.mesh");
        let mesh = check(&files, entry, Options { data_plane: None }).unwrap().mesh.unwrap();
        let missing: Vec<_> =
            brought_trust(&files, entry, &mesh).unwrap_err().into_iter().map(|one| one.path).collect();
        assert_eq!(missing, ["far/brought/roots.pem", "far/brought/one/key.pem"].map(PathBuf::from));
    }
}
