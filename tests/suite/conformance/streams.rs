//! Applications that speak HTTP/2, and how many streams they take: calls that do not end, calls beyond a limit.

use std::time::Duration;

use mesh_tests::http2::Connection;
use mesh_tests::http2_server::Application;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::one_stream::Request;
use mesh_tests::process;

/// Three applications with limits of their own. That of `narrow` runs elsewhere too, where nothing but ejection brings
/// a request.
const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west { network = west-net, region = "west" }
cluster east { network = east-net, region = "east", gateway ew { role = east_west, address = 10.0.1.1 } }
namespace shop {
  client web { clusters = [west], calls = [wide, narrow, full] }
  service wide { clusters = [west], port grpc { number = 80, protocol = grpc } }
  service narrow { clusters = [west, east], port grpc { number = 81, protocol = grpc } }
  service full { clusters = [west], port grpc { number = 82, protocol = grpc } }
  policy narrow { targets = [narrow], outlier { consecutive_5xx = 1, interval = 1s } }
  policy full { targets = [full], pool { max_concurrent_requests = 1, max_pending_requests = 1 } }
}
"#;

const PATIENCE: Duration = Duration::from_secs(30);

fn streams_beyond_a_limit_wait_or_go_elsewhere(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let call = |name: &str| mesh.address(&format!("MESH_CALL_WEST_SHOP_WEB__SHOP_{name}"));
    let serve = |service: &str, name: &str, streams| {
        let listener =
            mesh.replace(&format!("shop.{service}"), "west", &format!("WEST_SIDECARS_SHOP_{name}"));
        Application::serve(listener, streams)
    };
    let wide = serve("wide", "WIDE_80", None);
    let narrow = serve("narrow", "NARROW_81", Some(10));
    let full = serve("full", "FULL_82", None);

    // Calls that do not end leave room for others.
    let begun = Connection::open(call("WIDE_80"), "wide.shop");
    std::thread::scope(|scope| {
        let held = scope.spawn(|| begun.load("/hold", 250, 250));
        let all = || (wide.held() == 250).then_some(());
        process::eventually("250 calls are under way", PATIENCE, all);
        let ping = Request::grpc("wide.shop", "/ping").send(call("WIDE_80"));
        assert_eq!((ping.status, ping.trailers["grpc-status"].as_str()), (200, "0"), "{ping:?}");
        wide.release();
        assert_eq!(held.join().expect("answers"), [200; 250]);
    });

    // A burst beyond what the application takes on one connection is answered, and by nobody else.
    mesh.fail("shop.narrow", "east", "error");
    let burst = Connection::open(call("NARROW_81"), "narrow.shop");
    std::thread::scope(|scope| {
        let held = scope.spawn(|| burst.load("/hold", 30, 30));
        process::eventually("30 calls are under way", PATIENCE, || (narrow.held() == 30).then_some(()));
        narrow.release();
        assert_eq!(held.join().expect("answers"), [200; 30]);
    });
    for _ in 0..10 {
        assert_eq!(burst.load("/", 30, 30), [200; 30], "nothing is ejected for what it refused");
    }

    // What the caller itself does not admit.
    let one = Connection::open(call("FULL_82"), "full.shop");
    std::thread::scope(|scope| {
        let held = scope.spawn(|| one.load("/hold", 1, 1));
        process::eventually("it is full", PATIENCE, || (full.held() == 1).then_some(()));
        let over = Request::grpc("full.shop", "/over").send(call("FULL_82"));
        let seen = (over.status, over.headers_only, over.header("grpc-status"), over.header("grpc-message"));
        let text = "upstream connect error or disconnect/reset before headers. reset reason: overflow";
        assert_eq!(seen, (200, true, "14", text), "{over:?}");
        full.release();
        assert_eq!(held.join().expect("an answer"), [200]);
    });
}

crate::on_both_data_planes!(streams_beyond_a_limit_wait_or_go_elsewhere);
