//! `issuer = files`: what `openssl` makes, in the forms that users have, and with extensions of each kind.

use std::path::Path;
use std::time::SystemTime;

use meshc_pki::{BroughtCluster, BroughtTrust, KeyDirectory, adopt_files, issue, verify_files};

use crate::files::{file, request};
use crate::support::{describe, openssl, write};

/// A root and an intermediate made by `openssl`, in the formats that users have lying around: an EC key after its
/// parameters, an RSA key in PKCS #1, a certificate with text in front.
fn made_by_openssl(folder: &Path, extensions: &str) -> BroughtTrust {
    made_with(folder, extensions, "prime256v1", "sha256")
}

/// The same with another curve of the root's key, or another digest in the intermediate's signature.
fn made_with(folder: &Path, extensions: &str, curve: &str, digest: &str) -> BroughtTrust {
    let run = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let output = openssl(folder, &arguments);
        assert!(output.status.success(), "{arguments:?}: {}", describe(&output));
    };
    std::fs::write(folder.join("ca.cnf"), extensions).unwrap();
    run(&format!("ecparam -name {curve} -genkey -out root.key"));
    run("req -x509 -new -key root.key -subj /CN=Root -days 4000 -addext keyUsage=keyCertSign -out root.pem");
    run("genrsa -traditional -out west.key 2048");
    run("req -new -key west.key -subj /CN=West -out west.csr");
    run(&format!(
        "x509 -req -{digest} -in west.csr -CA root.pem -CAkey root.key -CAcreateserial -days 3000 -extfile ca.cnf \
         -out west.pem -text",
    ));
    let read = |name: &str| file(name, &std::fs::read_to_string(folder.join(name)).unwrap());
    let west = BroughtCluster {
        name: "west".to_owned(),
        certificate: read("west.pem"),
        key: read("west.key"),
        chain: None,
    };
    BroughtTrust { roots: vec![read("root.pem")], clusters: vec![west] }
}

const AUTHORITY: &str = "basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign\n";

#[test]
fn files_made_by_openssl_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let brought = made_by_openssl(folder.path(), AUTHORITY);
    assert!(brought.clusters[0].key.bytes.starts_with(b"-----BEGIN RSA PRIVATE KEY"));
    assert!(!brought.clusters[0].certificate.bytes.starts_with(b"-----BEGIN"));
    let now = SystemTime::now();
    let adopted = adopt_files(&brought, &request(), &KeyDirectory::new(), now).unwrap();
    let directory = issue(&request(), &adopted.directory, now).unwrap().directory;
    write(&directory, folder.path());
    let leaf = "west/identities/istioinaction/webapp/tls.crt";
    let output =
        openssl(folder.path(), &["verify", "-x509_strict", "-CAfile", "roots.pem", "-untrusted", leaf, leaf]);
    assert!(output.status.success(), "{}", describe(&output));
}

/// What is said of an intermediate with these extensions, each in the syntax of openssl's configuration.
fn said_of_intermediate(extensions: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let brought = made_by_openssl(folder.path(), &format!("{AUTHORITY}{extensions}\n"));
    let now = SystemTime::now();
    let said: Vec<_> = verify_files(&brought, &request(), now)
        .into_iter()
        .map(|problem| {
            assert_eq!(
                (problem.path.as_deref(), problem.cluster.as_deref()),
                (Some("west.pem"), Some("west"))
            );
            problem.kind.to_string()
        })
        .collect();
    let adopted = adopt_files(&brought, &request(), &KeyDirectory::new(), now);
    assert_eq!(adopted.is_ok(), said.is_empty(), "what is adopted is what nothing was said about");
    if let Ok(adopted) = adopted {
        // The verifier of the handshake agrees with what was said, since `issue` asks it about each certificate.
        issue(&request(), &adopted.directory, now).unwrap();
    }
    said
}

/// The same table as the one that both data planes are asked for in `tests/suite/conformance/certificates.rs`.
#[test]
fn extensions_that_a_data_plane_refuses_are_named() {
    let refused = [
        (
            "nameConstraints=permitted;URI:.example",
            "nameConstraints (2.5.29.30) on subjects or URIs, under which meshd accepts no workload certificate",
        ),
        (
            "nameConstraints=critical,permitted;dirName:company\n[company]\nO=Company",
            "nameConstraints (2.5.29.30) on subjects or URIs, under which meshd accepts no workload certificate",
        ),
        (
            "policyConstraints=critical,inhibitPolicyMapping:0",
            "the critical extension policyConstraints (2.5.29.36), which meshd does not process",
        ),
        (
            "policyConstraints=requireExplicitPolicy:0",
            "policyConstraints (2.5.29.36) with requireExplicitPolicy: workload certificates have no policy, so Envoy \
             accepts none",
        ),
        (
            "inhibitAnyPolicy=critical,0",
            "the critical extension inhibitAnyPolicy (2.5.29.54), which meshd does not process",
        ),
        (
            "certificatePolicies=critical,1.2.3.4",
            "the critical extension certificatePolicies (2.5.29.32), which meshd does not process",
        ),
        (
            "crlDistributionPoints=critical,URI:http://crl.example/ca.crl",
            "the critical extension cRLDistributionPoints (2.5.29.31), which Envoy does not process",
        ),
        (
            "1.2.3.4=critical,DER:0500",
            "the critical extension 1.2.3.4, which neither Envoy nor meshd processes",
        ),
    ];
    for (extension, expected) in refused {
        assert_eq!(said_of_intermediate(extension), [format!("`CN=West` has {expected}")], "{extension}");
    }
    let accepted = [
        "nameConstraints=permitted;DNS:.example",
        "nameConstraints=critical,permitted;email:.example",
        "policyConstraints=inhibitPolicyMapping:0",
        "inhibitAnyPolicy=0",
        "certificatePolicies=1.2.3.4",
        "crlDistributionPoints=URI:http://crl.example/ca.crl",
        "1.2.3.4=DER:0500",
    ];
    for extension in accepted {
        assert_eq!(said_of_intermediate(extension), <[String; 0]>::default(), "{extension}");
    }
}

#[test]
fn what_cannot_be_verified_is_said_once_and_in_words() {
    let said = |curve: &str, digest: &str| {
        let folder = tempfile::tempdir().unwrap();
        let brought = made_with(folder.path(), AUTHORITY, curve, digest);
        let problems = verify_files(&brought, &request(), SystemTime::now());
        problems.iter().map(|problem| problem.kind.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        said("secp521r1", "sha512"),
        ["`CN=Root` has an elliptic curve key on curve 1.3.132.0.35, which not every data plane verifies"]
    );
    assert_eq!(
        said("prime256v1", "sha1"),
        ["`CN=West` is signed with SHA-1, which no data plane verifies: SHA-256, SHA-384 and SHA-512 are"]
    );
}
