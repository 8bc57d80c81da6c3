//! Clients that take their time are bounded wherever somebody may come without a certificate.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};

const SOURCE: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway ingress { role = ingress, address = 192.0.2.1, port http { number = 80 } }
}
namespace shop {
  service open { clusters = [west], port http { number = 80, mtls = permissive } }
  route open { gateway = west.ingress, hosts = ["*"], to = open }
}
"#;

/// What came back for bytes that are no whole request, if they are never given up: that is, neither is the connection
/// closed, nor is the request answered, as HTTP/2 can on a connection that stays.
fn kept(address: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    // The proxies' bound is ten seconds; five more go to who waits for a ClientHello.
    stream.set_read_timeout(Some(Duration::from_secs(40))).expect("a timeout can be set");
    stream.write_all(bytes).expect("written");
    let mut said = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return None,
            Ok(count) => said.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(_) => return Some(said),
        }
        if bytes.starts_with(b"PRI ") && has_headers(&said) {
            return None;
        }
    }
}

/// Whether there is a frame with an answer's headers (type 1) among these.
fn has_headers(mut frames: &[u8]) -> bool {
    while let [l0, l1, l2, kind, _, _, _, _, _, rest @ ..] = frames {
        if *kind == 1 {
            return true;
        }
        let length = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
        frames = rest.get(length..).unwrap_or_default();
    }
    false
}

fn unfinished_headers_are_given_up(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let [open, ingress] = ["INBOUND_WEST_SIDECARS_SHOP_OPEN", "GATEWAY_WEST_INGRESS"]
        .map(|name| mesh.address(&format!("MESH_{name}")));
    let slow: &[u8] = b"GET / HTTP/1.1\r\nhost: open\r\nx-slow: ";
    // Settings, and a HEADERS frame of which most is missing.
    let slow2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x40\x01\x05\0\0\0\x01\x82";
    let cases = [
        ("permissive", open, slow),
        ("permissive, HTTP/2", open, slow2),
        ("ingress", ingress, slow),
        ("ingress, HTTP/2", ingress, slow2),
    ];
    let still_open: Vec<_> = std::thread::scope(|scope| {
        let asked = cases.map(|(name, address, bytes)| (name, scope.spawn(move || kept(address, bytes))));
        asked.into_iter().filter_map(|(name, asked)| Some((name, asked.join().expect("no panic")?))).collect()
    });
    assert!(still_open.is_empty(), "{still_open:?}");
    assert_eq!(Request::get("open", "/").send(open).status, 200, "others are served");
}

crate::on_both_data_planes!(unfinished_headers_are_given_up);
