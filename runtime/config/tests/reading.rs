//! What a configuration file may say, and how its mistakes are told.

#![expect(clippy::expect_used, reason = "a test ends at its first surprise")]

use meshd_config::{Config, EndpointHost, HostPattern, InboundApp, Kind, raw};
use std::time::Duration;

/// A sidecar in west: one outbound host, one inbound chain, readiness.
const SIDECAR: &str = r#"{
  "version": 1,
  "node": { "name": "webapp", "cluster": "west" },
  "identity": { "certificate": "/id/tls.crt", "private_key": "/id/tls.key", "trust_bundle": "/trust/ca.crt" },
  "listeners": [
    { "name": "catalog", "bind": "127.64.0.2:80", "kind": { "http": { "virtual_hosts": [
      { "name": "catalog", "hosts": ["*"], "routes": [
        { "match": { "path": { "prefix": "/" } }, "to": [{ "upstream": "catalog" }], "timeout": "15s",
          "retry": { "attempts": 2, "on": ["5xx", { "status": [429] }], "methods": ["GET"], "other_localities": true } } ] } ] } } },
    { "name": "inbound", "bind": "0.0.0.0:15006", "kind": { "inbound": { "chains": [
      { "sni": ["outbound_.80_._.webapp.shop.svc.cluster.local"], "peers": ["spiffe://cluster.local/*"],
        "app": { "http": { "upstream": "app", "filters": [{ "authorize": { "allow": [
          { "name": "ingress", "principals": ["spiffe://cluster.local/ns/mesh/sa/west-ingress"] } ] } }] } } } ] } } },
    { "name": "ready", "bind": "0.0.0.0:15021", "kind": { "readiness": {} } }
  ],
  "upstreams": {
    "catalog": { "connect_timeout": "2s", "pool": { "max_connections": 1024, "max_pending": 1024, "max_requests": 1024 },
      "groups": [ { "name": "east", "endpoints": [{ "host": "catalog-mesh.shop.svc.cluster.local", "port": 15006, "repeat": 8 }],
        "outlier": { "failing_answers": "gateway_errors", "consecutive_answers": 5, "interval": "10s", "ejection": "30s",
          "failing_share": { "percent": 85, "attempts": 3 } },
        "tls": { "sni": "outbound_.80_._.catalog.shop.svc.cluster.local", "peers": ["spiffe://cluster.local/ns/shop/sa/catalog"] } } ] },
    "app": { "connect_timeout": "1s", "pool": { "max_connections": 1024, "max_pending": 1024, "max_requests": 1024 },
      "groups": [ { "name": "app", "endpoints": [{ "host": "127.0.0.1", "port": 8080 }] } ] }
  }
}"#;

fn problems(text: &str) -> Vec<String> {
    Config::read(text)
        .expect_err("this file has a mistake")
        .problems
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The sidecar with one piece of text replaced.
fn with(from: &str, to: &str) -> String {
    assert!(SIDECAR.contains(from), "the fixture has no `{from}`");
    SIDECAR.replacen(from, to, 1)
}

#[test]
fn a_sidecar_is_read_with_its_defaults() {
    let config = Config::read(SIDECAR).unwrap();
    assert_eq!(config.listeners.len(), 3);
    let catalog = &config.upstreams["catalog"];
    assert_eq!(catalog.retry_budget.percent, 20);
    assert_eq!(
        catalog.groups[0].endpoints[0].host,
        EndpointHost::Name("catalog-mesh.shop.svc.cluster.local.".into()),
        "a name is complete, so no search domain is tried"
    );
    let Kind::Http { virtual_hosts, .. } = &config.listeners[0].kind else {
        panic!("the first listener is HTTP")
    };
    let retry = virtual_hosts[0].routes[0].retry.as_ref().unwrap();
    assert!(retry.methods.contains("GET") && !retry.methods.contains("POST"));
}

#[test]
fn what_is_written_is_read_back_and_says_only_what_was_decided() {
    let raw: raw::Config = serde_json::from_str(SIDECAR).unwrap();
    let written = serde_json::to_string(&raw).unwrap();
    assert_eq!(serde_json::from_str::<raw::Config>(&written).unwrap(), raw);
    assert!(!written.contains("null") && !written.contains("[]"), "{written}");
}

#[test]
fn a_file_of_another_version_is_refused_for_its_version() {
    assert_eq!(
        problems(r#"{"version": 2, "novelty": {}}"#),
        ["version: 2 is not known; this meshd reads version 1"]
    );
    assert_eq!(problems("{}"), ["version: missing; this meshd reads version 1"]);
}

#[test]
fn an_unknown_member_is_refused_with_its_path() {
    let found = problems(&with(r#""timeout": "15s""#, r#""timeuot": "15s""#));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("listeners[0].kind.http.virtual_hosts[0].routes[0].timeuot: unknown field"),
        "{found:?}"
    );
}

#[test]
fn a_wrong_unit_is_refused_with_its_path() {
    let found = problems(&with(r#""connect_timeout": "2s""#, r#""connect_timeout": "2d""#));
    assert!(found[0].starts_with("upstreams.catalog.connect_timeout: `2d` is not a period"), "{found:?}");
}

#[test]
fn what_could_never_match_is_refused() {
    let found =
        problems(&with(r#""hosts": ["*"]"#, r#""hosts": ["a.example", "A.Example", "b.example:80"]"#));
    assert_eq!(
        found,
        [
            "listeners[0].kind.http.virtual_hosts[0].hosts[1]: host `a.example` is already at \
             listeners[0].kind.http.virtual_hosts[0].hosts[0]",
            "listeners[0].kind.http.virtual_hosts[0].hosts[2]: `b.example:80` has a port, and hosts are matched \
             without theirs",
        ]
    );
    let found = problems(&with(r#""sni": ["outbound_"#, r#""sni": ["a.b", "A.B", "outbound_"#));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("server name `a.b` is already at"), "{found:?}");
}

#[test]
fn tls_inside_mutual_tls_has_names() {
    let inside = |app: &str| {
        with(
            r#""app": { "http": { "upstream": "app", "filters""#,
            &format!(
                r#""app": {{ "tls": {app} }} }}, {{ "sni": ["x"], "peers": [], "app": {{ "http": {{ "upstream": "app", "filters""#
            ),
        )
    };
    let good =
        Config::read(&inside(r#"{ "upstream": "app", "names": ["API.pay.example", "*.eu.pay.example"] }"#));
    let good = good.unwrap();
    let Kind::Inbound(inbound) = &good.listeners[1].kind else { panic!("the second listener is inbound") };
    assert_eq!(
        inbound.chains[0].app,
        InboundApp::Tls {
            upstream: "app".into(),
            names: vec![
                HostPattern::Exact("api.pay.example".into()),
                HostPattern::Suffix(".eu.pay.example".into()),
            ],
            hello_timeout: Duration::from_secs(5),
            max_connect_attempts: 2,
        }
    );
    let at = "listeners[1].kind.inbound.chains[0].app.tls";
    let wrong = r#"{ "upstream": "nowhere", "names": [], "hello_timeout": "0s", "max_connect_attempts": 0 }"#;
    let found = problems(&inside(wrong));
    for field in ["upstream", "names", "hello_timeout", "max_connect_attempts"] {
        let field = format!("{at}.{field}: ");
        assert!(found.iter().any(|problem| problem.starts_with(&field)), "{field} in {found:?}");
    }
    let found = problems(&inside(r#"{ "upstream": "app", "names": ["a.*.example"] }"#));
    assert!(found[0].starts_with(&format!("{at}.names[0]: ")), "{found:?}");
}

#[test]
fn checks_have_a_connection_a_question_and_bounds() {
    let checked = |upstream: &str, health: &str| {
        let begin = format!(r#""{upstream}": {{ "connect_timeout""#);
        with(&begin, &begin.replace(r#""connect"#, &format!(r#""health": {health}, "connect"#)))
    };
    let health = |path: &str, healthy: u32| {
        format!(
            r#"{{ "check": {{ "http": {{ "host": "catalog", "path": "{path}" }} }}, "sni": "check_.80_._.catalog.shop",
                 "interval": "1s", "timeout": "1s", "unhealthy": 1, "healthy": {healthy} }}"#
        )
    };
    assert!(Config::read(&checked("catalog", &health("/healthz", 1))).is_ok());
    assert_eq!(
        problems(&checked("catalog", &health("healthz", 0))),
        [
            "upstreams.catalog.health.check.http.path: `healthz` does not begin with `/`",
            "upstreams.catalog.health.healthy: must be at least 1",
        ]
    );
    assert_eq!(
        problems(&checked("app", &health("/healthz", 1))),
        ["upstreams.app.health: checks go over mutual TLS, and a group has none"]
    );
}

#[test]
fn a_parameter_has_a_name_that_a_query_can_hold() {
    let queries = |name: &str| {
        let condition = format!(
            r#""path": {{ "starts_with": "/it" }}, "queries": [{{ "name": "{name}", "value": {{ "exact": "2" }} }}]"#
        );
        with(r#""path": { "prefix": "/" }"#, &condition)
    };
    assert!(Config::read(&queries("v")).is_ok());
    for name in ["", "a=b", "a&b"] {
        let found = problems(&queries(name));
        assert!(found.iter().any(|problem| problem.contains("queries[0].name")), "{name}: {found:?}");
    }
    let nowhere = problems(&with(r#""path": { "prefix": "/" }"#, r#""path": { "starts_with": "it" }"#));
    assert!(nowhere.iter().any(|problem| problem.contains("starts_with")), "{nowhere:?}");
}

#[test]
fn bytes_go_somewhere() {
    let kind = |to: &str| {
        with(r#""kind": { "readiness": {} }"#, &format!(r#""kind": {{ "tcp": {{ "to": {to} }} }}"#))
    };
    assert!(
        Config::read(&kind(r#"[{ "upstream": "app" }, { "upstream": "catalog", "weight": 0 }]"#)).is_ok()
    );
    for to in ["[]", r#"[{ "upstream": "app", "weight": 0 }]"#] {
        let found = problems(&kind(to));
        assert!(
            found.iter().any(|problem| problem.contains("no upstream has a weight above 0")),
            "{found:?}"
        );
    }
}

#[test]
fn only_http_is_offered_versions_of_it() {
    let tls = |alpn: &str| {
        let certificate = r#"{ "hosts": ["*"], "certificate": "/c", "private_key": "/k" }"#;
        format!(r#""tls": {{ "certificates": [{certificate}]{alpn} }}"#)
    };
    let ready = r#""kind": { "readiness": {} }"#;
    let bytes = |alpn: &str| {
        let kind = format!(r#""kind": {{ "tcp": {{ "to": [{{ "upstream": "app" }}], {} }} }}"#, tls(alpn));
        with(ready, &kind)
    };
    let requests = |alpn: &str| {
        with(ready, &format!(r#""kind": {{ "http": {{ "virtual_hosts": [], {} }} }}"#, tls(alpn)))
    };
    let none = r#", "alpn": []"#;
    assert!(Config::read(&bytes(none)).is_ok() && Config::read(&requests("")).is_ok());
    for (text, problem) in [
        (bytes(""), "bytes are no version of HTTP: nothing is offered"),
        (requests(none), "nothing is offered to clients"),
    ] {
        let found = problems(&text);
        assert!(found.len() == 1 && found[0].contains("tls.alpn") && found[0].contains(problem), "{found:?}");
    }
}

#[test]
fn text_that_is_not_json_is_refused_with_its_line() {
    assert!(problems("{\n  oops")[0].contains("line 2"));
}

#[test]
fn every_mistake_is_reported_at_once() {
    let text = with("127.64.0.2:80", "127.64.0.2")
        .replacen(r#"{ "upstream": "catalog" }"#, r#"{ "upstream": "catalogue" }"#, 1)
        .replacen(r#""port": 8080"#, r#""port": 0"#, 1)
        .replacen(r#""on": ["5xx", { "status": [429] }]"#, r#""on": []"#, 1);
    assert_eq!(
        problems(&text),
        [
            "listeners[0].bind: `127.64.0.2` is not `ip:port`",
            "listeners[0].kind.http.virtual_hosts[0].routes[0].to[0].upstream: there is no upstream `catalogue`",
            "listeners[0].kind.http.virtual_hosts[0].routes[0].retry.on: a retry policy that names no failure never retries",
            "upstreams.app.groups[0].endpoints[0].port: must be between 1 and 65535",
        ]
    );
}

#[test]
fn two_listeners_on_one_address_are_refused_with_both_places() {
    assert_eq!(
        problems(&with("0.0.0.0:15021", "0.0.0.0:15006")),
        ["listeners[2].bind: address `0.0.0.0:15006` is already at listeners[1].bind"]
    );
}

#[test]
fn mutual_tls_without_an_identity_is_refused_on_both_sides() {
    let mut raw: raw::Config = serde_json::from_str(SIDECAR).unwrap();
    raw.identity = None;
    let found = Config::try_from(raw).unwrap_err().problems;
    let places: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(places, ["listeners[1]", "upstreams.catalog"]);
}

#[test]
fn tls_towards_a_server_outside_needs_no_identity_and_names_what_it_believes() {
    let mutual = r#""tls": { "sni": "outbound_.80_._.catalog.shop.svc.cluster.local", "peers": ["spiffe://cluster.local/ns/shop/sa/catalog"] }"#;
    let outside = |text: &str| with(mutual, &format!(r#""origination": {{ {text} }}"#));
    let good = r#""sni": "api.pay.example", "names": ["API.pay.example", "pay.example"], "ca": "/ca.crt",
        "certificate": { "certificate": "/tls.crt", "private_key": "/tls.key" }, "min_version": "1.3""#;
    let mut raw: raw::Config = serde_json::from_str(&outside(good)).unwrap();
    raw.identity = None;
    raw.listeners.remove(1);
    let config = Config::try_from(raw).unwrap();
    let origination = config.upstreams["catalog"].groups[0].origination.as_ref().unwrap();
    assert_eq!(origination.names, ["api.pay.example", "pay.example"]);
    let files: Vec<_> = origination.files().map(|file| file.to_str().unwrap()).collect();
    assert_eq!(files, ["/ca.crt", "/tls.crt", "/tls.key"]);

    let at = "upstreams.catalog.groups[0].origination";
    assert_eq!(
        problems(&outside(r#""sni": "10.0.0.1", "names": [], "ca": """#)),
        [
            format!("{at}.sni: `10.0.0.1` is not a server name without a final dot"),
            format!("{at}.names: without a name, any server's certificate would do"),
            format!("{at}.ca: must not be empty"),
        ]
    );
    let both = with(mutual, &format!(r#"{mutual}, "origination": {{ {good} }}"#));
    assert_eq!(problems(&both), [format!("{at}: excludes `tls`: a connection has one kind of TLS")]);
}

#[test]
fn a_principal_without_its_scheme_is_refused_because_it_would_match_nobody() {
    let found = problems(&with("spiffe://cluster.local/ns/mesh", "cluster.local/ns/mesh"));
    assert!(found[0].contains("is neither a SPIFFE id"), "{found:?}");
}

#[test]
fn a_shared_limit_needs_a_service_to_ask() {
    let limit = r#""filters": [{ "limit": { "name": "l", "scope": { "service": { "domain": "d", "descriptor_key": "k", "timeout": "20ms", "on_error": "allow" } },
                              "buckets": [{ "name": "b" }] } }], "timeout": "15s""#;
    let found = problems(&with(r#""timeout": "15s""#, limit));
    assert_eq!(found.len(), 1);
    assert!(found[0].ends_with("the file names no `rate_limit_service` to ask"), "{found:?}");
    // An upstream may be the service; it has to be there.
    let found = problems(&with(
        r#""timeout": "15s""#,
        &limit.replace("\"domain\"", "\"upstream\": \"nobody\", \"domain\""),
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("nobody"), "{found:?}");
}

#[test]
fn the_administration_interface_stays_on_this_machine() {
    let found = problems(&with(r#""version": 1,"#, r#""version": 1, "admin": { "tcp": "0.0.0.0:15000" },"#));
    assert_eq!(found, ["admin.tcp: `0.0.0.0:15000` is not a loopback address, so others could reach it"]);
}

#[test]
fn a_header_that_proxies_own_cannot_be_changed() {
    let changes = r#""filters": [{ "request_headers": { "set": [{ "name": "X_Forwarded_For", "value": "10.0.0.1" }],
        "add": [{ "name": "x-a", "value": "1\n2" }], "remove": ["Connection", "x-b", "X-B"] } }], "timeout": "15s""#;
    let found = problems(&with(r#""timeout": "15s""#, changes));
    let at = "listeners[0].kind.http.virtual_hosts[0].routes[0].filters[0].request_headers";
    assert_eq!(
        found,
        [
            format!("{at}.remove[2]: header `x-b` is already at {at}.remove[1]"),
            format!("{at}.remove[0]: proxies own the header `connection`"),
            format!("{at}.set[0].name: proxies own the header `x_forwarded_for`"),
            format!(
                "{at}.add[0].value: a header's value has no control characters, and no white space around it"
            ),
        ]
    );
}
