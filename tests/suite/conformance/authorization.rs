//! Who may call: by certificate in the handshake, by identity at the sidecar.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use mesh_tests::mesh::DataPlane;
use mesh_tests::{certificates, process, tools};

use crate::fixtures::{WEST_INGRESS, acme, to_backend};

const BACKEND_SNI: &str = "outbound_.80_._.simple-backend.istioinaction.svc.cluster.local";

/// What curl says of a request over TLS through east's gateway to simple-backend's sidecar: its exit status, the HTTP
/// status (0 if there was no answer) and the body.
pub(crate) fn over_tls(gateway: SocketAddr, identity: Option<(&Path, &Path)>) -> (bool, u16, String) {
    over_tls_by(Command::new(tools::system("curl")), gateway, identity)
}

/// The same with a curl that was prepared for it.
pub(crate) fn over_tls_by(
    mut command: Command,
    gateway: SocketAddr,
    identity: Option<(&Path, &Path)>,
) -> (bool, u16, String) {
    command.args(["--silent", "--insecure", "--max-time", "20", "--write-out", "\n%{http_code}"]);
    command.args(["--connect-to", &format!("::{gateway}"), "--noproxy", "*"]);
    if let Some((certificate, key)) = identity {
        command.arg("--cert").arg(certificate).arg("--key").arg(key);
    }
    command.arg(format!("https://{BACKEND_SNI}/"));
    let output = process::run(&mut command);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = printed.rsplit_once('\n').unwrap_or(("", "0"));
    (output.status.success(), status.trim().parse().unwrap_or(0), body.to_owned())
}

fn only_the_ingress_may_call_the_backend(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let gateway = mesh.address("MESH_GATEWAY_EAST_EASTWEST");
    let (certificate, key) = mesh.identity("west", "istioinaction", "webapp");
    let (_, status, body) = over_tls(gateway, Some((&certificate, &key)));
    assert_eq!((status, body.as_str()), (403, "RBAC: access denied"));

    let (certificate, key) = mesh.identity("west", "mesh-system", "west-ingress");
    let (_, status, body) = over_tls(gateway, Some((&certificate, &key)));
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("spiffe://cluster.local/ns/mesh-system/sa/west-ingress"), "{body}");

    assert_eq!(mesh.ingress(WEST_INGRESS, &to_backend("/")).status, 200);
}

fn strangers_are_refused_in_the_handshake(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let gateway = mesh.address("MESH_GATEWAY_EAST_EASTWEST");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let spiffe = "spiffe://cluster.local/ns/mesh-system/sa/west-ingress";

    let (answered, status, body) = over_tls(gateway, None);
    assert!(!answered && status == 0, "no certificate: {status} {body}");

    let foreign = certificates::under_another_root(folder.path(), spiffe);
    let (answered, status, body) = over_tls(gateway, Some((&foreign.certificate, &foreign.key)));
    assert!(!answered && status == 0, "another root: {status} {body}");

    let (issuer, issuer_key) = mesh.intermediate("west");
    let expired = certificates::issued(folder.path(), "expired", &issuer, &issuer_key, spiffe, -2, -1);
    let (answered, status, body) = over_tls(gateway, Some((&expired.certificate, &expired.key)));
    assert!(!answered && status == 0, "expired: {status} {body}");

    // The same way of issuing, but valid now: the refusals above are about what they say they are about.
    let valid = certificates::issued(folder.path(), "valid", &issuer, &issuer_key, spiffe, -1, 1);
    let (answered, status, body) = over_tls(gateway, Some((&valid.certificate, &valid.key)));
    assert!(answered && status == 200, "valid: {status} {body}");

    let elsewhere = "spiffe://other.example/ns/mesh-system/sa/west-ingress";
    let other = certificates::issued(folder.path(), "domain", &issuer, &issuer_key, elsewhere, -1, 1);
    let (_, status, body) = over_tls(gateway, Some((&other.certificate, &other.key)));
    assert_ne!(status, 200, "another trust domain: {body}");
}

crate::on_both_data_planes!(only_the_ingress_may_call_the_backend, strangers_are_refused_in_the_handshake);
