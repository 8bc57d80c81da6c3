//! Settings that other stories leave at their defaults: names of identities, ways between networks, callees of one route,
//! server names, and rules by port and address.

use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

/// One cluster with a trust domain and accounts of its own. One of the others is cheaper to reach, the other one is faster.
const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy, namespace = "mesh-own" }
trust house {}
network here-net {}
network cheap-net {}
network fast-net {}
link { between = [here-net, cheap-net], latency = 20ms, cost = 1 }
link { between = [here-net, fast-net], latency = 5ms, cost = 9 }
cluster here {
  network = here-net, region = "here", trust_domain = "here.example"
  gateway in { role = ingress, address = 10.0.0.1, account = "edge", port http { number = 80 } }
}
cluster cheap { network = cheap-net, region = "cheap", gateway ew { role = east_west, address = 10.0.1.1 } }
cluster fast { network = fast-net, region = "fast", gateway ew { role = east_west, address = 10.0.2.1 } }
namespace shop {
  client web   { clusters = [here], account = "people", calls = [by-cost, by-latency, guarded, pay] }
  client batch { clusters = [here], calls = [guarded, kept] }
  service by-cost    { clusters = [cheap, fast], port http { number = 80 } }
  service by-latency { clusters = [cheap, fast], port http { number = 80 } }
  policy by-cost    { targets = [by-cost], failover { by = [cost] } }
  policy by-latency { targets = [by-latency], failover { by = [latency] } }

  service kept { clusters = [here, cheap], port http { number = 80 } }
  policy kept  { targets = [kept], failover { enabled = false } }

  service guarded {
    clusters = [here]
    account  = "vault"
    port http  { number = 80 }
    port other { number = 81 }
  }
  policy guarded {
    targets = [guarded]
    allow { from = [web, here.in], ports = ["http"] }
    allow { from = [web], ports = ["other"], addresses = [127.0.0.0/8], match { path = "/near" } }
    allow { from = [web], ports = ["other"], addresses = [10.0.0.0/8], match { path = "/far" } }
    allow { from = [batch], except { ports = ["other"], match { path = "/" } } }
    deny  { from = [batch], hosts = ["secret.example"] }
    rate_limit { scope = cluster, domain = "of-its-own", match { path = "/limited" }, otherwise = 1/d, timeout = 5s }
  }

  route both {
    callees = [by-cost, by-latency]
    from    = [web]
    retry   { attempts = 1, when = [5xx], per_try_timeout = 500ms, other_localities = true }
    rule { match { regex = "/v[0-9]+" }, match { path = "/Any", ignore_case = true }, to = kept }
    rule { match { prefix = "/again" }, to = by-cost }
  }
  route moved   { gateway = here.in, hosts = ["moved.example"], redirect = https }
  route guarded { gateway = here.in, hosts = ["guarded.example"], to = guarded.http }

  external pay {
    hosts = ["api.pay.example"]
    port http { number = 80, target = 443, protocol = http, tls { ca = "pay-ca", sni = "front.pay.example" } }
  }
}
"#;

fn call(mesh: &Mesh, caller: &str, callee: &str, request: &Request) -> Response {
    mesh.call(&format!("HERE_SHOP_{caller}__SHOP_{callee}"), request)
}

fn what_is_set_is_what_holds(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    let web = |callee: &str, path: &str| call(&mesh, "WEB", callee, &Request::get("any.example", path));

    // Identities: the cluster's own trust domain, the accounts, and the namespace of the mesh itself.
    let answer = web("GUARDED_80", "/");
    assert_eq!(answer.field("caller"), "spiffe://here.example/ns/shop/sa/people");
    let told = answer.json()["headers"]["x-forwarded-client-cert"].as_str().unwrap_or_default().to_owned();
    assert!(told.starts_with("By=spiffe://here.example/ns/shop/sa/vault;"), "{told}");
    let answer = mesh.ingress("HERE_IN", &Request::get("guarded.example", "/"));
    assert_eq!(answer.field("caller"), "spiffe://here.example/ns/mesh-own/sa/edge");

    // Callees elsewhere, in another trust domain: the nearest one by cost, and by latency.
    let far = web("BY_COST_80", "/");
    assert_eq!((far.status, far.field("cluster").as_str()), (200, "cheap"), "{far:?}");
    assert_eq!(far.field("caller"), "spiffe://here.example/ns/shop/sa/people");
    assert_eq!(web("BY_LATENCY_80", "/").field("cluster"), "fast");

    // Rules by port, address and host.
    assert_eq!(["/near", "/far", "/"].map(|path| web("GUARDED_81", path).status), [200, 403, 403]);
    let batch = |callee: &str, host: &str| call(&mesh, "BATCH", callee, &Request::get(host, "/")).status;
    assert_eq!(batch("GUARDED_80", "any.example"), 200);
    assert_eq!(batch("GUARDED_81", "any.example"), 403);
    assert_eq!(batch("GUARDED_80", "secret.example"), 403);
    assert_eq!([(); 2].map(|()| web("GUARDED_80", "/limited").status), [200, 429]);

    // One route for the calls to two services.
    for (callee, own) in [("BY_COST_80", "shop.by-cost"), ("BY_LATENCY_80", "shop.by-latency")] {
        for (path, service) in [("/v12", "shop.kept"), ("/aNY", "shop.kept"), ("/v", own), ("/anyone", own)] {
            assert_eq!(web(callee, path).field("service"), service, "{callee} {path}");
        }
    }
    let moved = mesh.ingress("HERE_IN", &Request::get("moved.example", "/a?b"));
    let location = moved.headers.get("location").map(String::as_str);
    assert_eq!((moved.status, location), (301, Some("https://moved.example/a?b")));

    // The server name that is sent to a host outside.
    let outside = call(&mesh, "WEB", "PAY_80", &Request::get("api.pay.example", "/"));
    assert_eq!((outside.status, &outside.json()["tls"]["sni"]), (200, &"front.pay.example".into()));

    // An attempt that takes too long ends, and another one is made elsewhere.
    mesh.fail("shop.by-cost", "cheap", "hang");
    let again = web("BY_LATENCY_80", "/again");
    assert_eq!((again.status, again.field("cluster").as_str()), (200, "fast"), "{again:?}");

    // Without failover, no other locality takes over.
    mesh.fail("shop.kept", "here", "gone");
    for _ in 0..20 {
        assert_eq!(batch("KEPT_80", "any.example"), 503);
    }
    mesh.heal("shop.kept", "here");
    process::eventually("it answers again", Duration::from_secs(60), || {
        (batch("KEPT_80", "any.example") == 200).then_some(())
    });
}

crate::on_both_data_planes!(what_is_set_is_what_holds);
