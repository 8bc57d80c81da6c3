//! What the files of a proxy are made of, as a digest.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use meshc_plan::{ClusterPlan, ProxyPlan, Upstream};
use meshc_vocabulary::model::Platform;

use crate::Forms;
use crate::output::{Digest, digest};

/// Makes the keys of a build.
pub(crate) struct Contents<'p> {
    forms: Forms,
    trust: &'p BTreeMap<String, String>,
    /// Upstreams are shared by all callers in a cluster, and fed once.
    upstreams: HashMap<*const Upstream, Digest>,
    /// The last cluster and what stands for it: proxies come in order of cluster.
    cluster: Option<(&'p ClusterPlan, Digest)>,
    bytes: Bytes,
}

impl<'p> Contents<'p> {
    /// For a build of these forms with this trust bundle.
    pub(crate) fn new(forms: Forms, trust: &'p BTreeMap<String, String>) -> Self {
        Self { forms, trust, upstreams: HashMap::new(), cluster: None, bytes: Bytes::default() }
    }

    /// Stands for all that the files of a proxy are made of, apart from the compiler itself.
    pub(crate) fn key(&mut self, cluster: &'p ClusterPlan, proxy: &'p ProxyPlan) -> Digest {
        let of_cluster = match self.cluster {
            Some((known, digest)) if std::ptr::eq(known, cluster) => digest,
            Some(_) | None => self.of_cluster(cluster),
        };
        self.cluster = Some((cluster, of_cluster));
        let Self { forms: _, trust: _, upstreams, cluster: _, bytes } = self;
        bytes.0.clear();
        of_cluster.hash(bytes);
        proxy.hash_content(bytes, |upstream| {
            *upstreams.entry(Arc::as_ptr(upstream)).or_insert_with(|| {
                let mut bytes = Bytes::default();
                upstream.hash(&mut bytes);
                digest(&bytes.0)
            })
        });
        digest(&bytes.0)
    }

    fn of_cluster(&mut self, cluster: &ClusterPlan) -> Digest {
        let bytes = &mut self.bytes;
        bytes.0.clear();
        match self.forms {
            Forms::Watched => bytes.write_u8(0),
            Forms::WatchedAndStatic => bytes.write_u8(1),
        }
        cluster.hash_content(bytes);
        match cluster.platform {
            Platform::Kubernetes => {}
            // Its bundles hold it.
            Platform::Machines => self.trust.hash(bytes),
        }
        digest(&bytes.0)
    }
}

/// Everything that is fed to a hash, for a digest that two contents do not share by chance.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
