//! How applications and gateways are deployed.

use meshc_plan::{
    ApplicationPort, Deployment, GatewayDeployment, GatewayPortPlan, Owner, SidecarDeployment, phrases,
};
use meshc_vocabulary::model::{Autoscale, Port, Scrape, Workload};

use crate::changes::Facts;
use crate::effect::Risk;
use crate::side::Side;

pub(super) fn tell(side: &Side<'_, '_>, owner: &str, deployment: &Deployment, facts: &mut Facts) {
    match deployment {
        Deployment::Sidecar(sidecar) => self::sidecar(side, owner, sidecar, facts),
        Deployment::Gateway(gateway) => self::gateway(owner, gateway, facts),
    }
}

fn sidecar(side: &Side<'_, '_>, owner: &str, sidecar: &SidecarDeployment, facts: &mut Facts) {
    let SidecarDeployment {
        owner: whose,
        // The name.
        namespace: _,
        service: _,
        subset: _,
        // Its identity.
        account: _,
        workloads,
        replicas,
        ports,
        // Those that its proxy answers.
        probes: _,
        scrape,
        // Capture.
        redirected_for: _,
        // A port of a callee.
        lowest_privileged_port: _,
    } = sidecar;
    match whose {
        Owner::User => {}
        // What counts for the mesh is told by limits.
        Owner::Mesh => return,
    }
    for workload in workloads {
        let Workload { origin: _, kind, name, container, image, labels, annotations } = workload;
        let container = container.as_ref().map(|name| format!(", container {name}"));
        let value = format!("{kind:?} {name}{}", container.unwrap_or_default());
        facts.tell(Risk::Deployment, owner, "workload", value);
        facts.tell_if(Risk::Deployment, owner, "image", image.as_ref().map(|image| image.value.as_str()));
        for (key, value) in labels {
            facts.tell(Risk::Deployment, owner, format!("label {key} of pods"), value.as_str());
        }
        for (key, value) in annotations {
            facts.tell(Risk::Deployment, owner, format!("annotation {key} of pods"), value.as_str());
        }
    }
    facts.tell(Risk::Deployment, owner, "replicas", replicas.to_string());
    let metrics = scrape.as_ref().map(|Scrape { origin: _, path: _, port }| port.to_string());
    facts.tell_if(Risk::Exposure, owner, "port of metrics", metrics);
    let mut names = Vec::new();
    for port in ports {
        let ApplicationPort { name, number, target, protocol, bind, mtls, origin } = port;
        let declared = Port {
            origin: origin.clone(),
            name: name.clone(),
            number: *number,
            target: *target,
            protocol: *protocol,
            bind: *bind,
            mtls: *mtls,
        };
        let label = side.labels.port(owner, &declared);
        facts.tell(Risk::Routing, &label, "port", number.to_string());
        facts.tell(Risk::Deployment, &label, "port of the application", target.to_string());
        facts.tell(Risk::Routing, &label, "protocol", phrases::protocol(*protocol));
        facts.tell(Risk::Exposure, &label, "application listens on", phrases::bind(*bind));
        facts.tell(Risk::Mtls, &label, "mTLS", phrases::mtls(*mtls));
        names.push(label);
    }
    names.sort();
    let names =
        (!names.is_empty()).then(|| if names.len() == 1 { String::from("one") } else { names.join(" ") });
    facts.tell_if(Risk::Deployment, owner, "ports", names);
}

fn gateway(owner: &str, gateway: &GatewayDeployment, facts: &mut Facts) {
    let GatewayDeployment {
        // The name.
        name: _,
        object: _,
        // Its identity.
        account: _,
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
    facts.tell(Risk::Deployment, owner, "replicas", replicas.to_string());
    let autoscale = autoscale.as_ref().map(|Autoscale { origin: _, most, cpu, memory }| {
        let share = |what: &str, share: &Option<u8>| share.map(|share| format!(", {what} at {share} %"));
        let (cpu, memory) = (share("processor", cpu), share("memory", memory));
        format!("at most {most} replicas{}{}", cpu.unwrap_or_default(), memory.unwrap_or_default())
    });
    facts.tell_if(Risk::Deployment, owner, "autoscaling", autoscale);
    facts.tell(Risk::Exposure, owner, "Service", phrases::gateway_service(service).join(", "));
    let resources = phrases::resources(resources);
    facts.tell_if(
        Risk::Deployment,
        owner,
        "resources",
        (!resources.is_empty()).then(|| resources.join(", ")),
    );
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    facts.tell(Risk::Exposure, owner, "addresses", addresses.join(" "));
    for GatewayPortPlan { name, number, listen: _, node_port } in ports {
        let node_port = node_port.map(|number| format!(", {number} at nodes")).unwrap_or_default();
        facts.tell(Risk::Exposure, owner, format!("port {name}"), format!("{number}{node_port}"));
    }
    let list = |secrets: &[String]| (!secrets.is_empty()).then(|| secrets.join(" "));
    facts.tell_if(Risk::Trust, owner, "Secrets with certificates", list(server_tls_secrets));
    facts.tell_if(Risk::Trust, owner, "Secrets with roots of clients", list(client_ca_secrets));
    for (key, value) in labels {
        facts.tell(Risk::Deployment, owner, format!("label {key}"), value.as_str());
    }
    for (key, value) in annotations {
        facts.tell(Risk::Deployment, owner, format!("annotation {key} of pods"), value.as_str());
    }
}
