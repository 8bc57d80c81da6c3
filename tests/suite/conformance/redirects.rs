//! Rules that answer by themselves, with another address or a text of their own, and rules that change the path and the
//! host of what they send on.

use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::one_stream;
use mesh_tests::process;

const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  service api { clusters = [west], port http { number = 80 } }
  service acme { clusters = [west], port http { number = 80 } }
  client web { clusters = [west], calls = [api] }
  policy api { targets = [api], deny { from = [web, west.in], match { prefix = "/admin" } } }
  route shop {
    gateway = west.in, hosts = ["shop.example"]
    timeout = 9s
    response_headers { set = { "x-route" = "shop" } }
    rule { match { prefix = "/.well-known/acme-challenge" }, to = acme }
    rule { match { prefix = "/old" }, redirect { prefix = "/new", status = 308 } }
    rule { match { prefix = "/off/" }, redirect { prefix = "/", status = 307 } }
    rule { match { path = "/full" }, redirect { scheme = https, host = "other.example", port = 8443, path = "/here" } }
    rule { match { path = "/port" }, redirect { port = 8080 } }
    rule { match { path = "/host" }, redirect { host = "other.example" } }
    rule { match { path = "/form", methods = ["POST"] }, redirect { status = 303 } }
    rule { match { path = "/form" }, respond { status = 200, body = "sent" } }
    rule { match { prefix = "/people" }, redirect { regex = "/people/([0-9]+)", substitution = "/users/\\1", status = 303 } }
    rule {
      match { path = "/tea" }
      respond { status = 418, body = "{\"50%\": \"größer\"}", content_type = "application/json" }
      response_headers { set = { "x-own" = "50%" } }
    }
    rule { match { path = "/gone" }, respond { status = 410 } }
    rule { match { path = "/text" }, respond { status = 503, body = "closed" } }
    rule { match { path = "/made" }, respond { status = 201, body = "made" } }
    rule { match { path = "/empty" }, respond { status = 204 } }
    rule { redirect = https }
  }
  route api {
    gateway = west.in, hosts = ["api.example"]
    rule { match { prefix = "/v1" }, match { prefix = "/first/" }, to = api, rewrite { prefix = "/v2/", host = "Inner.example" } }
    rule { match { prefix = "/strip" }, to = api, rewrite { prefix = "/" } }
    rule { match { starts_with = "/all" }, to = api, rewrite { path = "/one" } }
    rule { match { starts_with = "/users" }, to = api, rewrite { regex = "/users/([^/]+)/(.*)", substitution = "/\\2/of/\\1" } }
    rule { match { prefix = "/hidden" }, to = api, rewrite { prefix = "/admin" } }
    rule { to = api, rewrite { prefix = "/below" } }
  }
  route calls {
    callee = api, from = [web]
    rule { match { path = "/tea" }, respond { status = 418, body = "inside" } }
    rule { match { path = "/moved" }, redirect { path = "/elsewhere" } }
    rule { match { prefix = "/hidden" }, to = api, rewrite { prefix = "/admin" } }
    rule { match { prefix = "/x" }, to = api, rewrite { prefix = "/y", host = "inner.example" } }
  }
}
"#;

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers.get(name).map_or("-", String::as_str)
}

fn a_rule_answers_with_another_address(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    let ask = |host: &str, path: &str| mesh.ingress("WEST_IN", &Request::get(host, path));
    for (host, path, status, location) in [
        ("shop.example", "/a/../b?q=%41", 301, "https://shop.example/b?q=%41"),
        ("shop.example:80", "/", 301, "https://shop.example:443/"),
        ("Shop.example:8080", "/?", 301, "https://Shop.example:443/?"),
        ("shop.example", "/old/1?q=1", 308, "http://shop.example/new/1?q=1"),
        ("shop.example:81", "/old", 308, "http://shop.example:81/new"),
        ("shop.example", "/old/", 308, "http://shop.example/new/"),
        ("shop.example", "/older", 301, "https://shop.example/older"),
        ("shop.example", "/off", 307, "http://shop.example/"),
        ("shop.example", "/off/", 307, "http://shop.example/"),
        ("shop.example", "/off/a?b", 307, "http://shop.example/a?b"),
        ("shop.example:81", "/full?q=1", 302, "https://other.example:8443/here?q=1"),
        ("shop.example:81", "/port", 302, "http://shop.example:8080/port"),
        ("shop.example:81", "/host", 302, "http://other.example/host"),
        ("shop.example", "/people/17?q", 303, "http://shop.example/users/17?q"),
        ("shop.example", "/people/me", 303, "http://shop.example/people/me"),
    ] {
        let answer = ask(host, path);
        assert_eq!(
            (answer.status, header(&answer, "location")),
            (status, location),
            "{host}{path}: {answer:?}"
        );
        assert_eq!((answer.body.as_str(), header(&answer, "x-route")), ("", "shop"), "{host}{path}");
    }
    // What comes earlier in the text goes on.
    let challenge = ask("shop.example", "/.well-known/acme-challenge/token");
    assert_eq!(
        (challenge.status, challenge.field("service")),
        (200, String::from("shop.acme")),
        "{challenge:?}"
    );
    // A method that is kept, a body, and HTTP/2.
    let body = "x".repeat(100_000);
    let posted = Request::get("shop.example", "/old/form").method("POST", &body);
    assert_eq!(header(&mesh.ingress("WEST_IN", &posted), "location"), "http://shop.example/new/form");
    // A status alone: the same address, asked for with GET.
    let form = Request::get("shop.example:81", "/form?q=1").method("POST", &body);
    let form = mesh.ingress("WEST_IN", &form);
    assert_eq!((form.status, header(&form, "location")), (303, "http://shop.example:81/form?q=1"));
    assert_eq!(ask("shop.example:81", "/form?q=1").body, "sent");
    let two =
        one_stream::Request::new("GET", "shop.example", "/two?q").send(mesh.address("MESH_GATEWAY_WEST_IN"));
    assert_eq!((two.status, two.header("location")), (301, "https://shop.example/two?q"));

    let tea = ask("shop.example", "/tea");
    assert_eq!((tea.status, tea.body.as_str()), (418, r#"{"50%": "größer"}"#), "{tea:?}");
    assert_eq!((header(&tea, "content-type"), header(&tea, "x-own")), ("application/json", "50%"));
    let text = ask("shop.example", "/text");
    assert_eq!(
        (text.status, text.body.as_str(), header(&text, "content-type")),
        (503, "closed", "text/plain")
    );
    let gone = ask("shop.example", "/gone");
    assert_eq!((gone.status, gone.body.as_str(), header(&gone, "content-type")), (410, "", "-"));
    let made = ask("shop.example", "/made");
    assert_eq!((made.status, made.body.as_str(), header(&made, "location")), (201, "made", "-"));
    assert_eq!(ask("shop.example", "/empty").status, 204);
    let head = mesh.ingress("WEST_IN", &Request::get("shop.example", "/text").method("HEAD", ""));
    assert_eq!((head.status, header(&head, "content-length")), (503, "6"), "{head:?}");
    // gRPC is told in its own terms.
    let rpc = |path: &str| {
        let request = Request::get("shop.example", path).method("POST", "");
        let answer = mesh.ingress("WEST_IN", &request.header("content-type", "application/grpc"));
        let said = |name: &str| header(&answer, name).to_owned();
        (answer.status, said("content-type"), said("grpc-status"), said("grpc-message"))
    };
    let grpc = |status: &str, message: &str| {
        (200, "application/grpc".to_owned(), status.to_owned(), message.to_owned())
    };
    assert_eq!(rpc("/text"), grpc("14", "closed"));
    assert_eq!(rpc("/tea"), grpc("2", "{\"50%25\": \"gr%C3%B6%C3%9Fer\"}"));
    // The log has what was answered, and where to.
    process::eventually("the redirects are in the log", Duration::from_secs(20), || {
        let log = mesh.log("west/gateways/in");
        let has = |path: &str| {
            log.lines().any(|line| line.contains(path) && line.contains(r#""details":"direct_response""#))
        };
        (has(r#""path":"/new/1?q=1""#) && has(r#""path":"/here?q=1""#) && has(r#""path":"/tea""#))
            .then_some(())
    });

    // The same inside the mesh.
    let call = |path: &str| mesh.call("WEST_SHOP_WEB__SHOP_API_80", &Request::get("api.shop", path));
    let tea = call("/tea");
    assert_eq!((tea.status, tea.body.as_str()), (418, "inside"));
    let moved = call("/moved?q");
    assert_eq!((moved.status, header(&moved, "location")), (302, "http://api.shop/elsewhere?q"));
    // No upstream has to be there.
    mesh.fail("shop.acme", "west", "gone");
    assert_eq!(ask("shop.example", "/gone").status, 410);
}

fn what_is_sent_on_has_another_path_and_host(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    let ask = |path: &str| mesh.ingress("WEST_IN", &Request::get("api.example:81", path));
    for (path, seen, host) in [
        ("/v1/items?q=1", "/v2/items?q=1", "inner.example"),
        ("/v1", "/v2", "inner.example"),
        ("/v1/", "/v2/", "inner.example"),
        ("/first/x", "/v2/x", "inner.example"),
        ("/first", "/v2", "inner.example"),
        ("/strip", "/", "api.example:81"),
        ("/strip/", "/", "api.example:81"),
        ("/strip?q", "/?q", "api.example:81"),
        ("/strip//a/b/?q", "/a/b/?q", "api.example:81"),
        ("/allways/x?q=%2F", "/one?q=%2F", "api.example:81"),
        ("/users/17/cart/2?q", "/cart/2/of/17?q", "api.example:81"),
        ("/users/17/", "//of/17", "api.example:81"),
        ("/users/17", "/users/17", "api.example:81"),
        ("/", "/below/", "api.example:81"),
        ("/a%2Cb/../c", "/below/c", "api.example:81"),
        ("/x?/y", "/below/x?/y", "api.example:81"),
    ] {
        let answer = ask(path);
        // The callee's sidecar writes what it gets in one way, as always.
        let seen = seen.replace("//", "/");
        assert_eq!((answer.status, answer.field("path")), (200, seen), "{path}: {answer:?}");
        assert_eq!(answer.json()["headers"]["host"], host, "{path}: {answer:?}");
    }
    let two =
        one_stream::Request::new("POST", "api.example", "/v1/two").send(mesh.address("MESH_GATEWAY_WEST_IN"));
    let seen: serde_json::Value = serde_json::from_str(&two.body).expect("an answer of the application");
    assert_eq!((&seen["path"], &seen["headers"]["host"]), (&"/v2/two".into(), &"inner.example".into()));
    // Who receives a request judges the path that it receives.
    let call = |path: &str| mesh.call("WEST_SHOP_WEB__SHOP_API_80", &Request::get("api.shop", path));
    for answer in [ask("/hidden/x"), call("/hidden/x"), call("/admin")] {
        assert_eq!((answer.status, answer.body.as_str()), (403, "RBAC: access denied"), "{answer:?}");
    }
    let inside = call("/x/1");
    assert_eq!(
        (inside.field("path"), &inside.json()["headers"]["host"]),
        ("/y/1".into(), &"inner.example".into())
    );
    // Another attempt is sent where the first one was.
    mesh.fail("shop.api", "west", "gone");
    assert_eq!(ask("/v1/late").status, 503);
    process::eventually("the log has what was sent on", Duration::from_secs(20), || {
        let log = mesh.log("west/gateways/in");
        let has = |path: &str, host: &str| log.lines().any(|line| line.contains(path) && line.contains(host));
        let all = has(r#""path":"/v2/items?q=1""#, r#""host":"inner.example""#)
            && has(r#""path":"/v2/late""#, r#""host":"inner.example""#)
            && has(r#""path":"/?q""#, r#""host":"api.example:81""#);
        all.then_some(())
    });
}

crate::on_both_data_planes!(a_rule_answers_with_another_address, what_is_sent_on_has_another_path_and_host);
