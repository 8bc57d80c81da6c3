//! Requests with bodies: of unknown length, answered before they were read, and small enough to be sent again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::one_stream;

/// A shop behind an ingress, with a cart that speaks HTTP/1.1 and a list that speaks HTTP/2.
const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [cart, list] }
  service cart { clusters = [west], port http { number = 80 } }
  service list { clusters = [west], port http { number = 80, protocol = http2 } }
  route cart { gateway = west.in, hosts = ["cart.example"], to = cart, retry { attempts = 1, when = [5xx], methods = ["POST"] } }
}
"#;

const CART: &str = "MESH_CALL_WEST_SHOP_WEB__SHOP_CART_80";
const LIST: &str = "MESH_CALL_WEST_SHOP_WEB__SHOP_LIST_80";

/// The answer to these bytes.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("the sidecar listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    stream.write_all(bytes).expect("the sidecar reads what it has answered already");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an orderly end");
    String::from_utf8_lossy(&answer).into_owned()
}

/// How many bytes of body arrived, as the stand-in says.
fn received(body: &str) -> Option<u64> {
    body.split_once("\"received\":")?.1.split([',', '}']).next()?.parse().ok()
}

fn chunked(method: &str, host: &str) -> String {
    let headers = "connection: close\r\ntransfer-encoding: chunked\r\n";
    format!("{method} / HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
}

fn a_body_of_unknown_length_passes_with_every_method(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let parts = || [Bytes::from_static(b"abc"), Bytes::from_static(b"defg")];
    for (call, host) in [(CART, "cart.shop"), (LIST, "list.shop")] {
        let address = mesh.address(call);
        for method in ["GET", "DELETE", "OPTIONS", "POST", "PUT", "PATCH"] {
            let one = exchange(address, chunked(method, host).as_bytes());
            assert_eq!(received(&one), Some(7), "{method} over HTTP/1.1 to {host}: {one}");
            let two = one_stream::Request::new(method, host, "/").body(parts()).send(address);
            assert_eq!(
                (two.status, received(&two.body)),
                (200, Some(7)),
                "{method} over HTTP/2 to {host}: {two:?}"
            );
        }
        let none = one_stream::Request::new("GET", host, "/").send(address);
        assert_eq!(received(&none.body), Some(0), "{none:?}");
        assert!(!none.body.contains("transfer-encoding"), "no body is not an empty one: {none:?}");
    }
    // The answer to a HEAD says nothing about it, so the application looks itself.
    let cart = mesh.replace("shop.cart", "west", "WEST_SIDECARS_SHOP_CART_80");
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = cart.accept().expect("a request");
        let request = until(&mut stream, b"0\r\n\r\n");
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").expect("written");
        String::from_utf8_lossy(&request).into_owned()
    });
    let answer = exchange(mesh.address(CART), chunked("HEAD", "cart.shop").as_bytes());
    let asked = asked.join().expect("the application was asked");
    assert!(
        asked.starts_with("HEAD ") && asked.contains("abc") && asked.contains("defg"),
        "{asked} {answer}"
    );
}

/// Everything up to and with `end`.
fn until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(end) && stream.read(&mut byte).is_ok_and(|count| count > 0) {
        bytes.push(byte[0]);
    }
    bytes
}

/// An application that answers 413 as soon as it has seen a request's headers. It says its end and reads on, or, every
/// other time in front of meshd, closes at once, which resets the connection: Envoy may then answer 503, since it gives
/// up a connection on which it cannot write without reading what has arrived.
fn refuse_uploads(application: TcpListener, data_plane: DataPlane) {
    std::thread::spawn(move || {
        for (number, stream) in application.incoming().map_while(Result::ok).enumerate() {
            let lingers = data_plane == DataPlane::Envoy || number % 2 == 0;
            std::thread::spawn(move || answer_early(stream, lingers));
        }
    });
}

fn answer_early(mut stream: TcpStream, lingers: bool) -> std::io::Result<()> {
    until(&mut stream, b"\r\n\r\n");
    stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large")?;
    if lingers {
        stream.shutdown(std::net::Shutdown::Write)?;
        std::io::copy(&mut stream, &mut std::io::sink())?;
    }
    Ok(())
}

/// What a client that sends and reads at the same time is answered.
fn upload(address: SocketAddr, host: &str, size: usize) -> String {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    let mut writer = stream.try_clone().expect("a second handle");
    let head = format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: {size}\r\n\r\n");
    let writing = std::thread::spawn(move || {
        writer.write_all(head.as_bytes())?;
        writer.write_all(&vec![b'x'; size])
    });
    let answer = String::from_utf8_lossy(&until(&mut stream, b"too large")).into_owned();
    let _ = stream.shutdown(std::net::Shutdown::Both);
    // It may have been cut short.
    let _ = writing.join();
    answer
}

fn an_answer_is_delivered_whatever_became_of_the_upload(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    refuse_uploads(mesh.replace("shop.cart", "west", "WEST_SIDECARS_SHOP_CART_80"), data_plane);
    let (ingress, call) = (mesh.address("MESH_GATEWAY_WEST_IN"), mesh.address(CART));
    for round in 0..10 {
        let size = if round == 0 { 20 << 20 } else { 1 << 20 };
        for (address, host) in [(ingress, "cart.example"), (call, "cart.shop")] {
            let answer = upload(address, host, size);
            assert!(answer.starts_with("HTTP/1.1 413 "), "round {round} to {host}: {answer}");
            let parts = vec![Bytes::from(vec![b'x'; 64 << 10]); size >> 16];
            let two = one_stream::Request::new("POST", host, "/").body(parts).send(address);
            assert_eq!((two.status, two.body.as_str()), (413, "too large"), "round {round} to {host}");
        }
    }
}

/// What is kept of a body for another attempt, as the reference says.
const KEPT: usize = 64 * 1024;

fn one_bound_for_bodies_that_are_sent_again(data_plane: DataPlane) {
    let source = SHOP.replace(
        "service list",
        "policy again { targets = [cart], retry { attempts = 1, when = [5xx], methods = [\"POST\"] } }\n  service list",
    );
    let mesh = Mesh::up(&source, data_plane);
    let cart = mesh.replace("shop.cart", "west", "WEST_SIDECARS_SHOP_CART_80");
    // Fails every request that is not a second attempt.
    std::thread::spawn(move || {
        let mut seen = std::collections::BTreeSet::new();
        for mut stream in cart.incoming().map_while(Result::ok) {
            let head = String::from_utf8_lossy(&until(&mut stream, b"\r\n\r\n")).into_owned();
            let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.split_once("\r\n"));
            let mut body = vec![0; length.and_then(|(length, _)| length.parse().ok()).unwrap_or(0)];
            if stream.read_exact(&mut body).is_err() {
                continue;
            }
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let status = if seen.insert(path) { "503 Unavailable" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    for (size, status) in [(KEPT, 200), (KEPT + 1, 503)] {
        for (place, address, host) in [
            ("gateway", mesh.address("MESH_GATEWAY_WEST_IN"), "cart.example"),
            ("sidecar", mesh.address(CART), "cart.shop"),
        ] {
            let request = Request::get(host, &format!("/{place}/{size}")).method("POST", &"x".repeat(size));
            assert_eq!(request.send(address).status, status, "{size} bytes at a {place}");
        }
    }
}

crate::on_both_data_planes!(
    a_body_of_unknown_length_passes_with_every_method,
    an_answer_is_delivered_whatever_became_of_the_upload,
    one_bound_for_bodies_that_are_sent_again,
);
