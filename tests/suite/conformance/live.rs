//! `meshc test --live`: a running mesh is asked what its tests expect, and what is seen decides.

use std::process::Stdio;
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

/// Every kind of port and of gateway, without a test.
const SHOP: &str = r#"
mesh shop { trust_domain = "shop.example", trust = house }
trust house {}
network west-net {}
network east-net {}
cluster west {
  network = west-net, region = "us"
  gateway ingress {
    role = ingress, address = 192.0.2.10
    port http  { number = 80 }
    port https { number = 443, tls { secret = "shop-tls", client_ca = "partners" } }
    port sql   { number = 5432, protocol = tcp, proxy_protocol = true }
  }
  gateway eastwest { role = east_west, address = 192.0.2.11 }
}
cluster east {
  network = east-net, region = "eu"
  gateway eastwest { role = east_west, address = 192.0.2.21 }
}
policy patience { timeout { request = 2s } }
namespace shop {
  service web { clusters = [west], calls = [catalog, ledger, words, pay, cdn], port http { number = 80, target = 8080 } }
  service catalog {
    clusters = [west]
    port http { number = 80, target = 8080 }
    subset v1 { clusters = [west] }
    subset v2 { clusters = [west] }
  }
  service ledger { clusters = [east], port sql { number = 5432, protocol = tcp } }
  service words { clusters = [west, east], port grpc { number = 50051, protocol = grpc } }
  client audit { clusters = [west], calls = [words, web] }
  external pay { hosts = ["api.pay.example"], port http { number = 80, target = 443, protocol = http, tls { ca = "pay-ca" } } }
  external cdn { hosts = ["cdn.example"], addresses = [203.0.113.7], port tls { number = 443, protocol = tls } }
  route web {
    gateway = west.ingress.http
    hosts   = ["shop.example"]
    rule { match { prefix = "/old" }, redirect { status = 308, prefix = "/new" } }
    rule { to = web }
  }
  route secure { gateway = west.ingress.https, hosts = ["shop.example"], to = web }
  route ledger { gateway = west.ingress.sql, to = ledger }
  route catalog {
    callees = [catalog]
    rule { match { prefix = "/new" }, destination { to = catalog.v1, weight = 9 }, destination { to = catalog.v2, weight = 1 } }
    rule { to = catalog.v1 }
  }
  policy words {
    targets = [words]
    allow { from = [web] }
    allow { from = [audit], match { path = "/shop.Words/Read" } }
    rate_limit { scope = pod, match { path = "/shop.Words/Count" }, otherwise = 5/s }
  }
  policy web { targets = [web], deny { from = [audit], match { path = "/secret" } } }
}
"#;

/// What all of it does.
const RIGHT: &str = r#"
test "gateways" {
  allow   = [west.ingress.http -> shop.web, west.ingress.sql -> shop.ledger, west.ingress.https -> shop.web]
  deny    = [west.ingress -> shop.words, west.ingress -> shop.catalog]
  reaches = [west.ingress.sql -> shop.ledger in east]
  call { from = west.ingress.https, to = shop.web, allow = true, reaches = [west] }
  call { from = west.ingress.http, to = shop.web, method = "HEAD", reaches = [west], timeout = 2s }
  call { from = west.ingress.http, to = shop.web, path = "/old/a", status = 308 }
}
test "calls" {
  allow   = [shop.web -> shop.ledger, shop.web -> shop.words, shop.web -> shop.pay, shop.web -> shop.cdn]
  deny    = [shop.audit -> shop.ledger, shop.audit -> shop.catalog]
  reaches = [shop.web -> shop.ledger in east, shop.web -> shop.words in west]
  in_time { most = 2s, calls = [shop.web -> shop.catalog] }
  call { from = shop.audit, to = shop.words, method = "POST", path = "/shop.Words/Read", allow = true }
  call { from = shop.audit, to = shop.words, method = "POST", path = "/shop.Words/Write", allow = false }
  call { from = shop.web, to = shop.words, method = "POST", path = "/shop.Words/Count", limit = 5/s }
  call { from = shop.web, to = shop.catalog, path = "/new", reaches = [shop.catalog.v1, shop.catalog.v2] }
  call { from = shop.web, to = shop.catalog, reaches = [shop.catalog.v1 in west], limit = none }
}
test "words survive west" {
  fail    = [shop.words in west]
  reaches = [shop.web -> shop.words in east]
}
test "the other network" {
  fail    = [west-net -> east-net]
  reaches = [shop.web -> shop.words in west]
}
test "values" { assert shop.web.clusters == [west] else "elsewhere" }
"#;

const PASSED: &str = "\
passed  gateways
passed  calls
        not asked live: `GET /` of `shop.web -> shop.catalog`, free of limits: that no limit counts a request cannot be seen
passed  words survive west
open    the other network
        not asked live: `shop.web -> shop.words in west`, answered in `west`: the way between networks cannot be made to fail in a running mesh, only applications can (`meshc fail`)
passed  values
5 tests: 4 passed, 0 failed, 1 not asked
27 expectations asked of the running mesh, 2 not
";

/// The cluster whose words answer.
fn cluster(mesh: &Mesh) -> String {
    let call = mesh_tests::one_stream::Request::grpc("words.shop", "/shop.Words/Read");
    let answer = call.send(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_WORDS_50051"));
    let told = answer.trailers.get("x-answer").map_or("", String::as_str);
    let own: serde_json::Value = serde_json::from_str(told).unwrap_or_default();
    own["cluster"].as_str().unwrap_or_default().to_owned()
}

fn what_runs_is_asked(data_plane: DataPlane) {
    let mesh = Mesh::up(&format!("{SHOP}{RIGHT}"), data_plane);
    let source = mesh.source.display().to_string();
    let (status, said, errors) = mesh.meshc_says(&["test", &source, "--live"]);
    assert_eq!((status, said.as_str()), (Some(0), PASSED), "{errors}");
    assert_eq!(cluster(&mesh), "west", "it is healed, and used again");
    let (_, said, _) =
        mesh.meshc_says(&["test", &source, "--live", "--run", "other network|values", "--format", "json"]);
    let all: serde_json::Value = serde_json::from_str(&said).expect("one object");
    assert_eq!(
        (&all["live"], &all["passed"], &all["not_asked"]),
        (&true.into(), &1.into(), &1.into()),
        "{said}"
    );
    assert!(all["tests"][0]["not_asked"][0]["reason"].as_str().is_some_and(|why| why.contains("meshc fail")));
}

/// What it does not do, and what is seen instead.
const WRONG: &[(&str, &str)] = &[
    ("allow = [shop.audit -> shop.words]", "a proxy answers with 403, to `shop.audit in west`"),
    ("allow = [shop.audit -> shop.web]", "a proxy answers with 403, to `shop.audit in west`"),
    ("allow = [shop.audit -> shop.catalog]", "`shop.audit in west` has no way to `shop.catalog`"),
    ("deny = [shop.audit -> shop.words in west]", "`shop.words in west` answers, to `shop.audit in west`"),
    ("deny = [shop.web -> shop.ledger]", "`shop.ledger in east` answers, to `shop.web in west`"),
    (
        "reaches = [shop.web -> shop.words in east]",
        "`shop.words in west` answers, to a request of `shop.web in west`",
    ),
    ("limited = [shop.web -> shop.catalog.http]", "100 requests of `shop.web in west` in … are all answered"),
    ("in_time { most = 100ms, calls = [shop.web -> shop.catalog] }", "`shop.web in west` gets 504 after …s"),
    ("call { from = shop.web, to = shop.catalog, timeout = 4s }", "`shop.web in west` gets 504 after …s"),
    (
        "call { from = shop.web, to = shop.words, method = \"POST\", path = \"/shop.Words/Count\", limit = 9/s }",
        "the limit refuses requests of `shop.web in west` after 5 in …",
    ),
    (
        "call { from = shop.web, to = shop.words, method = \"POST\", path = \"/shop.Words/Count\", limit = 3/s }",
        "the limit refuses requests of `shop.web in west` after 5 in …",
    ),
    (
        "call { from = shop.web, to = shop.catalog, path = \"/new\", reaches = [shop.catalog.v1] }",
        "`shop.catalog.v2 in west` answers, to `shop.web in west`",
    ),
    (
        "call { from = shop.web, to = shop.catalog, reaches = [shop.catalog.v1, shop.catalog.v2] }",
        "`shop.catalog.v2` answers none of 10 requests",
    ),
    (
        "call { from = west.ingress.http, to = shop.web, path = \"/old\", allow = true }",
        "a proxy answers with 308, to `west.ingress`",
    ),
    (
        "call { from = west.ingress.http, to = shop.web, status = 404 }",
        "`shop.web in west` answers, to `west.ingress`",
    ),
];

/// Whether a text has another one in it, in which `…` is anything on one line.
fn has(text: &str, pattern: &str) -> bool {
    text.lines().any(|line| {
        let mut rest = Some(line);
        for part in pattern.split('…') {
            rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, rest)| rest);
        }
        rest.is_some()
    })
}

fn what_is_not_so_fails_with_what_was_seen(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let source = mesh.source.display().to_string();
    // Tests change nothing that runs, so the running mesh follows at once.
    let tests = WRONG.iter().enumerate();
    let tests: String = tests
        .map(|(number, (expected, _))| format!("test \"number {number}.\" {{ {expected} }}\n"))
        .collect();
    std::fs::write(&mesh.source, format!("{SHOP}{tests}")).expect("writable");
    for (number, (expected, seen)) in WRONG.iter().enumerate() {
        let run = format!("^number {number}\\.$");
        let (status, said, errors) = mesh.meshc_says(&["test", &source, "--live", "--run", &run]);
        assert_eq!(status, Some(1), "{expected}\n{said}{errors}");
        assert!(
            errors.contains("error[E0810]: ") && has(&errors, &format!("in the running mesh: {seen}")),
            "{expected}\n{errors}"
        );
    }
}

/// A failure that shows nothing, so that its test takes its time.
const PATIENT: &str =
    "test \"a wrong one\" { fail = [shop.words in west], reaches = [shop.web -> shop.words in west] }\n";

fn failures_end_with_whoever_asked_for_them(data_plane: DataPlane) {
    let mesh = Mesh::up(&format!("{SHOP}{PATIENT}"), data_plane);
    let source = mesh.source.display().to_string();
    assert_eq!(cluster(&mesh), "west");
    let mut asking = mesh.beside(&["test", &source, "--live"]);
    let mut asking = asking.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let within = Duration::from_secs(60);
    process::eventually("east takes over", within, || (cluster(&mesh) == "east").then_some(()));
    // Another test is refused meanwhile: it would see what this one has made fail.
    let (status, _, errors) = mesh.meshc_says(&["test", &source, "--live"]);
    assert_eq!(status, Some(2), "{errors}");
    assert!(errors.contains("`shop.words` in `west` was told to fail"), "{errors}");
    process::signal(asking.id(), "KILL");
    asking.wait().expect("it ends");
    process::eventually("west is healed", within, || (cluster(&mesh) == "west").then_some(()));
}

fn another_mesh_is_not_asked(data_plane: DataPlane) {
    let mesh = Mesh::up(&format!("{SHOP}{RIGHT}"), data_plane);
    let source = mesh.source.display().to_string();
    let more = "  service late { clusters = [east], port http { number = 80 } }\n  service web {";
    std::fs::write(&mesh.source, format!("{SHOP}{RIGHT}").replacen("  service web {", more, 1))
        .expect("writable");
    let (status, said, errors) = mesh.meshc_says(&["test", &source, "--live"]);
    assert_eq!((status, said.as_str()), (Some(2), ""), "{errors}");
    assert!(
        errors.starts_with(
            "error: the mesh that runs was made from another text than this one\n  help: start it again"
        ),
        "{errors}"
    );
    std::fs::write(&mesh.source, format!("{SHOP}{RIGHT}")).expect("writable");
    mesh.fail("shop.words", "east", "error");
    let (status, _, errors) = mesh.meshc_says(&["test", &source, "--live"]);
    assert_eq!(status, Some(2), "{errors}");
    assert!(errors.contains("help: meshc heal shop.words --in east"), "{errors}");
    let answer = Request::get("shop.example", "/").send(mesh.address("MESH_GATEWAY_WEST_INGRESS_80"));
    assert_eq!(answer.status, 200);
}

crate::on_both_data_planes!(
    what_runs_is_asked,
    what_is_not_so_fails_with_what_was_seen,
    failures_end_with_whoever_asked_for_them,
    another_mesh_is_not_asked,
);
