//! The codes of the lowering and of the data planes' capabilities: E04xx.

use lang_diagnostics::{Code, CodeInfo};

/// The data plane cannot enforce something.
pub const NOT_ENFORCED: Code = Code("E0401");
/// A limit over the whole mesh.
pub const MESH_WIDE_LIMIT: Code = Code("E0402");
/// A setting that no route or gateway can have.
pub const SETTING_ON_ROUTE: Code = Code("E0403");
/// A setting about requests where there are none.
pub const SETTING_WITHOUT_REQUESTS: Code = Code("E0404");
/// Shares of clusters inside shares of destinations.
pub const SHARES_IN_SHARES: Code = Code("E0451");
/// A health check that suits no port of a service.
pub const UNSUITED_CHECK: Code = Code("E0450");
/// A rule about requests on a TCP port.
pub const CONDITION_ON_TCP: Code = Code("E0405");
/// A route to a TCP port.
pub const ROUTE_TO_TCP: Code = Code("E0406");
/// Destinations of one rule that would be handled differently.
pub const DESTINATIONS_DISAGREE: Code = Code("E0407");
/// Two callees of one caller at one virtual address.
pub const SAME_VIRTUAL_ADDRESS: Code = Code("E0408");
/// A virtual address that the caller's sidecar cannot take.
pub const VIRTUAL_ADDRESS_OUT_OF_RANGE: Code = Code("E0409");
/// Two permissive ports of one service.
pub const SECOND_PERMISSIVE_PORT: Code = Code("E0410");
/// Two limits under one domain.
pub const SHARED_DOMAIN: Code = Code("E0411");
/// A service with the name of another one's companion Service.
pub const COMPANION_NAME_TAKEN: Code = Code("E0412");
/// An issuer of certificates that nothing is written for yet.
pub const ISSUER_NOT_SUPPORTED: Code = Code("E0413");
/// A route of connections that speaks of requests.
pub const ROUTE_OF_TCP: Code = Code("E0414");
/// A setting that no subset can have.
pub const SETTING_ON_SUBSET: Code = Code("E0420");
/// An upgrade towards an application that speaks HTTP/2.
pub const UPGRADE_OVER_HTTP2: Code = Code("E0421");
/// Two callees of one caller that applications call by the same name.
pub const SAME_NAME: Code = Code("E0440");
/// An egress gateway that callers in other clusters cannot reach.
pub const EGRESS_WITHOUT_ADDRESS: Code = Code("E0441");
/// What machines outside Kubernetes do not have.
pub const NOT_ON_MACHINES: Code = Code("E0442");

/// A request that waits on purpose for longer than its stream may be silent.
pub const DELAY_IN_SILENCE: Code = Code("E0430");

/// What `meshc explain` says about them.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: NOT_ENFORCED,
        title: "this is not supported",
        explanation: r#"The language has room for some things that meshc does not support yet, or that only one of the data planes, Envoy and
meshd, can enforce; the reference marks them. A setting that would silently have no effect is worse than none, so it is
an error at the place that asks for it.

```mesh
service ledger {
  clusters = [west]
  port sql { number = 5432, protocol = tcp, mtls = off }     // no data plane does this yet
}
```

Use what the message suggests.
"#,
    },
    CodeInfo {
        code: NOT_ON_MACHINES,
        title: "this needs Kubernetes",
        explanation: r#"On machines a proxy takes the application's calls at addresses of its own (`capture = loopback`): packets are redirected
in pods only. So the application leaves the ports of its callees to the proxy. And counters that pods share are kept by a
service in Kubernetes.

```mesh
cluster dc { network = dc-net, region = "dc", platform = machines }
namespace shop {
  service ledger {
    clusters = [dc]
    in dc { addresses = [10.0.0.5] }
    port http { number = 8080, bind = loopback }       // without it, it would hold a port of what it calls
    calls    = [cart]
  }
  service cart { clusters = [west], port http { number = 8080 } }
}
```
"#,
    },
    CodeInfo {
        code: EGRESS_WITHOUT_ADDRESS,
        title: "an egress gateway without an address, called from another cluster",
        explanation: r#"In its own cluster an egress gateway is found by the name of its Service. Callers in other clusters connect to its
address.

```mesh
cluster east {
  network = east-net
  region  = "eastus"
  gateway egress { role = egress, address = 172.18.255.203 }
}
```
"#,
    },
    CodeInfo {
        code: SAME_NAME,
        title: "two callees with the same name at one caller",
        explanation: r#"An application calls a host outside the mesh by its own name, which the hosts file of its pod maps to one virtual address.
Two callees of one caller cannot have the same name.

```mesh
external pay   { hosts = ["api.pay.example"], port https { number = 443, protocol = tls } }
external admin { hosts = ["api.pay.example"], port tls { number = 8443, protocol = tls } }     // a second port of `pay`
```
"#,
    },
    CodeInfo {
        code: MESH_WIDE_LIMIT,
        title: "a rate limit over the whole mesh that no cluster counts",
        explanation: r#"A limit with `scope = mesh` is counted in one place for all clusters: by the rate-limit service of the cluster that the
mesh names. Proxies of other clusters ask it through the east-west gateways, for each request.

```mesh
mesh shop { rate_limits = west }        // missing
policy few {
  targets = [web]
  rate_limit { scope = mesh, otherwise = 100/s, timeout = 200ms, on_error = allow }
}
```

Add `rate_limits` to the mesh, or use `scope = cluster`, with each cluster's share of the rate: it costs no hop between
clusters, and a cluster that is cut off goes on counting.
"#,
    },
    CodeInfo {
        code: SETTING_ON_ROUTE,
        title: "a policy on a route or a gateway makes a setting that belongs to a service",
        explanation: r#"A policy may name `routes` and `gateways` too. On a route it can say how requests are sent (`retry`, `timeout`); on a
gateway, and on a route at gateways, how many are (`rate_limit`), and which clients may come in (`allow` and `deny` without
`from`). Everything else is a property of the service that is
called, whoever calls it. So is the limit of calls inside the mesh: what each caller counts for itself bounds nothing.

```mesh
policy p {
  routes = [front-door]
  pool { max_connections = 10 }     // of which connections?
}
```

Name the services in `targets` instead.
"#,
    },
    CodeInfo {
        code: SETTING_WITHOUT_REQUESTS,
        title: "a policy about requests applies to a service that has none",
        explanation: r#"`retry`, `rate_limit`, a request's timeout and bounds on requests are about requests. A service all of whose ports speak
`tcp` has connections only, and so has a gateway all of whose ports are `tcp` or `tls`, so nothing would be counted, timed or sent again.

```mesh
service database {
  port sql { number = 5432, protocol = tcp }
}
policy p {
  targets = [database]
  retry { attempts = 2, when = [5xx] }
}
```

Name services with an `http`, `http2` or `grpc` port.
"#,
    },
    CodeInfo {
        code: CONDITION_ON_TCP,
        title: "a rule about requests on a TCP port",
        explanation: r#"An `allow` or `deny` may speak of paths, methods and headers. On a TCP port there are none: callers are admitted or
refused in the handshake.

```mesh
policy p {
  targets = [database]
  allow { from = [webapp], match { path = "/read" } }
}
```

Leave the conditions out, or put services with TCP ports under a policy of their own.
"#,
    },
    CodeInfo {
        code: ROUTE_TO_TCP,
        title: "a route leads to a TCP port",
        explanation: r#"An ingress gateway routes HTTP requests by host and path. A port with `protocol = tcp` cannot take them.

```mesh
route db { gateway = west.ingress, hosts = ["db.example"], to = database }
```

Route to an `http`, `http2` or `grpc` port.
"#,
    },
    CodeInfo {
        code: DESTINATIONS_DISAGREE,
        title: "the destinations of one route rule differ in timeout, retry or hash",
        explanation: r#"A rule with several destinations chooses one by weight when the request is sent; timeout, retries and what
is hashed for `balance` are fixed before. If different policies hold at the destinations, only one of them could be followed.

```mesh
route cart {
  gateway = west.ingress
  hosts   = ["cart.example"]
  destination { to = cart-v1, weight = 9 }
  destination { to = cart-v2, weight = 1 }
}
policy slow { targets = [cart-v2], timeout { request = 60s } }
```

Set `timeout` and `retry` on the rule, or on a policy that names the route; hash by the same property at all destinations.
"#,
    },
    CodeInfo {
        code: SAME_VIRTUAL_ADDRESS,
        title: "two callees of one caller have the same virtual address",
        explanation: r#"Every service is reached at a virtual address derived from its name. Two names can give the same one; that matters only
where one caller calls both.

Give one of them an address of its own:

```mesh
service catalog { clusters = [west], port http { number = 80 }, vip = 127.64.7.9 }
```
"#,
    },
    CodeInfo {
        code: VIRTUAL_ADDRESS_OUT_OF_RANGE,
        title: "a declared virtual address is outside the range of a caller's capture",
        explanation: r#"A caller with `capture = loopback` listens on addresses in 127.64.0.0/10; with `capture = redirect` only 240.240.0.0/16 is
redirected to its sidecar, or 100::/64 where pods have IPv6 addresses alone. A `vip` outside the range would bypass the sidecar.

```mesh
service catalog { clusters = [west], port http { number = 80 }, vip = 10.0.0.7 }
```

Choose an address in the range that the message names, or leave `vip` out.
"#,
    },
    CodeInfo {
        code: SECOND_PERMISSIVE_PORT,
        title: "a service with two permissive ports",
        explanation: r#"A plain connection carries no server name, so the sidecar cannot tell which port it is meant for. One permissive port can
take all of them; two cannot.

```mesh
service web {
  port http  { number = 80, mtls = permissive }
  port admin { number = 81, mtls = permissive }
}
```

Make one of them strict first.
"#,
    },
    CodeInfo {
        code: SHARED_DOMAIN,
        title: "two rate limits count under one domain",
        explanation: r#"A domain at the rate-limit service holds the counters of one limit. Two limits under one name would count into each
other, since both call their counters `otherwise` or `gold_request`.

```mesh
policy a { rate_limit { scope = cluster, otherwise = 1/s, domain = "shop" } }
policy b { rate_limit { scope = cluster, otherwise = 9/s, domain = "shop" } }
```

Give one of them another `domain`, or leave it out: derived names are unique.
"#,
    },
    CodeInfo {
        code: COMPANION_NAME_TAKEN,
        title: "a service has the name of another one's companion Service",
        explanation: r#"Sidecars find a service's pods through a headless companion Service, `<service>-mesh`, that meshc writes. If another service
of the namespace has that very name, its callers' pods map the name to a virtual address, and the pods of the first
service can no longer be found.

```mesh
service catalog      { clusters = [west], port http { number = 80 } }
service catalog-mesh { clusters = [west], port http { number = 80 } }
```

Rename one of the two.
"#,
    },
    CodeInfo {
        code: ISSUER_NOT_SUPPORTED,
        title: "an issuer that is not supported yet",
        explanation: r#"With `issuer = cert_manager` cert-manager would sign and renew the certificates of workloads. Nothing is written for it
yet: no Certificate, and no policy of who may ask for which identity. Certificates that nobody renews end in an outage.

```mesh
trust acme { issuer = cert_manager }
```

Use `issuer = builtin` and run `meshc trust issue` before certificates end, or bring your own with
`issuer = files { … }`.
"#,
    },
    CodeInfo {
        code: ROUTE_OF_TCP,
        title: "a route of connections that speaks of requests",
        explanation: r#"A route for calls of a TCP port says where connections go and in which shares. What they carry are bytes, so it has one
rule without conditions, timeout, retries and filters, and its destinations are TCP ports.

```mesh
service ledger { clusters = [west], port sql { number = 5432, protocol = tcp } }
route canary {
  callee  = ledger
  timeout = 2s                                     // of which request?
  destination { to = ledger, weight = 9 }
  destination { to = ledger-v2, weight = 1 }
}
```

A policy that names the route bounds silence with `timeout { idle = … }`.
"#,
    },
    CodeInfo {
        code: SETTING_ON_SUBSET,
        title: "a policy on a subset makes a setting that belongs to its service",
        explanation: r#"A policy may name a subset of a service. There it says how callers treat those pods: `balance`, `failover`, `health`, `outlier`, `pool`,
`retry`, `timeout`. Who may call, and how often, is the same for all pods of a service: they have one account, and a call to
the service itself reaches any of them.

```mesh
policy p {
  targets = [reviews.v2]
  allow { from = [productpage] }     // targets = [reviews]
}
```

Name the service, or declare a service of its own."#,
    },
    CodeInfo {
        code: UPGRADE_OVER_HTTP2,
        title: "an upgrade towards an application that speaks HTTP/2",
        explanation: r#"A WebSocket begins as a request over HTTP/1.1 that its application agrees to change (RFC 6455). Over HTTP/2 it has another
form (RFC 8441), which an application must announce; one that has not may end the connection with everybody's requests,
and hardly any application announces it. So proxies carry WebSockets over HTTP/2 between each other, and the last step is
HTTP/1.1 on a port with `protocol = http`.

```mesh
service chat { clusters = [west], port api { number = 80, protocol = http2 } }
route chat { gateway = west.ingress, hosts = ["chat.example"], to = chat, upgrade = [websocket] }
```

Give the service an `http` port for its WebSockets, or remove `upgrade`.
"#,
    },
    CodeInfo {
        code: SHARES_IN_SHARES,
        title: "shares of clusters inside shares of destinations",
        explanation: r#"One draw decides where a request goes: among the destinations of a rule, or among the clusters of its one destination. Both at
once would take a list of clusters for each order of all of them, of which there are thousands.

```mesh
policy spread { targets = [cart], failover { locality = { west = 80, east = 20 } } }
route canary {
  callee = cart
  destination { to = cart, weight = 9 }           // its clusters have shares
  destination { to = cart.new, weight = 1 }
}
```

Use one destination in such a rule, or let an order of localities apply to its destinations.
"#,
    },
    CodeInfo {
        code: UNSUITED_CHECK,
        title: "a health check that suits no port",
        explanation: r#"A port is checked if the `check` suits its protocol: `http` asks ports with requests, `grpc` those of applications that speak
HTTP/2, and `tcp` opens a connection to any. What `send` and `receive` say is for ports with `protocol = tcp`: elsewhere bytes
would reach the application past the rules about requests.

```mesh
service ledger { clusters = [west], port sql { number = 5432, protocol = tcp } }
policy watch { targets = [ledger], health { check = http { path = "/healthz" } } }     // check = tcp
```

Check in another way, or name services with such a port.
"#,
    },
    CodeInfo {
        code: DELAY_IN_SILENCE,
        title: "a delay beyond the bound on silence",
        explanation: r#"A stream on which nothing moves for as long as `idle` says is ended with 504. A request that a `fault` lets wait for that long
would never be sent on, although its `timeout` does not count the time.

```mesh
policy quick { routes = [shop], timeout { idle = 2s } }
rule { to = web, fault { delay { time = 5s } } }     // time = 1s
```
"#,
    },
];
