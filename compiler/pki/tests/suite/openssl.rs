//! The real `openssl verify` accepts every chain, for both ends of TLS, and refuses what it should refuse.

use std::time::SystemTime;

use crate::support::{self, describe, issued, openssl, text, two_clusters, write};
use meshc_pki::{KeyDirectory, layout};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// Strict RFC 5280 checking with one root and one intermediate, for one purpose.
fn verify(
    folder: &std::path::Path,
    purpose: &str,
    roots: &str,
    chain: &str,
    leaf: &str,
) -> std::process::Output {
    let arguments =
        ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", roots, "-untrusted", chain, leaf];
    openssl(folder, &arguments)
}

#[test]
fn openssl_accepts_every_chain_for_servers_and_clients() {
    let request = two_clusters();
    let folder = tempfile::tempdir().unwrap();
    write(&issued(&request, SystemTime::now()), folder.path());
    let mut verified = 0;
    for cluster in &request.clusters {
        let chain = layout::intermediate(&cluster.name).unwrap().chain;
        for identity in &cluster.identities {
            let leaf = layout::identity(&cluster.name, identity).unwrap().certificate;
            for purpose in ["sslserver", "sslclient"] {
                let output = verify(folder.path(), purpose, layout::ROOTS, &chain, &leaf);
                assert!(output.status.success(), "{leaf} as {purpose}: {}", describe(&output));
                verified += 1;
            }
        }
        // What peers are sent is enough: the leaf's own file carries the intermediate.
        let leaf = layout::identity(&cluster.name, &cluster.identities[0]).unwrap().certificate;
        let output = verify(folder.path(), "sslserver", layout::ROOTS, &leaf, &leaf);
        assert!(output.status.success(), "{leaf} with its own chain: {}", describe(&output));
    }
    assert_eq!(verified, 10);
}

#[test]
fn openssl_refuses_a_leaf_under_another_root() {
    let request = two_clusters();
    let folder = tempfile::tempdir().unwrap();
    write(&issued(&request, SystemTime::now()), &folder.path().join("ours"));
    write(&issued(&request, SystemTime::now()), &folder.path().join("theirs"));
    let chain = layout::intermediate("west").unwrap().chain;
    let leaf = layout::identity("west", &request.clusters[0].identities[0]).unwrap().certificate;
    let output = verify(
        folder.path(),
        "sslserver",
        "theirs/roots.pem",
        &format!("ours/{chain}"),
        &format!("ours/{leaf}"),
    );
    assert!(!output.status.success());
    assert!(describe(&output).contains("unable to get local issuer certificate"), "{}", describe(&output));
    // Another intermediate of the same name does not help, either.
    let output = verify(
        folder.path(),
        "sslserver",
        "theirs/roots.pem",
        &format!("theirs/{chain}"),
        &format!("ours/{leaf}"),
    );
    assert!(!output.status.success(), "{}", describe(&output));
}

#[test]
fn openssl_refuses_an_expired_leaf() {
    let request = two_clusters();
    let folder = tempfile::tempdir().unwrap();
    let long_ago = SystemTime::now() - support::DAY * 100;
    write(&issued(&request, long_ago), folder.path());
    let chain = layout::intermediate("west").unwrap().chain;
    let leaf = layout::identity("west", &request.clusters[0].identities[0]).unwrap().certificate;
    let output = verify(folder.path(), "sslserver", layout::ROOTS, &chain, &leaf);
    assert!(describe(&output).contains("certificate has expired"), "{}", describe(&output));
}

/// A stolen intermediate cannot make another authority: its path length is 0.
#[test]
fn openssl_refuses_an_authority_below_an_intermediate() {
    let request = two_clusters();
    let directory = issued(&request, SystemTime::now());
    let folder = tempfile::tempdir().unwrap();
    write(&directory, folder.path());
    let paths = layout::intermediate("west").unwrap();
    let thief = Issuer::from_ca_cert_pem(
        &text(&directory, &paths.certificate),
        KeyPair::from_pem(&text(&directory, &paths.key)).unwrap(),
    )
    .unwrap();
    let rogue_key = KeyPair::generate().unwrap();
    let rogue = authority("rogue");
    let rogue_certificate = rogue.signed_by(&rogue_key, &thief).unwrap();
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["victim".to_owned()])
        .unwrap()
        .signed_by(&leaf_key, &Issuer::from_params(&rogue, &rogue_key))
        .unwrap();
    let mut made = KeyDirectory::new();
    made.insert("rogue.pem", text(&directory, &paths.chain) + &rogue_certificate.pem(), 0o644);
    made.insert("leaf.pem", leaf.pem(), 0o644);
    write(&made, folder.path());
    let output =
        openssl(folder.path(), &["verify", "-CAfile", "roots.pem", "-untrusted", "rogue.pem", "leaf.pem"]);
    assert!(!output.status.success());
    assert!(describe(&output).contains("path length constraint exceeded"), "{}", describe(&output));
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.use_authority_key_identifier_extension = true;
    params
}
