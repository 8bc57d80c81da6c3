//! Routes for calls: rules at the callers' sidecars, with destinations that only they lead to.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

/// web and batch call reviews; what of web's calls goes elsewhere, a route says.
const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west {
  network = west-net
  region  = "west"
  gateway ew { role = east_west, address = 10.0.0.1 }
}
cluster east {
  network = east-net
  region  = "east"
  gateway ew { role = east_west, address = 10.0.1.1 }
}
namespace shop {
  client web   { clusters = [west], calls = [reviews] }
  client batch { clusters = [west], calls = [reviews] }
  service reviews    { clusters = [west], port http { number = 80 } }
  service reviews-v2 { clusters = [west, east], port http { number = 80 } }
  service reviews-v3 { clusters = [east], port http { number = 80 } }

  route canary {
    callee = reviews
    from   = [web]
    rule { match { path = "/v2" }, to = reviews-v2, request_headers { set = { x-version = "2" } } }
    rule { match { prefix = "/slow" }, to = reviews-v2, timeout = 300ms }
    rule { match { prefix = "/patient" }, to = reviews-v2, timeout = none }
    rule { match { prefix = "/again" }, to = reviews-v2, retry { attempts = 1, when = [5xx], other_localities = true } }
    rule { match { header x-canary { exact = "yes" } }, to = reviews-v3 }
    rule { match { methods = ["PUT"] }, to = reviews-v3 }
    rule {
      match { prefix = "/split" }
      timeout = 5s
      destination { to = reviews, weight = 50 }
      destination { to = reviews-v3, weight = 50 }
      destination { to = reviews-v2, weight = 0 }
    }
  }
  // batch calls reviews too, and no route takes it anywhere.
  policy closed { targets = [reviews-v3], allow { from = [web] } }
  // Only what the story says moves requests.
  policy quiet { targets = [reviews-v2], outlier { enabled = false }, timeout { request = 1s } }
}
"#;

const WEB: &str = "WEST_SHOP_WEB__SHOP_REVIEWS_80";
const BATCH: &str = "WEST_SHOP_BATCH__SHOP_REVIEWS_80";

fn get(target: &str) -> Request {
    Request::get("reviews.shop", target)
}

/// Who answered: the service and its cluster.
fn who(answer: &Response) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.field("service"), answer.field("cluster"))
}

fn named(service: &str, cluster: &str) -> (String, String) {
    (format!("shop.{service}"), cluster.to_owned())
}

fn rules_of_a_route_take_calls_where_they_say(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    let web = |request: &Request| mesh.call(WEB, request);

    // By path, header and method; across a gateway; and what no rule takes, to the callee.
    let next = web(&get("/v2"));
    assert_eq!(who(&next), named("reviews-v2", "west"));
    assert_eq!(next.json()["headers"]["x-version"], "2", "a rule's filters work inside too: {next:?}");
    assert_eq!(who(&web(&get("/"))), named("reviews", "west"));
    assert_eq!(who(&web(&get("/v2/deeper"))), named("reviews", "west"));
    let canary = web(&get("/").header("x-canary", "yes"));
    assert_eq!(who(&canary), named("reviews-v3", "east"));
    assert_eq!(canary.field("caller"), "spiffe://cluster.local/ns/shop/sa/web");
    assert_eq!(who(&web(&get("/").header("x-canary", "no"))), named("reviews", "west"));
    assert_eq!(who(&web(&get("/").method("PUT", "x"))), named("reviews-v3", "east"));
    // Whatever host the application writes: the address said whom it means.
    assert_eq!(who(&web(&Request::get("another.example", "/v2"))), named("reviews-v2", "west"));

    // Another caller has its own rules, here none.
    for request in [get("/v2"), get("/").header("x-canary", "yes"), get("/").method("PUT", "x")] {
        assert_eq!(who(&mesh.call(BATCH, &request)), named("reviews", "west"));
    }

    // Half of the requests each, picked at random, and none where the weight is 0.
    let (mut stay, mut go) = (0, 0);
    for _ in 0..60 {
        match who(&web(&get("/split"))) {
            found if found == named("reviews", "west") => stay += 1,
            found if found == named("reviews-v3", "east") => go += 1,
            found => panic!("a destination with the weight 0 got a request: {found:?}"),
        }
    }
    assert!(stay >= 10 && go >= 10, "{stay} and {go} of 60: one in ten million worlds has fewer than 10");

    // Rules have their own timeouts and retries.
    assert_eq!(web(&get("/v2?delay=1500")).status, 504, "the policy of the destination");
    assert_eq!(who(&web(&get("/patient?delay=1500"))), named("reviews-v2", "west"));
    mesh.fail("shop.reviews-v2", "west", "error");
    assert_eq!(web(&get("/v2")).status, 500, "no retry was asked for");
    assert_eq!(who(&web(&get("/again"))), named("reviews-v2", "east"));
    mesh.fail("shop.reviews-v2", "west", "hang");
    assert_eq!(web(&get("/slow")).status, 504);
    assert_eq!(who(&web(&get("/"))), named("reviews", "west"), "the callee itself is well");
}

/// The groups of a destination are those of any callee.
fn a_destination_fails_over(data_plane: DataPlane) {
    let mesh = Mesh::up(
        &MESH.replace("outlier { enabled = false }", "outlier { interval = 1s, ejection = 1s }"),
        data_plane,
    );
    assert_eq!(who(&mesh.call(WEB, &get("/v2"))), named("reviews-v2", "west"));
    mesh.fail("shop.reviews-v2", "west", "gone");
    process::eventually("east answers", Duration::from_secs(20), || {
        let answer = mesh.call(WEB, &get("/v2"));
        (answer.status == 200 && who(&answer) == named("reviews-v2", "east")).then_some(())
    });
}

/// A route is a part of the configuration like any other: it can be taken away and given again while requests flow.
fn a_route_comes_and_goes(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    assert_eq!(who(&mesh.call(WEB, &get("/v2"))), named("reviews-v2", "west"));
    let without = MESH.replace("from   = [web]", "from   = [batch]");
    std::fs::write(&mesh.source, without.replace("from = [web]", "from = [batch]")).expect("writable");
    process::eventually("batch is routed and web is not", Duration::from_secs(30), || {
        let answers = [mesh.call(WEB, &get("/v2")), mesh.call(BATCH, &get("/v2"))];
        let found = answers.each_ref().map(|answer| (answer.status == 200).then(|| who(answer)));
        (found == [Some(named("reviews", "west")), Some(named("reviews-v2", "west"))]).then_some(())
    });
    let canary = mesh.call(BATCH, &get("/").header("x-canary", "yes"));
    assert_eq!(who(&canary), named("reviews-v3", "east"), "the destination's sidecar admits the new caller");
}

/// A gateway in front of two versions, and a database that moves.
const SHARES: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net
  region  = "west"
  gateway ingress { role = ingress, address = 10.0.0.2, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [ledger, archive, cart, cart-v2] }
  service cart    { clusters = [west], port http { number = 80 } }
  service cart-v2 { clusters = [west], port http { number = 80 } }
  service ledger    { clusters = [west], port sql { number = 5432, protocol = tcp } }
  service ledger-v2 { clusters = [west], port sql { number = 5432, protocol = tcp } }
  service archive   { clusters = [west], port sql { number = 5433, protocol = tcp } }

  route shop {
    gateway = west.ingress
    hosts   = ["shop.example"]
    destination { to = cart, weight = 0 }
    destination { to = cart-v2, weight = 1000000 }
  }
  // Each leads to the other, and a request takes one step only.
  route there { callee = cart, to = cart-v2 }
  route back  { callee = cart-v2, to = cart }
  route old { callee = ledger, destination { to = ledger, weight = 50 }, destination { to = ledger-v2, weight = 50 } }
  route new { callee = archive.sql, destination { to = archive, weight = 0 }, destination { to = ledger-v2 } }
}
"#;

/// The line that a server sends by itself.
fn banner(address: SocketAddr) -> String {
    let stream = TcpStream::connect(address).expect("the sidecar listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("the server speaks first");
    line
}

fn a_weight_of_zero_gets_nothing_and_connections_have_shares(data_plane: DataPlane) {
    let mesh = Mesh::up(SHARES, data_plane);
    for _ in 0..20 {
        let answer = mesh.ingress("WEST_INGRESS", &Request::get("shop.example", "/"));
        assert_eq!(who(&answer), named("cart-v2", "west"));
    }
    let old = mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_LEDGER_5432");
    let (mut stay, mut go) = (0, 0);
    for _ in 0..60 {
        match banner(old) {
            line if line.contains("ledger-v2") => go += 1,
            line if line.contains("ledger") => stay += 1,
            line => panic!("{line:?}"),
        }
    }
    assert!(stay >= 10 && go >= 10, "{stay} and {go} of 60: one in ten million worlds has fewer than 10");
    let new = mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_ARCHIVE_5433");
    for _ in 0..20 {
        let line = banner(new);
        assert!(line.contains("ledger-v2"), "{line:?}");
    }

    // A destination is final: the routes for its own calls are for those who call it.
    for (called, answers) in [("CART", "cart-v2"), ("CART_V2", "cart")] {
        let answer = mesh.call(&format!("WEST_SHOP_WEB__SHOP_{called}_80"), &Request::get("any", "/"));
        assert_eq!(who(&answer), named(answers, "west"));
    }
}

crate::on_both_data_planes!(
    a_weight_of_zero_gets_nothing_and_connections_have_shares,
    rules_of_a_route_take_calls_where_they_say,
    a_destination_fails_over,
    a_route_comes_and_goes,
);
