//! Clients that speak HTTP/1.0, at a port of an ingress gateway that accepts them, and elsewhere.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use mesh_tests::mesh::{DataPlane, Mesh};

const OLD: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in {
    role = ingress, address = 10.0.0.1
    port old  { number = 80, http10 { default_host = "Old.example" } }
    port bare { number = 81, http10 {} }
    port new  { number = 82 }
  }
}
namespace shop {
  service api { clusters = [west], port http { number = 80 } }
  service parts { clusters = [west], port http { number = 80 } }
  client web { clusters = [west], calls = [api] }
  route old {
    gateway = west.in, hosts = ["old.example", "api.example"]
    rule { match { path = "/here" }, respond { status = 200, body = "here" } }
    rule { match { prefix = "/parts" }, to = parts }
    rule { to = api, request_headers { set = { "x-protocol" = "${request.protocol}" } } }
  }
}
"#;

/// Answers each request in two chunks, and repeats the version that it was asked in.
fn application() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || in_parts(stream));
        }
    });
    address
}

fn in_parts(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte)? == 0 {
                return Ok(());
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let version = head.lines().next().and_then(|line| line.split(' ').nth(2)).unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nin \r\n{:x}\r\n{version}\r\n0\r\n\r\n",
            version.len()
        );
        stream.write_all(answer.as_bytes())?;
    }
}

/// What comes back until the other end closes the connection.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    stream.write_all(request.as_bytes()).expect("the proxy reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and then the end");
    answer
}

/// The status alone, of an answer that may not end.
fn first_status(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    stream.write_all(request.as_bytes()).expect("the proxy reads");
    let mut first = [0; "HTTP/1.0 200".len()];
    stream.read_exact(&mut first).expect("an answer");
    String::from_utf8_lossy(&first).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// The status, what is said of the connection, and the body.
fn read(answer: &str) -> (&str, &str, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.strip_prefix("HTTP/1.0 ").and_then(|rest| rest.get(..3)).unwrap_or("-");
    assert!(!head.contains("transfer-encoding"), "{answer}");
    let said = head.lines().find_map(|line| line.strip_prefix("connection: "));
    (status, said.unwrap_or("-"), body)
}

fn old_clients_are_served_where_they_are_accepted(data_plane: DataPlane) {
    let mesh = Mesh::up_with(OLD, data_plane, &[("shop.parts", application())]);
    let [old, bare, new] =
        ["80", "81", "82"].map(|port| mesh.address(&format!("MESH_GATEWAY_WEST_IN_{port}")));
    let seen = |answer: &str| -> serde_json::Value {
        let (status, _, body) = read(answer);
        assert_eq!(status, "200", "{answer}");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    };

    // With a host, and without one.
    let answer = ask(old, "GET /a HTTP/1.0\r\nhost: api.example\r\n\r\n");
    assert_eq!(read(&answer).1, "close", "{answer}");
    assert_eq!(
        (&seen(&answer)["headers"]["host"], &seen(&answer)["path"]),
        (&"api.example".into(), &"/a".into())
    );
    assert_eq!(seen(&answer)["headers"]["x-protocol"], "HTTP/1.0");
    assert_eq!(seen(&ask(old, "GET / HTTP/1.0\r\n\r\n"))["headers"]["host"], "old.example");
    let absolute = ask(old, "GET http://api.example/b HTTP/1.0\r\n\r\n");
    assert_eq!(
        (&seen(&absolute)["headers"]["host"], &seen(&absolute)["path"]),
        (&"api.example".into(), &"/b".into())
    );
    assert_eq!(read(&ask(old, "GET / HTTP/1.0\r\nhost: other.example\r\n\r\n")).0, "404");

    // A connection stays if the client asks for it, where the length of an answer is known.
    let kept = "GET /1 HTTP/1.0\r\nhost: api.example\r\nconnection: Keep-Alive\r\n\r\n";
    let two = ask(old, &format!("{kept}GET /2 HTTP/1.0\r\nhost: api.example\r\n\r\n"));
    let (first, second) = two.split_at(two.rfind("HTTP/1.0 200").unwrap_or_default());
    assert_eq!((read(first).1, read(second).1), ("keep-alive", "close"), "{two}");
    assert_eq!((&seen(first)["path"], &seen(second)["path"]), (&"/1".into(), &"/2".into()));

    // No chunks: the end of the connection is that of the answer. The application is asked in HTTP/1.1.
    for headers in ["", "connection: keep-alive\r\n"] {
        let parts = ask(old, &format!("GET /parts HTTP/1.0\r\n{headers}\r\n"));
        assert_eq!(read(&parts), ("200", "close", "in HTTP/1.1"), "{parts}");
    }

    // Bodies have a length, or are none.
    let posted = ask(old, "POST / HTTP/1.0\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!((&seen(&posted)["method"], &seen(&posted)["received"]), (&"POST".into(), &3.into()));
    let posted = ask(old, "POST / HTTP/1.0\r\n\r\n");
    assert_eq!((&seen(&posted)["method"], &seen(&posted)["received"]), (&"POST".into(), &0.into()));
    let head = ask(old, "HEAD /here HTTP/1.0\r\n\r\n");
    assert_eq!(read(&head), ("200", "close", ""));
    assert_eq!(read(&ask(old, "GET /here HTTP/1.0\r\n\r\n")), ("200", "close", "here"));
    // HTTP/1.0 has neither other protocols nor chunks; the two differ in what they make of a client that sends them.
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n";
    let upgrade = format!("{upgrade}sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    let chunks = "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for (rest, on_envoy, on_meshd) in [(upgrade.as_str(), "101", "403"), (chunks, "200", "400")] {
        let expected = match data_plane {
            DataPlane::Envoy => on_envoy,
            DataPlane::Meshd => on_meshd,
        };
        assert_eq!(first_status(old, &format!("GET / HTTP/1.0\r\n{rest}")), expected, "{rest}");
    }

    // HTTP/1.1 is what it is elsewhere.
    let today = ask(old, "GET / HTTP/1.1\r\nhost: api.example\r\nconnection: close\r\n\r\n");
    assert!(today.starts_with("HTTP/1.1 200 "), "{today}");
    assert!(ask(old, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));

    // Without a host to assume, a client must name one; and nowhere else is HTTP/1.0 accepted.
    assert_eq!(
        seen(&ask(bare, "GET / HTTP/1.0\r\nhost: api.example\r\n\r\n"))["headers"]["host"],
        "api.example"
    );
    assert_eq!(read(&ask(bare, "GET / HTTP/1.0\r\n\r\n")).0, "400");
    let refused = |address: SocketAddr, host: &str| {
        let answer = ask(address, &format!("GET / HTTP/1.0\r\nhost: {host}\r\n\r\n"));
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(refused(new, "api.example"), "426");
    assert_eq!(refused(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_API_80"), "api.shop"), "426");
}

crate::on_both_data_planes!(old_clients_are_served_where_they_are_accepted);
