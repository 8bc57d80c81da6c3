//! The trust bundle: public, and needed by every proxy.

use std::collections::BTreeMap;

use meshc_plan::ClusterPlan;
use meshc_plan::paths::TRUST_CONFIG_MAP;
use meshc_yaml::{Stream, Value, map};

use crate::Tree;
use crate::metadata::generator;

/// Writes the bundle as a ConfigMap in each namespace that has a proxy; returns the folder.
pub(crate) fn render(cluster: &ClusterPlan, files: &BTreeMap<String, String>, tree: &mut Tree) -> String {
    let folder = format!("{}/trust", cluster.name);
    for (name, contents) in files {
        tree.insert(format!("{folder}/{name}"), contents.clone());
    }
    let generators = cluster
        .namespaces
        .iter()
        .map(|namespace| generator(TRUST_CONFIG_MAP, namespace, files.keys().cloned()));
    let document = map! {
        "apiVersion" => "kustomize.config.k8s.io/v1beta1",
        "kind" => "Kustomization",
        "configMapGenerator" => Value::List(generators.collect()),
    };
    tree.insert(format!("{folder}/kustomization.yaml"), Stream::new().document(document).emit());
    String::from("trust")
}
