//! What a route does with requests and answers beside sending them on.

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::one_stream;

/// One service behind an ingress.
const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  service api { clusters = [west], port http { number = 80 } }
  route api {
    gateway = west.in, hosts = ["api.example"]
    response_headers { set = { "X-Route" = "of the route" } }
    rule { match { path = "/alone" }, to = api, response_headers { remove = ["content-type"] } }
    rule {
      match { prefix = "/changed", header x-kind {} }
      to = api
      request_headers {
        set    = { "X-Kind" = "50% of \"it\", größer", "x-empty" = "", "x-absent" = "here", "user-agent" = "mesh" }
        add    = { "x-more" = "two", "x-new" = "one" }
        remove = ["Cookie", "x-secret", "x-was-never-there"]
      }
      response_headers {
        set    = { "content-type" = "text/plain", "x-served-by" = "100%", "x-nothing" = "" }
        add    = { "set-cookie" = "a=b" }
        remove = ["content-encoding"]
      }
    }
    rule { match { header x-kind { exact = "50% of \"it\", größer" } }, to = api, response_headers { set = { "x-wrong" = "" } } }
    rule { to = api }
  }
}
"#;

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(String::as_str)
}

fn headers_change_as_a_rule_states(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let ask = |path: &str| {
        let request =
            Request::get("api.example", path).header("x-kind", "client's").header("x-empty", "full");
        let request = request.header("x-more", "one").header("cookie", "c=1").header("x-secret", "1");
        mesh.ingress("WEST_IN", &request.header("X-Secret", "2").header("user-agent", "test"))
    };
    let answer = ask("/changed/1");
    let seen = |answer: &Response, name: &str| {
        answer.json()["headers"][name].as_str().map_or_else(|| String::from("absent"), str::to_owned)
    };
    for (name, expected) in [
        ("x-kind", "50% of \"it\", größer"),
        ("x-empty", ""),
        ("x-absent", "here"),
        ("user-agent", "mesh"),
        ("x-more", "one, two"),
        ("x-new", "one"),
        ("cookie", "absent"),
        ("x-secret", "absent"),
        ("x-was-never-there", "absent"),
    ] {
        assert_eq!(seen(&answer, name), expected, "{name} of the request: {answer:?}");
    }
    for (name, expected) in [
        ("content-type", Some("text/plain")),
        ("x-served-by", Some("100%")),
        ("x-nothing", Some("")),
        ("set-cookie", Some("a=b")),
        ("x-route", None),
        ("x-wrong", None),
    ] {
        assert_eq!(header(&answer, name), expected, "{name} of the answer: {answer:?}");
    }
    // The same over HTTP/2, where names are sent otherwise.
    let two = one_stream::Request::new("GET", "api.example", "/changed/2").header("x-kind", "client's");
    let two = two.send(mesh.address("MESH_GATEWAY_WEST_IN"));
    assert_eq!(
        (two.status, two.header("x-served-by"), two.header("content-type")),
        (200, "100%", "text/plain")
    );

    // What a rule leaves out comes from the route around it, and what it states replaces that.
    let untouched = ask("/other");
    assert_eq!(header(&untouched, "x-route"), Some("of the route"));
    assert_eq!(
        (seen(&untouched, "x-kind").as_str(), seen(&untouched, "cookie").as_str()),
        ("client's", "c=1")
    );
    let alone = ask("/alone");
    assert_eq!((header(&alone, "content-type"), header(&alone, "x-route")), (None, None));

    // An answer of the gateway's own is changed too, and one on no route is not.
    mesh.fail("shop.api", "west", "gone");
    let failed = ask("/changed/3");
    assert_eq!((failed.status, header(&failed, "x-served-by")), (503, Some("100%")), "{failed:?}");
    let nowhere = mesh.ingress("WEST_IN", &Request::get("other.example", "/"));
    assert_eq!((nowhere.status, header(&nowhere, "x-route")), (404, None));
}

crate::on_both_data_planes!(headers_change_as_a_rule_states);
