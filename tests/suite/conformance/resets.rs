//! Connections of bytes that are cut: what was cut must not look complete at the other end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use mesh_tests::mesh::{DataPlane, Mesh};

/// A ledger in the caller's own cluster, and one behind a gateway that passes TLS through.
const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west {
  network = west-net, region = "west"
  gateway ew { role = east_west, address = 10.0.0.1 }
}
cluster east {
  network = east-net, region = "east"
  gateway ew { role = east_west, address = 10.0.1.1 }
}
namespace shop {
  client web { clusters = [west], calls = [near, far] }
  service near { clusters = [west], port sql { number = 5432, protocol = tcp } }
  service far { clusters = [east], port sql { number = 5433, protocol = tcp } }
}
"#;

/// Both ends of a connection over which both have said something.
fn connected(mesh: &Mesh, call: &str, server: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = TcpStream::connect(mesh.address(call)).expect("the sidecar listens");
    client.write_all(b"question").expect("written");
    let (mut application, _) = server.accept().expect("the application is reached");
    for stream in [&client, &application] {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    }
    hears(&mut application, b"question");
    application.write_all(b"half").expect("written");
    hears(&mut client, b"half");
    (client, application)
}

fn hears(stream: &mut TcpStream, expected: &[u8]) {
    let mut said = vec![0; expected.len()];
    stream.read_exact(&mut said).expect("what the other end has said");
    assert_eq!(said, expected);
}

/// How a stream ends for its reader.
fn end(mut stream: TcpStream) -> Result<Vec<u8>, ErrorKind> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).map(|_| rest).map_err(|error| error.kind())
}

/// Ends a connection without an end.
fn reset(stream: TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let _inside = runtime.enter();
    stream.set_nonblocking(true).expect("it is open");
    let stream = tokio::net::TcpStream::from_std(stream).expect("it is open");
    stream.set_zero_linger().expect("it is open");
}

fn a_reset_goes_on_as_a_reset(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    for (service, cluster, port) in [("near", "west", 5432), ("far", "east", 5433)] {
        let name = format!("{}_SIDECARS_SHOP_{}_{port}", cluster.to_uppercase(), service.to_uppercase());
        let server = mesh.replace(&format!("shop.{service}"), cluster, &name);
        let call = format!("MESH_CALL_WEST_SHOP_WEB__SHOP_{}_{port}", service.to_uppercase());

        let (client, application) = connected(&mesh, &call, &server);
        reset(application);
        assert_eq!(end(client), Err(ErrorKind::ConnectionReset), "{service} has cut the stream");

        let (client, application) = connected(&mesh, &call, &server);
        reset(client);
        assert_eq!(end(application), Err(ErrorKind::ConnectionReset), "the client of {service} has");

        let (client, mut application) = connected(&mesh, &call, &server);
        client.shutdown(Shutdown::Write).expect("it is open");
        assert_eq!(application.read(&mut [0; 1]).expect("an orderly end"), 0, "the client listens on");
        application.write_all(b"whole").expect("written");
        drop(application);
        assert_eq!(end(client), Ok(b"whole".to_vec()), "an orderly end stays one");

        drop(server);
        let nobody = TcpStream::connect(mesh.address(&call)).map_err(|error| error.kind()).and_then(end);
        match data_plane {
            DataPlane::Envoy => assert_eq!(nobody, Ok(Vec::new()), "as the reference says"),
            DataPlane::Meshd => assert_eq!(nobody, Err(ErrorKind::ConnectionReset)),
        }
    }
}

crate::on_both_data_planes!(a_reset_goes_on_as_a_reset);
