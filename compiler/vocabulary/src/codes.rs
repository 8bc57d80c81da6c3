//! The codes that the model raises.

mod answers;
mod limits;
mod outside;
mod testing;

use lang_diagnostics::{Code, CodeInfo};

pub use crate::gateway_codes::{
    ADDRESS_OF_CERTIFICATE, BAD_RESOURCES, CLIENTS_OF_NOBODY, EAST_WEST_PORT, MIXED_PORTS, NO_CERTIFICATE,
    NO_CLIENT_CA, NO_GATEWAY_PORT, NO_SUCH_GATEWAY, NOT_AN_INGRESS, RULE_WITHOUT_CALLERS, SECRET_ELSEWHERE,
};

/// Two settings that exclude each other.
pub const EXCLUSIVE: Code = Code("E0201");
/// An end of a call in a test that cannot be one.
pub const NOT_AN_END: Code = Code("E0150");
/// A call in a test that expects nothing.
pub const EMPTY_CALL: Code = Code("E0151");
/// A service of a test in a cluster where it does not run.
pub const ELSEWHERE: Code = Code("E0152");
/// Something is listed twice.
pub const REPEATED: Code = Code("E0202");
/// Values for a cluster in which the service does not run.
pub const NOT_IN_CLUSTER: Code = Code("E0203");
/// A link that joins a network to itself.
pub const LINK_TO_ITSELF: Code = Code("E0204");
/// A route for no requests.
pub const NO_ROUTE_GATEWAY: Code = Code("E0207");
/// A route or rule that leads nowhere.
pub const NO_DESTINATION: Code = Code("E0210");
/// An east-west gateway as the source of a call.
pub const GATEWAY_WITHOUT_IDENTITY: Code = Code("E0211");
/// A rate limit that cannot limit.
pub const RATE_LIMIT_WITHOUT_RATE: Code = Code("E0212");
/// Counters for each of nothing.
pub const LIMIT_WITHOUT_KEY: Code = Code("E0270");
/// A burst of what is counted in windows.
pub const BURST_OF_WINDOWS: Code = Code("E0271");
/// A name that no Kubernetes object can bear.
pub const BAD_NAME: Code = Code("E0213");
/// A policy that says nothing.
pub const POLICY_WITHOUT_SETTINGS: Code = Code("E0214");
/// A workload that cannot run this.
pub const WRONG_WORKLOAD: Code = Code("E0215");
/// A retry of requests that did not fail.
pub const RETRY_OF_SUCCESS: Code = Code("E0216");
/// A retry with numbers that contradict each other.
pub const RETRY_BOUNDS: Code = Code("E0265");
/// A hash that names no single property of a request.
pub const HASH_KEY: Code = Code("E0250");
/// Health checks at times that make no sense.
pub const HEALTH_TIMES: Code = Code("E0252");
/// Shares of localities that cannot be given.
pub const LOCALITY_SHARES: Code = Code("E0253");
/// A slow start where nothing grows.
pub const SLOW_START: Code = Code("E0251");
/// An `outlier` counts failures in two ways.
pub const TWO_COUNTS_OF_FAILURES: Code = Code("E0219");
/// A route at a gateway without host names.
pub const NO_ROUTE_HOSTS: Code = Code("E0222");
/// A rule that sends no requests anywhere.
pub const NO_WEIGHT: Code = Code("E0223");
/// A condition that has no single meaning.
pub const UNCLEAR_CONDITION: Code = Code("E0224");
/// A wildcard in a rule that protects, where text is compared as it is written.
pub const LITERAL_WILDCARD: Code = Code("E0217");
/// The same in a route.
pub const LITERAL_WILDCARD_IN_ROUTE: Code = Code("W0218");
/// A change of a header that proxies own.
pub const RESERVED_HEADER: Code = Code("E0220");
/// A filter that changes nothing.
pub const FILTER_WITHOUT_EFFECT: Code = Code("E0221");
/// A workload of a service with subsets that is in none of them.
pub const OUTSIDE_SUBSETS: Code = Code("E0240");
/// A cluster of a service in which none of its subsets runs.
pub const CLUSTER_WITHOUT_SUBSET: Code = Code("E0241");
/// Destinations that cannot stand in for each other.
pub const FAILOVER_OF_DESTINATIONS: Code = Code("E0242");

/// CONNECT among the upgrades of a route.
pub const CONNECT_NOT_CARRIED: Code = Code("E0225");
/// What is said of requests that are sent on, where they are answered.
pub const ANSWERED_HERE: Code = Code("E0230");
/// A new path that has no single meaning.
pub const UNCLEAR_PATH: Code = Code("E0231");
/// An answer that cannot be sent.
pub const IMPOSSIBLE_ANSWER: Code = Code("E0232");

/// A wildcard that leads nowhere.
pub const WILDCARD_WITHOUT_ADDRESS: Code = Code("E0280");
/// TLS inside TLS.
pub const TLS_TWICE: Code = Code("E0281");
/// TLS without a server name.
pub const NO_SERVER_NAME: Code = Code("E0282");
/// A gateway that connects to no hosts outside.
pub const NOT_AN_EGRESS: Code = Code("E0283");
/// A service on machines that nobody could find.
pub const MACHINE_WITHOUT_ADDRESS: Code = Code("E0285");
/// The address of something that is found by name.
pub const ADDRESS_OF_POD: Code = Code("E0286");

/// All of them, with what `meshc explain` says.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: EXCLUSIVE,
        title: "two settings that exclude each other",
        explanation: r#"Some attributes say the same thing in two ways, so that only one of them can hold. The diagnostic shows both places.

```mesh
match { path = "/items", prefix = "/" }     // exactly this path, or everything below it?
```"#,
    },
    CodeInfo {
        code: REPEATED,
        title: "something is listed twice",
        explanation: r#"A list names each thing once. The second mention would either do nothing or contradict the first.

```mesh
clusters = [west, west]
```"#,
    },
    CodeInfo {
        code: NOT_IN_CLUSTER,
        title: "values for a cluster in which the service does not run",
        explanation: r#"`in` says what differs in one of the clusters that `clusters` lists.

```mesh
service catalog {
  clusters = [east]
  in west { replicas = 3 }     // add `west` to `clusters`, or remove this
  port http { number = 80 }
}
```"#,
    },
    CodeInfo {
        code: LINK_TO_ITSELF,
        title: "a link that joins a network to itself",
        explanation: r#"Pods of one network reach each other by address; a link is a way between two networks.

```mesh
link { between = [west-net, west-net] }
```"#,
    },
    CodeInfo {
        code: NO_ROUTE_GATEWAY,
        title: "a route that applies to no requests",
        explanation: r#"A route is for requests from outside, at the ingress gateways that it names, or for calls of services to the callee
that it names.

```mesh
route shop   { hosts = ["shop.example"], to = webapp }     // gateway = west.ingress
route canary { to = reviews-v2 }                           // callee = reviews
```"#,
    },
    CodeInfo {
        code: NO_DESTINATION,
        title: "a route or rule that leads nowhere",
        explanation: r#"Every rule has a destination, `to`, or several `destination` blocks with weights, unless it answers by itself, with
`redirect` or `respond`.

```mesh
route shop { gateway = west.ingress, hosts = ["shop.example"] }     // to = webapp
```"#,
    },
    CodeInfo {
        code: GATEWAY_WITHOUT_IDENTITY,
        title: "an east-west gateway as the source of a call",
        explanation: r#"An east-west gateway passes mTLS through without ending it and has no certificate. What arrives behind it carries the
identity of the service that called.

```mesh
allow { from = [west.eastwest] }     // allow { from = [webapp] }
```"#,
    },
    CodeInfo {
        code: RATE_LIMIT_WITHOUT_RATE,
        title: "a rate limit that cannot limit",
        explanation: r#"A limit needs a rate: tiers that a header chooses among, `otherwise` for what no tier counts, or both.

```mesh
rate_limit { scope = cluster, tiers = { gold = 10/min } }     // chosen by which header?
```"#,
    },
    limits::WITHOUT_KEY,
    limits::BURST,
    CodeInfo {
        code: BAD_NAME,
        title: "not a valid Kubernetes name",
        explanation: r#"Names become names of Kubernetes objects and parts of DNS names: DNS labels in lower case (RFC 1123) of at most 63
characters, also where something is added to them. The headless Service of `catalog` is called `catalog-mesh`, the
account of the gateway `ingress` in `west` is `west-ingress`. Names of Services begin with a letter.

```mesh
service Shop_Catalog { clusters = [east], port http { number = 80 } }
```"#,
    },
    CodeInfo {
        code: POLICY_WITHOUT_SETTINGS,
        title: "an empty policy",
        explanation: r#"A policy without any setting attaches nothing to anything. Most often its settings stand next to it instead of in it.

```mesh
policy strict { targets = [catalog] }
```"#,
    },
    CodeInfo {
        code: WRONG_WORKLOAD,
        title: "a workload that cannot run this",
        explanation: r#"A Job or CronJob ends by itself and offers nothing, so it runs a `client`; a `service` runs in a Deployment, StatefulSet,
DaemonSet or Rollout.

```mesh
service catalog { clusters = [east], port http { number = 80 }, workload { kind = job } }
```"#,
    },
    CodeInfo {
        code: RETRY_OF_SUCCESS,
        title: "a retry of requests that did not fail",
        explanation: r#"`when` says which answers are failures that another attempt may mend. A request that was answered with a status below 400
is done: to send it again does its work twice.

```mesh
retry { attempts = 2, when = [2xx, 503] }     // 2xx is success
```"#,
    },
    CodeInfo {
        code: RETRY_BOUNDS,
        title: "numbers of a retry that contradict each other, or are missing",
        explanation: r#"Waits grow from `back_off` up to `max_back_off`; and kept bodies take memory, so 4MiB of each are the most. With `hedge`,
`per_try_timeout` says after which time another attempt is sent beside the first.

```mesh
retry { attempts = 2, when = [5xx], back_off = 1s, max_back_off = 500ms }     // max_back_off = 5s
```"#,
    },
    CodeInfo {
        code: LITERAL_WILDCARD,
        title: "a wildcard in a rule that compares text as it is written",
        explanation: r#"`path` and `prefix` compare literally: `/admin/*` is the path that ends in a star, and no client asks for it. A `deny`
with it refuses no request, an `allow` admits none, a `rate_limit` counts none. The same is true of `{id}` and `:id`, of a
header's value that ends in `*`, and of a tier. In a regular expression `/*` repeats the slash.

```mesh
deny { from = [web], match { prefix = "/admin/*" } }         // prefix = "/admin"
deny { from = [web], match { path = "/users/{id}/keys" } }   // regex = "/users/[^/]+/keys"
```

`prefix` means a path and everything below it, by whole segments; `regex` covers everything else. A path that does contain
such a character is written as an expression too: `regex = "/a[*]b"`."#,
    },
    CodeInfo {
        code: LITERAL_WILDCARD_IN_ROUTE,
        title: "a wildcard in a route that compares text as it is written",
        explanation: r#"`path` and `prefix` compare literally: `/api/*` is the path that ends in a star. Such a rule matches no request, so that
the rules after it, or none, decide.

```mesh
route shop {
  gateway = west.ingress
  hosts   = ["shop.example"]
  rule { match { prefix = "/api/*" }, to = api }     // prefix = "/api"
}
```

`prefix` means a path and everything below it, by whole segments; `regex` covers everything else."#,
    },
    CodeInfo {
        code: NO_ROUTE_HOSTS,
        title: "a route at a gateway without host names",
        explanation: r#"A gateway chooses a route by the host name of a request. A route inside the mesh needs none, since a callee has an
address of its own.

```mesh
route shop { gateway = west.ingress, to = webapp }     // hosts = ["shop.example"]
```"#,
    },
    CodeInfo {
        code: NO_WEIGHT,
        title: "a rule whose weights are all zero",
        explanation: r#"A destination with `weight = 0` gets no requests and stays configured, which is how a new version begins. Some other
destination of the rule must get them.

```mesh
rule {
  destination { to = reviews-v1, weight = 0 }
  destination { to = reviews-v2, weight = 0 }     // weight = 100
}
```"#,
    },
    CodeInfo {
        code: UNCLEAR_CONDITION,
        title: "a condition that has no single meaning",
        explanation: r#"`not` means that no line of a header meets the condition, so a request without the header is meant too. A condition that
the empty value meets, such as `regex = ".*"`, would take a missing header for an empty one. `not` without another
attribute means that the header is absent.

`ignore_case` is about the letters of `path`, `paths`, `prefix` and `starts_with`, and about ASCII. A regular expression says
it itself: `(?i)`. And `grpc` names a service, a method or both.

`except` says what a rule does not mean; without a condition it would be all of it.

```mesh
match { header x-debug { not = true, regex = ".*" } }     // header x-debug { not = true }
match { regex = "/items/.*", ignore_case = true }         // regex = "(?i)/items/.*"
match { grpc {} }                                         // grpc { service = "shop.Catalog" }
deny { from = [batch], except {} }                        // except { match { path = "/public" } }
```"#,
    },
    CodeInfo {
        code: TWO_COUNTS_OF_FAILURES,
        title: "endpoints are judged in two ways",
        explanation: r#"An endpoint is ejected after failures in a row (`consecutive_gateway_errors` counts 502, 503 and 504, `consecutive_5xx` every
answer from 500 to 599, `consecutive_failures` the listed `failures`), for a `failure_percentage`, or for a
`success_deviation` from the others. Failed connections count in each. On Envoy these ways share their counters, so
`outlier` takes one of them. `min_requests` and `min_endpoints` are bounds of the last two.

```mesh
outlier { consecutive_gateway_errors = 5, consecutive_5xx = 3 }     // keep one of them
outlier { consecutive_5xx = 3, failures = [429] }                   // consecutive_failures = 3
outlier { consecutive_5xx = 3, min_requests = 20 }                  // failure_percentage = 50%
```"#,
    },
    CodeInfo {
        code: RESERVED_HEADER,
        title: "a change of a header that proxies own",
        explanation: r#"Some headers belong to one connection, say where a body ends, or are the proxy's own statement: `connection`,
`content-length`, `date`, `expect`, `host`, `keep-alive`, `proxy-connection`, `te`, `trailer`, `transfer-encoding`,
`upgrade`. Others are how proxies tell applications and each other who called and from where: `x-request-id`, and all
that begin with `x-forwarded-` or `x-envoy-`; but `x-forwarded-prefix`, below which path an application is published, is its own. A rule that could change them could forge an identity or make two proxies read one connection differently.
An underscore counts as a dash, as many applications read it.

```mesh
rule {
  to = catalog
  request_headers { set = { "x-forwarded-client-cert" = "…" } }     // choose a name of your own
}
```"#,
    },
    CodeInfo {
        code: FILTER_WITHOUT_EFFECT,
        title: "a filter that changes nothing",
        explanation: r#"A block that changes headers names at least one, a `rewrite` a path or a host, and a `redirect` what differs from the
request's own address.

```mesh
rule { to = catalog, request_headers {} }     // set, add or remove something, or leave the block out
```"#,
    },
    CodeInfo {
        code: OUTSIDE_SUBSETS,
        title: "a workload that belongs to no subset",
        explanation: r#"The pods of a service with subsets are those of its subsets: each rule that names some of them says what the others get.
Pods in no subset would get a share of the calls to the service itself and of no rule.

```mesh
service reviews {
  clusters = [west]
  port http { number = 9080 }
  workload reviews {}                          // subset stable { workload reviews {} }
  subset canary { workload reviews-next {} }
}
```"#,
    },
    CodeInfo {
        code: CLUSTER_WITHOUT_SUBSET,
        title: "a cluster of a service in which none of its subsets runs",
        explanation: r#"The pods of a service with subsets are those of its subsets. In a cluster in which none of them runs it has no pods.

```mesh
service reviews {
  clusters = [west, east]                      // nothing runs in east
  port http { number = 9080 }
  subset v1 { clusters = [west] }
}
```"#,
    },
    CodeInfo {
        code: HASH_KEY,
        title: "a hash over no property",
        explanation: r#"`hash` sends requests that have something in common to the same endpoint, so it names what they have in common: `header`,
`cookie`, `query` or `source = true`, or several of them. `ttl` is how long a `cookie` lives that the proxy sets.

```mesh
balance { by = hash }                                           // by = hash { header = "x-user" }
balance { by = hash { header = "x-user", ttl = 1h } }           // cookie = "…" beside `ttl`
```"#,
    },
    CodeInfo {
        code: SLOW_START,
        title: "a slow start where shares do not grow",
        explanation: r#"A `slow_start` lets the share of a new endpoint grow, which takes a way of balancing that has shares: `round_robin` or
`least_request`. At random, and by a hash, an endpoint has its full share at once.

```mesh
balance { by = random, slow_start = 30s }     // by = least_request
```"#,
    },
    CodeInfo {
        code: LOCALITY_SHARES,
        title: "shares of localities that cannot be given",
        explanation: r#"Localities have an order, in which one takes over from the other, or shares. An order and what belongs to one (`by`, `spill`)
mean nothing beside shares, and shares need from one to four clusters that have one.

```mesh
failover { by = [zone], locality = { west = 80, east = 20 } }     // locality = { west = 80, east = 20 }
```"#,
    },
    CodeInfo {
        code: HEALTH_TIMES,
        title: "health checks without a pause",
        explanation: r#"Each proxy that calls a service checks each of its pods. What is asked more than ten times a second by one proxy does
little else.

```mesh
health { check = http { path = "/healthz" }, interval = 1ms }     // interval = 1s
```"#,
    },
    answers::CONNECT_NOT_CARRIED,
    answers::ANSWERED_HERE,
    answers::UNCLEAR_PATH,
    answers::IMPOSSIBLE_ANSWER,
    outside::WILDCARD_WITHOUT_ADDRESS,
    outside::TLS_TWICE,
    outside::NO_SERVER_NAME,
    outside::NOT_AN_EGRESS,
    outside::MACHINE_WITHOUT_ADDRESS,
    outside::ADDRESS_OF_POD,
    testing::NOT_AN_END,
    testing::EMPTY_CALL,
    testing::ELSEWHERE,
    CodeInfo {
        code: FAILOVER_OF_DESTINATIONS,
        title: "destinations that cannot stand in for each other",
        explanation: r#"With `failover = destinations` a destination that is dead gives its share to the others of the rule. That takes a second
destination with a weight, and there may be at most four: Envoy needs a list of clusters for each order in which they can
take over.

```mesh
rule {
  failover = destinations
  destination { to = reviews.v1 }
  destination { to = reviews.v2, weight = 0 }     // weight = 1
}
```"#,
    },
];
