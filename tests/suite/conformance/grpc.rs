//! What a gRPC client is told by the proxies themselves: a status of its own protocol, in headers alone.

use mesh_tests::http2_server::Application;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::one_stream::{Answer, Request};

/// Everything that a proxy may say by itself, at one service.
const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [api] }
  service api { clusters = [west], port grpc { number = 80, protocol = grpc } }
  route api { gateway = west.in, hosts = ["api.example"], to = api, match { path = "/only" } }
  policy api {
    targets = [api]
    timeout { request = 1s }
    deny { from = [web], match { path = "/denied" } }
    rate_limit { scope = pod, match { path = "/here" }, otherwise = 1/h }
    rate_limit { scope = cluster, match { path = "/there" }, otherwise = 1/h, timeout = 5s }
    rate_limit { scope = cluster, match { path = "/closed" }, otherwise = 1000/h, on_error = deny, timeout = 5s }
  }
}
"#;

/// What a proxy said: `grpc-status` and `grpc-message`.
fn said(answer: &Answer) -> (&str, &str) {
    let form = (answer.status, answer.headers_only, answer.header("content-type"));
    assert_eq!(form, (200, true, "application/grpc"), "{answer:?}");
    (answer.header("grpc-status"), answer.header("grpc-message"))
}

fn local_replies_are_told_in_grpc(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let (api, ingress) =
        (mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_API_80"), mesh.address("MESH_GATEWAY_WEST_IN"));
    let call = |path: &str| Request::grpc("api.shop", path).send(api);
    let with = |content: &str| Request::new("POST", "api.shop", "/denied").header("content-type", content);
    assert_eq!(call("/fine").header("content-type"), "application/json", "the application's own answer");
    assert_eq!(said(&call("/denied")), ("7", "RBAC: access denied"));
    assert_eq!(said(&with("application/grpc+json").send(api)), ("7", "RBAC: access denied"));
    for content in ["application/grpc-web", "application/grpc;x", "application/json"] {
        let plain = with(content).send(api);
        let seen = (plain.status, plain.body.as_str(), plain.header("grpc-status"));
        assert_eq!(seen, (403, "RBAC: access denied", ""), "{content}");
    }
    for (path, message) in [("/here", "local_rate_limited"), ("/there", "")] {
        assert_eq!(call(path).header("content-type"), "application/json", "{path} is within its limit");
        let over = call(path);
        assert_eq!((said(&over), over.header("x-envoy-ratelimited")), (("8", message), "true"));
    }
    assert_eq!(said(&call("/slow?delay=5000")), ("14", "upstream request timeout"));
    assert_eq!(said(&call("/a%2fb")), ("13", ""), "a path that is refused");
    assert_eq!(said(&Request::grpc("api.example", "/nowhere").send(ingress)), ("12", ""), "no route");
    assert_eq!(said(&Request::grpc("other.example", "/").send(ingress)), ("12", ""), "no host");
    mesh.stop("rate-limit", "TERM");
    assert_eq!(said(&call("/closed")).0, "8", "nobody counts, and the limit is told to refuse then");
    assert_eq!(with("application/json").send(api).status, 403);
    mesh.fail("shop.api", "west", "gone");
    let text =
        "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
    assert_eq!(said(&call("/fine")), ("14", text));
}

/// A service whose calls are sent again for one reason or another; the rules stand in the place of `RULES`.
const AGAIN: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  service api { clusters = [west], port grpc { number = 80, protocol = grpc } }
  route api {
    gateway = west.in, hosts = ["api.example"]
RULES
  }
  policy quiet { targets = [api], outlier { enabled = false } }
}
"#;

/// What is asked for, gRPC's status that the application answers with, and how often it is asked then.
const REASONS: [(&str, &str, usize); 16] = [
    ("502", "14", 2),
    ("504", "14", 2),
    ("5xx", "14", 2),
    ("500", "14", 1),
    ("4xx", "14", 1),
    ("unavailable", "14", 2),
    ("unavailable", "13", 1),
    ("internal", "13", 2),
    ("5xx", "13", 2),
    ("resource_exhausted", "8", 2),
    ("429", "8", 2),
    ("deadline_exceeded", "4", 2),
    ("cancelled", "1", 2),
    ("cancelled", "4", 1),
    ("connect_failure", "14", 1),
    ("5xx", "0", 1),
];

fn calls_are_sent_again_for_the_statuses_that_were_asked_for(data_plane: DataPlane) {
    let path = |when: &str, status: &str| format!("/failing/{status}/{when}");
    let rules = REASONS.map(|(when, status, _)| {
        let path = path(when, status);
        format!(
            r#"    rule {{ match {{ path = "{path}" }}, to = api, retry {{ attempts = 1, when = [{when}], methods = ["POST"] }} }}"#
        )
    });
    let mesh = Mesh::up(&AGAIN.replace("RULES", &rules.join("\n")), data_plane);
    let application = Application::serve(mesh.replace("shop.api", "west", "WEST_SIDECARS_SHOP_API_80"), None);
    let ingress = mesh.address("MESH_GATEWAY_WEST_IN");
    for (when, status, attempts) in REASONS {
        let answer = Request::grpc("api.example", &path(when, status)).send(ingress);
        assert_eq!((answer.status, answer.header("grpc-status")), (200, status), "{when}: {answer:?}");
        assert_eq!(application.failing(), attempts, "attempts with `when = [{when}]` after {status}");
    }
}

crate::on_both_data_planes!(
    local_replies_are_told_in_grpc,
    calls_are_sent_again_for_the_statuses_that_were_asked_for,
);
