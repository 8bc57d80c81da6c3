//! Names, labels and annotations that every object of ours carries.

use std::collections::BTreeMap;

use meshc_yaml::{Map, Value, map};

/// The label that says which of an operator's objects are meshc's.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label with the role of a pod: `ingress-gateway`, `east-west-gateway`, `rate-limit`, `rate-limit-redis`.
pub(crate) const COMPONENT: &str = "app.kubernetes.io/component";
/// The label with the name of a gateway or service of the mesh itself.
pub(crate) const NAME: &str = "app.kubernetes.io/name";

/// `metadata` of an object of ours.
pub(crate) fn metadata(name: &str, namespace: &str, labels: &[(&str, &str)]) -> Value {
    map! { "name" => name, "namespace" => namespace, "labels" => managed(labels) }
}

/// The same with annotations.
pub(crate) fn annotated(
    name: &str,
    namespace: &str,
    labels: &[(&str, &str)],
    annotations: &BTreeMap<String, String>,
) -> Value {
    let annotations: Map = annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    map! { "name" => name, "namespace" => namespace, "labels" => managed(labels), "annotations" => Value::from(annotations) }
}

/// The given labels and [`MANAGED_BY`], in order of name.
pub(crate) fn managed(labels: &[(&str, &str)]) -> Value {
    let mut all: Vec<(&str, &str)> = labels.to_vec();
    all.push((MANAGED_BY, "meshc"));
    all.sort_unstable();
    Value::from(all.into_iter().collect::<Map>())
}

/// Exactly the given labels.
pub(crate) fn labels(labels: &[(&str, &str)]) -> Value {
    Value::from(labels.iter().copied().collect::<Map>())
}

/// A document of a kind.
pub(crate) fn object(version: &str, kind: &str, metadata: Value) -> Map {
    Map::new().with("apiVersion", version).with("kind", kind).with("metadata", metadata)
}

/// A ConfigMap generator of kustomize without the hash that would roll pods at every edit.
pub(crate) fn generator(name: &str, namespace: &str, files: impl IntoIterator<Item = String>) -> Value {
    map! {
        "name" => name,
        "namespace" => namespace,
        "files" => Value::List(files.into_iter().map(Value::from).collect()),
        "options" => map! { "disableNameSuffixHash" => true },
    }
}

/// A list of texts.
pub(crate) fn texts(items: impl IntoIterator<Item = String>) -> Value {
    Value::List(items.into_iter().map(Value::from).collect())
}
