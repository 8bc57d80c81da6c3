//! What a cluster or a ConfigMap cannot carry.

use std::collections::BTreeSet;

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_plan::{
    ClusterPlan, Deployment, ListenerKind, Plan, ProxyPlan, RenderedProxy, Role, SidecarDeployment,
};
use meshc_vocabulary::model::WorkloadKind;

use crate::codes;

/// What a ConfigMap may hold, in bytes (Kubernetes documentation, "ConfigMaps": data cannot exceed 1 MiB). Names of
/// files count too; 16 KiB are left for them and the object's own fields.
const CONFIG_MAP_BYTES: usize = (1 << 20) - (16 << 10);
/// What the annotation of client-side apply may hold, in bytes (Kubernetes API: all annotations of an object
/// together).
const ANNOTATION_BYTES: usize = 256 << 10;

/// Reports everything that can be seen without rendering.
pub(crate) fn check(plan: &Plan, sink: &mut Sink) {
    for cluster in &plan.clusters {
        check_version(cluster, sink);
    }
    for proxy in &plan.proxies {
        match &proxy.deployment {
            Deployment::Sidecar(sidecar) => check_workloads(sidecar, sink),
            Deployment::Gateway(_) => {}
        }
    }
}

/// Native sidecars: `restartPolicy: Always` of init containers, on by default since Kubernetes 1.29.
fn check_version(cluster: &ClusterPlan, sink: &mut Sink) {
    let version = cluster.kubernetes;
    if (version.major, version.minor) < (1, 29) {
        let message = format!(
            "native sidecars need Kubernetes 1.29, and `{}` has {}.{}",
            cluster.name, version.major, version.minor
        );
        sink.push(
            Diagnostic::error(codes::OLD_KUBERNETES, cluster.origin.span, message)
                .label("this cluster is too old")
                .help("upgrade the cluster and set `kubernetes = \"1.29\"` or later"),
        );
    }
}

/// Whether a proxy's files fit a ConfigMap.
pub(crate) fn check_size(proxy: &ProxyPlan, rendered: &RenderedProxy, sink: &mut Sink) {
    let bytes: usize = rendered.files.iter().map(|(name, contents)| name.len() + contents.len()).sum();
    let kibibytes = bytes.div_ceil(1024);
    if bytes > CONFIG_MAP_BYTES {
        let message =
            format!("the configuration of `{}` takes {kibibytes} KiB, a ConfigMap holds 1024", proxy.name);
        let (what, asks, help) = size_of(proxy);
        let mut diagnostic =
            Diagnostic::error(codes::CONFIG_TOO_LARGE, proxy.origin.span, message).label(what);
        for origin in asks.iter().take(SHOWN) {
            diagnostic = diagnostic.also(origin.span, "this is one of them");
        }
        sink.push(diagnostic.help(help));
    } else if bytes > ANNOTATION_BYTES {
        let message = format!(
            "the configuration of `{}` takes {kibibytes} KiB: too much for client-side apply",
            proxy.name
        );
        sink.push(
            Diagnostic::warning(codes::CONFIG_LARGE, proxy.origin.span, message)
                .label(size_of(proxy).0)
                .help("apply with `kubectl apply --server-side -k`"),
        );
    }
}

/// How many of the things that make a configuration large are shown.
const SHOWN: usize = 3;

/// What makes a proxy's configuration as large as it is: in words, where it is asked for, and what to do about it.
fn size_of(proxy: &ProxyPlan) -> (String, Vec<&Origin>, &'static str) {
    let listeners = proxy.listeners.iter();
    let asks: BTreeSet<&Origin> = listeners
        .flat_map(|listener| match &listener.kind {
            ListenerKind::Http(http) if http.edge => {
                http.virtual_hosts.iter().flat_map(|host| &host.routes).map(|route| &route.origin).collect()
            }
            ListenerKind::Http(_) | ListenerKind::Tcp(_) => vec![&listener.origin],
            ListenerKind::PassThrough(all) => all.chains.iter().map(|chain| &chain.origin).collect(),
            ListenerKind::Inbound(_)
            | ListenerKind::Readiness(_)
            | ListenerKind::Redirected
            | ListenerKind::Metrics(_) => Vec::new(),
        })
        .collect();
    let (what, help) = match proxy.role {
        Role::Sidecar(_) => ("ports that it calls", "declare fewer calls, or split the service"),
        Role::IngressGateway(_) => ("rules of its routes", "spread the routes over several gateways"),
        Role::EgressGateway(_) => {
            ("ports of hosts outside", "spread the hosts over several gateways, with `through`")
        }
        Role::EastWestGateway(_) => {
            ("ports that other clusters call", "let fewer services be called from other clusters")
        }
    };
    let count = asks.len();
    (format!("it holds {count} {what}"), asks.into_iter().collect(), help)
}

/// Whether the workloads that meshc is to write are of a kind that it writes.
fn check_workloads(sidecar: &SidecarDeployment, sink: &mut Sink) {
    for workload in &sidecar.workloads {
        let Some(image) = &workload.image else { continue };
        match workload.kind {
            WorkloadKind::Deployment => {}
            WorkloadKind::StatefulSet
            | WorkloadKind::DaemonSet
            | WorkloadKind::Rollout
            | WorkloadKind::Job
            | WorkloadKind::CronJob => {
                sink.push(
                    Diagnostic::error(
                        codes::WORKLOAD_KIND,
                        image.span,
                        format!("meshc writes only Deployments, and `{}` is none", workload.name),
                    )
                    .label("meshc writes the workload because of this")
                    .help("leave `image` out and write the workload yourself"),
                );
            }
        }
    }
}
