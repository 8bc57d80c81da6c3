//! The cluster's own namespace and the kustomization that joins everything.

use meshc_plan::ClusterPlan;
use meshc_yaml::{Stream, Value, map};

use crate::Tree;
use crate::metadata::{managed, object, texts};

/// Writes the mesh's namespace; returns its path below the cluster's folder.
pub(crate) fn namespace(cluster: &ClusterPlan, tree: &mut Tree) -> String {
    let metadata = map! { "name" => cluster.mesh_namespace.as_str(), "labels" => managed(&[]) };
    let document = Value::from(object("v1", "Namespace", metadata));
    tree.insert(format!("{}/namespace.yaml", cluster.name), Stream::new().document(document).emit());
    String::from("namespace.yaml")
}

/// Writes the cluster's kustomization over the given paths.
pub(crate) fn kustomization(cluster: &ClusterPlan, mut resources: Vec<String>, tree: &mut Tree) {
    resources.sort();
    let document = map! {
        "apiVersion" => "kustomize.config.k8s.io/v1beta1",
        "kind" => "Kustomization",
        "resources" => texts(resources),
    };
    tree.insert(format!("{}/kustomization.yaml", cluster.name), Stream::new().document(document).emit());
}
