//! What a route does with requests and answers beside sending them on.

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use bytes::Bytes;
use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::one_stream;
use mesh_tests::process;

/// One service behind an ingress.
const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  service api { clusters = [west], port http { number = 80 } }
  route api {
    gateway = west.in, hosts = ["api.example"]
    response_headers { set = { "X-Route" = "of the route" } }
    rule { match { path = "/alone" }, to = api, response_headers { remove = ["content-type"] } }
    rule {
      match { prefix = "/changed", header x-kind {} }
      to = api
      request_headers {
        set    = { "X-Kind" = "50% of \"it\", größer", "x-empty" = "", "x-absent" = "here", "user-agent" = "mesh" }
        add    = { "x-more" = "two", "x-new" = "one" }
        remove = ["Cookie", "x-secret", "x-was-never-there"]
      }
      response_headers {
        set    = { "content-type" = "text/plain", "x-served-by" = "100%", "x-nothing" = "" }
        add    = { "set-cookie" = "a=b" }
        remove = ["content-encoding"]
      }
    }
    rule { match { header x-kind { exact = "50% of \"it\", größer" } }, to = api, response_headers { set = { "x-wrong" = "" } } }
    rule { to = api }
  }
}
"#;

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(String::as_str)
}

fn headers_change_as_a_rule_states(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let ask = |path: &str| {
        let request =
            Request::get("api.example", path).header("x-kind", "client's").header("x-empty", "full");
        let request = request.header("x-more", "one").header("cookie", "c=1").header("x-secret", "1");
        mesh.ingress("WEST_IN", &request.header("X-Secret", "2").header("user-agent", "test"))
    };
    let answer = ask("/changed/1");
    let seen = |answer: &Response, name: &str| {
        answer.json()["headers"][name].as_str().map_or_else(|| String::from("absent"), str::to_owned)
    };
    for (name, expected) in [
        ("x-kind", "50% of \"it\", größer"),
        ("x-empty", ""),
        ("x-absent", "here"),
        ("user-agent", "mesh"),
        ("x-more", "one, two"),
        ("x-new", "one"),
        ("cookie", "absent"),
        ("x-secret", "absent"),
        ("x-was-never-there", "absent"),
    ] {
        assert_eq!(seen(&answer, name), expected, "{name} of the request: {answer:?}");
    }
    for (name, expected) in [
        ("content-type", Some("text/plain")),
        ("x-served-by", Some("100%")),
        ("x-nothing", Some("")),
        ("set-cookie", Some("a=b")),
        ("x-route", None),
        ("x-wrong", None),
    ] {
        assert_eq!(header(&answer, name), expected, "{name} of the answer: {answer:?}");
    }
    // The same over HTTP/2, where names are sent otherwise.
    let two = one_stream::Request::new("GET", "api.example", "/changed/2").header("x-kind", "client's");
    let two = two.send(mesh.address("MESH_GATEWAY_WEST_IN"));
    assert_eq!(
        (two.status, two.header("x-served-by"), two.header("content-type")),
        (200, "100%", "text/plain")
    );

    // The log has what was sent on.
    process::eventually("the requests are in the log", Duration::from_secs(20), || {
        let log = mesh.log("west/gateways/in");
        let logged = |line: &&str| line.contains("/changed/1") && line.contains(r#""user_agent":"mesh""#);
        log.lines().find(logged).map(ToOwned::to_owned)
    });

    // What a rule leaves out comes from the route around it, and what it states replaces that.
    let untouched = ask("/other");
    assert_eq!(header(&untouched, "x-route"), Some("of the route"));
    assert_eq!(
        (seen(&untouched, "x-kind").as_str(), seen(&untouched, "cookie").as_str()),
        ("client's", "c=1")
    );
    let alone = ask("/alone");
    assert_eq!((header(&alone, "content-type"), header(&alone, "x-route")), (None, None));

    // An answer of the gateway's own is changed too, and one on no route is not.
    mesh.fail("shop.api", "west", "gone");
    let failed = ask("/changed/3");
    assert_eq!((failed.status, header(&failed, "x-served-by")), (503, Some("100%")), "{failed:?}");
    let nowhere = mesh.ingress("WEST_IN", &Request::get("other.example", "/"));
    assert_eq!((nowhere.status, header(&nowhere, "x-route")), (404, None));
}

/// Values that say something of the request.
const TELLING: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in  { role = ingress, address = 10.0.0.1, port http { number = 80 } }
  gateway far { role = ingress, address = 10.0.0.2, trusted_hops = 1, port http { number = 8080 } }
}
namespace shop {
  service api { clusters = [west], port http { number = 80 } }
  client web { clusters = [west], calls = [api] }
  route api {
    gateways = [west.in, west.far], hosts = ["api.example"]
    request_headers {
      set = {
        "x-all"   = "${request.method} ${request.scheme}://${request.host}${request.path_and_query} ${request.protocol}"
        "x-path"  = "<${request.path}>"
        "x-id"    = "${request.id}"
        "x-from"  = "${request.client_address}"
        "x-who"   = "<${request.caller}>:${request.port}"
        "x-caller" = "${request.caller}"
        "x-plain" = "100% %REQ(:PATH)% $${request.path} $5 ${api} größer"
      }
      add = { "x-more" = "${request.path}" }
    }
    response_headers { set = { "x-path" = "<${request.path}>", "x-sent" = "${request.host}${request.path_and_query}" } }
    rule { match { prefix = "/v1" }, to = api, rewrite { prefix = "/v2", host = "inner.example" } }
    rule { match { path = "/moved" }, redirect { path = "/there" } }
    rule { to = api }
  }
  route calls { callee = api, from = [web], to = api, request_headers { set = { "x-from" = "${request.client_address}", "x-all" = "${request.scheme} ${request.host}", "x-who" = "<${request.caller}>:${request.port}" } } }
  service other { clusters = [west], port http { number = 80 }, calls = [api] }
  route others { callee = api, from = [other], to = api, response_headers { add = { "x-who" = "${request.caller}" } } }
}
"#;

fn values_say_something_of_the_request(data_plane: DataPlane) {
    let mesh = Mesh::up(TELLING, data_plane);
    let request = |path: &str| {
        let request = Request::get("api.example:81", path).header("x-forwarded-for", "198.51.100.7");
        request.header("x-all", "mine").header("x-more", "mine").header("user-agent", "test")
    };
    let seen = |answer: &Response, name: &str| answer.json()["headers"][name].as_str().map(str::to_owned);
    let answer = mesh.ingress("WEST_IN", &request("/a/../v1//x?q=%41%20"));
    for (name, value) in [
        ("x-all", "GET http://api.example:81/v1/x?q=%41%20 HTTP/1.1"),
        ("x-path", "</v1/x>"),
        ("x-from", "127.0.0.1"),
        ("x-who", "<>:80"),
        ("x-caller", ""),
        ("x-plain", "100% %REQ(:PATH)% ${request.path} $5 api größer"),
        ("x-more", "mine, /v1/x"),
    ] {
        assert_eq!(seen(&answer, name).as_deref(), Some(value), "{name}: {answer:?}");
    }
    assert_eq!(seen(&answer, "x-id"), seen(&answer, "x-request-id"));
    assert_eq!(seen(&answer, "x-id").map_or(0, |id| id.len()), 36);
    // An answer says what was sent on.
    assert_eq!(
        (header(&answer, "x-path"), header(&answer, "x-sent")),
        (Some("</v2/x>"), Some("inner.example/v2/x?q=%41%20"))
    );
    // Who is in front of a gateway and trusted gives requests their ids.
    let named = |gateway: &str, id: &str| {
        let answer = mesh.ingress(gateway, &request("/").header("x-request-id", id));
        seen(&answer, "x-request-id").unwrap_or_default()
    };
    assert_eq!((named("WEST_FAR", "mine").as_str(), named("WEST_IN", "mine").len()), ("mine", 36));
    assert_eq!(named("WEST_FAR", "").len(), 36, "an empty one is none");
    let far = mesh.ingress("WEST_FAR", &request("/"));
    assert_eq!(seen(&far, "x-from").as_deref(), Some("198.51.100.7"), "{far:?}");
    assert_eq!(seen(&far, "x-who").as_deref(), Some("<>:8080"), "the number that is declared");
    let moved = mesh.ingress("WEST_IN", &request("/moved?q"));
    assert_eq!(
        (header(&moved, "x-path"), header(&moved, "x-sent")),
        (Some("</there>"), Some("api.example:81/there?q"))
    );
    let two =
        one_stream::Request::new("POST", "api.example", "/two").send(mesh.address("MESH_GATEWAY_WEST_IN"));
    let two: serde_json::Value = serde_json::from_str(&two.body).expect("an answer of the application");
    assert_eq!(two["headers"]["x-all"], "POST http://api.example/two HTTP/2");
    let called = mesh.call("WEST_SHOP_WEB__SHOP_API_80", &Request::get("api.shop", "/"));
    assert_eq!(seen(&called, "x-from").as_deref(), Some("127.0.0.1"));
    assert_eq!(seen(&called, "x-all").as_deref(), Some("http api.shop"));
    assert_eq!(seen(&called, "x-who").as_deref(), Some("<spiffe://cluster.local/ns/shop/sa/web>:80"));
    let other = mesh.call("WEST_SHOP_OTHER__SHOP_API_80", &Request::get("api.shop", "/"));
    assert_eq!(header(&other, "x-who"), Some("spiffe://cluster.local/ns/shop/sa/other"));
    let told = Request::get("api.shop", "/").header("x-forwarded-for", "198.51.100.1, 198.51.100.2");
    let told = mesh.call("WEST_SHOP_WEB__SHOP_API_80", &told.header("x-forwarded-proto", "https"));
    assert_eq!(seen(&told, "x-from").as_deref(), Some("198.51.100.2"));
    assert_eq!(seen(&told, "x-all").as_deref(), Some("https api.shop"));
}

/// A service that is copied, and one that gets the copies.
const COPIED: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  service api { clusters = [west], port http { number = 80 } }
  service shadow { clusters = [west], port http { number = 80 } }
  service second { clusters = [west], port http { number = 80 } }
  client web { clusters = [west], calls = [api] }
  route calls {
    callee = api, from = [web], to = api
    mirror { to = shadow }
    request_headers { set = { "x-kind" = "called" } }
    response_headers { set = { "x-served-by" = "the caller's sidecar" } }
  }
  route api {
    gateway = west.in, hosts = ["api.example"]
    mirror { to = shadow }
    mirror { to = second, share = 100% }
    rule { match { path = "/never" }, to = api, mirror { to = shadow, share = 0% } }
    rule { to = api, request_headers { set = { "x-kind" = "sent on" } } }
  }
}
"#;

/// The next request that an application got: its head in lower case, and its body.
fn next(application: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = application.accept().expect("a copy");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    let mut bytes = Vec::new();
    let mut part = [0; 65536];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
            let whole = match length {
                Some(length) => bytes.len() >= end + 4 + length.parse::<usize>().expect("a length"),
                None => !head.contains("transfer-encoding") || bytes.ends_with(b"0\r\n\r\n"),
            };
            if whole {
                return (head, bytes.split_off(end + 4));
            }
        }
        let count = stream.read(&mut part).expect("the rest of the copy");
        assert!(count > 0, "the copy broke off: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&part[..count]);
    }
}

fn copies_reach_others_and_nobody_waits_for_them(data_plane: DataPlane) {
    let mesh = Mesh::up(COPIED, data_plane);
    let shadow = mesh.replace("shop.shadow", "west", "WEST_SIDECARS_SHOP_SHADOW_80");
    let second = mesh.replace("shop.second", "west", "WEST_SIDECARS_SHOP_SECOND_80");
    let ingress = mesh.address("MESH_GATEWAY_WEST_IN");
    for _ in 0..20 {
        assert_eq!(mesh.ingress("WEST_IN", &Request::get("api.example", "/never")).status, 200);
    }
    // Whoever gets the copies never answers them, and the client has its answer.
    let body = "0123456789".repeat(30_000);
    let request =
        Request::get("api.example", "/a/../copied?q=1").method("POST", &body).header("x-kind", "asked");
    let answer = mesh.ingress("WEST_IN", &request);
    assert_eq!((answer.status, answer.json()["received"].as_u64()), (200, Some(300_000)), "{answer:?}");
    for application in [&shadow, &second] {
        let (head, copied) = next(application);
        assert!(head.starts_with("post /copied?q=1 http/1.1\r\n"), "{head}");
        for line in ["host: api.example", "x-kind: sent on"] {
            assert!(head.contains(&format!("\r\n{line}\r\n")) || head.ends_with(line), "{line}: {head}");
        }
        let caller = "uri=spiffe://cluster.local/ns/mesh-system/sa/west-in";
        assert!(head.contains(caller) && !head.contains("x-envoy-"), "{head}");
        assert!(copied == body.as_bytes(), "{} bytes of the body were copied", copied.len());
    }
    // A body of unknown length, over HTTP/2.
    let parts = [Bytes::from_static(b"abc"), Bytes::from_static(b"defg")];
    let two = one_stream::Request::new("PUT", "api.example", "/two").body(parts).send(ingress);
    assert_eq!(two.status, 200, "{two:?}");
    let (head, copied) = next(&shadow);
    let copied = String::from_utf8_lossy(&copied).into_owned();
    assert!(
        head.starts_with("put /two ") && copied.contains("abc") && copied.contains("defg"),
        "{head}: {copied}"
    );
    // Calls inside the mesh have the same filters, at the caller's sidecar.
    let called = mesh.call("WEST_SHOP_WEB__SHOP_API_80", &Request::get("api.shop", "/called"));
    assert_eq!((called.status, header(&called, "x-served-by")), (200, Some("the caller's sidecar")));
    assert_eq!(called.json()["headers"]["x-kind"], "called");
    let (head, _) = next(&shadow);
    assert!(head.starts_with("get /called ") && head.contains("x-kind: called"), "{head}");
    assert!(head.contains("uri=spiffe://cluster.local/ns/shop/sa/web"), "{head}");
    // What becomes of copies is of no account.
    drop((shadow, second));
    for _ in 0..10 {
        assert_eq!(mesh.ingress("WEST_IN", &Request::get("api.example", "/gone")).status, 200);
    }
    // And the copied request fails as if there were no copies.
    mesh.heal("shop.shadow", "west");
    mesh.fail("shop.api", "west", "gone");
    assert_eq!(mesh.ingress("WEST_IN", &Request::get("api.example", "/failed")).status, 503);
}

crate::on_both_data_planes!(
    headers_change_as_a_rule_states,
    values_say_something_of_the_request,
    copies_reach_others_and_nobody_waits_for_them
);
