//! Which certificates are accepted in a handshake. meshd is the stricter one; where Envoy cannot refuse, the table says so.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mesh_tests::certificates::{self, KeyPairFiles, Shape};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, tools};

use crate::authorization::over_tls_by;
use crate::fixtures::{BACKEND_HOST, acme, acme_source};

const INGRESS: &str = "spiffe://cluster.local/ns/mesh-system/sa/west-ingress";

/// Whether east's backend answers a client with this certificate.
fn accepted(gateway: SocketAddr, files: &KeyPairFiles) -> bool {
    // It is for the proxy to refuse a key that is too short, and not for this client.
    let mut curl = Command::new(tools::system("curl"));
    let configuration = files.key.with_extension("openssl");
    let lax = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCipherString = DEFAULT@SECLEVEL=0\n";
    std::fs::write(&configuration, lax).expect("writable");
    curl.env("OPENSSL_CONF", configuration);
    let (answered, status, body) = over_tls_by(curl, gateway, Some((&files.certificate, &files.key)));
    assert!(matches!((answered, status), (true, 200) | (false, 0)), "{status} {body}");
    answered
}

/// Waits until east's backend has logged a reason: the line is written after the client has heard of the refusal.
fn log_says(mesh: &Mesh, reason: &str) {
    let said = || mesh.log("east/sidecars/istioinaction/simple-backend").contains(reason).then_some(());
    process::eventually(reason, Duration::from_secs(10), said);
}

/// Certificates of workloads below the real intermediate: (how it is made, whether Envoy accepts it). meshd accepts the
/// first one and refuses all others.
fn workloads_are_what_spiffe_asks_for(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let gateway = mesh.address("MESH_GATEWAY_EAST_EASTWEST");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (issuer, issuer_key) = mesh.intermediate("west");
    let shapes: &[(Shape, bool)] = &[
        (Shape::Workload, true),
        (Shape::SecondUri, true),
        (Shape::Authority, true),
        (Shape::NoKeyUsage, true),
        (Shape::NoDigitalSignature, false),
        (Shape::SignsCertificates, true),
        (Shape::Ed25519, false),
        (Shape::P521, false),
    ];
    let mut wrong = Vec::new();
    for (shape, on_envoy) in shapes {
        let files = certificates::shaped(folder.path(), *shape, &issuer, &issuer_key, INGRESS);
        let expected = match data_plane {
            DataPlane::Envoy => *on_envoy,
            DataPlane::Meshd => *shape == Shape::Workload,
        };
        if accepted(gateway, &files) != expected {
            wrong.push(format!("{shape:?}: accepted is {}", !expected));
        }
    }
    let short = certificates::with_short_rsa_key(folder.path(), &issuer, &issuer_key, INGRESS);
    if accepted(gateway, &short) != (data_plane == DataPlane::Envoy) {
        wrong.push(String::from("an RSA key of 1024 bits"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    if data_plane == DataPlane::Meshd {
        for reason in [
            "lacks the key usage digitalSignature",
            "has 2 URIs among its names",
            "has an RSA key of 1024 bits",
            "has an elliptic curve key on curve 1.3.132.0.35",
        ] {
            log_says(&mesh, reason);
        }
    }
}

/// Intermediates below the real root: (its extension, whether Envoy accepts what is below it, whether meshd does). What
/// one of them refuses, `meshc trust` refuses with `issuer = files`, by the same table in the tests of `compiler/pki`.
fn intermediates_are_refused_for_what_cannot_be_processed(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let gateway = mesh.address("MESH_GATEWAY_EAST_EASTWEST");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let authorities: &[(&str, bool, bool)] = &[
        ("", true, true),
        ("nameConstraints=permitted;URI:.example", false, false),
        ("nameConstraints=critical,permitted;dirName:company\n[company]\nO=Company", true, false),
        ("nameConstraints=permitted;DNS:.example", true, true),
        ("nameConstraints=critical,permitted;email:.example", true, true),
        ("policyConstraints=critical,inhibitPolicyMapping:0", true, false),
        ("policyConstraints=requireExplicitPolicy:0", false, true),
        ("inhibitAnyPolicy=critical,0", true, false),
        ("certificatePolicies=critical,1.2.3.4", true, false),
        ("crlDistributionPoints=critical,URI:http://crl.example/ca.crl", false, true),
        ("1.2.3.4=critical,DER:0500", false, false),
        ("1.2.3.4=DER:0500", true, true),
    ];
    let mut wrong = Vec::new();
    for (extension, on_envoy, on_meshd) in authorities {
        let files = below(&mesh, folder.path(), "keyUsage=critical,keyCertSign", extension);
        let expected = match data_plane {
            DataPlane::Envoy => *on_envoy,
            DataPlane::Meshd => *on_meshd,
        };
        if accepted(gateway, &files) != expected {
            wrong.push(format!("{extension}: accepted is {}", !expected));
        }
    }
    // An issuer that may not sign is refused by both; one that does not say so, by meshd.
    for (usage, on_envoy) in [("keyUsage=critical,cRLSign", false), ("", true)] {
        let files = below(&mesh, folder.path(), usage, "");
        let expected = on_envoy && data_plane == DataPlane::Envoy;
        if accepted(gateway, &files) != expected {
            wrong.push(format!("{usage:?}: accepted is {}", !expected));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    if data_plane == DataPlane::Meshd {
        for reason in [
            "policyConstraints (2.5.29.36)",
            "nameConstraints (2.5.29.30)",
            "1.2.3.4",
            "lacks the key usage keyCertSign",
        ] {
            log_says(&mesh, reason);
        }
        let log = mesh.log("east/sidecars/istioinaction/simple-backend");
        assert!(!log.contains("BadSignature"), "{log}");
    }
}

fn below(mesh: &Mesh, folder: &Path, usage: &str, extension: &str) -> KeyPairFiles {
    let (root, root_key) = mesh.root();
    let lines = format!("basicConstraints=critical,CA:true\n{usage}\n{extension}\n");
    let (issuer, issuer_key) = certificates::intermediate(folder, &lines, &root, &root_key);
    certificates::shaped(folder, Shape::Workload, &issuer, &issuer_key, INGRESS)
}

/// A gateway that ends TLS shows a certificate that was made for this run, and a client trusts it by the file that
/// `meshc up` prints.
fn a_gateway_that_ends_tls_has_a_certificate(data_plane: DataPlane) {
    let plain = "port http { number = 80 }";
    let source = acme_source();
    assert_eq!(source.matches(plain).count(), 1, "west's ingress");
    let mesh = Mesh::up(
        &source.replace(plain, "port https { number = 443, tls { secret = \"acme-tls\" } }"),
        data_plane,
    );
    let port = mesh.address("MESH_GATEWAY_WEST_INGRESS").port();
    let certificate = mesh.variable("MESH_CACERT_WEST_INGRESS_443");
    let curl = |arguments: &[&str], host: &str| {
        let mut command = Command::new(tools::system("curl"));
        command.args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*"]).args(arguments);
        command.args(["--resolve", &format!("{host}:{port}:127.0.0.1"), &format!("https://{host}:{port}/")]);
        let output = process::run(&mut command);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for host in [BACKEND_HOST, "webapp.istioinaction.io"] {
        let (status, body) = curl(&["--cacert", certificate], host);
        assert!(status == Some(0) && body.contains("\"cluster\":\"west\""), "{host}: {status:?} {body}");
    }
    // 60: the certificate is not trusted. A client that was told of no file refuses it, and so does one for another name.
    assert_eq!(curl(&[], BACKEND_HOST).0, Some(60));
    assert_eq!(curl(&["--cacert", certificate], "other.example").0, Some(60));
    // A host that comes while the mesh runs is in the certificate, too.
    let edited = std::fs::read_to_string(&mesh.source).expect("readable");
    std::fs::write(&mesh.source, edited.replace("webapp.istioinaction.io", "shop.example"))
        .expect("writable");
    process::eventually("the new host is served", Duration::from_secs(30), || {
        let (status, body) = curl(&["--cacert", certificate], "shop.example");
        (status == Some(0) && body.contains("\"cluster\":\"west\"")).then_some(())
    });
}

crate::on_both_data_planes!(
    a_gateway_that_ends_tls_has_a_certificate,
    workloads_are_what_spiffe_asks_for,
    intermediates_are_refused_for_what_cannot_be_processed,
);
