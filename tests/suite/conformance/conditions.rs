//! Conditions on requests: each of them chooses a route and refuses alike, over HTTP/1.1 and HTTP/2.

use std::fmt::Write as _;
use std::net::SocketAddr;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::raw::{Http2, Outcome, http1};

/// A request: its target, and lines of headers.
type Sent = (&'static str, &'static [(&'static str, &'static str)]);

/// A condition as a `match` has it, requests that meet it, and requests that do not.
type Case = (&'static str, &'static [Sent], &'static [Sent]);

const CASES: &[Case] = &[
    (
        r#"header x-a { exact = "gold", not = true }"#,
        &[
            ("/", &[]),
            ("/", &[("x-a", "silver")]),
            ("/", &[("x-a", "")]),
            ("/", &[("x-a", "goldx"), ("x-a", "b")]),
        ],
        &[
            ("/", &[("x-a", "gold")]),
            ("/", &[("x-a", "b"), ("x-a", "gold")]),
            ("/", &[("x-a", "gold"), ("x-a", "b")]),
        ],
    ),
    ("header x-a { not = true }", &[("/", &[])], &[("/", &[("x-a", "1")]), ("/", &[("x-a", "")])]),
    (
        r#"header x-a { prefix = "go", not = true }"#,
        &[("/", &[]), ("/", &[("x-a", "silver")])],
        &[("/", &[("x-a", "gone")]), ("/", &[("x-a", "b"), ("x-a", "gone")])],
    ),
    (
        r#"header x-a { regex = "[0-9]+", not = true }"#,
        &[("/", &[]), ("/", &[("x-a", "a1")])],
        &[("/", &[("x-a", "17")]), ("/", &[("x-a", "a"), ("x-a", "17")])],
    ),
    (
        r#"header x-a { prefix = "go" }, header x-a { exact = "gold", not = true }, header x-a { exact = "gone", not = true }"#,
        &[("/", &[("x-a", "go")])],
        &[("/", &[]), ("/", &[("x-a", "gold")]), ("/", &[("x-a", "gone")]), ("/", &[("x-a", "silver")])],
    ),
    (
        "cookie session {}",
        &[
            ("/", &[("cookie", "session=1")]),
            ("/", &[("cookie", "a=1; session=")]),
            ("/", &[("cookie", "a=1;session=2; b=3")]),
            ("/", &[("cookie", "a=1"), ("cookie", "session=2")]),
        ],
        &[
            ("/", &[]),
            ("/", &[("cookie", "xsession=1")]),
            ("/", &[("cookie", "a=session=1")]),
            ("/", &[("cookie", "session")]),
        ],
    ),
    (
        r#"cookie user { exact = "jason.b" }"#,
        &[("/", &[("cookie", "user=jason.b")]), ("/", &[("cookie", "user=x; user=jason.b")])],
        &[
            ("/", &[("cookie", "user=jason.bc")]),
            ("/", &[("cookie", "user=jasonxb")]),
            ("/", &[("cookie", "User=jason.b")]),
        ],
    ),
    (
        r#"cookie user { prefix = "j", not = true }"#,
        &[("/", &[]), ("/", &[("cookie", "user=anna; a=j")])],
        &[("/", &[("cookie", "user=jason")]), ("/", &[("cookie", "a=1; user=j; b=2")])],
    ),
    (
        r#"cookie user { regex = "j[a-z]*|(?i)anna" }"#,
        &[("/", &[("cookie", "user=jason")]), ("/", &[("cookie", "a=1; user=ANNA; b=2")])],
        &[
            ("/", &[]),
            ("/", &[("cookie", "user=Jason")]),
            ("/", &[("cookie", "user=jason1")]),
            ("/", &[("cookie", "user=x; other=jason")]),
        ],
    ),
    (
        r#"query n { regex = "[0-9]{2,3}|[^&]*!" }"#,
        &[("/?n=12", &[]), ("/?a&n=123&b", &[]), ("/?n=1&n=a?b!", &[]), ("/?n=!", &[])],
        &[
            ("/", &[]),
            ("/?n", &[]),
            ("/?n=1", &[]),
            ("/?n=1234", &[]),
            ("/?n=1&m=12", &[]),
            ("/?n=a&b!", &[]),
        ],
    ),
    (
        r#"query o { regex = "[a-z]*" }"#,
        &[("/?o", &[]), ("/?o=", &[]), ("/?o=a", &[])],
        &[("/", &[]), ("/?o=1", &[]), ("/?oo", &[])],
    ),
    (
        r#"query p { regex = "[0-9]+", not = true }"#,
        &[("/", &[]), ("/?p", &[]), ("/?p=a", &[])],
        &[("/?p=1", &[]), ("/?p=a&p=1", &[])],
    ),
    (
        r#"query v { exact = "2" }"#,
        &[("/?v=2", &[]), ("/a?b&v=2&c", &[]), ("/?v=1&v=2", &[]), ("/?v=2&v=1", &[])],
        &[
            ("/", &[]),
            ("/?v=22", &[]),
            ("/?xv=2", &[]),
            ("/v=2", &[]),
            ("/?v=%32", &[]),
            ("/?a?v=2", &[]),
            ("/?V=2", &[]),
        ],
    ),
    (
        "query debug {}",
        &[("/?debug", &[]), ("/?debug=1", &[]), ("/?a=1&debug", &[]), ("/?debug&a", &[])],
        &[("/", &[]), ("/debug", &[]), ("/?debugger", &[]), ("/?a=debug", &[])],
    ),
    (
        r#"query v { prefix = "b", not = true }"#,
        &[("/", &[]), ("/?v=1", &[]), ("/?v", &[]), ("/?w=beta", &[])],
        &[("/?v=beta", &[]), ("/?v=1&v=b", &[])],
    ),
    (
        "query v { not = true }",
        &[("/", &[]), ("/?w=v", &[])],
        &[("/?v", &[]), ("/?v=1", &[]), ("/?a&v=", &[])],
    ),
    (
        r#"query e { exact = "" }"#,
        &[("/?e", &[]), ("/?e=", &[])],
        &[("/", &[]), ("/?e=1", &[]), ("/?ee=", &[])],
    ),
    (
        r#"prefix = "/p", not { prefix = "/p/x" }, not { path = "/p" }, not { starts_with = "/p/y" }"#,
        &[("/p/", &[]), ("/p/a?/p/x", &[]), ("/p/xx", &[]), ("/p/X", &[])],
        &[
            ("/p", &[]),
            ("/p?a", &[]),
            ("/p/x", &[]),
            ("/p/x/1?a", &[]),
            ("/p/./x", &[]),
            ("/p/yy", &[]),
            ("/q", &[]),
        ],
    ),
    (
        r#"not { regex = "/[a-z]+/[0-9]" }, not { paths = ["/", "/v"] }, not { prefix = "/Api", ignore_case = true }"#,
        &[("/ab/10", &[]), ("/ab/?/1", &[]), ("/vv", &[]), ("/apix", &[])],
        &[
            ("/ab/1", &[]),
            ("/ab/1?x=/y", &[]),
            ("/", &[]),
            ("/?a", &[]),
            ("/v", &[]),
            ("/aPi/x?y", &[]),
            ("/api", &[]),
        ],
    ),
    (r#"not { methods = ["GET", "HEAD"] }"#, &[], &[("/", &[])]),
    (r#"not { methods = ["PUT"] }"#, &[("/", &[])], &[]),
    (
        r#"starts_with = "/it.m""#,
        &[("/it.m", &[]), ("/it.ms/1", &[]), ("/it.m?a", &[])],
        &[("/it", &[]), ("/itxm", &[]), ("/x/it.m", &[]), ("/It.m", &[])],
    ),
    (
        r#"paths = ["/a", "/b.c"]"#,
        &[("/a", &[]), ("/b.c?x", &[])],
        &[("/", &[]), ("/bxc", &[]), ("/a/", &[])],
    ),
    (
        r#"path = "/Items.json", ignore_case = true"#,
        &[("/Items.json", &[]), ("/iTEMS.JSON?a", &[])],
        &[("/itemsxjson", &[]), ("/items.json/", &[])],
    ),
    (
        r#"prefix = "/Api", ignore_case = true"#,
        &[("/api", &[]), ("/API/x", &[])],
        &[("/apix", &[]), ("/", &[])],
    ),
    (
        r#"starts_with = "/Api", ignore_case = true"#,
        &[("/api", &[]), ("/APIs/x", &[])],
        &[("/ap", &[]), ("/x/api", &[])],
    ),
    (
        r#"grpc { service = "shop.Catalog" }"#,
        &[("/shop.Catalog/List", &[])],
        &[("/shop.CatalogX/List", &[]), ("/shopxCatalog/List", &[]), ("/shop.Catalog", &[])],
    ),
    (
        r#"grpc { service = "shop.Catalog", method = "List" }"#,
        &[("/shop.Catalog/List", &[])],
        &[("/shop.Catalog/Listen", &[]), ("/shop.Catalog/Get", &[])],
    ),
    (
        r#"grpc { method = "List" }"#,
        &[("/shop.Catalog/List", &[]), ("/x/List", &[])],
        &[("/List", &[]), ("/a/b/List", &[]), ("/x/Lists", &[])],
    ),
];

/// Each case has a header that only its own requests have, so that one route and one policy hold all of them.
fn mesh() -> String {
    let (mut rules, mut denied) = (String::new(), String::new());
    for (number, (condition, _, _)) in CASES.iter().enumerate() {
        let matches = format!("match {{ header x-case {{ exact = \"{number}\" }}, {condition} }}");
        let _ = writeln!(rules, "    rule {{ {matches}, to = met }}");
        let _ = writeln!(denied, "    deny {{ from = [west.ingress], {matches} }}");
    }
    format!(
        r#"
mesh m {{ trust_domain = "cluster.local", trust = house, data_plane = envoy }}
trust house {{}}
network net {{}}
cluster west {{
  network = net
  region  = "here"
  gateway ingress {{ role = ingress, address = 10.0.0.1, port http {{ number = 80 }} }}
}}
namespace shop {{
  service met     {{ clusters = [west], port http {{ number = 80 }} }}
  service other   {{ clusters = [west], port http {{ number = 80 }} }}
  service guarded {{ clusters = [west], port http {{ number = 80 }} }}
  route routed {{
    gateway = west.ingress
    hosts   = ["routed.example"]
{rules}
    // Either will do.
    rule {{
      match {{ header x-either {{ exact = "1" }} }}
      match {{ methods = ["POST"], header x-either {{ exact = "2" }} }}
      to = met
    }}
    rule {{ to = other }}
  }}
  route guarded {{ gateway = west.ingress, hosts = ["guarded.example"], to = guarded }}
  policy rules {{
    targets = [guarded]
{denied}
    deny {{
      from = [west.ingress]
      match {{ header x-either {{ exact = "1" }} }}
      match {{ methods = ["POST"], header x-either {{ exact = "2" }} }}
    }}
    // What is not gold, or has no tier at all, is counted.
    rate_limit {{
      scope     = pod
      match     {{ header x-limit {{}}, header x-tier {{ exact = "gold", not = true }}, query free {{ not = true }}, path = "/l" }}
      match     {{ header x-limit {{}}, header x-tier {{ exact = "gold", not = true }}, query free {{ not = true }}, prefix = "/m" }}
      otherwise = 1/h
    }}
  }}
}}
"#
    )
}

/// What becomes of a request, over HTTP/1.1 and over HTTP/2.
fn ask(ingress: SocketAddr, host: &str, method: &str, (target, headers): Sent, case: &str) -> [Outcome; 2] {
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{case}");
    let mut http2 = Http2::new(method, host, target);
    for (name, value) in case.lines().filter_map(|line| line.split_once(": ")) {
        http2 = http2.header(name, value);
    }
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
        http2 = http2.header(name, value);
    }
    [http1(ingress, format!("{text}\r\n").as_bytes()), http2.send(ingress)]
}

fn conditions_mean_the_same_everywhere(data_plane: DataPlane) {
    let mesh = Mesh::up(&mesh(), data_plane);
    let ingress = mesh.address("MESH_GATEWAY_WEST_INGRESS");
    let mut wrong = Vec::new();
    for (number, (condition, met, other)) in CASES.iter().enumerate() {
        let case = format!("x-case: {number}\r\n");
        let requests = met.iter().map(|sent| (true, sent)).chain(other.iter().map(|sent| (false, sent)));
        for (meets, sent) in requests {
            let service = if meets { "shop.met" } else { "shop.other" };
            for outcome in ask(ingress, "routed.example", "GET", *sent, &case) {
                if outcome.word() != "200" || outcome.json()["service"] != service {
                    wrong.push(format!("{condition}: {sent:?} is not routed to {service}: {outcome:?}"));
                }
            }
            let status = if meets { "403" } else { "200" };
            for outcome in ask(ingress, "guarded.example", "GET", *sent, &case) {
                if outcome.word() != status {
                    wrong.push(format!("{condition}: {sent:?} is not answered with {status}: {outcome:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    for (method, value, meets) in [
        ("GET", "1", true),
        ("POST", "1", true),
        ("POST", "2", true),
        ("GET", "2", false),
        ("GET", "3", false),
    ] {
        let either = format!("x-either: {value}\r\ncontent-length: 0\r\n");
        for outcome in ask(ingress, "routed.example", method, ("/", &[]), &either) {
            let service = if meets { "shop.met" } else { "shop.other" };
            assert_eq!(outcome.json()["service"], service, "{method} {value}: {outcome:?}");
        }
        for outcome in ask(ingress, "guarded.example", method, ("/", &[]), &either) {
            assert_eq!(outcome.word(), if meets { "403" } else { "200" }, "{method} {value}");
        }
    }

    let limited = |target: &'static str, tier: &str| {
        let headers = format!("x-limit: 1\r\n{tier}");
        ask(ingress, "guarded.example", "GET", (target, &[]), &headers).map(|outcome| outcome.word())
    };
    assert_eq!(limited("/l", "x-tier: gold\r\n"), ["200", "200"], "gold is not counted");
    assert_eq!(limited("/l?free", ""), ["200", "200"], "nor is what is free");
    assert_eq!(limited("/n", ""), ["200", "200"], "nor another path");
    assert_eq!(limited("/l?a", ""), ["200", "429"], "what has no tier is counted");
    assert_eq!(
        limited("/m", "x-tier: silver\r\n"),
        ["429", "429"],
        "with every other tier, and the other path"
    );
}

crate::on_both_data_planes!(conditions_mean_the_same_everywhere);
