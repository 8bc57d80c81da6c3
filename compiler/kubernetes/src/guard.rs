//! What makes kustomize refuse to rename the objects of this tree: proxies reach them by names that are in their
//! configuration, where no `namePrefix`, `nameSuffix` or `namespace` of an overlay changes them.
//!
//! kustomize has no such check, but it refuses a reference that could mean two objects. So three small ConfigMaps refer to
//! themselves by names that a second object has had, too. Which of the two is meant, kustomize tells from the prefixes and
//! suffixes that both have got: one object has one already, the other none, so as long as nothing is added there is no
//! doubt. What an overlay adds both get, and then they look alike. The third is called like the namespace, which
//! `namespace` renames and prefixes do not.
//!
//! Labels that an overlay adds to selectors (`commonLabels`, `includeSelectors`) would be as bad: companion Services and
//! NetworkPolicies would no longer find the applications' pods, which do not get those labels. kustomize hands the list of
//! fields that such labels go into on to the overlay, so a field that takes none makes it fail.

use meshc_plan::ClusterPlan;
use meshc_yaml::{Map, Stream, Value, list, map};

use crate::Tree;
use crate::metadata::{managed, object, texts};

/// The folder.
const FOLDER: &str = "guard";
/// The field that refers. kustomize names it in its error.
const FIELD: &str = "nothing-may-rename-this-tree";
/// The field that labels would go into. kustomize names it in its error.
const LABELS: &str = "nothing-may-add-labels-to-selectors";
/// The two that have a prefix and a suffix already: their folders, the names without it, the setting that adds it, and
/// what it adds.
const AFFIXED: [(&str, &str, &str, &str); 2] =
    [("prefix", "prefixes", "namePrefix", "guard."), ("suffix", "guard", "nameSuffix", ".suffixes")];

/// Writes the guard; returns its folder.
pub(crate) fn render(cluster: &ClusterPlan, tree: &mut Tree) -> String {
    let mut folders = Vec::new();
    for (own, name, setting, affix) in AFFIXED {
        let data = map! { FIELD => name };
        let kustomization = Map::new()
            .with("apiVersion", "kustomize.config.k8s.io/v1beta1")
            .with("kind", "Kustomization")
            .with("resources", texts([String::from("guard.yaml")]))
            .with(setting, affix);
        write(cluster, own, &config_map(cluster, name, data), &Value::from(kustomization), tree);
        folders.push(own.to_owned());
    }
    // The other object of each pair: it has had both names, and has neither prefix nor suffix.
    let names = AFFIXED.map(|(_, name, _, _)| name);
    let last = cluster.mesh_namespace.as_str();
    let renamings = names.iter().zip(names.iter().skip(1).copied().chain([last])).map(|(from, to)| {
        let operation = map! { "op" => "replace", "path" => "/metadata/name", "value" => to };
        map! {
            "target" => map! { "version" => "v1", "kind" => "ConfigMap", "name" => *from },
            "options" => map! { "allowNameChange" => true },
            "patch" => Stream::new().document(list![operation]).emit(),
        }
    });
    let kustomization = map! {
        "apiVersion" => "kustomize.config.k8s.io/v1beta1",
        "kind" => "Kustomization",
        "resources" => texts([String::from("guard.yaml")]),
        "patches" => Value::List(renamings.collect()),
    };
    let data = map! { "cluster" => cluster.name.as_str(), LABELS => "", FIELD => last };
    let first = names.first().copied().unwrap_or(last);
    write(cluster, "namespace", &config_map(cluster, first, data), &kustomization, tree);
    folders.push(String::from("namespace"));
    folders.sort();
    // Without a kind, so that the namespace is meant, too.
    let field = map! { "version" => "v1", "kind" => "ConfigMap", "path" => format!("data/{FIELD}") };
    let labels = map! {
        "version" => "v1",
        "kind" => "ConfigMap",
        "path" => format!("data/{LABELS}"),
        "create" => false,
    };
    let references = map! {
        "nameReference" => list![map! { "version" => "v1", "fieldSpecs" => list![field] }],
        "commonLabels" => list![labels],
    };
    let kustomization = map! {
        "apiVersion" => "kustomize.config.k8s.io/v1beta1",
        "kind" => "Kustomization",
        "resources" => texts(folders),
        "configurations" => texts([String::from("names.yaml")]),
    };
    let folder = format!("{}/{FOLDER}", cluster.name);
    tree.insert(format!("{folder}/names.yaml"), Stream::new().document(references).emit());
    tree.insert(format!("{folder}/kustomization.yaml"), Stream::new().document(kustomization).emit());
    FOLDER.to_owned()
}

fn config_map(cluster: &ClusterPlan, name: &str, data: Value) -> Value {
    let metadata = map! {
        "name" => name,
        "namespace" => cluster.mesh_namespace.as_str(),
        "labels" => managed(&[]),
    };
    Value::from(object("v1", "ConfigMap", metadata).with("data", data))
}

fn write(cluster: &ClusterPlan, own: &str, guard: &Value, kustomization: &Value, tree: &mut Tree) {
    let folder = format!("{}/{FOLDER}/{own}", cluster.name);
    tree.insert(format!("{folder}/guard.yaml"), Stream::new().document(guard.clone()).emit());
    tree.insert(format!("{folder}/kustomization.yaml"), Stream::new().document(kustomization.clone()).emit());
}
