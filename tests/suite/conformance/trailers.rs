//! Trailers from one end to the other: what passes, what only proxies may say, and how large they may be.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mesh_tests::http2::Connection;
use mesh_tests::http2_server::Application;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::one_stream::{Answer, Request};
use mesh_tests::{http, process};

/// A list that is called from outside, from its own cluster and from another one.
const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west {
  network = west-net, region = "west"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
  gateway ew { role = east_west, address = 10.0.0.2 }
}
cluster east { network = east-net, region = "east", gateway ew { role = east_west, address = 10.0.1.1 } }
namespace shop {
  client far { clusters = [east], calls = [list] }
  client web { clusters = [west], calls = [list] }
  service list { clusters = [west], port http { number = 80, protocol = http2 } }
  route list { gateway = west.in, hosts = ["list.example"], to = list }
}
"#;

/// The bound on names and values, as the reference says.
const LARGEST: usize = 60 * 1024;
/// The bound on their number.
const MOST: usize = 100;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the application says to have received in trailers.
fn arrived(answer: &Answer) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let names = body["trailers"].as_array().into_iter().flatten();
    names.filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect()
}

fn trailers_pass_within_their_bounds(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let listener = mesh.replace("shop.list", "west", "WEST_SIDECARS_SHOP_LIST_80");
    let application = Application::serve(listener, None);
    let ways = [
        ("list.example", mesh.address("MESH_GATEWAY_WEST_IN")),
        ("list.shop", mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_LIST_80")),
        ("list.shop", mesh.address("MESH_CALL_EAST_SHOP_FAR__SHOP_LIST_80")),
    ];
    // Others share the connections on which something is refused.
    std::thread::scope(|scope| {
        let others = ways
            .map(|(host, address)| scope.spawn(move || Connection::open(address, host).load("/hold", 3, 3)));
        process::eventually("they are under way", PATIENCE, || (application.held() == 9).then_some(()));
        within_bounds(&ways);
        application.release();
        for other in others {
            assert_eq!(other.join().expect("answers"), [200; 3], "nothing of it concerns others");
        }
    });
}

fn within_bounds(ways: &[(&str, SocketAddr)]) {
    for (host, address) in ways.iter().copied() {
        let post = |path: &str| Request::new("POST", host, path).body([Bytes::from_static(b"body")]);

        let mut request = post("/").trailer("x-checksum", "1").trailer("x_checksum", "2");
        for reserved in [
            "x-forwarded-client-cert",
            "x_forwarded_client_cert",
            "x-forwarded-for",
            "x-envoy-original-path",
            "x_envoy-internal",
            "x-request-id",
            "x_request_id",
            "content_length",
            "transfer_encoding",
        ] {
            request = request.trailer(reserved, "forged");
        }
        let answer = request.send(address);
        assert_eq!(arrived(&answer), ["x-checksum", "x_checksum"], "{host} {address}: {answer:?}");
        assert_eq!(answer.trailers["grpc-status"], "0");

        // Without a body, too.
        let bodiless = Request::new("POST", host, "/").trailer("x-checksum", "1").send(address);
        assert_eq!(arrived(&bodiless), ["x-checksum"], "{bodiless:?}");

        // An answer's: gRPC's error details are that large. `grpc-status: 0` counts with its 12 bytes.
        let room = LARGEST - "x-large".len() - "grpc-status0".len();
        for (query, passes) in [
            (format!("trailer={}", 50_000), true),
            (format!("trailer={room}"), true),
            (format!("trailer={}", room + 1), false),
            (format!("trailers={}", MOST - 1), true),
            (format!("trailers={MOST}"), false),
        ] {
            let answer = post(&format!("/?{query}")).try_send(address);
            let whole = answer.as_ref().is_ok_and(|answer| answer.trailers.contains_key("grpc-status"));
            assert_eq!(whole, passes, "{host} {address}: {query}: {:?}", answer.map(|answer| answer.status));
        }

        // A request's.
        for (length, passes) in [(LARGEST - 7, true), (LARGEST - 6, false)] {
            let answer = post("/").trailer("x-large", &"x".repeat(length)).try_send(address);
            let whole = answer.as_ref().is_ok_and(|answer| arrived(answer) == ["x-large"]);
            assert_eq!(whole, passes, "{host} {address}: {length} bytes: {answer:?}");
        }
        for (count, passes) in [(MOST, true), (MOST + 1, false)] {
            let request =
                (0..count).fold(post("/"), |request, number| request.trailer(&format!("x-{number}"), "x"));
            let answer = request.try_send(address);
            let whole = answer.as_ref().is_ok_and(|answer| arrived(answer).len() == count);
            assert_eq!(whole, passes, "{host} {address}: {count} trailers: {answer:?}");
        }

        // An HTTP/1.1 client gets the answer without them.
        let answer = http::Request::get(host, "/").send(address);
        assert_eq!((answer.status, answer.headers.get("grpc-status")), (200, None), "{answer:?}");
    }
}

crate::on_both_data_planes!(trailers_pass_within_their_bounds);
