//! Which requests are forwarded, which are refused, and what a path is: strangers must find no difference.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::DataPlane;
use mesh_tests::raw::Http2;

use crate::fixtures::{BACKEND_HOST, WEBAPP_TO_CATALOG, WEST_INGRESS, acme, to_catalog};

/// The status of the answer to these bytes.
fn status(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the ingress listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    stream.write_all(bytes.as_bytes()).expect("the ingress reads");
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !answer.ends_with(b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(count) if count > 0 => answer.extend_from_slice(&part[..count]),
            Ok(_) | Err(_) => break,
        }
        if answer.len() > 16 {
            break;
        }
    }
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or("nothing").to_owned()
}

fn strange_requests_are_refused(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let ingress = mesh.address("MESH_GATEWAY_WEST_INGRESS");
    let get =
        |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nhost: {BACKEND_HOST}\r\n{headers}\r\n");
    let post =
        |headers: &str, body: &str| format!("POST / HTTP/1.1\r\nhost: {BACKEND_HOST}\r\n{headers}\r\n{body}");
    let large = "a".repeat(62_000);
    let many: String = (0..101).map(|number| format!("x-{number}: 1\r\n")).collect();
    for (request, expected) in [
        (get("/", ""), "200"),
        (get("/", "te: trailers\r\nconnection: te\r\n"), "200"),
        (get("/", "connection: upgrade\r\nupgrade: other\r\n"), "403"),
        (
            get("/", "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"),
            "200",
        ),
        (get("/", &format!("x-a: {large}\r\n")), "431"),
        (get("/", &many), "431"),
        (get("*", ""), "400"),
        (get("/a%2fb", ""), "400"),
        (get("/a%00b", ""), "400"),
        (String::from("GET / HTTP/1.1\r\n\r\n"), "400"),
        (String::from("GET / HTTP/1.1\r\nhost: a b\r\n\r\n"), "400"),
        (String::from("GET / HTTP/1.1\r\nhost: unknown.example\r\n\r\n"), "404"),
        (format!("GET / HTTP/1.0\r\nhost: {BACKEND_HOST}\r\n\r\n"), "426"),
        (format!("GET http://{BACKEND_HOST}/ HTTP/1.1\r\nhost: unknown.example\r\n\r\n"), "200"),
        (format!("GET / HTTP/1.1\r\nhost: {}:8080\r\n\r\n", BACKEND_HOST.to_uppercase()), "200"),
        (format!("OPTIONS * HTTP/1.1\r\nhost: {BACKEND_HOST}\r\n\r\n"), "404"),
        (post("content-length: 3\r\n", "abc"), "200"),
        (post("content-length: 3\r\ncontent-length: 4\r\n", "abcd"), "400"),
        (post("content-length: +3\r\n", "abc"), "400"),
        (post("transfer-encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), "200"),
        (post("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"), "501"),
        (post("transfer-encoding: chunked\r\n", "3\nabc\n0\n\n"), "400"),
        (post("transfer-encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n"), "400"),
    ] {
        assert_eq!(status(ingress, &request), expected, "{:?}", request.get(..200).unwrap_or(&request));
    }
    // None of it was the application's fault, and none of it has ejected the application.
    for _ in 0..5 {
        let answer = mesh.ingress(WEST_INGRESS, &Request::get(BACKEND_HOST, "/"));
        assert_eq!((answer.status, answer.field("cluster").as_str()), (200, "west"), "{answer:?}");
    }
}

/// The answer to HEAD has no body, whoever answers and over whichever version: over HTTP/2 a client must take one for a broken
/// stream.
fn nothing_follows_the_answer_to_head(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let ingress = mesh.address("MESH_GATEWAY_WEST_INGRESS");
    for (host, path, status) in
        [(BACKEND_HOST, "/", 200), (BACKEND_HOST, "/a%00b", 400), ("unknown.example", "/", 404)]
    {
        let answer = Http2::new("HEAD", host, path).send(ingress);
        assert_eq!(
            (answer.status, answer.body.len(), answer.waits),
            (Some(status), 0, false),
            "{host}{path}"
        );
        let answer = Request::get(host, path).method("HEAD", "").header("connection", "close").send(ingress);
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{host}{path}");
    }
    let metrics = mesh.address("MESH_METRICS_WEST_GATEWAYS_INGRESS");
    let answer = Http2::new("HEAD", "localhost", "/metrics").send(metrics);
    assert_eq!((answer.body.len(), answer.waits), (0, false), "{answer:?}");
}

fn a_path_has_one_spelling(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    for (asked, seen) in [
        ("/a//b", "/a/b"),
        ("/a/../b/./c", "/b/c"),
        ("/%7Ea/%2e%2E/b", "/b"),
        ("/a\\..\\b", "/b"),
        ("/x/..;a=b/c", "/c"),
        ("/x/.;/c/", "/x/c/"),
        ("/%2%66", "/%252f"),
        ("/%%61a", "/%25aa"),
        ("/a|b", "/a%7Cb"),
        ("/a%2Bb", "/a%2Bb"),
        ("/a?b//c/../%2f", "/a?b//c/../%2f"),
    ] {
        let answer = mesh.call(WEBAPP_TO_CATALOG, &to_catalog(asked));
        assert_eq!((answer.status, answer.field("path").as_str()), (200, seen), "{asked}: {answer:?}");
    }
}

crate::on_both_data_planes!(
    strange_requests_are_refused,
    nothing_follows_the_answer_to_head,
    a_path_has_one_spelling,
);
