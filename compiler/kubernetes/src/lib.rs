//! From a plan and rendered proxies to Kubernetes manifests: one folder per cluster, ready for `kubectl apply -k`.
//!
//! Invariants: this is the only crate that knows Kubernetes objects; it knows no data plane beyond the image and the
//! arguments that start it; it never writes a private key, nor an object under a name that belongs to the user unless
//! a `workload` block with an image asks for it. Objects are plain values: their schemas are checked by the tests
//! against Kubernetes' own, not by types that would cost every build half a minute.

mod cluster;
pub mod codes;
mod collisions;
mod companion;
mod container;
mod families;
mod gateway;
mod guard;
mod guide;
mod limits;
mod metadata;
mod pods;
mod rate_limit;
mod sidecar;
mod trust;
mod workload;

pub use pods::hash_pods;

use std::collections::BTreeMap;

use lang_diagnostics::Sink;
use meshc_plan::{ClusterPlan, Deployment, Plan, ProxyPlan, RenderedProxy};

/// What the manifests of a cluster beside those of its proxies are made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The cluster.
    pub cluster: &'a ClusterPlan,
    /// The plans of its proxies.
    pub proxies: &'a [&'a ProxyPlan],
    /// The rate-limit service's files, if the cluster has one: file name → contents.
    pub rate_limit: Option<&'a BTreeMap<String, String>>,
    /// The trust bundle: file name → contents, public.
    pub trust: &'a BTreeMap<String, String>,
    /// The most inotify instances that one of its proxies opens.
    pub inotify_instances: u32,
}

/// Files: path relative to the output folder → contents.
pub type Tree = BTreeMap<String, String>;

/// Reports what Kubernetes cannot carry and what can be seen without rendering, each at the place that asks for it.
pub fn check(plan: &Plan, sink: &mut Sink) {
    limits::check(plan, sink);
    collisions::check(plan, sink);
}

/// Renders the manifests around one proxy of a plan that [`check`] had nothing against, and its configuration with them. What
/// only the rendered files show is reported at the plan node's origin.
pub fn proxy(cluster: &ClusterPlan, proxy: &ProxyPlan, rendered: RenderedProxy, sink: &mut Sink) -> Tree {
    let mut tree = Tree::new();
    limits::check_size(proxy, &rendered, sink);
    match &proxy.deployment {
        Deployment::Gateway(gateway) => gateway::render(cluster, proxy, gateway, &rendered, &mut tree),
        Deployment::Sidecar(sidecar) => {
            sidecar::render(cluster, proxy, sidecar, &rendered, &mut tree);
            companion::render(cluster, sidecar, &mut tree);
            workload::render(cluster, sidecar, &mut tree);
        }
    }
    let folder = format!("{}/{}", cluster.name, proxy.name.path);
    tree.extend(rendered.files.into_iter().map(|(file, text)| (format!("{folder}/config/{file}"), text)));
    tree
}

/// Renders what a cluster has beside its proxies, and what joins everything.
#[must_use]
pub fn cluster(input: &Input<'_>) -> Tree {
    let Input { cluster, proxies, rate_limit, trust, inotify_instances: _ } = *input;
    let mut tree = Tree::new();
    let mut resources = vec![cluster::namespace(cluster, &mut tree)];
    for proxy in proxies {
        match &proxy.deployment {
            Deployment::Gateway(_) => resources.push(proxy.name.path.clone()),
            Deployment::Sidecar(sidecar) => {
                resources.extend(companion::file(sidecar));
                resources.extend(workload::folder(sidecar));
            }
        }
    }
    resources.push(guard::render(cluster, &mut tree));
    resources.push(trust::render(cluster, trust, &mut tree));
    if let Some(files) = rate_limit {
        resources.push(rate_limit::render(cluster, proxies, files, &mut tree));
    }
    cluster::kustomization(cluster, resources, &mut tree);
    guide::render(input, &mut tree);
    tree
}
