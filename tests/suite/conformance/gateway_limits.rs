//! Limits where requests come in: of routes, for all their rules together, and of whole gateways.

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::raw;

/// Clients are behind one trusted proxy, so that a test can be several of them. Days are long enough for exact counts.
const SOURCE: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net
  region  = "here"
  gateway in    { role = ingress, address = 192.0.2.10, trusted_hops = 1, port http { number = 80 } }
  gateway front { role = ingress, address = 192.0.2.11, trusted_hops = 1, port http { number = 80 } }
}
namespace shop {
  service web   { clusters = [west], port http { number = 80 } }
  service items { clusters = [west], port http { number = 80 } }
  route pods {
    gateway = west.in
    hosts   = ["pods.example"]
    rule { match { prefix = "/items" }, to = items }
    rule { match { prefix = "/here" }, respond { status = 200 } }
    rule { to = web }
  }
  route shared {
    gateway = west.in
    hosts   = ["shared.example"]
    rule { match { prefix = "/items" }, to = items }
    rule { match { prefix = "/here" }, respond { status = 200 } }
    rule { to = web }
  }
  route free  { gateway = west.in, hosts = ["free.example"], to = web }
  route never { gateway = west.in, hosts = ["never.example"], to = web }
  route asked { gateway = west.in, hosts = ["never-shared.example"], to = web }
  route front {
    gateway = west.front
    hosts   = ["front.example"]
    to      = web
    response_headers { set = { x-route = "of ${request.method}" } }
  }
  route told {
    gateway = west.front
    hosts   = ["told.example"]
    rule { respond { status = 200 }, response_headers { set = { x-route = "told" } } }
  }
  route other { gateway = west.front, hosts = ["other.example"], rule { match { path = "/known" }, to = items } }
  policy pods   { routes = [pods],   rate_limit { scope = pod, each { by = [address], rate = 4/d }, total = 9/d } }
  policy shared { routes = [shared], rate_limit { scope = cluster, each { by = [address], rate = 4/d }, total = 9/d, timeout = 5s } }
  route many  { gateway = west.in, hosts = ["pods.many.example"], to = web }
  route ask   { gateway = west.in, hosts = ["shared.many.example"], to = web }
  policy many { routes = [many], rate_limit { scope = pod, each { by = [address], rate = 3/d } } }
  policy ask  { routes = [ask], rate_limit { scope = cluster, each { by = [address], rate = 3/d }, timeout = 5s } }
  policy never {
    routes = [never]
    rate_limit { scope = pod, header = "x-plan", tiers = { ended = 0/d }, otherwise = 9/d, burst = 8 }
    rate_limit { scope = pod, match { path = "/gone" }, each { by = [address], rate = 0/min } }
    rate_limit { scope = pod, match { path = "/tried" }, total = 0/min, mode = audit }
    rate_limit { scope = pod, match { regex = "^/segments/[^/]+$" }, total = 0/min }
  }
  policy asked {
    routes = [asked]
    rate_limit { scope = cluster, header = "x-plan", tiers = { ended = 0/d }, otherwise = 9/d, timeout = 5s }
    rate_limit { scope = cluster, match { path = "/gone" }, each { by = [address], rate = 0/min }, timeout = 5s }
    rate_limit { scope = cluster, match { path = "/tried" }, total = 0/min, mode = audit, timeout = 5s }
    rate_limit { scope = cluster, match { regex = "^/segments/[^/]+$" }, total = 0/min, timeout = 5s }
  }
  route plain { gateway = west.in, hosts = ["plain.example"], rule { to = web, upgrade = [] } }
  policy plain { routes = [plain], rate_limit { scope = pod, total = 2/d } }
  policy front {
    gateways = [west.front]
    deny { match { path = "/closed" } }
    rate_limit { scope = pod, match { prefix = "/pods" }, total = 4/d }
    rate_limit { scope = cluster, match { prefix = "/shared" }, each { by = [address], rate = 4/d }, timeout = 5s }
  }
}
"#;

fn routes_and_gateways_have_limits(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    for host in ["pods.example", "shared.example"] {
        let admitted = |client: &str, target: &str, count: usize| {
            let request = Request::get(host, target).header("x-forwarded-for", client);
            let statuses: Vec<_> = (0..count).map(|_| mesh.ingress("WEST_IN", &request).status).collect();
            assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
            statuses.iter().filter(|status| **status == 200).count()
        };
        // All rules of a route count together, for each client.
        assert_eq!(admitted("203.0.113.1", "/items", 2), 2, "{host}");
        assert_eq!(admitted("203.0.113.1", "/other", 1), 1, "{host}");
        // What the gateway answers by itself it counts by itself, and asks nobody about.
        assert_eq!(admitted("203.0.113.1", "/here", 1), 1, "{host}");
        let counted_here = host == "pods.example";
        assert_eq!(admitted("203.0.113.1", "/items", 2), if counted_here { 0 } else { 1 }, "{host}");
        assert_eq!(admitted("203.0.113.1", "/here", 1), if counted_here { 0 } else { 1 }, "{host}");
        // What a client says before the proxy is not its address.
        assert_eq!(admitted("198.51.100.7, 203.0.113.2", "/", 2), 2, "{host}");
        assert_eq!(admitted("203.0.113.2", "/", 1), 1, "{host}");
    }
    // A network of IPv6 is one client, and an IPv4 address is one however it is written.
    for host in ["pods.many.example", "shared.many.example"] {
        let ask = |client: &str| {
            mesh.ingress("WEST_IN", &Request::get(host, "/").header("x-forwarded-for", client)).status
        };
        let network = ["2001:db8:1:2::1", "2001:db8:1:2:3::4", "2001:db8:1:2:ffff::", "2001:db8:1:2::1"];
        assert_eq!(network.map(ask), [200, 200, 200, 429], "{host}");
        assert_eq!(ask("2001:db8:1:3::1"), 200, "{host}: another network");
        let written = ["203.0.113.7", "::ffff:203.0.113.7", "::ffff:cb00:7107", "203.0.113.7"];
        assert_eq!(written.map(ask), [200, 200, 200, 429], "{host}");
        assert_eq!(ask("::ffff:203.0.113.8"), 200, "{host}: another address");
    }
    // A WebSocket that the route refuses is not counted.
    let change = b"GET / HTTP/1.1\r\nhost: plain.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for _ in 0..4 {
        assert_eq!(raw::http1(mesh.address("MESH_GATEWAY_WEST_IN_80"), change).status, Some(403));
    }
    let plain = [(); 3].map(|()| mesh.ingress("WEST_IN", &Request::get("plain.example", "/")).status);
    assert_eq!(plain, [200, 200, 429]);
    // What admits none refuses all that it counts, and nothing else.
    for host in ["never.example", "never-shared.example"] {
        let ask = |target: &str, plan: &str, client: &str| {
            let request = Request::get(host, target).header("x-plan", plan).header("x-forwarded-for", client);
            mesh.ingress("WEST_IN", &request)
        };
        let statuses = |target: &str, plan: &str| -> Vec<u16> {
            (1..=4).map(|client| ask(target, plan, &format!("203.0.113.{client}")).status).collect()
        };
        assert_eq!(statuses("/", "ended"), [429; 4], "{host}");
        assert_eq!(statuses("/gone", "ended"), [429; 4], "{host}");
        assert_eq!(ask("/gone", "other", "203.0.113.9").status, 429, "{host}: for each client");
        let refused = ask("/", "ended", "203.0.113.9");
        assert_eq!(
            refused.headers.get("x-envoy-ratelimited").map(String::as_str),
            Some("true"),
            "{refused:?}"
        );
        let again: u64 = refused.headers.get("retry-after").and_then(|said| said.parse().ok()).unwrap_or(0);
        assert_eq!(again == 1, host == "never.example", "{refused:?}");
        assert!(again >= 1, "{refused:?}");
        // An expression is about the path, and a query is no segment of it.
        for (target, status) in [("/segments/x", 429), ("/segments/x?v=1", 429), ("/segments/?v=1", 200)] {
            assert_eq!(ask(target, "other", "203.0.113.9").status, status, "{host}{target}");
        }
        // In audit it refuses none.
        assert_eq!(
            ["/tried", "/"].map(|target| ask(target, "other", "203.0.113.9").status),
            [200; 2],
            "{host}"
        );
    }
    let free = Request::get("free.example", "/").header("x-forwarded-for", "203.0.113.1");
    assert_eq!((0..9).filter(|_| mesh.ingress("WEST_IN", &free).status == 200).count(), 9);
    let refused = Request::get("pods.example", "/").header("x-forwarded-for", "203.0.113.1");
    let refused = mesh.ingress("WEST_IN", &refused);
    assert_eq!(refused.headers.get("x-envoy-ratelimited").map(String::as_str), Some("true"), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");

    // Whatever arrives at a gateway counts in its pod, for any host, also what no route takes.
    let statuses = |host: &str, target: &str, client: &str, count: usize| -> Vec<u16> {
        let request = Request::get(host, target).header("x-forwarded-for", client);
        (0..count).map(|_| mesh.ingress("WEST_FRONT", &request).status).collect()
    };
    for (target, counted_here) in [("/pods", true), ("/shared", false)] {
        assert_eq!(statuses("front.example", target, "203.0.113.1", 2), [200, 200], "{target}");
        assert_eq!(statuses("other.example", target, "203.0.113.1", 1), [404], "{target}");
        assert_eq!(statuses("nobody.example", target, "203.0.113.1", 1), [404], "{target}");
        let counted = statuses("front.example", target, "203.0.113.1", 3);
        assert_eq!(counted, if counted_here { [429; 3] } else { [200, 200, 429] }, "{target}");
        let unknown = statuses("nobody.example", target, "203.0.113.1", 1);
        assert_eq!(unknown, [if counted_here { 429 } else { 404 }], "{target}");
    }
    // What a gateway refuses is changed as answers of the route are that would have taken it, but for those that it would
    // have given by itself.
    for (target, status) in [("/pods", 429), ("/closed", 403)] {
        for (host, changed) in [
            ("front.example", Some("of GET")),
            ("other.example", None),
            ("nobody.example", None),
            ("told.example", None),
        ] {
            let answer = mesh.ingress("WEST_FRONT", &Request::get(host, target));
            let header = answer.headers.get("x-route").map(String::as_str);
            assert_eq!((answer.status, header), (status, changed), "{host}{target}");
        }
    }
    assert_eq!(statuses("front.example", "/shared", "203.0.113.2", 1), [200]);
    assert_eq!(statuses("front.example", "/", "203.0.113.1", 9), [200; 9]);
}

crate::on_both_data_planes!(routes_and_gateways_have_limits);
