//! The Secrets read back as YAML carry exactly what the key directory holds.

use crate::support::{issued, new_year, text, two_clusters};
use meshc_pki::{KeyDirectory, PkiError, SecretManifest, export_cacerts, export_identities, init, layout};
use serde_json::{Value, json};

fn parse(manifest: &SecretManifest) -> Value {
    serde_yaml::from_str(&manifest.text).unwrap()
}

#[test]
fn each_identity_becomes_a_tls_secret_in_its_namespace() {
    let request = two_clusters();
    let directory = issued(&request, new_year());
    let manifests = export_identities(&request.clusters[0], &directory).unwrap();
    let names: Vec<String> = manifests.iter().map(|m| format!("{}/{}", m.namespace, m.name)).collect();
    assert_eq!(
        names,
        [
            "istioinaction/mesh-id-webapp",
            "istioinaction/mesh-id-simple-backend",
            "mesh-system/mesh-id-west-ingress"
        ]
    );
    let expected = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "mesh-id-webapp", "namespace": "istioinaction" },
        "type": "kubernetes.io/tls",
        "stringData": {
            "tls.crt": text(&directory, "west/identities/istioinaction/webapp/tls.crt"),
            "tls.key": text(&directory, "west/identities/istioinaction/webapp/tls.key"),
        },
    });
    assert_eq!(parse(&manifests[0]), expected);
    assert!(manifests[0].text.contains("tls.key: |\n"), "PEM stays readable");
    assert!(!format!("{:?}", manifests[0]).contains("PRIVATE"), "keys must not reach logs");
}

#[test]
fn istio_gets_exactly_its_four_files() {
    let request = two_clusters();
    let directory = issued(&request, new_year());
    let manifest = export_cacerts(&request.clusters[1], &directory).unwrap();
    let paths = layout::intermediate("east").unwrap();
    let (intermediate, root) = (text(&directory, &paths.certificate), text(&directory, layout::ROOTS));
    let expected = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "cacerts", "namespace": "istio-system" },
        "type": "Opaque",
        "stringData": {
            "ca-cert.pem": intermediate,
            "ca-key.pem": text(&directory, &paths.key),
            "root-cert.pem": root,
            "cert-chain.pem": format!("{intermediate}{root}"),
        },
    });
    assert_eq!(parse(&manifest), expected);
}

#[test]
fn nothing_is_exported_from_an_incomplete_or_mixed_up_directory() {
    let request = two_clusters();
    let only_authorities = init(&request, &KeyDirectory::new(), new_year()).unwrap().directory;
    let missing = export_identities(&request.clusters[0], &only_authorities).unwrap_err();
    assert_eq!(
        missing,
        PkiError::Missing { path: "west/identities/istioinaction/webapp/tls.crt".to_owned() }
    );
    let mut mixed = issued(&request, new_year());
    let other_key = text(&mixed, "west/identities/istioinaction/simple-backend/tls.key");
    mixed.insert("west/identities/istioinaction/webapp/tls.key", other_key, 0o600);
    let error = export_identities(&request.clusters[0], &mixed).unwrap_err();
    assert!(matches!(error, PkiError::Unreadable { path, .. } if path.ends_with("webapp/tls.key")));
}
