//! What a cluster or a ConfigMap cannot carry.

use lang_diagnostics::{Diagnostic, Sink};
use meshc_plan::{ClusterPlan, Deployment, Plan, ProxyPlan, RenderedProxy, SidecarDeployment};
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
    let callees = proxy.upstreams.len();
    if bytes > CONFIG_MAP_BYTES {
        let message =
            format!("the configuration of `{}` takes {kibibytes} KiB, a ConfigMap holds 1,024", proxy.name);
        sink.push(
            Diagnostic::error(codes::CONFIG_TOO_LARGE, proxy.origin.span, message)
                .label(format!("it connects to {callees} upstreams"))
                .help("declare fewer calls, or split the service"),
        );
    } else if bytes > ANNOTATION_BYTES {
        let message = format!(
            "the configuration of `{}` takes {kibibytes} KiB: too much for client-side apply",
            proxy.name
        );
        sink.push(
            Diagnostic::warning(codes::CONFIG_LARGE, proxy.origin.span, message)
                .label(format!("it connects to {callees} upstreams"))
                .help("apply with `kubectl apply --server-side -k`"),
        );
    }
}

/// Whether the workloads that meshc is to write are of a kind that it writes.
fn check_workloads(sidecar: &SidecarDeployment, sink: &mut Sink) {
    for workload in &sidecar.workloads {
        let Some(image) = &workload.image else { continue };
        match workload.kind {
            WorkloadKind::Deployment => {}
            WorkloadKind::StatefulSet
            | WorkloadKind::DaemonSet
            | WorkloadKind::Job
            | WorkloadKind::CronJob => {
                sink.push(
                    Diagnostic::error(
                        codes::WORKLOAD_KIND,
                        image.span,
                        format!("meshc writes only Deployments, and `{}` is none", workload.name),
                    )
                    .label("this asks meshc to write the workload")
                    .help("leave `image` out and write the workload yourself"),
                );
            }
        }
    }
}
