//! Rules about callers that tell more apart than identity and path, and rules that are only tried.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, tools};

const SOURCE: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west { network = net, region = "here" }
namespace shop {
  client web   { clusters = [west], calls = [hosts, api, tried] }
  client batch { clusters = [west], calls = [hosts, api, tried] }

  // Hosts, at a port where callers choose what they say.
  service hosts { clusters = [west], port http { number = 80 } }
  policy hosts {
    targets = [hosts]
    allow { from = [web], hosts = ["Admin.example", "*.shop.example"] }
    allow { from = [batch], except { hosts = ["admin.example"], match { prefix = "/keys" } } }
  }

  // Addresses, ports, and everything but.
  service api {
    clusters = [west]
    port http  { number = 80, mtls = permissive }
    port other { number = 81 }
  }
  policy api {
    targets = [api]
    allow { from = [shop, unauthenticated] }
    deny  { from = [unauthenticated], addresses = [127.0.0.2, 127.1.0.0/16] }
    deny  { from = [unauthenticated], match { prefix = "/inside" }, except { addresses = [127.0.0.1/32] } }
    deny  { from = [shop], ports = ["other"], except { from = [web] } }
    deny  { from = [shop], ports = ["other"], match { prefix = "/write" }, except { match { methods = ["GET", "HEAD"] } } }
  }

  // Tried: nothing is refused, and everything told.
  service tried { clusters = [west], port http { number = 80, mtls = permissive } }
  policy tried {
    targets = [tried]
    deny  { from = [batch, unauthenticated], match { path = "/really" } }
    allow { mode = audit, from = [web], except { match { path = "/not" } } }
    allow { mode = audit, from = [unauthenticated], match { prefix = "/public" } }
    deny  { mode = audit, from = [web], match { path = "/first" } }
    deny  { mode = audit, from = [web], match { path = "/second" } }
  }
}
"#;

/// Status of a request with the identity of a caller.
fn known(mesh: &Mesh, caller: &str, (callee, port): (&str, u16), request: &Request) -> u16 {
    mesh.call(&format!("WEST_SHOP_{caller}__SHOP_{callee}_{port}"), request).status
}

/// The inbound side of a service's sidecar.
fn inbound(mesh: &Mesh, callee: &str) -> SocketAddr {
    mesh.address(&format!("MESH_INBOUND_WEST_SIDECARS_SHOP_{callee}"))
}

/// Status of a plain request from one of the addresses of loopback.
fn from_address(source: &str, address: SocketAddr, path: &str) -> u16 {
    let mut command = Command::new(tools::system("curl"));
    command.args(["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"]);
    command.args(["--noproxy", "*", "--interface", source]).arg(format!("http://{address}{path}"));
    let output = process::run(&mut command);
    String::from_utf8_lossy(&output.stdout).parse().expect("a status")
}

/// The lines of a sidecar's log about requests for these paths, once there is one for each, in order.
fn logged(mesh: &Mesh, sidecar: &str, paths: &[&str]) -> Vec<serde_json::Value> {
    process::eventually("all requests are logged", Duration::from_secs(20), || {
        let log = mesh.log(&format!("west/sidecars/shop/{sidecar}"));
        let lines: Vec<serde_json::Value> =
            log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let of = |path: &str| lines.iter().find(|line| line["path"] == path).cloned();
        paths.iter().map(|path| of(path)).collect()
    })
}

fn rules_tell_hosts_ports_and_addresses_apart(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let hosts =
        |caller, host: &str, path: &str| known(&mesh, caller, ("HOSTS", 80), &Request::get(host, path));
    for (host, expected) in [
        ("admin.example", 200),
        ("ADMIN.example:80", 200),
        ("admin.example.", 200),
        ("a.shop.example", 200),
        ("a.b.shop.example:8080", 200),
        ("shop.example", 403),
        ("xadmin.example", 403),
        ("admin.example.org", 403),
        ("hosts", 403),
    ] {
        assert_eq!(hosts("WEB", host, "/"), expected, "{host}");
    }
    for (host, path, expected) in
        [("admin.example", "/keys/1", 403), ("admin.example", "/", 200), ("hosts", "/keys/1", 200)]
    {
        assert_eq!(hosts("BATCH", host, path), expected, "all of an exception must be met: {host}{path}");
    }

    let api = inbound(&mesh, "API");
    for (source, path, expected) in [
        ("127.0.0.1", "/", 200),
        ("127.0.0.2", "/", 403),
        ("127.0.0.3", "/", 200),
        ("127.1.255.7", "/", 403),
        ("127.0.0.1", "/inside/1", 200),
        ("127.0.0.3", "/inside/1", 403),
    ] {
        assert_eq!(from_address(source, api, path), expected, "{source} {path}");
    }
    // What a client says of itself is not its address.
    let claim = Request::get("api", "/inside/1").header("x-forwarded-for", "127.0.0.2");
    assert_eq!(claim.send(api).status, 200);

    let other = |caller, request: &Request| known(&mesh, caller, ("API", 81), request);
    assert_eq!(other("WEB", &Request::get("api", "/")), 200);
    assert_eq!(other("BATCH", &Request::get("api", "/")), 403);
    assert_eq!(known(&mesh, "BATCH", ("API", 80), &Request::get("api", "/")), 200, "another port");
    assert_eq!(other("WEB", &Request::get("api", "/write/1")), 200);
    assert_eq!(other("WEB", &Request::get("api", "/write/2").method("POST", "")), 403);

    let refused = logged(&mesh, "api", &["/write/2"]);
    assert_eq!(refused[0]["details"], "rbac_access_denied_matched_policy[deny.api.4]", "{refused:?}");
}

fn rules_in_audit_refuse_nothing_and_tell_everything(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let ask = |caller, path: &str| known(&mesh, caller, ("TRIED", 80), &Request::get("tried", path));
    for (caller, path, expected) in [
        ("WEB", "/fine", 200),
        ("WEB", "/first", 200),
        ("WEB", "/second", 200),
        ("WEB", "/not", 200),
        ("BATCH", "/whatever", 200),
        ("BATCH", "/really", 403),
    ] {
        assert_eq!(ask(caller, path), expected, "{caller} {path}");
    }
    for path in ["/public/1", "/private"] {
        assert_eq!(from_address("127.0.0.1", inbound(&mesh, "TRIED"), path), 200, "{path}");
    }
    let would_refuse = [
        ("/fine", None),
        ("/first", Some("deny.tried")),
        ("/second", Some("deny.tried.2")),
        ("/not", Some("none")),
        ("/whatever", Some("none")),
        // Refused by a rule in force, so that the others are not asked.
        ("/really", None),
        ("/public/1", None),
        ("/private", Some("none")),
    ];
    let paths: Vec<_> = would_refuse.iter().map(|(path, _)| *path).collect();
    for (line, (path, rule)) in logged(&mesh, "tried", &paths).iter().zip(would_refuse) {
        assert_eq!(line["audit"].as_str(), rule, "{path}: {line}");
    }
    let metrics = mesh.metrics("west/sidecars/shop/tried");
    let (refused, tried) = match data_plane {
        DataPlane::Envoy => ("http_rbac_denied", "rbac_shadow_denied"),
        DataPlane::Meshd => ("authorization_denied_total", "authorization_audited_total"),
    };
    let sum = |name: &str| -> f64 {
        let lines = metrics.lines().filter(|line| !line.starts_with('#') && line.contains(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    };
    assert_eq!((sum(refused), sum(tried)), (1.0, 5.0), "{metrics}");
}

crate::on_both_data_planes!(
    rules_tell_hosts_ports_and_addresses_apart,
    rules_in_audit_refuse_nothing_and_tell_everything,
);
