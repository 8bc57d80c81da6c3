//! What a stranger may send, and what becomes of it: compared byte by byte, bounded, and under no other name.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;
use mesh_tests::raw::{Http2, Outcome, http1};

/// One cluster with an ingress, a service that anyone may ask, and one with rules by header and method.
const SOURCE: &str = r#"
mesh m { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net
  region  = "here"
  gateway ingress { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [echo] }
  service echo { clusters = [west], port http { number = 80 } }
  service guarded { clusters = [west], port http { number = 80 } }
  route echo { gateway = west.ingress, hosts = ["echo.example"], to = echo }
  route guarded {
    gateway = west.ingress
    hosts   = ["guarded.example"]
    rule { match { header x-role { prefix = "lost" } }, to = echo }
    rule { to = guarded }
  }
  // Answers that are refused must not make the next one fail.
  policy patient {
    targets = [echo]
    outlier { consecutive_5xx = 1000000 }
  }
  policy rules {
    targets = [guarded]
    deny { from = [west.ingress], match { header x-role { prefix = "guest" } } }
    deny { from = [west.ingress], match { header x-role { exact = "gäst" } } }
    deny { from = [west.ingress], match { header x-dot { regex = "a.b" } } }
    deny { from = [west.ingress], match { header x-not { regex = "[^a]" } } }
    deny { from = [west.ingress], match { header x-word { regex = "\\W" } } }
    deny { from = [west.ingress], match { header x-byte { regex = "\\xe4" } } }
    deny { from = [west.ingress], match { header x-text { regex = "ä|ö" } } }
    deny { from = [west.ingress], match { header x-case { regex = "(?i)gold" } } }
    deny { from = [west.ingress], match { methods = ["GET"], path = "/no-get" } }
    rate_limit {
      scope  = pod
      header = "x-tier"
      tiers  = { "gäst" = 1/h }
    }
  }
}
"#;

const INGRESS: &str = "MESH_GATEWAY_WEST_INGRESS";
const CALL: &str = "MESH_CALL_WEST_SHOP_WEB__SHOP_ECHO_80";

/// The statuses of a `GET` with these lines of headers, over HTTP/1.1 and over HTTP/2.
fn both(address: SocketAddr, host: &str, path: &str, headers: &[(&str, &[u8])]) -> [String; 2] {
    let mut bytes = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n").into_bytes();
    let mut http2 = Http2::new("GET", host, path);
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
        http2 = http2.header(name, value);
    }
    bytes.extend_from_slice(b"\r\n");
    [http1(address, &bytes).word(), http2.send(address).word()]
}

fn values_are_compared_byte_by_byte(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let ingress = mesh.address(INGRESS);
    let umlaut = "ä".as_bytes();
    for (name, value, expected) in [
        ("x-role", &b"guest"[..], "403"),
        ("x-role", b"guest\xe4", "403"),
        ("x-role", b"guest\x80\xff", "403"),
        ("x-role", b"other", "200"),
        ("x-role", "gäst".as_bytes(), "403"),
        ("x-role", b"g\xe4st", "200"),
        ("x-dot", b"axb", "403"),
        ("x-dot", b"a\xe4b", "403"),
        ("x-dot", "aäb".as_bytes(), "200"),
        ("x-not", b"\xe4", "403"),
        ("x-not", umlaut, "200"),
        ("x-word", b"\xe4", "403"),
        ("x-word", b"a", "200"),
        ("x-byte", b"\xe4", "403"),
        ("x-byte", umlaut, "200"),
        ("x-text", umlaut, "403"),
        ("x-text", b"\xe4", "200"),
        ("x-case", b"GoLd", "403"),
        ("x-case", b"GoLd\xe4", "200"),
    ] {
        let found = both(ingress, "guarded.example", "/", &[(name, value)]);
        assert_eq!(found, [expected, expected], "{name}: {:?}", String::from_utf8_lossy(value));
    }
    let found = both(ingress, "guarded.example", "/", &[("x-role", b"other"), ("x-role", b"guest\xe4")]);
    assert_eq!(found, ["403", "403"], "each of several lines counts");
    // A route by such a value, and a limit: the second of its kind is one too many.
    let lost = Http2::new("GET", "guarded.example", "/").header("x-role", b"lost\xe4").send(ingress);
    assert_eq!(lost.json()["service"], "shop.echo", "{lost:?}");
    let tier = || both(ingress, "guarded.example", "/", &[("x-tier", "gäst".as_bytes())]);
    assert_eq!(tier(), ["200", "429"]);
    assert_eq!(both(ingress, "guarded.example", "/", &[("x-tier", b"g\xe4st")]), ["200", "200"]);

    only_methods_that_exist_are_forwarded(ingress);
    a_callee_is_reached_under_any_host(&mesh);
}

/// A method that differs from a declared one only in case would escape the rule about it.
fn only_methods_that_exist_are_forwarded(ingress: SocketAddr) {
    let ask = |method: &str, headers: &[(&str, &str)]| {
        let mut bytes = format!("{method} /no-get HTTP/1.1\r\nhost: guarded.example\r\n");
        let mut http2 = Http2::new(method, "guarded.example", "/no-get");
        for (name, value) in headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
            http2 = http2.header(name, value);
        }
        [http1(ingress, format!("{bytes}\r\n").as_bytes()).word(), http2.send(ingress).word()]
    };
    assert_eq!(ask("GET", &[]), ["403", "403"]);
    for method in ["get", "Get", "gEt", "head", "FOO", "M-SEARCH", "X_Y", "G!T", "PRI"] {
        assert_eq!(ask(method, &[]), ["400", "400"], "{method}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PURGE", "MSEARCH", "UNSUBSCRIBE"]
    {
        assert_eq!(ask(method, &[]), ["200", "200"], "{method}");
    }
    assert_eq!(ask("QUERY", &[]), ["400", "400"], "a QUERY says what it sends");
    assert_eq!(ask("QUERY", &[("content-type", "text/plain")]), ["200", "200"]);
}

/// Whoever connects to a callee's own address has said whom it means.
fn a_callee_is_reached_under_any_host(mesh: &Mesh) {
    let (ingress, call) = (mesh.address(INGRESS), mesh.address(CALL));
    for (asked, seen) in [
        ("echo.shop", "echo.shop"),
        ("echo.shop.svc.cluster.local.", "echo.shop.svc.cluster.local"),
        ("echo.shop.svc.cluster.local.:80", "echo.shop.svc.cluster.local:80"),
        ("10.1.2.3", "10.1.2.3"),
        ("[2001:db8::1]:8080", "[2001:db8::1]:8080"),
        ("www.example.org", "www.example.org"),
    ] {
        let answer = Request::get(asked, "/").send(call);
        assert_eq!(answer.status, 200, "{asked}");
        assert_eq!(answer.json()["headers"]["host"], seen, "{asked}");
        let answer = Http2::new("GET", asked, "/").send(call);
        assert_eq!(answer.json()["headers"]["host"], seen, "{asked} over HTTP/2");
    }
    for (asked, expected) in [
        ("echo.example.", "200"),
        ("ECHO.example.:80", "200"),
        ("echo.example..", "404"),
        ("other.example", "404"),
    ] {
        assert_eq!(both(ingress, asked, "/", &[]), [expected, expected], "{asked}");
    }
}

fn other_spellings_of_a_proxys_headers_stay_behind(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let forged = [
        "x-forwarded-client-cert",
        "x_forwarded_client_cert",
        "x-forwarded_client-cert",
        "x-forwarded-client_cert",
        "x-forwarded-any_thing",
        "x_forwarded_for",
        "x-forwarded_proto",
        "x_forwarded_host",
        "x_request_id",
        "x-request_id",
        "x_envoy_internal",
        "x-envoy_internal",
        "x-envoy-internal",
        "content_length",
        "keep_alive",
    ];
    for address in [mesh.address(INGRESS), mesh.address(CALL)] {
        let mut bytes = String::from("GET / HTTP/1.1\r\nhost: echo.example\r\nx_api_key: mine\r\n");
        let mut http2 = Http2::new("GET", "echo.example", "/").header("x_api_key", "mine");
        for name in forged {
            bytes.push_str(&format!("{name}: forged\r\n"));
            http2 = http2.header(name, "forged");
        }
        for answer in [http1(address, format!("{bytes}\r\n").as_bytes()), http2.send(address)] {
            let seen = answer.json();
            let headers = seen["headers"].as_object().expect("the application tells its headers");
            let kept: Vec<_> = headers.iter().filter(|(_, value)| *value == "forged").collect();
            assert!(kept.is_empty(), "{kept:?}");
            assert_eq!(headers["x_api_key"], "mine", "other names with underscores are the application's");
        }
    }
    stand_in_for_echo(&mesh);
    heads_have_one_bound(&mesh);
    answers_have_the_same_bound(&mesh);
}

/// The exact bound, where the request comes in; what the proxies add to a request of that size passes as well, as far as
/// the application, which may have bounds of its own.
fn heads_have_one_bound(mesh: &Mesh) {
    const BOUND: usize = 60 * 1024;
    for (address, host) in [(mesh.address(INGRESS), "echo.example"), (mesh.address(CALL), "echo.shop")] {
        let lines = |length: usize| {
            format!("GET /count-0 HTTP/1.1\r\nhost: {host}\r\nx-a: {}\r\n\r\n", "a".repeat(length))
        };
        let longest = BOUND - lines(0).len();
        assert_eq!(http1(address, lines(longest).as_bytes()).word(), "200");
        assert_eq!(http1(address, lines(longest + 1).as_bytes()).word(), "431");
        assert_eq!(http1(address, lines(longest + 2_000).as_bytes()).word(), "431");
        let pairs = format!(":methodGET:schemehttp:authority{host}:path/count-0x-a").len();
        let http2 = |length: usize| {
            Http2::new("GET", host, "/count-0").header("x-a", "a".repeat(length)).send(address)
        };
        assert_eq!(http2(BOUND - pairs).word(), "200");
        assert_ne!(http2(BOUND - pairs + 1).word(), "200");
        // So many headers, `host` or the four that begin with a colon among them.
        let lines = |count: usize| {
            let lines: String = (0..count).map(|number| format!("x-{number}: 1\r\n")).collect();
            format!("GET /count-0 HTTP/1.1\r\nhost: {host}\r\n{lines}\r\n")
        };
        assert_eq!(http1(address, lines(99).as_bytes()).word(), "200");
        assert_eq!(http1(address, lines(100).as_bytes()).word(), "431");
        let http2 = |count: usize| {
            let request = Http2::new("GET", host, "/count-0");
            (0..count)
                .fold(request, |request, number| request.header(format!("x-{number}"), "1"))
                .send(address)
        };
        assert_eq!(http2(96).word(), "200");
        assert_ne!(http2(97).word(), "200");
    }
}

/// An application of the test's own in the place of `echo`, which answers each request by what its path asks for.
fn stand_in_for_echo(mesh: &Mesh) {
    mesh.fail("shop.echo", "west", "gone");
    let application = mesh.application("west/sidecars/shop/echo");
    let free = || TcpListener::bind(application).ok();
    let listener = process::eventually("the application's port is free", Duration::from_secs(20), free);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().expect("a second handle");
                let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
                while let Some(first) = lines.next() {
                    let asked =
                        first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
                    if lines.by_ref().find(String::is_empty).is_none()
                        || writer.write_all(&strange_answer(&asked)).is_err()
                        || asked.starts_with("coding")
                    {
                        return;
                    }
                }
            });
        }
    });
}

/// Answers of the exact bound pass through both proxies.
fn answers_have_the_same_bound(mesh: &Mesh) {
    const BOUND: usize = 60 * 1024;
    for address in [mesh.address(INGRESS), mesh.address(CALL)] {
        let ask = |what: &str| -> [Outcome; 2] {
            let bytes = format!("GET /{what} HTTP/1.1\r\nhost: echo.example\r\n\r\n");
            [
                http1(address, bytes.as_bytes()),
                Http2::new("GET", "echo.example", &format!("/{what}")).send(address),
            ]
        };
        let words = |what: &str| ask(what).map(|outcome| outcome.word());
        let head = strange_answer("size-0").len() - 2;
        for (what, expected) in [
            (String::from("count-98"), "200"),
            (String::from("count-100"), "502"),
            (format!("size-{}", BOUND - head), "200"),
            (format!("size-{}", BOUND - head + 1_000), "502"),
            (String::from("coding-gzip"), "502"),
            (String::from("coding-gzip, chunked"), "502"),
            (String::from("coding-identity"), "502"),
            (String::from("coding-chunked"), "200"),
        ] {
            assert_eq!(words(&what.replace(' ', "%20")), [expected, expected], "{what}");
        }
    }
}

/// An answer with so many headers or bytes of them beside `content-length`, or with this transfer-encoding.
fn strange_answer(asked: &str) -> Vec<u8> {
    let (what, how) = asked.split_once('-').unwrap_or_default();
    let headers = match what {
        "count" => (1..=how.parse().unwrap_or(0)).map(|number: usize| format!("x-{number}: 1\r\n")).collect(),
        "size" => format!("x-a: {}\r\n", "a".repeat(how.parse().unwrap_or(0))),
        _ => {
            let coding = how.replace("%20", " ");
            return format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\nconnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n")
                .into_bytes();
        }
    };
    format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{headers}\r\nok").into_bytes()
}

crate::on_both_data_planes!(
    values_are_compared_byte_by_byte,
    other_spellings_of_a_proxys_headers_stay_behind
);
