//! Subsets of a service: rules send requests to some of its pods, and each fails over within itself.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;
use mesh_tests::tools;

/// web calls reviews, whose versions are v1 and v2 in both clusters and v3 in the other one.
const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west {
  network = west-net
  region  = "west"
  gateway ew      { role = east_west, address = 10.0.0.1 }
  gateway ingress { role = ingress, address = 10.0.0.2, port http { number = 80 } }
}
cluster east {
  network = east-net
  region  = "east"
  gateway ew { role = east_west, address = 10.0.1.1 }
}
namespace shop {
  client web   { clusters = [west], calls = [reviews, ledger] }
  client batch { clusters = [west], calls = [reviews] }
  service ratings { clusters = [east], port http { number = 80 } }
  service reviews {
    clusters = [west, east]
    calls    = [ratings]
    port http { number = 9080, target = 8080 }
    subset v1 {}
    subset v2 {}
    subset v3 { clusters = [east] }
  }
  service ledger {
    clusters = [west, east]
    port sql { number = 5432, protocol = tcp }
    subset old { clusters = [west] }
    subset new { clusters = [east] }
  }
  route front { gateway = west.ingress, hosts = ["shop.example"], to = reviews.v2 }
  route versions {
    callee = reviews
    from   = [web]
    rule { match { prefix = "/v1" }, to = reviews.v1 }
    rule { match { prefix = "/v2" }, to = reviews.v2.http }
    rule { match { prefix = "/v3" }, to = reviews.v3 }
    rule {
      match { prefix = "/split" }
      timeout = 5s
      destination { to = reviews.v1, weight = 50 }
      destination { to = reviews.v3, weight = 50 }
    }
    rule { match { path = "/copied" }, to = reviews.v1, mirror { to = reviews.v3 } }
  }
  route bytes { callee = ledger, to = ledger.new }
  policy of-the-service {
    targets = [reviews]
    deny { from = [web, batch, west.ingress], match { path = "/secret" } }
    timeout { request = 5s }
    outlier { interval = 1s, ejection = 1s }
  }
  policy of-v2 { targets = [reviews.v2], timeout { request = 1s } }
}
"#;

const WEB: &str = "WEST_SHOP_WEB__SHOP_REVIEWS_9080";
const BATCH: &str = "WEST_SHOP_BATCH__SHOP_REVIEWS_9080";

fn get(target: &str) -> Request {
    Request::get("reviews.shop", target)
}

/// Which subset answered, and in which cluster.
fn who(answer: &Response) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.field("service"), answer.field("cluster"))
}

fn version(version: &str, cluster: &str) -> (String, String) {
    (format!("shop.reviews.{version}"), cluster.to_owned())
}

fn rules_choose_among_the_pods_of_a_service(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    let web = |target: &str| mesh.call(WEB, &get(target));

    assert_eq!(who(&web("/v1")), version("v1", "west"));
    assert_eq!(who(&web("/v2")), version("v2", "west"));
    let across = web("/v3");
    assert_eq!(who(&across), version("v3", "east"), "the SNI names the subset at the gateway too");
    assert_eq!(across.field("caller"), "spiffe://cluster.local/ns/shop/sa/web");
    assert_eq!(who(&mesh.ingress("WEST_INGRESS", &Request::get("shop.example", "/"))), version("v2", "west"));

    // A call to the service itself reaches all its pods of the nearest cluster, with and without a route.
    for (call, what) in [(WEB, "what no rule takes"), (BATCH, "without a route")] {
        let mut found: Vec<_> = (0..40).map(|_| who(&mesh.call(call, &get("/")))).collect();
        found.sort();
        found.dedup();
        assert_eq!(found, [version("v1", "west"), version("v2", "west")], "{what}");
    }
    let (mut near, mut far) = (0, 0);
    for _ in 0..60 {
        match who(&web("/split")) {
            found if found == version("v1", "west") => near += 1,
            found if found == version("v3", "east") => far += 1,
            found => panic!("neither destination: {found:?}"),
        }
    }
    assert!(near >= 10 && far >= 10, "{near} and {far} of 60: one in ten million worlds has fewer than 10");
    assert_eq!(who(&web("/copied")), version("v1", "west"));
    let stream = TcpStream::connect(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_LEDGER_5432"));
    let mut banner = String::new();
    BufReader::new(stream.expect("the sidecar listens")).read_line(&mut banner).expect("it speaks first");
    assert_eq!(banner, "shop.ledger.new in east\n");

    // The pods of a subset are the service: they make its calls under its account, and its rules hold at each of them.
    for caller in ["REVIEWS_V1", "REVIEWS_V2"] {
        let answer =
            mesh.call(&format!("WEST_SHOP_{caller}__SHOP_RATINGS_80"), &Request::get("ratings.shop", "/"));
        assert_eq!(answer.field("service"), "shop.ratings");
        assert_eq!(answer.field("caller"), "spiffe://cluster.local/ns/shop/sa/reviews");
    }
    for call in [WEB, BATCH] {
        assert_eq!(mesh.call(call, &get("/secret")).status, 403);
    }
    // What a policy says of the subset holds for it only.
    assert_eq!(web("/v2?delay=1500").status, 504);
    assert_eq!(who(&web("/v1?delay=600")), version("v1", "west"));
    pods_of_a_subset_take_its_name_only(&mesh);
}

/// Whoever means v2 reaches no pod of v1, whatever address a stale answer of DNS gives.
fn pods_of_a_subset_take_its_name_only(mesh: &Mesh) {
    let (certificate, key) = mesh.identity("west", "shop", "web");
    let inbound = mesh.address("MESH_INBOUND_WEST_SIDECARS_SHOP_REVIEWS_V1").to_string();
    let shows_a_certificate = |subset: &str| {
        let sni = format!("outbound_.9080_.{subset}_.reviews.shop.svc.cluster.local");
        let mut command = Command::new(tools::system("openssl"));
        command.args(["s_client", "-tls1_3", "-connect", &inbound, "-servername", &sni, "-cert"]);
        command.arg(&certificate).arg("-key").arg(&key).stdin(std::process::Stdio::null());
        let output = command.output().expect("openssl runs");
        String::from_utf8_lossy(&output.stdout).contains("BEGIN CERTIFICATE")
    };
    assert!(shows_a_certificate("") && shows_a_certificate("v1"), "it has both names");
    assert!(!shows_a_certificate("v2"), "another subset");
}

fn a_subset_fails_over_within_itself(data_plane: DataPlane) {
    // No request of this story is slow on purpose.
    let mesh = Mesh::up(&MESH.replace("timeout { request = 1s }", "timeout { request = 20s }"), data_plane);
    let answers = |target: &str, expected: &(String, String)| {
        process::eventually(&format!("{expected:?} answers {target}"), Duration::from_secs(20), || {
            let answer = mesh.call(WEB, &get(target));
            (answer.status == 200 && who(&answer) == *expected).then_some(())
        });
    };
    assert_eq!(who(&mesh.call(WEB, &get("/v2"))), version("v2", "west"));
    // The name that people use is enough.
    mesh.fail("reviews.v2", "west", "gone");
    answers("/v2", &version("v2", "east"));
    // The service itself loses these pods and no others; until DNS forgets them, their sidecars have no application.
    let settled = || (0..10).all(|_| mesh.call(BATCH, &get("/")).status == 200).then_some(());
    process::eventually("the pods that are gone are forgotten", Duration::from_secs(20), settled);
    for _ in 0..20 {
        assert_eq!(who(&mesh.call(BATCH, &get("/"))), version("v1", "west"));
    }
    // Without any pod of the subset its requests fail: the others are other versions.
    mesh.fail("reviews.v2", "east", "gone");
    process::eventually("the subset is gone", Duration::from_secs(20), || {
        (mesh.call(WEB, &get("/v2")).status == 503).then_some(())
    });
    for _ in 0..20 {
        assert_eq!(mesh.call(WEB, &get("/v2")).status, 503, "v1 and v3 are well, and are not v2");
    }
    assert_eq!(who(&mesh.call(WEB, &get("/v1"))), version("v1", "west"));
    // With its last pods the service leaves the cluster; its own name means all subsets that run there.
    mesh.heal("reviews.v2", "west");
    let gone = mesh.meshc(&["fail", "reviews", "--in", "west", "--how", "gone"]);
    let named: Vec<&str> = gone.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(named, ["shop.reviews.v1", "shop.reviews.v2"]);
    process::eventually("east answers for the service", Duration::from_secs(20), || {
        let answer = mesh.call(BATCH, &get("/"));
        (answer.status == 200 && who(&answer).1 == "east").then_some(())
    });
    mesh.heal("shop.reviews.v2", "west");
    answers("/v2", &version("v2", "west"));
}

crate::on_both_data_planes!(rules_choose_among_the_pods_of_a_service, a_subset_fails_over_within_itself);
