//! Hosts outside the mesh: called by their own names, over TLS that the proxy begins or passes on, with others in their
//! place, and through routes. Nothing here connects to any of them: stand-ins on this machine do.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, tools};

/// One cluster with a gateway, in whose namespace `shop` all of `inside` is.
fn source(inside: &str) -> String {
    format!(
        r#"
mesh usmesh {{ trust_domain = "cluster.local", trust = acme }}
trust acme {{}}
network west-net {{}}
cluster west {{
  network = west-net
  region  = "westus"
  gateway ingress {{
    role    = ingress
    address = 172.18.255.200
    port http {{ number = 80 }}
    port tls  {{ number = 9443, protocol = tls }}
    port sql  {{ number = 5432, protocol = tcp }}
  }}
}}
namespace shop {{
  {inside}
}}
"#
    )
}

/// Every kind of port, and every kind of name.
const HOSTS: &str = r#"
  service web { clusters = [west], port http { number = 8080 }, calls = [plain, pay, cdn, db, grpc.rpc] }
  service idle { clusters = [west], port http { number = 8080 }, calls = [web] }
  external plain {
    hosts = ["API.plain.example", "www.plain.example"]
    port http { number = 80, protocol = http }
  }
  external pay {
    hosts = ["api.pay.example"]
    port http {
      number   = 80
      target   = 443
      protocol = http
      tls { ca = "pay-ca", client_certificate = "pay-client" }
    }
    port old { number = 81, target = 443, protocol = http, tls { ca = "pay-ca", names = ["old.example", "pay.example"] } }
    port tls { number = 443, protocol = tls }
    port raw { number = 6380, protocol = tcp, tls { ca = "pay-ca", minimum_version = tls13 } }
  }
  external cdn {
    hosts     = ["*.cdn.example"]
    addresses = ["edge.cdn.example"]
    port http { number = 80, protocol = http }
    port tls  { number = 443, protocol = tls }
  }
  external db { hosts = ["db.example"], addresses = [203.0.113.9], port sql { number = 5432, protocol = tcp } }
  external grpc { hosts = ["grpc.example"], port rpc { number = 50051, protocol = grpc }, port no { number = 1, protocol = tcp } }
"#;

fn call(mesh: &Mesh, callee: &str, host: &str) -> Response {
    mesh.call(&format!("WEST_SHOP_WEB__SHOP_{callee}"), &Request::get(host, "/orders?a=b"))
}

/// Which stand-in answered.
pub(crate) fn answered(response: &Response) -> (u16, String, String) {
    assert_eq!(response.status, 200, "{response:?}");
    (response.status, response.field("service"), response.field("cluster"))
}

pub(crate) fn by(service: &str, address: &str) -> (u16, String, String) {
    (200, service.to_owned(), address.to_owned())
}

/// A client that begins TLS itself and believes the given root: exit status of curl, status, and body.
pub(crate) fn curl(
    at: SocketAddr,
    host: &str,
    port: u16,
    root: &str,
) -> (Option<i32>, u16, serde_json::Value) {
    let mut command = Command::new(tools::system("curl"));
    command.args(["--silent", "--max-time", "20", "--noproxy", "*", "--write-out", "\n%{http_code}"]);
    command.args(["--cacert", root, "--connect-to", &format!("{host}:{port}:{at}")]);
    let output = process::run(command.arg(format!("https://{host}:{port}/")));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').expect("curl writes its line");
    let body = serde_json::from_str(body).unwrap_or_default();
    (output.status.code(), status.parse().expect("a number"), body)
}

/// Curl's exit status for a handshake that failed.
pub(crate) const REFUSED: Option<i32> = Some(35);

/// What comes back over a connection of bytes.
pub(crate) fn conversation(at: SocketAddr, said: &str) -> String {
    let mut stream = TcpStream::connect(at).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    // Whoever closes at once hears nothing of it.
    let _ = stream.write_all(said.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    let mut heard = String::new();
    let _ = stream.read_to_string(&mut heard);
    heard
}

fn applications_call_hosts_outside_by_their_names(data_plane: DataPlane) {
    let mesh = Mesh::up(&source(HOSTS), data_plane);
    let root = mesh.variable("MESH_CACERT_OUTSIDE").to_owned();

    // Requests, in the clear: for its own names only.
    for host in ["api.plain.example", "WWW.plain.example:80"] {
        let answer = call(&mesh, "PLAIN_80", host);
        assert_eq!(answered(&answer), by("shop.plain", "api.plain.example"), "{host}");
        assert_eq!(answer.json()["headers"]["host"], host, "the host is told what the application said");
        assert_eq!(answer.json()["path"], "/orders?a=b");
        assert!(answer.json()["caller"].is_null(), "nothing is said of the mesh's identities");
        assert!(answer.json()["tls"].is_null());
    }
    for host in ["plain.example", "other.example", "plain.shop"] {
        assert_eq!(call(&mesh, "PLAIN_80", host).status, 404, "{host}");
    }
    // What is no name is below no pattern.
    assert_eq!(answered(&call(&mesh, "CDN_80", "a.-b.cdn.example")), by("shop.cdn", "edge.cdn.example"));
    for host in ["..cdn.example", "x..cdn.example", "-.cdn.example", ".cdn.example", "a.--.cdn.example"] {
        let status = call(&mesh, "CDN_80", host).status;
        assert!([400, 404].contains(&status), "{host}: {status}");
    }

    // The proxy begins TLS, with the server name and the certificate that are declared.
    let answer = call(&mesh, "PAY_80", "api.pay.example");
    assert_eq!(answered(&answer), by("shop.pay", "api.pay.example"));
    assert_eq!(
        answer.json()["tls"],
        serde_json::json!({ "sni": "api.pay.example", "client": ["pay-client"] })
    );
    // What is true of the hop from the application is not told to a server that was asked over TLS.
    assert!(answer.json()["headers"].get("x-forwarded-proto").is_none(), "{answer:?}");
    assert!(answer.json()["headers"].get("x-request-id").is_some(), "{answer:?}");
    let answer = call(&mesh, "PAY_81", "api.pay.example");
    assert_eq!(answer.json()["tls"], serde_json::json!({ "sni": "api.pay.example", "client": [] }));
    let raw = conversation(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_PAY_6380"), "PING");
    assert_eq!(raw, "shop.pay in api.pay.example\nPING");

    // The application begins TLS: passed on by server name, and ended by the host.
    let tls = mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_PAY_443");
    for host in ["api.pay.example", "API.pay.example"] {
        let (exit, status, body) = curl(tls, host, 443, &root);
        assert_eq!((exit, status, &body["service"]), (Some(0), 200, &"shop.pay".into()), "{host}: {body}");
        assert_eq!(body["tls"]["sni"], "api.pay.example");
    }
    for host in ["pay.example", "x.api.pay.example", "127.0.0.1"] {
        assert_eq!(curl(tls, host, 443, &root).0, REFUSED, "{host}");
    }
    assert_eq!(conversation(tls, "GET / HTTP/1.1\r\nhost: api.pay.example\r\n\r\n"), "", "no TLS at all");

    // Names below a wildcard.
    let tls = mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_CDN_443");
    for host in ["a.cdn.example", "b.c.cdn.example"] {
        let answer = call(&mesh, "CDN_80", host);
        assert_eq!(answered(&answer), by("shop.cdn", "edge.cdn.example"), "{host}");
        let trusted = curl(tls, "a.cdn.example", 443, &root);
        assert_eq!((trusted.0, trusted.1), (Some(0), 200), "{trusted:?}");
    }
    assert_eq!(call(&mesh, "CDN_80", "cdn.example").status, 404);
    assert_eq!(curl(tls, "cdn.example", 443, &root).0, REFUSED);

    // Bytes, at an address.
    let said = conversation(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_DB_5432"), "hello");
    assert_eq!(said, "shop.db in 203.0.113.9\nhello");

    // gRPC is HTTP/2 all the way, and what is not called is not there.
    let rpc = mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_GRPC_50051");
    let mut command = Command::new(tools::system("curl"));
    command.args(["--silent", "--http2-prior-knowledge", "--noproxy", "*", "-H", "host: grpc.example"]);
    let output = process::succeed(command.arg(format!("http://{rpc}/pkg.Service/Method")));
    assert!(output.contains(r#""service":"shop.grpc""#), "{output}");

    // Who does not call a host has nothing of it: neither address nor name.
    for proxy in files(&mesh) {
        let text = std::fs::read_to_string(&proxy).expect("it can be read");
        let calls = proxy.to_string_lossy().contains("/sidecars/shop/web/");
        for name in ["pay.example", "plain.example", "cdn.example", "shop.db", "grpc.example"] {
            assert!(calls || !text.contains(name), "{name} in {}", proxy.display());
        }
    }

    // A declared address is never dialled: all that any proxy connects to is on this machine.
    let endpoints: Vec<String> = files(&mesh).iter().flat_map(|file| endpoints(file)).collect();
    assert!(endpoints.len() >= 8, "{endpoints:?}");
    for endpoint in &endpoints {
        let address: std::net::IpAddr = endpoint.parse().unwrap_or_else(|_| panic!("{endpoint} is a name"));
        assert!(address.is_loopback(), "{address}");
    }

    // A server that proves to be another one gets nothing.
    let server = impostor(&mesh, "PAY_80", "api.other.example");
    assert_eq!(call(&mesh, "PAY_80", "api.pay.example").status, 503, "another name");
    drop(server);
    let server = impostor(&mesh, "PAY_81", "old.example");
    assert_eq!(call(&mesh, "PAY_81", "api.pay.example").status, 200, "another name that is expected");
    drop(server);
}

/// Puts a server in the place of `shop.pay` whose certificate descends from the right root and is for this name.
fn impostor(mesh: &Mesh, port: &str, name: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| folder.path().join(name);
    let root = Path::new(mesh.variable("MESH_CACERT_OUTSIDE"));
    let mut make = Command::new(tools::system("openssl"));
    make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    make.args(["-days", "1", "-subj", "/CN=server", "-addext", &format!("subjectAltName=DNS:{name}")]);
    make.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    make.arg("-CA").arg(root).arg("-CAkey").arg(root.with_extension("key"));
    process::succeed(make.arg("-keyout").arg(file("key.pem")).arg("-out").arg(file("cert.pem")));
    let address = mesh.address(&format!("MESH_OUTSIDE_SHOP_{port}"));
    mesh.fail("shop.pay", "api.pay.example", "gone");
    let free = || std::net::TcpListener::bind(address).ok().map(drop);
    process::eventually("the stand-in's port is free", Duration::from_secs(20), free);
    let mut serve = Command::new(tools::system("openssl"));
    serve.args(["s_server", "-www", "-quiet", "-accept", &address.to_string()]);
    serve.arg("-cert").arg(file("cert.pem")).arg("-key").arg(file("key.pem"));
    let server =
        Ended(serve.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("openssl runs"), folder);
    process::eventually("it listens", Duration::from_secs(20), || TcpStream::connect(address).ok().map(drop));
    server
}

/// A process that ends with the test, and its files.
struct Ended(Child, #[expect(dead_code, reason = "it is removed with the value")] tempfile::TempDir);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every file of configuration of every proxy.
pub(crate) fn files(mesh: &Mesh) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![mesh.directory().join("proxies")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a directory").map(|entry| entry.expect("an entry")) {
            let path = entry.path();
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "yaml" || end == "json") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no proxy has any file");
    found
}

/// All hosts that a file of configuration connects to.
pub(crate) fn endpoints(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("it can be read");
    // JSON is YAML.
    let document: serde_json::Value = serde_yaml::from_str(&text).expect("it is YAML");
    let mut found = Vec::new();
    walk(&document, &mut found);
    found
}

fn walk(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            // meshd's endpoints have a host, Envoy's a socket address.
            let at = |one: &str, other: &str| members.get(other).and_then(|_| members.get(one)?.as_str());
            found.extend(at("host", "port").or_else(|| at("address", "port_value")).map(str::to_owned));
            members.values().for_each(|member| walk(member, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

fn others_take_the_place_of_a_host_that_is_gone(data_plane: DataPlane) {
    let inside = r#"
  service web { clusters = [west], port http { number = 8080 }, calls = [pay, far.calm, sql] }
  external pay {
    hosts     = ["api.pay.example"]
    addresses = [203.0.113.1, 203.0.113.2]
    fallback  = ["spare.pay.example", 203.0.113.4]
    port http { number = 80, target = 443, protocol = http, tls { ca = "pay-ca" } }
  }
  policy soon { outlier { interval = 1s, ejection = 60s } }
  external sql {
    hosts    = ["sql.example"]
    fallback = ["spare.sql.example"]
    port sql { number = 5432, protocol = tcp }
  }"#;
    let far = r#"
namespace far {
  policy calm { outlier { enabled = false } }
  external calm {
    hosts    = ["api.calm.example"]
    fallback = ["spare.calm.example"]
    port http { number = 80, target = 443, protocol = http, tls { ca = "calm-ca" } }
  }
}
"#;
    let mesh = Mesh::up(&(source(inside) + far), data_plane);
    // A server that is asked over TLS is told nothing of the hop before, whether or not its failures are counted.
    for (callee, host) in [("SHOP_PAY", "api.pay.example"), ("FAR_CALM", "api.calm.example")] {
        let answer = mesh.call(&format!("WEST_SHOP_WEB__{callee}_80"), &Request::get(host, "/"));
        assert_eq!(answer.json()["tls"]["sni"], host, "{answer:?}");
        assert!(answer.json()["headers"].get("x-forwarded-proto").is_none(), "{answer:?}");
    }
    // While it is not yet known that an address is dead, a request may fail.
    let who = || {
        let answer = call(&mesh, "PAY_80", "api.pay.example");
        if answer.status == 200 { answer.field("cluster") } else { answer.status.to_string() }
    };
    let both: BTreeSet<String> = (0..12).map(|_| who()).collect();
    assert_eq!(both, BTreeSet::from(["203.0.113.1".into(), "203.0.113.2".into()]), "all are used alike");
    let only = |wanted: &str| {
        process::eventually(wanted, Duration::from_secs(60), || {
            (0..6).all(|_| who() == wanted).then_some(())
        });
    };
    mesh.fail("shop.pay", "203.0.113.1", "gone");
    only("203.0.113.2");
    mesh.fail("shop.pay", "203.0.113.2", "gone");
    only("spare.pay.example");
    mesh.fail("shop.pay", "spare.pay.example", "gone");
    only("203.0.113.4");

    // Whoever cannot be connected to has not seen the request, so another host gets it, whatever its method.
    let post = |size: usize| {
        let request = Request::get("api.calm.example", "/").method("POST", &"x".repeat(size));
        mesh.call("WEST_SHOP_WEB__FAR_CALM_80", &request)
    };
    mesh.fail("far.calm", "api.calm.example", "gone");
    process::eventually("the connection fails", Duration::from_secs(30), || {
        (answered(&post(10)) == by("far.calm", "spare.calm.example")).then_some(())
    });
    // Of a body that is not kept as a whole, Envoy may have taken too much by then, which the reference says.
    for _ in 0..6 {
        let answer = post(70_000);
        let too_much = data_plane == DataPlane::Envoy && answer.status == 503;
        assert!(too_much || answered(&answer) == by("far.calm", "spare.calm.example"), "{answer:?}");
    }

    let sql = || conversation(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_SQL_5432"), "x");
    assert_eq!(sql(), "shop.sql in sql.example\nx");
    mesh.fail("shop.sql", "sql.example", "gone");
    process::eventually("the spare one takes over", Duration::from_secs(30), || {
        (sql() == "shop.sql in spare.sql.example\nx").then_some(())
    });
}

fn routes_lead_to_hosts_outside(data_plane: DataPlane) {
    let inside = r#"
  service web { clusters = [west], port http { number = 8080 }, calls = [catalog] }
  service catalog { clusters = [west], port http { number = 80 } }
  external pay {
    hosts = ["api.pay.example"]
    port http { number = 80, target = 443, protocol = http, tls { ca = "pay-ca", client_certificate = "pay-client" } }
    port tls  { number = 443, protocol = tls }
    port sql  { number = 5432, protocol = tcp }
  }
  route shop {
    gateway = west.ingress
    hosts   = ["shop.example"]
    rule { match { prefix = "/pay" }, to = pay.http, rewrite { host = "api.pay.example" } }
    rule { to = web }
  }
  route tls { gateway = west.ingress.tls, hosts = ["api.pay.example", "*.pay.example"], to = pay.tls }
  route sql { gateway = west.ingress.sql, to = pay.sql }
  external spare {
    hosts = ["api.spare.example"]
    port http { number = 80, target = 443, protocol = http, tls { ca = "spare-ca" } }
  }
  route moving {
    callee = catalog
    rule { match { prefix = "/old" }, to = pay.http, rewrite { host = "api.pay.example" } }
    rule {
      match { prefix = "/either" }
      failover = destinations
      destination { to = pay.http }
      destination { to = spare.http }
    }
  }"#;
    let mesh = Mesh::up(&source(inside), data_plane);
    let seen = serde_json::json!({ "sni": "api.pay.example", "client": ["pay-client"] });
    let answer = mesh.ingress("WEST_INGRESS_80", &Request::get("shop.example", "/pay/1"));
    assert_eq!(answered(&answer), by("shop.pay", "api.pay.example"));
    let told = answer.json()["headers"].as_object().expect("headers").clone();
    let own: Vec<&String> = told.keys().filter(|name| name.starts_with("x-envoy-")).collect();
    assert!(own.is_empty(), "a host outside is told nothing of Envoy's own: {own:?}");
    assert_eq!(
        (&answer.json()["headers"]["host"], &answer.json()["tls"]),
        (&"api.pay.example".into(), &seen)
    );
    let answer = mesh.ingress("WEST_INGRESS_80", &Request::get("shop.example", "/"));
    assert_eq!(answered(&answer), by("shop.web", "west"));

    let root = mesh.variable("MESH_CACERT_OUTSIDE").to_owned();
    let (exit, status, body) =
        curl(mesh.address("MESH_GATEWAY_WEST_INGRESS_9443"), "api.pay.example", 9443, &root);
    assert_eq!((exit, status, &body["service"]), (Some(0), 200, &"shop.pay".into()), "{body}");
    assert_eq!(curl(mesh.address("MESH_GATEWAY_WEST_INGRESS_9443"), "pay.example", 9443, &root).0, REFUSED);
    let said = conversation(mesh.address("MESH_GATEWAY_WEST_INGRESS_5432"), "x");
    assert_eq!(said, "shop.pay in api.pay.example\nx");

    // A call of a service that a rule sends outside, by the caller's own sidecar.
    let call = |path: &str| mesh.call("WEST_SHOP_WEB__SHOP_CATALOG_80", &Request::get("catalog.shop", path));
    let answer = call("/old/1");
    assert_eq!(answered(&answer), by("shop.pay", "api.pay.example"));
    assert_eq!(
        (&answer.json()["headers"]["host"], &answer.json()["tls"]),
        (&"api.pay.example".into(), &seen)
    );
    assert_eq!(answered(&call("/new")), by("shop.catalog", "west"));

    // Two hosts, each with its own TLS: half of the requests each, and all at one of them when the other is dead.
    let either: Vec<String> = (0..40).map(|_| answered(&call("/either")).1).collect();
    let spare = either.iter().filter(|service| *service == "shop.spare").count();
    assert!((1..40).contains(&spare), "all of 40 to one of two has a chance of 10^-12: {spare}");
    mesh.fail("shop.pay", "api.pay.example", "gone");
    process::eventually("the other host takes over", Duration::from_secs(60), || {
        let answers: Vec<Response> = (0..24).map(|_| call("/either")).collect();
        answers.iter().all(|answer| answer.status == 200).then_some(())
    });
    let answer = call("/either");
    assert_eq!(answered(&answer), by("shop.spare", "api.spare.example"));
    assert_eq!(answer.json()["tls"]["sni"], "api.spare.example");
}

crate::on_both_data_planes!(
    applications_call_hosts_outside_by_their_names,
    others_take_the_place_of_a_host_that_is_gone,
    routes_lead_to_hosts_outside,
);
