//! What stands beside a user's service: a headless Service over the sidecars, and a NetworkPolicy that closes the
//! application's own ports.

use meshc_plan::paths::{INBOUND_PORT, METRICS_PORT, READINESS_PORT};
use meshc_plan::{ClusterPlan, SidecarDeployment, app_label, companion_service};
use meshc_vocabulary::model::{Mtls, NetworkPolicyEnforcement};
use meshc_yaml::{Map, Stream, Value, list, map};

use crate::Tree;
use crate::families::with_families;
use crate::metadata::{labels, metadata, object};
use crate::sidecar::instance;

/// The file of both below the cluster's folder. A client offers nothing and has none.
pub(crate) fn file(sidecar: &SidecarDeployment) -> Option<String> {
    let offers = !sidecar.ports.is_empty();
    offers.then(|| format!("services/{}/{}.yaml", sidecar.namespace, sidecar.called()))
}

/// Writes both.
pub(crate) fn render(cluster: &ClusterPlan, sidecar: &SidecarDeployment, tree: &mut Tree) {
    let Some(file) = file(sidecar) else { return };
    let named = sidecar.object_name();
    let name = companion_service(&named);
    let (key, value) = app_label(&named);
    let own = [(key.as_str(), value.as_str())];
    let instance = instance::value(sidecar);
    let pods = [(key.as_str(), value.as_str()), (instance::LABEL, instance.as_str())];
    let ports = list![map! { "name" => "mesh", "port" => INBOUND_PORT, "targetPort" => INBOUND_PORT }];
    let spec = Map::new().with("clusterIP", "None").with("selector", labels(&pods)).with("ports", ports);
    let service = object("v1", "Service", metadata(&name, &sidecar.namespace, &own))
        .with("spec", with_families(spec, cluster));
    let mut documents = vec![Value::from(service)];
    match cluster.network_policy {
        NetworkPolicyEnforcement::None => {}
        NetworkPolicyEnforcement::Enforced => {
            // Strict ports stay closed: only the sidecar is reachable. Policies add up, so whoever needs another port
            // of the pod can open it with a policy of their own.
            let mut ports = vec![INBOUND_PORT, READINESS_PORT, METRICS_PORT];
            for port in &sidecar.ports {
                match port.mtls {
                    Mtls::Strict => {}
                    Mtls::Permissive | Mtls::Off => ports.push(port.target),
                }
            }
            ports.sort_unstable();
            ports.dedup();
            documents.push(network_policy(&name, &sidecar.namespace, &own, &[rule(&ports, None)]));
        }
    }
    tree.insert(format!("{}/{file}", cluster.name), Stream::new().documents(documents).emit());
}

/// A policy that lets in what its rules admit.
pub(crate) fn network_policy(
    name: &str,
    namespace: &str,
    selector: &[(&str, &str)],
    rules: &[Value],
) -> Value {
    let spec = map! {
        "podSelector" => map! { "matchLabels" => labels(selector) },
        "policyTypes" => list!["Ingress"],
        "ingress" => Value::List(rules.to_vec()),
    };
    Value::from(
        object("networking.k8s.io/v1", "NetworkPolicy", metadata(name, namespace, selector))
            .with("spec", spec),
    )
}

/// A rule that admits connections to these ports, from the given peers or from everywhere.
pub(crate) fn rule(ports: &[u16], from: Option<Value>) -> Value {
    let ports = ports.iter().map(|port| map! { "port" => *port, "protocol" => "TCP" }).collect();
    let mut rule = Map::new().with("ports", Value::List(ports));
    if let Some(peers) = from {
        rule.insert("from", peers);
    }
    Value::from(rule)
}
