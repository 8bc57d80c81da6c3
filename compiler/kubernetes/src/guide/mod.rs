//! A guide beside the manifests: what a cluster needs, what to apply and in which order, how to see that it works, and
//! how to take things away.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use meshc_plan::paths::METRICS_PORT;
use meshc_plan::{
    ClusterPlan, Deployment, ListenerKind, OutsideSecrets, Owner, ProxyPlan, RedirectedFor, app_label,
};
use meshc_vocabulary::model::{DataPlane, Host, NetworkPolicyEnforcement};
use tera::{Context, Tera};

use crate::{Input, Tree, container, rate_limit, sidecar};

/// The guide's text.
const TEMPLATE: &str = include_str!("template.md");

/// How many Linux admits for each user by default.
const DEFAULT_INOTIFY_INSTANCES: u32 = 128;

/// Writes `README.md` into the cluster's folder.
pub(crate) fn render(input: &Input<'_>, tree: &mut Tree) {
    let Input { cluster, proxies, rate_limit, trust: _, inotify_instances } = *input;
    let mut sidecars = Vec::new();
    let mut redirected = Vec::new();
    let mut identities = BTreeSet::new();
    let mut written = false;
    let mut outside: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for proxy in proxies {
        let namespace = match &proxy.deployment {
            Deployment::Gateway(_) => &cluster.mesh_namespace,
            Deployment::Sidecar(deployed) => {
                written |= deployed.workloads.iter().any(|workload| workload.image.is_some());
                let workloads: Vec<String> = deployed
                    .workloads
                    .iter()
                    .filter(|workload| workload.image.is_none())
                    .map(|workload| format!("{} `{}`", sidecar::kind_word(workload.kind), workload.name))
                    .collect();
                if sidecar::redirects(proxy) {
                    let why = match deployed.redirected_for {
                        Some(RedirectedFor::HeldPort(port)) => format!(
                            " (chosen, since its pods listen on port {port}, which they call elsewhere)"
                        ),
                        Some(RedirectedFor::Ipv6) => {
                            String::from(" (chosen, since the loopback of IPv6 has one address)")
                        }
                        None => String::new(),
                    };
                    let name = format!("{}/{}", deployed.namespace, deployed.called());
                    redirected.push(entry(&[("name", &name), ("why", &why)]));
                }
                match deployed.owner {
                    // Its component is applied already.
                    Owner::Mesh => {}
                    Owner::User => sidecars.push(entry(&[
                        ("namespace", &deployed.namespace),
                        ("service", &deployed.called()),
                        ("workloads", &workloads.join(", ")),
                        ("path", &proxy.name.path),
                    ])),
                }
                &deployed.namespace
            }
        };
        let OutsideSecrets { roots, pairs } = proxy.outside_secrets();
        let roots = roots.into_iter().map(|secret| (secret, &["`ca.crt`"][..]));
        let pairs = pairs.into_iter().map(|secret| (secret, &["`tls.crt`", "`tls.key`"][..]));
        for (secret, keys) in roots.chain(pairs) {
            outside.entry(format!("{namespace}/{secret}")).or_default().extend(keys);
        }
        if let Some(identity) = &proxy.identity {
            identities.insert((identity.spiffe.to_string(), namespace.clone(), identity.secret.clone()));
        }
    }
    let identities: Vec<_> = identities
        .iter()
        .map(|(spiffe, namespace, secret)| {
            entry(&[("spiffe", spiffe), ("namespace", namespace), ("secret", secret)])
        })
        .collect();
    let outside: Vec<_> = outside
        .into_iter()
        .map(|(name, keys): (String, BTreeSet<&str>)| {
            let keys: Vec<_> = keys.into_iter().collect();
            entry(&[("name", &name), ("keys", &keys.join(", "))])
        })
        .collect();
    let mut context = Context::new();
    context.insert("outside", &outside);
    context.insert("cluster", &cluster.name);
    context.insert("mesh_namespace", &cluster.mesh_namespace);
    context.insert("namespaces", &namespaces(cluster));
    context.insert(
        "policies",
        &match cluster.network_policy {
            NetworkPolicyEnforcement::Enforced => true,
            NetworkPolicyEnforcement::None => false,
        },
    );
    context.insert("gateways", &gateways(proxies));
    context.insert("requests", &requests(proxies));
    context.insert("images", &images(rate_limit.is_some(), proxies));
    context.insert("envoy", &proxies.iter().any(|proxy| is_envoy(proxy)));
    let instances = inotify_instances.max(1);
    context.insert("instances", &instances);
    context.insert("default_instances", &DEFAULT_INOTIFY_INSTANCES);
    context.insert("pods", &(DEFAULT_INOTIFY_INSTANCES / instances));
    context.insert("service_label", &app_label("").0);
    context.insert("metrics_port", &METRICS_PORT);
    context.insert("rate_limit", &rate_limit.is_some());
    context.insert("written", &written);
    context.insert("pause", &container::knows_sleep(cluster));
    context.insert("own_pause", sidecar::OWN_PAUSE);
    context.insert("seconds", &sidecar::PAUSE_SECONDS);
    context.insert("kubernetes", &format!("{}.{}", cluster.kubernetes.major, cluster.kubernetes.minor));
    context.insert("sidecars", &sidecars);
    context.insert("redirected", &redirected);
    context.insert("identities", &identities);
    // The template is a constant and every name in it is inserted above; a test renders it.
    if let Ok(text) = Tera::one_off(TEMPLATE, &context, false) {
        tree.insert(format!("{}/README.md", cluster.name), text);
    }
}

fn entry(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The user's own namespaces.
fn namespaces(cluster: &ClusterPlan) -> Vec<&String> {
    cluster.namespaces.iter().filter(|namespace| **namespace != cluster.mesh_namespace).collect()
}

fn is_envoy(proxy: &ProxyPlan) -> bool {
    match proxy.data_plane {
        DataPlane::Envoy => true,
        DataPlane::Meshd => false,
    }
}

/// Each gateway's name and the address that is asked for.
fn gateways(proxies: &[&ProxyPlan]) -> Vec<BTreeMap<String, String>> {
    let of_proxy = |proxy: &&ProxyPlan| match &proxy.deployment {
        Deployment::Gateway(gateway) => {
            let addresses: Vec<String> = gateway.addresses.iter().map(ToString::to_string).collect();
            Some(entry(&[("name", &gateway.object), ("address", &addresses.join(", "))]))
        }
        Deployment::Sidecar(_) => None,
    };
    proxies.iter().filter_map(of_proxy).collect()
}

/// A request for the first host of each ingress gateway, as arguments of curl.
fn requests(proxies: &[&ProxyPlan]) -> Vec<String> {
    let of_proxy = |proxy: &&ProxyPlan| {
        let Deployment::Gateway(gateway) = &proxy.deployment else { return None };
        let address = match gateway.addresses.first()? {
            Host::Ip(IpAddr::V6(address)) => format!("[{address}]"),
            address @ (Host::Ip(IpAddr::V4(_)) | Host::Name(_)) => address.to_string(),
        };
        let http = proxy.listeners.iter().find_map(|listener| match &listener.kind {
            ListenerKind::Http(http) => Some((listener.address.port(), http)),
            ListenerKind::Tcp(_)
            | ListenerKind::Inbound(_)
            | ListenerKind::PassThrough(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => None,
        });
        let (listen, http) = http?;
        let port = gateway.ports.iter().find(|port| port.listen == listen)?.number;
        let host = http.virtual_hosts.iter().flat_map(|host| host.hosts.iter()).next()?;
        let host = host.replace('*', "any");
        let scheme = if http.tls.is_some() { "https" } else { "http" };
        Some(format!("--connect-to {host}:{port}:{address}:{port} {scheme}://{host}:{port}/"))
    };
    proxies.iter().filter_map(of_proxy).collect()
}

/// Every image that the cluster's pods name, apart from the user's own.
fn images(limits: bool, proxies: &[&ProxyPlan]) -> Vec<BTreeMap<String, String>> {
    let redirects = proxies.iter().any(|proxy| sidecar::redirects(proxy));
    let wanted = [
        (container::ENVOY_IMAGE, "", proxies.iter().any(|proxy| is_envoy(proxy))),
        (
            container::MESHD_IMAGE,
            ", which `runtime/meshd/Containerfile` in meshc's repository makes",
            limits || redirects || !proxies.iter().all(|proxy| is_envoy(proxy)),
        ),
        (rate_limit::REDIS_IMAGE, ", where the rate limits' counters are", limits),
    ];
    let wanted = wanted.into_iter().filter(|(_, _, wanted)| *wanted);
    wanted.map(|(name, what, _)| entry(&[("name", name), ("what", what)])).collect()
}
