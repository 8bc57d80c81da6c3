//! What makes an endpoint or a whole remote service be left, what must not, and where a retry goes.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

/// How long a decision may take that comes within two intervals, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client in one network and its callees in two others, with these settings for all of them.
fn remote(settings: &str) -> String {
    format!(
        r#"
mesh shop {{ trust_domain = "cluster.local", trust = house, data_plane = envoy }}
trust house {{}}
network a-net {{}}
network b-net {{}}
network c-net {{}}
cluster a {{ network = a-net, region = "a" }}
cluster b {{ network = b-net, region = "b", gateway ew {{ role = east_west, address = 10.0.1.1 }} }}
cluster c {{ network = c-net, region = "c", gateway ew {{ role = east_west, address = 10.0.2.1 }} }}
namespace shop {{
  client web {{ clusters = [a], calls = [cat, rpc, db] }}
  service cat {{ clusters = [b, c], port http {{ number = 80 }} }}
  service rpc {{ clusters = [b, c], port grpc {{ number = 90, protocol = grpc }} }}
  service db {{ clusters = [b, c], port sql {{ number = 5432, protocol = tcp }} }}
  policy quick {{ {settings} }}
}}
"#
    )
}

const CAT: &str = "A_SHOP_WEB__SHOP_CAT_80";
const RPC: &str = "A_SHOP_WEB__SHOP_RPC_90";
const DB: &str = "MESH_CALL_A_SHOP_WEB__SHOP_DB_5432";

fn get(mesh: &Mesh, target: &str) -> Response {
    mesh.call(CAT, &Request::get("cat.shop", target))
}

fn call(mesh: &Mesh) -> Response {
    let request = Request::get("rpc.shop", "/call").method("POST", "");
    mesh.call(RPC, &request.header("content-type", "application/grpc").header("te", "trailers"))
}

/// The cluster that a stand-in application names in its answer; nothing if it did not answer well.
fn cluster(answer: &Response) -> Option<String> {
    let said: serde_json::Value = serde_json::from_str(&answer.body).ok().filter(|_| answer.status == 200)?;
    said.get("cluster")?.as_str().map(ToOwned::to_owned)
}

/// What a TCP server says first; empty if it closes without a byte.
fn banner(address: SocketAddr) -> String {
    let stream = TcpStream::connect(address).expect("the sidecar listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line);
    line
}

/// Waits until ten answers in a row come from a cluster.
fn settles(what: &str, wanted: &str, ask: impl Fn() -> Option<String>) {
    let settled = || (0..10).all(|_| ask().as_deref() == Some(wanted)).then_some(());
    process::eventually(what, PATIENCE, settled);
}

fn a_remote_service_that_is_down_hands_over_and_takes_back(data_plane: DataPlane) {
    let mesh = Mesh::up(&remote("outlier { consecutive_5xx = 1, interval = 1s, ejection = 2s }"), data_plane);
    settles("the nearest cluster answers", "b", || cluster(&get(&mesh, "/")));

    // One failure among many does not take the cluster away.
    mesh.fail("shop.cat", "b", "error");
    assert_eq!(get(&mesh, "/").status, 500);
    mesh.heal("shop.cat", "b");
    for _ in 0..40 {
        assert_eq!(cluster(&get(&mesh, "/")).as_deref(), Some("b"), "seven of eight ways are open");
        std::thread::sleep(Duration::from_millis(50));
    }

    mesh.fail("shop.cat", "b", "error");
    settles("c takes over", "c", || cluster(&get(&mesh, "/")));
    mesh.heal("shop.cat", "b");
    settles("b takes back", "b", || cluster(&get(&mesh, "/")));

    settles("gRPC is answered", "b", || cluster(&call(&mesh)));
    mesh.fail("shop.rpc", "b", "error");
    settles("gRPC goes to c", "c", || cluster(&call(&mesh)));

    let greeting = || banner(mesh.address(DB)).trim().rsplit(' ').next().map(ToOwned::to_owned);
    settles("TCP is answered", "b", greeting);
    mesh.fail("shop.db", "b", "gone");
    settles("TCP goes to c", "c", greeting);
    mesh.heal("shop.db", "b");
    settles("TCP comes back", "b", greeting);

    // A connection that was made and ends without a byte is no failure: many protocols begin with the client.
    mesh.fail("shop.db", "b", "error");
    process::eventually("connections end at once", PATIENCE, || {
        banner(mesh.address(DB)).is_empty().then_some(())
    });
    for _ in 0..40 {
        assert_eq!(banner(mesh.address(DB)), "", "b is asked on");
        std::thread::sleep(Duration::from_millis(50));
    }
    mesh.heal("shop.db", "b");
    settles("TCP is answered again", "b", greeting);
}

fn an_application_s_own_500_ejects_nothing_unless_asked(data_plane: DataPlane) {
    let mesh = Mesh::up(&remote("outlier { interval = 1s, ejection = 2s }"), data_plane);
    mesh.fail("shop.cat", "b", "error");
    // For several intervals, so that their ends could judge it.
    for _ in 0..70 {
        let answer = get(&mesh, "/");
        assert!(answer.status == 500 && answer.body.contains("told to fail"), "{answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    mesh.fail("shop.cat", "b", "gone");
    settles("c takes over what is gone", "c", || cluster(&get(&mesh, "/")));
}

fn a_slow_page_ejects_nothing_and_a_hung_service_hands_over(data_plane: DataPlane) {
    let settings = "outlier { interval = 1s, ejection = 2s }, timeout { request = 1s }";
    let mesh = Mesh::up(&remote(settings), data_plane);
    settles("the nearest cluster answers", "b", || cluster(&get(&mesh, "/")));
    std::thread::scope(|scope| {
        let slow: Vec<_> = (0..40).map(|_| scope.spawn(|| get(&mesh, "/?delay=3000").status)).collect();
        for _ in 0..80 {
            assert_eq!(cluster(&get(&mesh, "/")).as_deref(), Some("b"), "other pages are served");
            std::thread::sleep(Duration::from_millis(25));
        }
        for answer in slow {
            assert_eq!(answer.join().expect("an answer"), 504);
        }
    });
    mesh.fail("shop.cat", "b", "hang");
    let all_at_once = || {
        std::thread::scope(|scope| {
            let asked: Vec<_> = (0..16).map(|_| scope.spawn(|| cluster(&get(&mesh, "/")))).collect();
            let answers = asked.into_iter().map(|answer| answer.join().expect("an answer"));
            answers.filter(|answer| answer.as_deref() == Some("c")).count()
        })
    };
    process::eventually("c takes over what hangs", PATIENCE, || (all_at_once() == 16).then_some(()));
    mesh.heal("shop.cat", "b");
}

/// One cluster, and nothing to go to.
const ALONE: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west { network = net, region = "here" }
namespace shop {
  client web { clusters = [west], calls = [cart, strict] }
  service cart { clusters = [west], port http { number = 80 } }
  service strict { clusters = [west], port http { number = 80 } }
  policy strict {
    targets = [strict]
    outlier { consecutive_5xx = 1, interval = 1s, ejection = 10m }
  }
}
"#;

/// Ejection never refuses a request by itself.
fn when_everything_is_ejected_everything_is_tried(data_plane: DataPlane) {
    let mesh = Mesh::up(ALONE, data_plane);
    for service in ["cart", "strict"] {
        let call = format!("WEST_SHOP_WEB__SHOP_{}_80", service.to_uppercase());
        let ask = || mesh.call(&call, &Request::get(service, "/"));
        mesh.fail(&format!("shop.{service}"), "west", "error");
        for _ in 0..8 {
            let answer = ask();
            assert!(answer.status == 500 && answer.body.contains("told to fail"), "{service}: {answer:?}");
        }
        mesh.heal(&format!("shop.{service}"), "west");
        assert_eq!(ask().status, 200, "{service} is well again");
    }
}

/// A service in the caller's own cluster and in another one, with nothing declared about it.
const TWO: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west {
  network = west-net, region = "west"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
cluster east { network = east-net, region = "east", gateway ew { role = east_west, address = 10.0.1.1 } }
namespace shop {
  client web { clusters = [west], calls = [cart, rpc, box, once] }
  route box { gateway = west.in, hosts = ["box.example"], to = box }
  service cart { clusters = [west, east], port http { number = 80 } }
  service rpc { clusters = [west, east], port grpc { number = 90, protocol = grpc } }
  service box { clusters = [west, east], port http { number = 80 } }
  service once { clusters = [west, east], port http { number = 80 } }
  policy never-again { targets = [once], outlier { enabled = false }, retry { attempts = 0 } }
  policy every-time { targets = [box], outlier { enabled = false } }
  policy again {
    targets = [rpc]
    outlier { enabled = false }
    retry { attempts = 2, when = [5xx, 503, connect_failure, reset], methods = ["POST"] }
  }
}
"#;

fn a_failed_connection_is_made_elsewhere(data_plane: DataPlane) {
    let mesh = Mesh::up(TWO, data_plane);
    let ask = || mesh.call("WEST_SHOP_WEB__SHOP_CART_80", &Request::get("cart", "/"));
    let proxy = mesh.proxy_pid("west/sidecars/shop/cart");
    process::freeze(proxy);
    for _ in 0..3 {
        let answer = ask();
        assert_eq!(cluster(&answer).as_deref(), Some("east"), "it hangs: {answer:?}");
    }
    process::signal(proxy, "CONT");
    mesh.stop("west/sidecars/shop/cart", "KILL");
    for _ in 0..12 {
        let answer = ask();
        assert_eq!(cluster(&answer).as_deref(), Some("east"), "nobody listens: {answer:?}");
    }
    // Unless it was said that nothing is sent again.
    let once = || mesh.call("WEST_SHOP_WEB__SHOP_ONCE_80", &Request::get("once", "/"));
    assert_eq!(cluster(&once()).as_deref(), Some("west"));
    mesh.stop("west/sidecars/shop/once", "KILL");
    for _ in 0..3 {
        let answer = once();
        assert_eq!((answer.status, cluster(&answer)), (503, None), "{answer:?}");
    }
    // Bodies are kept for it up to the bound of any other attempt. It hangs, so that all of a body has arrived by the time
    // that its connection fails. Envoy gives up a larger one then; meshd reads no more of it than it may keep before there is
    // a connection, and sends all of it to the next endpoint.
    let larger = match data_plane {
        DataPlane::Envoy => (503, None),
        DataPlane::Meshd => (200, Some(String::from("east"))),
    };
    process::freeze(mesh.proxy_pid("west/sidecars/shop/box"));
    for (place, host) in
        [("MESH_CALL_WEST_SHOP_WEB__SHOP_BOX_80", "box"), ("MESH_GATEWAY_WEST_IN", "box.example")]
    {
        let kept = (200, Some(String::from("east")));
        for (size, expected) in [(64 * 1024, kept), (64 * 1024 + 1, larger.clone())] {
            let request = Request::get(host, "/").method("POST", &"x".repeat(size));
            let answer = request.send(mesh.address(place));
            assert_eq!((answer.status, cluster(&answer)), expected, "{size} bytes at {place}");
        }
    }

    // The status is in a header of gRPC's own, and the call is made again by what it stands for.
    let request = Request::get("rpc.shop", "/call").method("POST", "");
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    let call = || mesh.call("WEST_SHOP_WEB__SHOP_RPC_90", &request);
    assert_eq!(cluster(&call()).as_deref(), Some("west"));
    mesh.fail("shop.rpc", "west", "error");
    for _ in 0..20 {
        let answer = call();
        assert_eq!(cluster(&answer).as_deref(), Some("east"), "{answer:?}");
    }
}

crate::on_both_data_planes!(
    a_remote_service_that_is_down_hands_over_and_takes_back,
    an_application_s_own_500_ejects_nothing_unless_asked,
    a_slow_page_ejects_nothing_and_a_hung_service_hands_over,
    when_everything_is_ejected_everything_is_tried,
    a_failed_connection_is_made_elsewhere,
);
