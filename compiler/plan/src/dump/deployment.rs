//! How proxies are deployed, as text.

use meshc_vocabulary::model::{
    Autoscale, ExternalTraffic, GatewayService, Resources, ServiceType, WorkloadKind,
};

use super::{Text, parts, words};
use crate::{
    ApplicationPort, Deployment, GatewayDeployment, GatewayPortPlan, Owner, RedirectedFor, SidecarDeployment,
};

pub(super) fn dump(text: &mut Text, deployment: &Deployment) {
    match deployment {
        Deployment::Sidecar(sidecar) => self::sidecar(text, sidecar),
        Deployment::Gateway(gateway) => self::gateway(text, gateway),
    }
}

fn sidecar(text: &mut Text, sidecar: &SidecarDeployment) {
    let SidecarDeployment {
        owner,
        namespace,
        service: _,
        subset: _,
        account,
        workloads,
        replicas,
        ports,
        probes,
        scrape,
        redirected_for,
        lowest_privileged_port,
    } = sidecar;
    let called = sidecar.called();
    text.line(format!("application {namespace}.{called}, account {account}, replicas {replicas}"));
    text.nested(|text| {
        match owner {
            Owner::User => {}
            Owner::Mesh => text.line("of the mesh"),
        }
        for workload in workloads {
            let kind = match workload.kind {
                WorkloadKind::Deployment => "Deployment",
                WorkloadKind::StatefulSet => "StatefulSet",
                WorkloadKind::DaemonSet => "DaemonSet",
                WorkloadKind::Rollout => "Rollout",
                WorkloadKind::Job => "Job",
                WorkloadKind::CronJob => "CronJob",
            };
            let line = [
                Some(format!("{kind} {}", workload.name)),
                workload.container.as_ref().map(|name| format!("container {name}")),
                workload.image.as_ref().map(|image| format!("image {}", image.value)),
            ];
            text.line(parts(line));
        }
        for ApplicationPort { name, number, target, protocol, bind, mtls, origin: _ } in ports {
            text.line(format!(
                "port {name} {number} -> {target}, {}, {}, mtls {}",
                words::protocol(*protocol),
                words::bind(*bind),
                words::mtls(*mtls),
            ));
        }
        for probe in probes {
            let timeout = words::duration(probe.timeout);
            text.line(format!(
                "{} probe {} at {}, {timeout}",
                words::probe(probe.kind),
                probe.path,
                probe.port
            ));
        }
        if let Some(scrape) = scrape {
            text.line(format!("metrics {} at {}", scrape.path, scrape.port));
        }
        match redirected_for {
            Some(RedirectedFor::HeldPort(port)) => {
                text.line(format!("redirected, since it listens on port {port} and calls it"));
            }
            Some(RedirectedFor::Ipv6) => text.line("redirected, since its pods have IPv6 addresses alone"),
            None => {}
        }
        if let Some(port) = lowest_privileged_port {
            text.line(format!("lowest privileged port {port}"));
        }
    });
}

fn gateway(text: &mut Text, gateway: &GatewayDeployment) {
    let GatewayDeployment {
        name,
        object,
        account,
        replicas,
        autoscale,
        service,
        resources,
        addresses,
        ports,
        server_tls_secrets,
        client_ca_secrets,
        labels,
        annotations,
    } = gateway;
    text.line(format!("gateway {name}, objects {object}, account {account}, replicas {replicas}"));
    text.nested(|text| {
        if let Some(Autoscale { origin: _, most, cpu, memory }) = autoscale {
            let share = |what: &str, share: &Option<u8>| share.map(|share| format!("{what} at {share} %"));
            let shares = [share("processor", cpu), share("memory", memory)];
            text.line(parts([Some(format!("at most {most} replicas"))].into_iter().chain(shares)));
        }
        gateway_service(text, service);
        gateway_resources(text, resources);
        for address in addresses {
            text.line(format!("address {address}"));
        }
        for GatewayPortPlan { name, number, listen, node_port } in ports {
            let node_port = node_port.map(|number| format!("at nodes {number}"));
            text.line(parts([Some(format!("port {name} {number} -> {listen}")), node_port]));
        }
        for secret in server_tls_secrets {
            text.line(format!("server certificate {secret}"));
        }
        for secret in client_ca_secrets {
            text.line(format!("roots of clients {secret}"));
        }
        for (key, value) in labels {
            text.line(format!("label {key} = {value}"));
        }
        for (key, value) in annotations {
            text.line(format!("annotation of pods {key} = {value}"));
        }
    });
}

pub(super) fn gateway_service(text: &mut Text, service: &GatewayService) {
    let GatewayService { kind, class, annotations, external_traffic, sources } = service;
    let kind = match kind {
        ServiceType::LoadBalancer => "load balancer",
        ServiceType::NodePort => "ports of nodes",
        ServiceType::ClusterIp => "inside only",
    };
    let traffic = match external_traffic {
        ExternalTraffic::Cluster => None,
        ExternalTraffic::Local => Some(String::from("local pods only")),
    };
    let class = class.as_ref().map(|class| format!("class {}", class.value));
    text.line(parts([Some(format!("reached by {kind}")), class, traffic]));
    for (key, value) in annotations {
        text.line(format!("annotation {key} = {value}"));
    }
    for source in sources {
        text.line(format!("from {source}"));
    }
}

pub(super) fn gateway_resources(text: &mut Text, resources: &Resources) {
    let Resources { cpu, cpu_limit, memory, memory_limit } = resources;
    let all = [("cpu", cpu), ("cpu limit", cpu_limit), ("memory", memory), ("memory limit", memory_limit)];
    for (what, number) in all {
        if let Some(number) = number {
            text.line(format!("{what} {number}"));
        }
    }
}
