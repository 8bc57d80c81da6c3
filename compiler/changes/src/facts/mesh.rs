//! What is so of the mesh as a whole: trust, clusters, links, and what there is.

use std::collections::BTreeSet;
use std::time::Duration;

use meshc_plan::phrases;
use meshc_vocabulary::model::{
    Callee, Cluster, ClusterState, ExternalHost, Gateway, GatewayRole, Issuer, IssuerFiles, Link, Mesh,
    Model, NetworkPolicyEnforcement, Platform, Presence, Trust,
};

use crate::changes::{Change, Facts};
use crate::effect::Risk;
use crate::side::Side;

/// What differs of the mesh itself.
pub(crate) fn compare(old: &Side<'_, '_>, new: &Side<'_, '_>) -> Vec<Change> {
    let mut changes = told(old).changes(&told(new));
    // Another trust domain of a cluster is told of the cluster, and not once more of each service there.
    let moved: BTreeSet<String> =
        changes.iter().filter(|one| one.aspect == RUNS_IN).map(|one| one.subject.clone()).collect();
    changes.retain(|change| change.aspect != IDENTITIES || moved.contains(&change.subject));
    changes
}

/// Where a service has pods.
const RUNS_IN: &str = "runs in";

/// By which rules about a service mean more or fewer identities, though they are written as they were.
const IDENTITIES: &str = "identities in trust domains";

/// What there is, so that whatever comes or goes is told.
const MESH: &str = "the mesh";

fn told(side: &Side<'_, '_>) -> Facts {
    let mut facts = Facts::default();
    let Model {
        mesh,
        trust,
        networks: _,
        clusters,
        gateways,
        links,
        // Their services.
        namespaces: _,
        services,
        // Limits.
        limiter: _,
        externals,
        // What they come to is in the plan.
        routes: _,
        policies: _,
        defaults: _,
    } = side.world.model;
    self::mesh(side, mesh, trust, &mut facts);
    for (_, cluster) in clusters.iter() {
        self::cluster(side, cluster, &mut facts);
    }
    for plan in &side.world.plan.clusters {
        let subject = format!("cluster {}", plan.name);
        facts.tell(Risk::Trust, &subject, "believes identities of", plan.trust_domains.join(" "));
    }
    for (id, gateway) in gateways.iter() {
        let name = side.world.model.gateway_name(id);
        facts.declare(Risk::Exposure, &name, "gateway", role(gateway));
    }
    for link in links {
        self::link(side, link, &mut facts);
    }
    for (id, service) in services.iter() {
        let name = side.world.model.service_name(id);
        if side.is_limiter(&name) {
            continue;
        }
        let mut places: Vec<&str> =
            service.clusters.iter().map(|presence| clusters.at(presence.cluster).name.as_str()).collect();
        places.sort_unstable();
        facts.declare(Risk::Routing, &name, RUNS_IN, places.join(", "));
        let identities = side.identities(&name);
        let domains: BTreeSet<&str> = identities.iter().map(|one| one.trust_domain.as_str()).collect();
        let domains: Vec<&str> = domains.into_iter().collect();
        facts.tell_if(Risk::Trust, &name, IDENTITIES, (!domains.is_empty()).then(|| domains.join(", ")));
        for Presence { cluster, span: _, replicas: _, addresses } in &service.clusters {
            if !addresses.is_empty() {
                let addresses: Vec<String> =
                    addresses.iter().map(|address| address.value.to_string()).collect();
                let aspect = format!("machines in {}", clusters.at(*cluster).name);
                facts.tell(Risk::Deployment, &name, aspect, addresses.join(" "));
            }
        }
        facts.tell_if(
            Risk::Routing,
            &name,
            "virtual address",
            service.vip.as_ref().map(|vip| vip.value.to_string()),
        );
    }
    for (id, external) in externals.iter() {
        self::external(side, &side.world.model.callee_name(Callee::External(id)), external, &mut facts);
    }
    facts
}

fn mesh(side: &Side<'_, '_>, mesh: &Mesh, trust: &Trust, facts: &mut Facts) {
    let Mesh {
        origin: _,
        // No proxy has it.
        name: _,
        // Those of clusters.
        trust_domain: _,
        data_plane: _,
        namespace,
        // That of each service.
        capture: _,
        // A claim, which the check proves: no proxy has it.
        max_amplification: _,
        rate_limits,
    } = mesh;
    facts.tell(Risk::Deployment, MESH, "namespace of its own", namespace.as_str());
    let counts = rate_limits.as_ref().map(|cluster| side.world.model.clusters.at(cluster.value).name.clone());
    facts.tell_if(Risk::Limits, MESH, "limits of the mesh are counted in", counts);
    let Trust {
        origin: _,
        name: _,
        issuer,
        root_common_name,
        root_lifetime,
        intermediate_lifetime,
        workload_lifetime,
    } = trust;
    let issuer = match issuer {
        Issuer::Builtin => String::from("meshc"),
        Issuer::Files(IssuerFiles { directory }) => format!("files in {}", directory.value),
        Issuer::CertManager => String::from("cert-manager"),
    };
    facts.tell(Risk::Trust, MESH, "issuer of certificates", issuer);
    facts.tell(Risk::Trust, MESH, "name of the root", root_common_name.as_str());
    let lifetimes = [
        ("lifetime of the root", root_lifetime),
        ("lifetime of intermediates", intermediate_lifetime),
        ("lifetime of certificates", workload_lifetime),
    ];
    for (aspect, lifetime) in lifetimes {
        facts.tell(Risk::Trust, MESH, aspect, self::lifetime(lifetime.value));
    }
}

fn lifetime(lifetime: Duration) -> String {
    let hours = lifetime.as_secs() / 3600;
    match (lifetime.as_secs() % 3600, hours % 24) {
        (0, 0) => format!("{} days", hours / 24),
        (0, _) => format!("{hours}h"),
        _ => phrases::duration(lifetime),
    }
}

fn cluster(side: &Side<'_, '_>, cluster: &Cluster, facts: &mut Facts) {
    let model = side.world.model;
    let Cluster {
        origin: _,
        name,
        network,
        region,
        zone,
        domain,
        domain_resolvable,
        ip_family,
        kubernetes,
        network_policy,
        platform,
        state,
        trust_domain,
        data_plane,
        data_plane_origin: _,
    } = cluster;
    let subject = format!("cluster {name}");
    let subject = subject.as_str();
    facts.declare(Risk::Deployment, subject, "cluster", "part of the mesh");
    facts.tell(Risk::Routing, subject, "network", model.networks.at(*network).name.as_str());
    facts.tell(Risk::Routing, subject, "locality", format!("{region}/{zone}"));
    facts.tell(Risk::Routing, subject, "domain", domain.as_str());
    if *domain_resolvable {
        facts.tell(Risk::Routing, subject, "domain is resolved by", "other clusters");
    }
    facts.tell(Risk::Routing, subject, "addresses", ip_family.words());
    let version = format!("{}.{}", kubernetes.major, kubernetes.minor);
    facts.tell(Risk::Deployment, subject, "Kubernetes", version);
    let enforced = match network_policy {
        NetworkPolicyEnforcement::Enforced => "enforced",
        NetworkPolicyEnforcement::None => "not enforced",
    };
    facts.tell(Risk::Exposure, subject, "network policies", enforced);
    let platform = match platform {
        Platform::Kubernetes => "Kubernetes",
        Platform::Machines => "machines",
    };
    facts.tell(Risk::Deployment, subject, "runs on", platform);
    let state = match state {
        ClusterState::Joining => "joining",
        ClusterState::Active => "active",
        ClusterState::Draining => "draining",
    };
    facts.tell(Risk::Routing, subject, "state", state);
    let domain = trust_domain.as_deref().unwrap_or(&model.mesh.trust_domain);
    facts.tell(Risk::Trust, subject, "trust domain", domain);
    facts.tell(Risk::Deployment, subject, "data plane", data_plane.unwrap_or(model.mesh.data_plane).word());
}

fn role(gateway: &Gateway) -> &'static str {
    match gateway.role {
        GatewayRole::Ingress => "takes requests from outside",
        GatewayRole::EastWest => "passes on calls between clusters",
        GatewayRole::Egress => "connects to hosts outside",
    }
}

fn link(side: &Side<'_, '_>, link: &Link, facts: &mut Facts) {
    let Link { origin: _, from, to, latency, cost } = link;
    let networks = &side.world.model.networks;
    let name = format!("link {} -> {}", networks.at(*from).name, networks.at(*to).name);
    let latency = latency.map(|latency| format!(", latency {}", phrases::duration(latency)));
    let cost = cost.map(|cost| format!(", cost {cost}"));
    let value = format!("there{}{}", latency.unwrap_or_default(), cost.unwrap_or_default());
    facts.declare(Risk::Routing, &name, "link", value);
}

fn external(side: &Side<'_, '_>, name: &str, external: &ExternalHost, facts: &mut Facts) {
    let ExternalHost {
        origin: _,
        name: _,
        namespace: _,
        hosts,
        addresses,
        fallback,
        through,
        vip,
        ports,
        // Those of calls.
        tls: _,
    } = external;
    facts.declare(Risk::Exposure, name, "host outside", "known");
    let hosts: Vec<&str> = hosts.iter().map(|host| host.value.as_str()).collect();
    facts.tell(Risk::Exposure, name, "hosts", hosts.join(" "));
    let list = |all: &[meshc_vocabulary::model::Host]| {
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    facts.tell(Risk::Exposure, name, "addresses", list(addresses));
    facts.tell_if(Risk::Exposure, name, "fallback", (!fallback.is_empty()).then(|| list(fallback)));
    let through = through.as_ref().map(|gateway| side.world.model.gateway_name(gateway.value));
    facts.tell_if(Risk::Routing, name, "goes through", through);
    facts.tell_if(Risk::Routing, name, "virtual address", vip.as_ref().map(|vip| vip.value.to_string()));
    for port in ports {
        let label = side.labels.port(name, port);
        let value = format!("{} to {}, {}", port.number, port.target, phrases::protocol(port.protocol));
        facts.tell(Risk::Exposure, &label, "port", value);
    }
}
