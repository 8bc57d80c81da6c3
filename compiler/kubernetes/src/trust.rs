//! The trust bundle: public, and needed by every proxy.

use meshc_plan::ClusterPlan;
use meshc_plan::paths::TRUST_CONFIG_MAP;
use meshc_yaml::{Stream, Value, map};

use crate::Tree;
use crate::metadata::generator;

/// Writes the bundle as a ConfigMap in each namespace that has a proxy; returns the folder.
pub(crate) fn render(cluster: &ClusterPlan, roots: &str, tree: &mut Tree) -> String {
    let folder = format!("{}/trust", cluster.name);
    tree.insert(format!("{folder}/roots.pem"), roots.to_owned());
    let file = || [String::from("roots.pem")];
    let generators =
        cluster.namespaces.iter().map(|namespace| generator(TRUST_CONFIG_MAP, namespace, file()));
    let document = map! {
        "apiVersion" => "kustomize.config.k8s.io/v1beta1",
        "kind" => "Kustomization",
        "configMapGenerator" => Value::List(generators.collect()),
    };
    tree.insert(format!("{folder}/kustomization.yaml"), Stream::new().document(document).emit());
    String::from("trust")
}
