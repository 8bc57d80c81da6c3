//! Requests that wait or are refused on purpose, and what browsers are told about pages of other origins.

use std::time::{Duration, Instant};

use mesh_tests::http::{Connection, Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

const FAULTS: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  service api { clusters = [west], port http { number = 80 } }
  service shadow { clusters = [west], port http { number = 80 } }
  client web { clusters = [west], calls = [api] }
  policy api { targets = [api], outlier { consecutive_5xx = 1, interval = 1s, ejection = 600s } }
  route api {
    gateway = west.in, hosts = ["api.example"]
    retry { attempts = 3, when = [5xx], methods = ["GET"] }
    fault { abort { status = 418 } }
    rule { match { path = "/all" }, to = api, fault { abort { status = 503 } } }
    rule { match { path = "/grpc" }, to = api, fault { abort { grpc = resource_exhausted } } }
    rule { match { path = "/chosen" }, to = api, fault { header x-chaos { exact = "1" }, abort { status = 500 } } }
    rule { match { path = "/none" }, to = api, fault { abort { status = 503, share = 0% }, delay { time = 60s, share = 0% } } }
    rule { match { path = "/slow" }, to = api, timeout = 200ms, fault { delay { time = 300ms } } }
    rule { match { path = "/both" }, to = api, fault { delay { time = 300ms }, abort { status = 599 } } }
    rule { match { path = "/moved" }, redirect { path = "/" }, fault { header x-chaos {}, abort { status = 404 } } }
    rule { match { path = "/shares" }, to = api, fault { abort { status = 555, share = 10% } }, mirror { to = shadow, share = 10% } }
    rule { to = api }
  }
  route calls {
    callee = api, from = [web]
    rule { match { path = "/refused" }, to = api, fault { abort { status = 503 } } }
  }
}
"#;

/// What a request with a delay of 300 ms takes at least: a timer counts from when its thread woke, not from when the request
/// was sent. Without the delay it is some milliseconds.
const DELAYED: Duration = Duration::from_millis(250);

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers.get(name).map_or("-", String::as_str)
}

fn requests_wait_and_are_refused_on_purpose(data_plane: DataPlane) {
    let mesh = Mesh::up(FAULTS, data_plane);
    let ask = |path: &str| mesh.ingress("WEST_IN", &Request::get("api.example", path));
    let refused = |answer: &Response, status: u16| {
        assert_eq!((answer.status, answer.body.as_str()), (status, "fault filter abort"), "{answer:?}");
        assert_eq!(header(answer, "content-type"), "text/plain");
    };
    refused(&ask("/all"), 503);
    refused(&ask("/other"), 418);
    let rpc = |path: &str| {
        let request = Request::get("api.example", path).method("POST", "");
        let answer = mesh.ingress("WEST_IN", &request.header("content-type", "application/grpc+proto"));
        (answer.status, header(&answer, "grpc-status").to_owned(), header(&answer, "grpc-message").to_owned())
    };
    assert_eq!(rpc("/all"), (200, "14".to_owned(), "fault filter abort".to_owned()));
    assert_eq!(rpc("/grpc"), (200, "8".to_owned(), "fault filter abort".to_owned()));
    assert_eq!(ask("/grpc").status, 200, "who does not speak gRPC is let through");
    assert_eq!(ask("/chosen").status, 200);
    let chosen = Request::get("api.example", "/chosen").header("X-Chaos", "1");
    refused(&mesh.ingress("WEST_IN", &chosen), 500);
    assert_eq!(ask("/none").status, 200);
    assert_eq!(ask("/moved").status, 302);
    refused(&mesh.ingress("WEST_IN", &Request::get("api.example", "/moved").header("x-chaos", "")), 404);
    // A timeout begins when a request is sent on.
    let start = Instant::now();
    assert_eq!(ask("/slow").status, 200);
    assert!(start.elapsed() >= DELAYED);
    let start = Instant::now();
    refused(&ask("/both"), 599);
    assert!(start.elapsed() >= DELAYED);
    // No application has seen any of it, none was sent again, and no endpoint was ejected for it.
    for _ in 0..5 {
        refused(&ask("/all"), 503);
        assert_eq!(ask("/none").status, 200);
    }
    let call = |path: &str| mesh.call("WEST_SHOP_WEB__SHOP_API_80", &Request::get("api.shop", path));
    for _ in 0..3 {
        refused(&call("/refused"), 503);
        assert_eq!(call("/else").status, 200);
    }
    process::eventually("the log says why", Duration::from_secs(20), || {
        let log = mesh.log("west/gateways/in");
        let has = |path: &str, flags: &str| {
            log.lines().any(|line| line.contains(path) && line.contains(&format!(r#""flags":"{flags}""#)))
        };
        (has("/all", "FI") && has("/both", "DI,FI") && has("/slow", "DI")).then_some(())
    });
    let seen = mesh.log("west/sidecars/shop/api");
    assert!(!seen.contains("/all") && !seen.contains("/refused"), "{seen}");
}

/// Of a thousand draws of one in ten, the standard deviation is 9.5, and more than 6.2 of it happens less than once in a
/// thousand million times.
const DRAWS: usize = 1000;
const LIKELY: std::ops::RangeInclusive<usize> = 41..=159;

fn shares_are_drawn_for_each_request(data_plane: DataPlane) {
    let mesh = Mesh::up(FAULTS, data_plane);
    let mut connection = Connection::open(mesh.address("MESH_GATEWAY_WEST_IN")).expect("the gateway listens");
    let request = Request::get("api.example", "/shares");
    let statuses = (0..DRAWS).map(|_| connection.send(&request).expect("an answer").status);
    let refused = statuses.filter(|status| *status == 555).count();
    assert!(LIKELY.contains(&refused), "{refused} of {DRAWS} were refused");
    // Of those that were sent on, one in ten was copied; nobody waits for copies.
    let copies = |log: &str| log.lines().filter(|line| line.contains("/shares")).count();
    let shadow = || copies(&mesh.log("west/sidecars/shop/shadow"));
    process::eventually("the copies have arrived", Duration::from_secs(20), || {
        (shadow() >= *LIKELY.start() / 2).then_some(())
    });
    assert!(shadow() <= *LIKELY.end(), "{} copies", shadow());
}

const PAGES: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  service api { clusters = [west], port http { number = 80 } }
  client web { clusters = [west], calls = [api] }
  route api {
    gateway = west.in, hosts = ["api.example"]
    cors {
      allow_origins        = ["https://shop.example", "https://*.pages.example:8443"]
      allow_origin_regexes = ["http://[a-z]+\\.local"]
      allow_methods        = ["PUT", "DELETE"]
      allow_headers        = ["X-Token", "content-type"]
      expose_headers       = ["x-total"]
      max_age              = 10m
      allow_credentials    = true
    }
    rule { match { prefix = "/any" }, to = api, cors { allow_origins = ["*"] } }
    rule {
      match { prefix = "/all" }, to = api
      cors { allow_origins = ["https://shop.example"], allow_methods = ["*", "PUT"], allow_headers = ["*"], allow_credentials = true }
    }
    rule { match { prefix = "/put", methods = ["PUT"] }, to = api }
    rule { match { prefix = "/moved" }, redirect { scheme = https } }
    rule {
      match { path = "/said" }, respond { status = 200, body = "{}", content_type = "application/json" }
      response_headers { set = { "x-said" = "yes", "access-control-allow-origin" = "*" } }
    }
    rule { match { prefix = "/told" }, respond { status = 404 }, cors { allow_origins = ["*"], allow_methods = ["*"], allow_headers = ["*"] } }
    rule {
      match { path = "/got", methods = ["GET"] }, respond { status = 403, body = "no" }
      fault { header x-chaos {}, abort { status = 500 } }
    }
    rule { match { prefix = "/broken" }, to = api, fault { abort { status = 500 } } }
    rule { match { prefix = "/open" }, to = api, response_headers { set = { "vary" = "accept" } } }
    rule { match { methods = ["GET", "OPTIONS"] }, to = api }
  }
  route limited { gateway = west.in, hosts = ["limited.example"], respond { status = 200 }, cors { allow_origins = ["*"] }, response_headers { set = { "x-said" = "yes" } } }
  policy limited { routes = [limited], rate_limit { scope = pod, otherwise = 1/h } }
  route calls { callee = api, from = [web], to = api, cors { allow_origins = ["https://shop.example"] } }
}
"#;

fn pages_of_other_origins_are_told_what_they_may(data_plane: DataPlane) {
    let mesh = Mesh::up(PAGES, data_plane);
    let send = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::get("api.example", path).method(method, "");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        mesh.ingress("WEST_IN", &request)
    };
    let said = |answer: &Response| {
        ["origin", "credentials", "methods", "headers"]
            .map(|name| header(answer, &format!("access-control-allow-{name}")).to_owned())
    };
    const PREFLIGHT: (&str, &str) = ("access-control-request-method", "PUT");
    for origin in ["https://shop.example", "https://a.b.pages.example:8443", "http://x.local"] {
        let answer = send("OPTIONS", "/", &[("origin", origin), PREFLIGHT]);
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer:?}");
        assert_eq!(said(&answer), [origin, "true", "PUT, DELETE", "X-Token, content-type"]);
        assert_eq!(header(&answer, "access-control-max-age"), "600");
        assert_eq!(header(&answer, "access-control-expose-headers"), "x-total");
        let answer = send("GET", "/", &[("origin", origin)]);
        assert_eq!((answer.status, answer.field("service")), (200, "shop.api".to_owned()), "{answer:?}");
        assert_eq!(said(&answer), [origin, "true", "-", "-"]);
        assert_eq!(header(&answer, "access-control-expose-headers"), "x-total");
        assert_eq!(header(&answer, "vary"), "origin");
    }
    for origin in [
        "https://evil.example",
        "http://shop.example",
        "https://shop.example:444",
        "https://shop.example.evil.example",
        "https://pages.example:8443",
        "https://evil/.pages.example:8443",
        "HTTPS://shop.example",
        "null",
        "*",
    ] {
        let answer = send("OPTIONS", "/", &[("origin", origin), PREFLIGHT]);
        assert_eq!(
            (answer.status, answer.body.as_str(), said(&answer)[0].as_str()),
            (200, "", "-"),
            "{origin}"
        );
        let answer = send("GET", "/", &[("origin", origin)]);
        assert_eq!(
            (answer.status, answer.field("service")),
            (200, "shop.api".to_owned()),
            "{origin}: {answer:?}"
        );
        assert_eq!(said(&answer), ["-"; 4], "{origin}");
        assert_eq!(header(&answer, "access-control-expose-headers"), "-");
    }
    // Two origins are none of those that are allowed.
    let two = send("GET", "/", &[("origin", "https://shop.example"), ("origin", "https://evil.example")]);
    assert_eq!(said(&two)[0], "-", "{two:?}");
    // What is no preflight request is sent on.
    let plain = send("OPTIONS", "/", &[("origin", "https://shop.example")]);
    assert_eq!(
        (plain.field("method"), said(&plain)[0].as_str()),
        ("OPTIONS".to_owned(), "https://shop.example")
    );
    let nobody = send("OPTIONS", "/", &[PREFLIGHT]);
    assert_eq!((nobody.field("method"), said(&nobody)[0].as_str()), ("OPTIONS".to_owned(), "-"));
    // A rule has its own words, or those of the route; one for other methods takes their preflight requests.
    let any = send("OPTIONS", "/any", &[("origin", "https://evil.example"), PREFLIGHT]);
    assert_eq!((any.status, said(&any)), (200, ["https://evil.example", "-", "-", "-"].map(str::to_owned)));
    // What is allowed altogether is allowed by name, as browsers want it beside cookies.
    let asks = [
        ("origin", "https://shop.example"),
        PREFLIGHT,
        ("access-control-request-headers", "X-A, b"),
        ("access-control-request-headers", "c"),
    ];
    let all = send("OPTIONS", "/all", &asks);
    assert_eq!(
        (all.status, said(&all)),
        (200, ["https://shop.example", "true", "PUT", "X-A, b,c"].map(str::to_owned))
    );
    let all = send("OPTIONS", "/all", &asks[..2]);
    assert_eq!(
        (all.status, said(&all)),
        (200, ["https://shop.example", "true", "PUT", ""].map(str::to_owned))
    );
    let put = send("OPTIONS", "/put", &[("origin", "https://shop.example"), PREFLIGHT]);
    assert_eq!((put.status, said(&put)[2].as_str()), (200, "PUT, DELETE"));
    // Also of answers that the proxy gives by itself: because something fails, or because a rule is there for it.
    const SHOP: (&str, &str) = ("origin", "https://shop.example");
    const EVIL: (&str, &str) = ("origin", "https://evil.example");
    for (path, status) in [("/broken", 500), ("/moved", 302), ("/said", 200), ("/got", 403)] {
        let answer = send("GET", path, &[SHOP]);
        assert_eq!((answer.status, said(&answer)), (status, [SHOP.1, "true", "-", "-"].map(str::to_owned)));
        let (exposed, vary) = (header(&answer, "access-control-expose-headers"), header(&answer, "vary"));
        assert_eq!((exposed, vary), ("x-total", "origin"), "{path}");
        let preflight = send("OPTIONS", path, &[SHOP, PREFLIGHT, ("x-chaos", "")]);
        let told = [SHOP.1, "true", "PUT, DELETE", "X-Token, content-type"].map(str::to_owned);
        assert_eq!((preflight.status, preflight.body.as_str(), said(&preflight)), (200, "", told), "{path}");
        assert_eq!((header(&preflight, "location"), header(&preflight, "x-said")), ("-", "-"));
        assert_eq!(header(&preflight, "access-control-expose-headers"), "x-total", "{path}");
        let other = send("OPTIONS", path, &[EVIL, PREFLIGHT]);
        assert_eq!((other.status, other.body.as_str(), said(&other)[0].as_str()), (200, "", "-"), "{path}");
    }
    let moved = send("GET", "/moved", &[SHOP]);
    assert_eq!(header(&moved, "location"), "https://api.example/moved");
    let answered = |headers: &[(&str, &str)]| {
        let answer = send("GET", "/said", headers);
        (answer.body.clone(), header(&answer, "content-type").to_owned(), said(&answer)[0].clone())
    };
    let json = |allowed: &str| ("{}".to_owned(), "application/json".to_owned(), allowed.to_owned());
    assert_eq!(answered(&[SHOP]), json(SHOP.1), "what is allowed replaces what `response_headers` says");
    assert_eq!((answered(&[EVIL]), answered(&[])), (json("*"), json("*")));
    for (headers, told) in [
        (&[EVIL][..], ["https://evil.example", "-", "-", "-"]),
        (&[("origin", "")], ["-"; 4]),
        (&[], ["-"; 4]),
    ] {
        let answer = send("GET", "/told", headers);
        assert_eq!((answer.status, said(&answer)), (404, told.map(str::to_owned)), "{headers:?}");
    }
    let plain = send("OPTIONS", "/told", &[EVIL]);
    assert_eq!((plain.status, said(&plain)[0].as_str()), (404, EVIL.1), "no preflight request");
    let asks =
        [EVIL, PREFLIGHT, ("access-control-request-headers", "a"), ("access-control-request-headers", "b")];
    let preflight = send("OPTIONS", "/told", &asks);
    assert_eq!((preflight.status, said(&preflight)), (200, [EVIL.1, "-", "PUT", "a,b"].map(str::to_owned)));
    let preflight = send("OPTIONS", "/told", &asks[..2]);
    assert_eq!((preflight.status, said(&preflight)), (200, [EVIL.1, "-", "PUT", ""].map(str::to_owned)));
    let failing = send("GET", "/got", &[SHOP, ("x-chaos", "")]);
    assert_eq!((failing.status, said(&failing)[0].as_str()), (500, "-"));
    // The rule for GET takes the preflight requests for it, whatever goes wrong on purpose.
    let gets = [SHOP, ("access-control-request-method", "GET"), ("x-chaos", "")];
    let preflight = send("OPTIONS", "/got", &gets);
    assert_eq!((preflight.status, preflight.body.as_str(), said(&preflight)[0].as_str()), (200, "", SHOP.1));
    let open = send("OPTIONS", "/open", &[SHOP, PREFLIGHT]);
    assert_eq!((open.status, header(&open, "vary")), (200, "-"), "changes are for other answers");
    let limited = || mesh.ingress("WEST_IN", &Request::get("limited.example", "/").header(SHOP.0, SHOP.1));
    let (first, second) = (limited(), limited());
    assert_eq!((first.status, second.status), (200, 429));
    assert_eq!((said(&first)[0].as_str(), said(&second)[0].as_str()), (SHOP.1, "-"), "{second:?}");
    assert_eq!((header(&first, "x-said"), header(&second, "x-said")), ("yes", "-"));
    assert_eq!(header(&send("GET", "/open", &[]), "vary").replace(' ', ""), "accept,origin");
    // Inside the mesh, and where there is nobody to answer.
    let call = |origin: &str| {
        let request = Request::get("api.shop", "/").header("origin", origin);
        mesh.call("WEST_SHOP_WEB__SHOP_API_80", &request)
    };
    assert_eq!(said(&call("https://shop.example"))[0], "https://shop.example");
    assert_eq!(said(&call("https://a.example"))[0], "-");
    mesh.fail("shop.api", "west", "gone");
    let gone = send("GET", "/", &[("origin", "https://shop.example")]);
    assert_eq!((gone.status, said(&gone)[0].as_str()), (503, "https://shop.example"), "{gone:?}");
}

crate::on_both_data_planes!(
    requests_wait_and_are_refused_on_purpose,
    shares_are_drawn_for_each_request,
    pages_of_other_origins_are_told_what_they_may,
);
