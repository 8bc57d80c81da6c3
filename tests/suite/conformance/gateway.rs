//! What an east-west gateway passes on, and what it closes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use mesh_tests::mesh::DataPlane;
use mesh_tests::tools;

use crate::fixtures::acme;

const CATALOG_SNI: &str = "outbound_.80_._.catalog.istioinaction.svc.cluster.local";

/// What a server shows to a TLS client that names `sni`: the chain as openssl prints it.
fn presented(address: SocketAddr, sni: &str) -> String {
    let output = Command::new(tools::system("openssl"))
        .args(["s_client", "-connect", &address.to_string(), "-servername", sni, "-showcerts", "-tls1_3"])
        .stdin(Stdio::null())
        .output()
        .expect("openssl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The first certificate of a chain in readable form.
fn readable(chain: &str) -> String {
    let mut child = Command::new(tools::system("openssl"))
        .args(["x509", "-noout", "-text"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    child.stdin.take().expect("piped").write_all(chain.as_bytes()).expect("openssl reads");
    let output = child.wait_with_output().expect("openssl ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether the gateway closes a connection on which `bytes` were sent, without an answer.
fn closes(address: SocketAddr, bytes: &[u8]) -> bool {
    let mut stream = TcpStream::connect(address).expect("the gateway listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    // The gateway may close while we still write.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => answer.is_empty(),
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset && answer.is_empty(),
    }
}

fn passes_exported_names_on_without_a_certificate_of_its_own(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let gateway = mesh.address("MESH_GATEWAY_EAST_EASTWEST");
    let certificate = readable(&presented(gateway, CATALOG_SNI));
    assert!(
        certificate.contains("URI:spiffe://cluster.local/ns/istioinaction/sa/catalog"),
        "behind the SNI stands catalog's own sidecar: {certificate}"
    );
    // Server names are compared without regard to case (RFC 6066, section 3).
    let shouted = readable(&presented(gateway, &CATALOG_SNI.to_ascii_uppercase()));
    assert!(shouted.contains("sa/catalog"), "{shouted}");
}

fn closes_what_is_not_exported(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let gateway = mesh.address("MESH_GATEWAY_EAST_EASTWEST");
    for sni in [
        "outbound_.80_._.webapp.istioinaction.svc.cluster.local",
        "outbound_.81_._.catalog.istioinaction.svc.cluster.local",
        "catalog.istioinaction.svc.cluster.local",
    ] {
        let shown = presented(gateway, sni);
        assert!(!shown.contains("BEGIN CERTIFICATE"), "{sni} is not exported: {shown}");
    }
    assert!(closes(gateway, b"GET / HTTP/1.1\r\nhost: catalog.istioinaction\r\n\r\n"), "plain HTTP");
    assert!(closes(gateway, &[0xff; 512]), "garbage");
    // A TLS record header whose handshake message never is a ClientHello.
    assert!(closes(gateway, &[0x16, 0x03, 0x01, 0x00, 0x04, 0x63, 0x00, 0x00, 0x00]), "no ClientHello");
    // Half a ClientHello and silence: closed within the gateway's bound.
    assert!(closes(gateway, &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]), "half a ClientHello");
}

crate::on_both_data_planes!(
    passes_exported_names_on_without_a_certificate_of_its_own,
    closes_what_is_not_exported,
);
