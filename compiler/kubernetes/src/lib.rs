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
mod rate_limit;
mod sidecar;
mod trust;
mod workload;

use std::collections::BTreeMap;

use lang_diagnostics::Sink;
use meshc_plan::{ClusterPlan, Deployment, Plan, ProxyName, ProxyPlan, RenderedProxy};
use meshc_vocabulary::model::Platform;

/// What manifests are made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The configuration of every proxy of the plan.
    pub rendered: &'a BTreeMap<ProxyName, RenderedProxy>,
    /// The rate-limit service's files per cluster name: file name → contents.
    pub rate_limits: &'a BTreeMap<String, BTreeMap<String, String>>,
    /// The trust bundle: file name → contents, public.
    pub trust: &'a BTreeMap<String, String>,
}

/// The files of all clusters: path relative to the output folder → contents.
pub type Tree = BTreeMap<String, String>;

/// Reports what Kubernetes cannot carry and what can be seen without rendering, each at the place that asks for it.
pub fn check(plan: &Plan, sink: &mut Sink) {
    limits::check(plan, sink);
    collisions::check(plan, sink);
}

/// Renders the whole tree of a plan that [`check`] had nothing against. What only the rendered files show is reported
/// at the plan node's origin.
pub fn render(input: &Input<'_>, sink: &mut Sink) -> Tree {
    let mut tree = Tree::new();
    for cluster in &input.plan.clusters {
        match cluster.platform {
            Platform::Kubernetes => {}
            Platform::Machines => continue,
        }
        let proxies: Vec<&ProxyPlan> =
            input.plan.proxies.iter().filter(|proxy| proxy.cluster == cluster.id).collect();
        render_cluster(input, cluster, &proxies, &mut tree, sink);
    }
    tree
}

fn render_cluster(
    input: &Input<'_>,
    cluster: &ClusterPlan,
    proxies: &[&ProxyPlan],
    tree: &mut Tree,
    sink: &mut Sink,
) {
    let mut resources = vec![cluster::namespace(cluster, tree)];
    for proxy in proxies {
        let Some(rendered) = input.rendered.get(&proxy.name) else {
            // The backend has reported why it rendered nothing.
            continue;
        };
        limits::check_size(proxy, rendered, sink);
        match &proxy.deployment {
            Deployment::Gateway(gateway) => {
                resources.push(gateway::render(cluster, proxy, gateway, rendered, tree));
            }
            Deployment::Sidecar(sidecar) => {
                sidecar::render(cluster, proxy, sidecar, rendered, tree);
                resources.extend(companion::render(cluster, sidecar, tree));
                resources.extend(workload::render(cluster, sidecar, tree));
            }
        }
    }
    resources.push(guard::render(cluster, tree));
    resources.push(trust::render(cluster, input.trust, tree));
    if let Some(files) = input.rate_limits.get(&cluster.name) {
        resources.push(rate_limit::render(cluster, proxies, files, tree));
    }
    cluster::kustomization(cluster, resources, tree);
    guide::render(input, cluster, proxies, tree);
}
