//! Meshes of another shape than the example's: a hub between two spokes, and TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::tools;

/// North reaches south only through the hub. The data planes of hub and south are written in.
fn spokes(hub: &str, south: &str) -> String {
    format!(
        r#"
mesh shop {{ trust_domain = "cluster.local", trust = house, data_plane = envoy }}
trust house {{}}
network hub {{}}
network north {{}}
network south {{}}
link {{ between = [north, hub] }}
link {{ between = [hub, south] }}
cluster hub {{
  network = hub, region = "middle", data_plane = {hub}
  gateway ew {{ role = east_west, address = 10.0.0.1 }}
}}
cluster north {{
  network = north, region = "north"
  gateway ew {{ role = east_west, address = 10.0.1.1 }}
}}
cluster south {{
  network = south, region = "south", data_plane = {south}
  gateway ew {{ role = east_west, addresses = [10.0.2.1, 10.0.2.2] }}
}}
namespace shop {{
  client web {{ clusters = [north], calls = [cart, ledger] }}
  client batch {{ clusters = [north], calls = [cart] }}
  service cart {{ clusters = [south], port http {{ number = 80 }} }}
  service ledger {{ clusters = [south], port sql {{ number = 5432, protocol = tcp }} }}
}}
"#
    )
}

fn cart_answers_from_south(mesh: &Mesh) {
    let answer = mesh.call("NORTH_SHOP_WEB__SHOP_CART_80", &Request::get("cart.shop", "/"));
    assert_eq!((answer.status, answer.field("cluster").as_str()), (200, "south"), "{answer:?}");
    assert_eq!(answer.field("caller"), "spiffe://cluster.local/ns/shop/sa/web");
}

/// The first line that a server sends by itself, and its answer to a word.
fn conversation(address: SocketAddr) -> (String, String) {
    let stream = TcpStream::connect(address).expect("the sidecar listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut banner = String::new();
    reader.read_line(&mut banner).expect("the server speaks first");
    (&stream).write_all(b"echo\n").expect("written");
    let mut answer = String::new();
    reader.read_line(&mut answer).expect("the server answers");
    (banner, answer)
}

/// Everything that a server says to a client with this certificate before and after it has sent a word.
fn overheard(gateway: SocketAddr, certificate: &Path, key: &Path) -> String {
    let mut child = Command::new(tools::system("openssl"))
        .args(["s_client", "-quiet", "-tls1_3", "-connect", &gateway.to_string()])
        .args(["-servername", "outbound_.5432_._.ledger.shop.svc.cluster.local", "-cert"])
        .arg(certificate)
        .arg("-cert_chain")
        .arg(certificate)
        .arg("-key")
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let mut input = child.stdin.take().expect("piped");
    // The server may have closed already.
    let _ = input.write_all(b"echo\n");
    std::thread::sleep(Duration::from_secs(1));
    // It would wait for the server's end for ever.
    let _ = child.kill();
    let mut said = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    child.wait().expect("openssl ends");
    said
}

fn gateways_pass_on_in_turn(data_plane: DataPlane) {
    let mesh = Mesh::up(&spokes("envoy", "envoy"), data_plane);
    cart_answers_from_south(&mesh);
    let (banner, answer) = conversation(mesh.address("MESH_CALL_NORTH_SHOP_WEB__SHOP_LEDGER_5432"));
    assert!(!banner.is_empty() && answer == "echo\n", "{banner:?} {answer:?}");
}

/// A server that speaks first has said too much by the time any filter could refuse: its callers are chosen in the
/// handshake.
fn a_stranger_never_hears_a_server_that_speaks_first(data_plane: DataPlane) {
    let mesh = Mesh::up(&spokes("envoy", "envoy"), data_plane);
    let gateway = mesh.address("MESH_GATEWAY_SOUTH_EW");
    let (banner, _) = conversation(mesh.address("MESH_CALL_NORTH_SHOP_WEB__SHOP_LEDGER_5432"));
    let (certificate, key) = mesh.identity("north", "shop", "web");
    let heard = overheard(gateway, &certificate, &key);
    assert!(heard.starts_with(&banner), "a declared caller is served: {heard:?}");
    let (certificate, key) = mesh.identity("north", "shop", "batch");
    assert_eq!(overheard(gateway, &certificate, &key), "", "another service of the mesh hears nothing");
}

#[test]
fn one_mesh_may_have_both_data_planes() {
    for (hub, south) in [("meshd", "envoy"), ("envoy", "meshd")] {
        let mesh = Mesh::up_as_declared(&spokes(hub, south));
        cart_answers_from_south(&mesh);
        let (banner, answer) = conversation(mesh.address("MESH_CALL_NORTH_SHOP_WEB__SHOP_LEDGER_5432"));
        assert!(!banner.is_empty() && answer == "echo\n", "{banner:?} {answer:?}");
    }
}

crate::on_both_data_planes!(gateways_pass_on_in_turn, a_stranger_never_hears_a_server_that_speaks_first,);
