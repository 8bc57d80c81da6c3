//! Health checks: endpoints are left and found again without any request that fails.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::http2_server::Application;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{one_stream, process};

/// Nothing is ejected and nothing sent again, so only checks can move requests. Each subset is a pod of its own.
const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
network north-net {}
cluster west { network = west-net, region = "west" }
cluster east { network = east-net, region = "east", gateway ew { role = east_west, address = 10.0.1.1 } }
cluster north { network = north-net, region = "north", gateway ew { role = east_west, address = 10.0.2.1 } }
namespace shop {
  client web { clusters = [west], calls = [cart] }
  service cart {
    clusters = [west, east, north]
    port http { number = 80 }
    subset a {}
    subset b { clusters = [west] }
  }
  policy quiet { outlier { enabled = false }, retry { attempts = 0 }, timeout { request = 2s } }
  policy cart {
    targets = [cart]
    health { check = http { path = "/healthz" }, interval = 100ms, timeout = 500ms, unhealthy = 2 }
  }
}
"#;

const CART: &str = "WEST_SHOP_WEB__SHOP_CART_80";

fn ask(mesh: &Mesh, call: &str) -> Response {
    mesh.call(call, &Request::get("any", "/shop"))
}

/// Waits until only good answers come, all of them from these pods and clusters.
fn settles(mesh: &Mesh, call: &str, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|&pod| pod.to_owned()).collect();
    process::eventually(&format!("{expected:?} answer"), Duration::from_secs(40), || {
        let answers: Vec<Response> = (0..12).map(|_| ask(mesh, call)).collect();
        let who = |answer: &Response| format!("{} {}", answer.field("service"), answer.field("cluster"));
        let good = answers.iter().all(|answer| answer.status == 200);
        (good && answers.iter().map(who).collect::<BTreeSet<_>>() == expected).then_some(())
    });
}

fn checks_find_what_hangs_and_what_is_back(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    settles(&mesh, CART, &["shop.cart.a west", "shop.cart.b west"]);

    mesh.fail("shop.cart.a", "west", "hang");
    settles(&mesh, CART, &["shop.cart.b west"]);
    mesh.fail("shop.cart.b", "west", "error");
    settles(&mesh, CART, &["shop.cart.a east"]);
    // Behind its gateway the service is asked as well: the gateway itself answers as before.
    mesh.fail("shop.cart.a", "east", "hang");
    settles(&mesh, CART, &["shop.cart.a north"]);

    // When none is left, all are tried.
    mesh.fail("shop.cart.a", "north", "error");
    mesh.fail("shop.cart.a", "west", "error");
    mesh.fail("shop.cart.a", "east", "error");
    process::eventually("all are tried", Duration::from_secs(40), || {
        let answers: Vec<Response> = (0..30).map(|_| ask(&mesh, CART)).collect();
        let tried: BTreeSet<String> =
            answers.iter().filter(|one| one.status == 500).map(|one| one.field("cluster")).collect();
        (answers.iter().all(|one| one.status == 500) && tried.len() > 1).then_some(())
    });

    mesh.heal("shop.cart.b", "west");
    settles(&mesh, CART, &["shop.cart.b west"]);
    mesh.heal("shop.cart.a", "west");
    settles(&mesh, CART, &["shop.cart.a west", "shop.cart.b west"]);
}

/// Rules that would stop a check if it were a call, a limit that it would use up, and ejection beside it.
const RULES: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west { network = west-net, region = "west" }
cluster east { network = east-net, region = "east", gateway ew { role = east_west, address = 10.0.1.1 } }
namespace shop {
  client web { clusters = [west], calls = [guarded, judged, ledger, api] }
  service guarded { clusters = [west], port http { number = 80 } }
  service judged { clusters = [west, east], port grpc { number = 80, protocol = grpc } }
  service ledger { clusters = [west, east], port sql { number = 5432, protocol = tcp } }
  service api { clusters = [west, east], port grpc { number = 80, protocol = grpc } }
  policy guarded {
    targets = [guarded]
    health { check = http { path = "/healthz" }, interval = 100ms }
    allow { from = [web], match { path = "/shop" } }
    deny { from = [web], match { prefix = "/healthz" } }
    rate_limit { scope = pod, otherwise = 3/h }
  }
  policy judged {
    targets = [judged]
    health { check = grpc { service = "shop.Api" }, interval = 100ms }
    // A connection that takes long on a busy machine must not eject anything.
    outlier { consecutive_gateway_errors = 3, interval = 1s, ejection = 10m }
    pool { connect_timeout = 10s }
    retry { attempts = 0 }
  }
  policy ledger {
    targets = [ledger]
    outlier { enabled = false }
    health { check = tcp { send = "hello", receive = "ledger in" }, healthy = 1, interval = 100ms, timeout = 500ms, unhealthy = 1 }
  }
  policy api {
    targets = [api]
    outlier { enabled = false }
    retry { attempts = 0 }
    health { check = grpc { service = "shop.Api" }, interval = 100ms, timeout = 500ms, unhealthy = 1 }
  }
}
"#;

/// How many checks the pods of a service in the caller's cluster have passed, as the caller's proxy has counted.
fn passed(mesh: &Mesh, service: &str) -> u64 {
    let (envoy, meshd) = (format!("shop/{service}/80/west"), format!("{service}.shop:80"));
    let counters = [
        ["envoy_cluster_health_check_success", &envoy, &envoy],
        ["meshd_health_checks_total", &meshd, "group=\"west\",result=\"passed\""],
    ];
    let metrics = mesh.metrics("west/sidecars/shop/web");
    let is_one = |line: &&str| counters.iter().any(|words| words.iter().all(|word| line.contains(word)));
    metrics.lines().filter(is_one).filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

/// Waits for some more checks.
fn ten_more(mesh: &Mesh, service: &str) {
    let before = passed(mesh, service);
    process::eventually("it is checked again and again", Duration::from_secs(30), || {
        (passed(mesh, service) >= before + 10).then_some(())
    });
}

fn checks_pass_by_rules_limits_and_logs(data_plane: DataPlane) {
    let mesh = Mesh::up(RULES, data_plane);
    ten_more(&mesh, "guarded");
    let guarded = |path: &str| mesh.call("WEST_SHOP_WEB__SHOP_GUARDED_80", &Request::get("any", path)).status;
    assert_eq!(
        ["/healthz", "/other"].map(guarded),
        [403, 403],
        "what is open to checks is not open to calls"
    );
    assert_eq!(["/shop"; 4].map(guarded), [200, 200, 200, 429], "checks have used up nothing");
    let log = process::eventually("calls are logged", Duration::from_secs(30), || {
        let log = mesh.log("west/sidecars/shop/guarded");
        (log.matches("/shop").count() >= 4).then_some(log)
    });
    assert_eq!(log.matches("/healthz").count(), 1, "the call, and no check: {log}");
    bytes_are_checked(&mesh);
    grpc_is_checked(&mesh);
}

fn bytes_are_checked(mesh: &Mesh) {
    let banner = || {
        let stream = TcpStream::connect(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_LEDGER_5432")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line)
    };
    assert_eq!(banner().as_deref(), Some("shop.ledger in west\n"));
    mesh.fail("shop.ledger", "west", "hang");
    process::eventually("connections go elsewhere", Duration::from_secs(30), || {
        (0..6).all(|_| banner().as_deref() == Some("shop.ledger in east\n")).then_some(())
    });
    let log = mesh.log("east/gateways/ew");
    assert!(log.contains("outbound_.5432") && !log.contains("check_."), "connections, and no check: {log}");
    // Neither name keeps a stranger out of the log.
    let _ = Request::get("any", "/").try_send(mesh.address("MESH_GATEWAY_EAST_EW"));
    process::eventually("what is no TLS is logged", Duration::from_secs(30), || {
        mesh.log("east/gateways/ew").contains("\"NR\"").then_some(())
    });
}

/// A service of gRPC in two clusters.
struct Pair<'m> {
    mesh: &'m Mesh,
    name: &'static str,
    west: Application,
    east: Application,
}

impl<'m> Pair<'m> {
    /// Takes the place of stand-ins, which answer no gRPC, so that none was healthy.
    fn of(mesh: &'m Mesh, name: &'static str) -> Self {
        let application = |cluster: &str| {
            let variable = format!("{cluster}_SIDECARS_SHOP_{name}_80").to_uppercase();
            Application::serve(mesh.replace(&format!("shop.{name}"), cluster, &variable), None)
        };
        Self { mesh, name, west: application("west"), east: application("east") }
    }

    /// How many of six calls reach either, whose answers have this status.
    fn reached(&self, status: &str) -> (usize, usize) {
        let variable = format!("MESH_CALL_WEST_SHOP_WEB__SHOP_{}_80", self.name.to_uppercase());
        for _ in 0..6 {
            let call = one_stream::Request::grpc("api.shop", &format!("/failing/{status}/x"));
            let _ = call.send(self.mesh.address(&variable));
        }
        (self.west.failing(), self.east.failing())
    }

    fn settles(&self, what: &str, expected: (usize, usize)) {
        process::eventually(what, Duration::from_secs(30), || (self.reached("5") == expected).then_some(()));
    }
}

fn grpc_is_checked(mesh: &Mesh) {
    let api = Pair::of(mesh, "api");
    api.settles("the nearest one serves", (6, 0));
    api.west.serves(false);
    api.settles("it says that it does not", (0, 6));
    api.west.serves(true);
    api.settles("it does again", (6, 0));

    // What is ejected stays out although it passes its checks.
    let judged = Pair::of(mesh, "judged");
    judged.settles("the nearest one serves", (6, 0));
    assert_eq!(judged.reached("14").0, 3, "it is unavailable, and ejected at the third time");
    ten_more(mesh, "judged");
    assert_eq!(judged.reached("5"), (0, 6), "checks end no ejection");
}

crate::on_both_data_planes!(checks_find_what_hangs_and_what_is_back, checks_pass_by_rules_limits_and_logs);
