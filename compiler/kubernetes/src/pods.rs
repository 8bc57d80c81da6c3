//! What pods are made of, for digests: whatever is in a pod template, and nothing that a proxy reads again while it runs.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::hash::{Hash, Hasher};

use meshc_plan::{
    ApplicationPort, ClusterPlan, Deployment, GatewayDeployment, GatewayPortPlan, ProxyPlan,
    SidecarDeployment,
};
use meshc_vocabulary::model::Workload;

use crate::container;
use crate::sidecar::redirects;

/// Feeds what the pods of a proxy are made of: if it changes, Kubernetes replaces them.
pub fn hash_pods<H: Hasher>(cluster: &ClusterPlan, proxy: &ProxyPlan, state: &mut H) {
    let ProxyPlan {
        name,
        // Which files a proxy reads.
        role: _,
        cluster: _,
        data_plane,
        ip_family: _,
        locality: _,
        memory,
        identity,
        listeners: _,
        upstreams: _,
        capture: _,
        host_aliases,
        trusted_hops: _,
        rate_limit_upstream: _,
        deployment,
        origin: _,
    } = proxy;
    let redirected = redirects(proxy).then_some(cluster.ip_family);
    (name, data_plane, memory, host_aliases, redirected).hash(state);
    identity.as_ref().map(|identity| &identity.secret).hash(state);
    (proxy.outside_secrets().all(), container::knows_sleep(cluster)).hash(state);
    match deployment {
        Deployment::Sidecar(sidecar) => of_sidecar(sidecar, state),
        Deployment::Gateway(gateway) => of_gateway(gateway, state),
    }
}

fn of_sidecar<H: Hasher>(sidecar: &SidecarDeployment, state: &mut H) {
    let SidecarDeployment {
        owner,
        namespace,
        service,
        subset,
        // The user's workload has its account; the proxy's is in the name of its Secret.
        account: _,
        workloads,
        // Other pods stay as they are.
        replicas: _,
        ports,
        probes,
        scrape,
        redirected_for: _,
        lowest_privileged_port,
    } = sidecar;
    (owner, namespace, service, subset, ports.is_empty()).hash(state);
    for workload in workloads {
        let Workload { origin: _, kind, name, container, image, labels, annotations } = workload;
        (kind, name, container, image, labels, annotations).hash(state);
        if image.is_some() {
            for port in ports {
                let ApplicationPort { name, number: _, target, protocol: _, bind: _, mtls: _, origin: _ } =
                    port;
                (name, target).hash(state);
            }
        }
    }
    for probe in probes {
        // The path is asked for by the proxy.
        (probe.kind, probe.timeout).hash(state);
    }
    (scrape.is_some(), lowest_privileged_port.is_some()).hash(state);
}

fn of_gateway<H: Hasher>(gateway: &GatewayDeployment, state: &mut H) {
    let GatewayDeployment {
        name: _,
        object,
        account,
        replicas: _,
        autoscale: _,
        service: _,
        resources,
        addresses: _,
        ports,
        server_tls_secrets,
        client_ca_secrets,
        labels,
        annotations,
    } = gateway;
    (object, account, resources, server_tls_secrets, client_ca_secrets, labels, annotations).hash(state);
    for port in ports {
        // The Service has the number, and those of nodes.
        let GatewayPortPlan { name, number: _, listen, node_port: _ } = port;
        (name, listen).hash(state);
    }
}
