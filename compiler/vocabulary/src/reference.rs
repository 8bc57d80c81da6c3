//! The reference of the language: every kind and attribute, from the schema and the table of defaults.

use std::fmt::Write as _;

use lang_evaluate::schema::{Attribute, Constant, Count, Kind, Nested, Presence, Symbol, Tag, Type};

use crate::capability;
use crate::kind::SCHEMA;
use crate::standard;

const INTRODUCTION: &str = "\
<!-- Generated from the schema in compiler/vocabulary and the defaults in stdlib: do not edit. A test compares them;
     MESH_BLESS=1 cargo test -p meshc-vocabulary --test reference writes this file. -->

# Reference

Every kind of block, where it belongs, and what it may contain. Nothing else is accepted: an unknown word is an error.

A **name** without quotes refers to something that is declared. It is looked up in every scope around it, so that
inside its own namespace a service is `catalog`, and `istioinaction.catalog` everywhere; a gateway is `west.ingress`,
a port `catalog.http` or `west.ingress.http`. Two matches are an error. Strings stand in quotes and may contain
`${…}` with a name, or with an attribute of something: `\"${west.region}\"`.

**Durations** are `500ms`, `20s`, `5m`, `2h`, `90d`, `10y` (a year has 365 days); **rates** `10/s`, `10/min`,
`10/h`, `10/d`, `10/w`, `10/mo` (30 days), `10/y`.
";

/// Bounds that protect a proxy from its clients. They are constants of the data planes (`limits.rs` of the Envoy backend,
/// `http_server.rs` and `serve.rs` of meshd), the same in both.
const FIXED: &str = "
## What no mesh declares

The same on both data planes:

| bound | value | beyond it |
|---|---|---|
| the head of a request or of an answer, and its trailers | 60 KiB: over HTTP/1.1 as it is sent, over HTTP/2 its names and values | refused: 431 or a reset stream for a request, 502 or 503 for an answer |
| headers of either, and trailers | 100, over HTTP/2 with those that begin with a colon | the same |
| the same between proxies, for what they add | 64 KiB, 128 headers | the same |
| a request's body that is kept for another attempt | 64 KiB unless `max_body` says otherwise | sent once; after a connection that failed see the differences below |
| a client's connection without requests | 1 h | closed |
| a connection between proxies without a sign of life | 60 s, then 3 probes, 20 s apart | closed |
| a ClientHello, at gateways and sidecars | 5 s | closed |
| requests on one connection through an east-west gateway | 100 unless `requests_per_connection` says otherwise | replaced |
| failures in a row that eject an east-west gateway | 3 of its own, for the `ejection` of the callee | left out |
| another attempt at a connection that failed | 1, at another endpoint | 503 |

A connection of bytes that is cut, by either end or by silence, is reset at the other end. One for which no endpoint can
be reached is reset by meshd; Envoy ends it in order.

## Which requests are forwarded

The same on both data planes, over HTTP/1.1 and HTTP/2, unless the table below says otherwise:

- The methods ACL, BIND, CHECKOUT, COPY, DELETE, GET, HEAD, LINK, LOCK, MERGE, MKACTIVITY, MKCALENDAR, MKCOL, MOVE,
  MSEARCH, NOTIFY, OPTIONS, PATCH, POST, PROPFIND, PROPPATCH, PURGE, PUT, QUERY (with a `content-type`), REBIND, REPORT,
  SEARCH, SOURCE, SUBSCRIBE, TRACE, UNBIND, UNLINK, UNLOCK and UNSUBSCRIBE, in upper case. Everything else is 400.
- A sidecar forwards any host to the callee whose address the application called; to a host outside the mesh, only those
  that are declared for it, so that who may call one name of a server cannot ask it for others. A route sends on
  the name that its requests have, or that of its `rewrite` (`W0381`). A gateway forwards the hosts of its
  routes. A final dot in a host is left out. What is neither a name nor an address, with or without a port, is refused; so is a server name
  of TLS that is none, where it would be met by a pattern. Each label of a name has a letter, a digit, `_` or `~`.
- Applications that look up a callee's name with a final dot (`catalog.shop.svc.cluster.local.`) pass their sidecar by:
  the resolver of glibc does not find such names in the hosts file of a pod, Kubernetes takes none for it, and the
  cluster's DNS answers instead. Leave the dot out.
- Values of headers are compared as bytes, and several lines of one header one by one. Regular expressions are over
  bytes too: `.` is any byte, `\\xe4` that one, a character beyond ASCII is the bytes of its UTF-8, and classes such as
  `\\w` are ASCII's.
- Names that only proxies use (`x-envoy-…`, `x-forwarded-…`, `x-request-id`, `transfer-encoding`, `content-length`,
  `keep-alive`, `proxy-connection`) are removed at every hop where they are spelled with an underscore, and from the
  trailers of a request in every spelling. Other names with underscores pass.
- At an ingress gateway that trusts no proxy in front (`trusted_hops = 0`) what such proxies say of a request is removed, in
  every spelling: `forwarded`, `x-forwarded-…`, `x-original-…`, `x-rewrite-url`, `x-real-ip`, `x-client-ip`,
  `x-cluster-client-ip`, `true-client-ip`. The gateway says `x-forwarded-proto` and `x-request-id` itself, and appends the
  client's address to `x-forwarded-for`, of which only the last entry is true then. With `trusted_hops` they pass, but for
  spellings with an underscore.
- A server outside the mesh to which a proxy begins TLS (`external` with `tls`) is told no `x-forwarded-proto`: it would be
  that of the application's hop. What an application says itself in `x-forwarded-for` passes, and so does `x-request-id`.
- Trailers pass where both sides speak HTTP/2, and are dropped elsewhere.
- Both a request and an answer may have no transfer-encoding but `chunked`: 501 and 502.
- An upgrade to anything but WebSocket, other than an offer of HTTP/2, is refused with 403, and so is a WebSocket where the
  route carries none; every other CONNECT with 404, or over HTTP/1.1 without a port with 400. An escaped slash, backslash or NUL in a path is 400.

Where the two differ, no request means something else to one of them than to the application:

| request | Envoy | meshd |
|---|---|---|
| `<`, `>` or a backtick in a path | passes escaped | 400 |
| bytes beyond ASCII in a path or query, over HTTP/2 | pass, escaped in a path | 400 |
| a fragment (`#…`) in a path | 400 | is dropped |
| the path `//` | passes as it is | is `/` |
| a line of a header that is folded, or holds a carriage return | passes in one line, without it | 400 |
| more white space in the first line than belongs there | passes | 400 |
| a version that is none of HTTP, or none at all, at a port with `http10` (without it) | is served as HTTP/1.0 (426) | 400 |
| `expect: 100-continue` without a body | 100 comes first | no 100 |
| a header of the PROXY protocol, version 2, about UDP; with a field that is too long; about the address `::` or `0.0.0.0` | used; closed; closed | closed; served; served |
| `https://…` as target without TLS, at a sidecar | passes | 403 |
| no host that is one, at an ingress; an absolute target without a path | 404 | 400 |
| several equal lengths of a body | 400 | pass as one |
| a length beside `chunked` | 400 | is dropped, and the connection closed after the answer |
| an empty scheme, or a trailer that begins with a colon, over HTTP/2 | reset | the connection's scheme; is dropped |
| a head that is too large, over HTTP/2 | reset | 431 |
| a WebSocket that is asked for with a body, or with another method than GET | waits, or passes | 400 |
| a WebSocket, or a body in chunks, in HTTP/1.0 where that is accepted | passes | 403, 400 |

## WebSockets

They pass gateways and sidecars by default, as they pass without a mesh: an application that does not want them refuses
them. `upgrade = []` on a route or rule refuses them before that. On both data planes:

- A client may ask over HTTP/1.1 (RFC 6455) or over HTTP/2 (RFC 8441), and so may each proxy on the way; the application is
  asked over HTTP/1.1, on a port with `protocol = http`, and with a key, whether the client sent one or not.
- Conditions, `allow`, `deny` and limits see a GET. Retries and timeouts apply until the application has agreed; from then on
  only `timeout { idle }` does, in both directions together. Nothing of it is copied by `mirror`.
- It is one line in the log and one request in the metrics, with the status 101, once it is over. Until then it counts as a
  request, and over HTTP/1.1 as a connection, in `pool`.
- While a proxy drains, they go on like other requests, and end with the process.

An application's answer that is none, or that states its length twice, is answered with 502, and so is one without content
(204) that states a length. One that ends too early ends too early for the client. The two differ in these:

| answer | Envoy | meshd |
|---|---|---|
| a line of a header that is folded | passes in one line | 502 |
| a change of the protocol (101) that was not asked for | passes, and the connection speaks HTTP on | 502 |
| an answer from 200 to 299 to a request for a WebSocket | passes without its body, and the connection closes | passes |
| headers that its `connection` lists | pass | are dropped |
| a chunk whose length is no number | 200, and a body that is cut | 503 |
| one to an upload, whose connection the application resets with it | may be 503 | passes |

## Where the two data planes differ otherwise

Everything else in this reference means the same on both. The tables above are about odd requests and answers; this one is
about what a mesh declares.

| what | Envoy | meshd | why |
|---|---|---|---|
| certificates that SPIFFE does not allow (`trust`) | some are accepted | refused | Envoy's verifier has no setting for them |
| an attempt after the first, where destinations stand in for each other (`failover`) | at another destination, once each locality of the first was tried | at the first | in Envoy they are one list of clusters |
| a WebSocket to a host outside to which the proxy begins TLS (`external`) | tells it `x-forwarded-proto: http` | tells it nothing of the kind | Envoy runs no filters of a cluster for upgrades |
| copies (`mirror`) | name the proxy as one more hop in `x-forwarded-for` | break off a MiB behind the request | Envoy routes a copy as a request of its own; meshd bounds what is kept for it |
| `retry_budget` of a service in several clusters (`pool`) | is a share of no requests, so that `min_concurrent_retries` is the bound | is a share of those under way | Envoy counts requests where they are sent, and retries where they come from |
| requests that move when one of n pods goes (`balance`) | fewer than 2/n | those of that pod | the points of Envoy's ring depend on the number of pods; meshd has no ring |
| failed connections to HTTP and gRPC endpoints (`outlier`) | count by their share only | count in a row, too | Envoy counts them together with timeouts |
| UNKNOWN, INTERNAL, UNIMPLEMENTED and DATA_LOSS without a message, of a service behind a gateway (`outlier`) | always count in the gateway's share | count as other answers do | the setting of Envoy that chooses answers does not see gRPC's statuses |
| a limit with `scope = pod` (`rate_limit`) | counts for each certificate of a port by itself, and anew after each change of the port's rules | counts for the whole port, anew after a change of the limit | Envoy's counters belong to a chain of filters |
| a body larger than `max_body`, once a connection has failed (`retry`) | may be answered with 503, where it arrives before the next attempt begins | goes to the next endpoint as a whole | Envoy keeps what arrives between two attempts, up to that bound |
| silence of an endpoint while its answer comes (`per_try_idle`) | is bounded by `idle` only | is bounded by it, too | Envoy would count a client that does not read as silence of the endpoint |
| what is left of a limit with `scope = pod` (`x-ratelimit-…`) | is not told; `retry-after` is | is told | Envoy would tell requests that no limit counts of one that never runs out |
| rates above 4,294,967,295, and some regular expressions | an error of the compiler | are accepted | Envoy cannot represent them |
| the end of a WebSocket over HTTP/2, once the application has closed its connection | a reset, after all that was said | an end | meshd tells a failure from an end |
| a client that ends its side together with its first bytes, at a port that tells TLS from other bytes (`permissive`) or takes the PROXY protocol | may be reset without an answer | gets the answer, where it speaks bytes | Envoy's listener takes such a client for gone |
| a TCP connection that cannot be opened in the nearest locality, until its endpoints are ejected (`failover`) | fails | goes to the next locality | Envoy tries a connection again in the same locality only |
| a request that cannot be sent, where the nearest locality has one pod and declares several (`replicas`), with `attempts = 1` and without `other_localities` | is tried at the same pod again | goes to the next locality | Envoy leaves a locality by the number of the attempt, not because no other pod is there |
| an answer with `x-envoy-ratelimited` that an application gives by itself (`retry`) | is sent again only if `when` has 429 or `resource_exhausted` | is sent again if `when` has its status | Envoy takes it for one of a limit |
| the last entry of `x-forwarded-for`, for a client on the gateway's own machine | the machine's address | 127.0.0.1 | Envoy writes no address of loopback |
| a TCP connection for which no endpoint can be reached | ends in order | is reset | meshd tells a failure from an end |
| `memory_limit` of a gateway, unless declared | 1,280 MiB | 512 MiB | meshd needs less |
| names of metrics | Envoy's | `meshd_…` | each has its own |
";

/// The reference as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n## At the top level of a file\n\n");
    let mut homes = Vec::new();
    for nested in SCHEMA.file.blocks {
        find_homes(nested.kind, &[], &mut homes);
    }
    contents(SCHEMA.file.blocks, &homes, &mut text);
    for home in &homes {
        kind(home, &homes, &mut text);
    }
    text.push_str(FIXED);
    // Each part ends with an empty line and each heading begins with one.
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    format!("{}\n", text.trim_end())
}

/// Where a kind is described: the words on the way to it.
struct Home {
    kind: &'static Kind,
    path: Vec<&'static str>,
}

/// All kinds in the order of the reference, each before everything in it. One that stands in several places is described
/// at the first one.
fn find_homes(kind: &'static Kind, around: &[&'static str], homes: &mut Vec<Home>) {
    if homes.iter().any(|home| std::ptr::eq(home.kind, kind)) {
        return;
    }
    let path = [around, &[kind.word]].concat();
    homes.push(Home { kind, path: path.clone() });
    for nested in kind.blocks {
        find_homes(nested.kind, &path, homes);
    }
}

fn kind(home: &Home, homes: &[Home], text: &mut String) {
    let Home { kind, path } = home;
    let level = if path.len() == 1 { "##" } else { "###" };
    line(text, format_args!("\n{level} `{}`\n", path.join(" › ")));
    line(text, format_args!("{}{}\n", kind.documentation, capability::note(kind, None, None)));
    if let Some(label) = kind.label.describe() {
        line(text, format_args!("Before the brace: {label}.\n"));
    }
    if kind.attributes.is_empty() && kind.blocks.is_empty() {
        text.push_str("It is empty.\n");
    }
    attributes(kind, text);
    if !kind.blocks.is_empty() {
        text.push_str("Blocks in it:\n\n");
        contents(kind.blocks, homes, text);
    }
}

/// What stands in a block, with links to where that is described.
fn contents(blocks: &[Nested], homes: &[Home], text: &mut String) {
    for nested in blocks {
        let often = match nested.count {
            Count::One => "exactly once",
            Count::Optional => "at most once",
            Count::Defaulted => "at most once; without it the defaults of its attributes hold",
            Count::Some => "at least once",
            Count::Many => "any number of times",
        };
        let home = homes.iter().find(|home| std::ptr::eq(home.kind, nested.kind));
        // A heading's anchor is its text without signs, with a hyphen for every space.
        let anchor = home.map(|home| home.path.join("--")).unwrap_or_default();
        line(text, format_args!("- [`{}`](#{anchor}): {often}", nested.kind.word));
    }
}

fn attributes(kind: &Kind, text: &mut String) {
    if kind.attributes.is_empty() {
        return;
    }
    text.push_str("| attribute | takes | default | |\n|---|---|---|---|\n");
    for attribute in kind.attributes {
        row(
            &[
                &format!("`{}`", attribute.name),
                &attribute.ty.describe(),
                &default(kind, attribute),
                &format!("{}{}", attribute.documentation, capability::note(kind, Some(attribute.name), None)),
            ],
            text,
        );
    }
    text.push('\n');
    for attribute in kind.attributes {
        words(kind, attribute.name, &attribute.ty, text);
    }
}

fn default(kind: &Kind, attribute: &Attribute) -> String {
    match &attribute.presence {
        Presence::Required => String::from("**required**"),
        Presence::Optional => String::from("none"),
        Presence::Default(constant) => format!("`{}`", self::constant(*constant)),
        Presence::Derived(description) => (*description).to_owned(),
        Presence::Inherited => standard::written(kind.word, attribute.name)
            .map_or_else(|| String::from("none"), |written| format!("`{written}`")),
    }
}

fn constant(constant: Constant) -> String {
    match constant {
        Constant::Boolean(value) => value.to_string(),
        Constant::Integer(value) => value.to_string(),
        Constant::Milliseconds(value) => duration(value),
        Constant::Text(value) => format!("\"{value}\""),
        Constant::Symbol(word) => word.to_owned(),
        Constant::Symbols(words) => format!("[{}]", words.join(", ")),
    }
}

/// A duration in the largest unit of the language that divides it.
fn duration(milliseconds: u64) -> String {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let units = [("y", 365 * DAY), ("d", DAY), ("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000)];
    let unit = units.iter().find(|(_, size)| milliseconds >= *size && milliseconds.is_multiple_of(*size));
    match unit {
        Some((word, size)) => format!("{}{word}", milliseconds / size),
        None => format!("{milliseconds}ms"),
    }
}

/// What the words of an attribute mean.
fn words(kind: &Kind, name: &str, ty: &Type, text: &mut String) {
    match ty {
        Type::Symbol(symbols) => {
            line(text, format_args!("Words of `{name}`:\n"));
            for Symbol { word, documentation, .. } in *symbols {
                let note = capability::note(kind, Some(name), Some(word));
                line(text, format_args!("- `{word}`: {documentation}{note}"));
            }
            text.push('\n');
        }
        Type::Tagged(tags) => {
            line(text, format_args!("Words of `{name}`:\n"));
            for tag in *tags {
                tagged(tag, capability::note(kind, Some(name), Some(tag.word)), text);
            }
            text.push('\n');
        }
        Type::Template(template) => {
            line(text, format_args!("What `${{…}}` may stand for in `{name}`, beside names:\n"));
            for Symbol { word, documentation, .. } in template.properties {
                line(text, format_args!("- `{}.{word}`: {documentation}", template.root));
            }
            text.push('\n');
        }
        Type::List { of, .. } | Type::Map { of, .. } => words(kind, name, of, text),
        Type::Union(types) => types.iter().for_each(|ty| words(kind, name, ty, text)),
        Type::Boolean
        | Type::Integer(..)
        | Type::Decimal
        | Type::Duration
        | Type::Rate
        | Type::Size
        | Type::Percentage
        | Type::WholePercentage
        | Type::Ip
        | Type::Ipv4
        | Type::Host(_)
        | Type::Cidr
        | Type::SocketAddress
        | Type::StatusClass
        | Type::Text(_)
        | Type::Reference(_)
        | Type::Record(_)
        | Type::Call(..)
        | Type::Instance(..)
        | Type::Condition => {}
    }
}

fn tagged(tag: &Tag, note: &str, text: &mut String) {
    line(text, format_args!("- `{}`: {}{note}", tag.word, tag.documentation));
    for attribute in tag.attributes {
        let needed = match attribute.presence {
            Presence::Required => ", required",
            Presence::Optional | Presence::Default(_) | Presence::Derived(_) | Presence::Inherited => "",
        };
        let takes = attribute.ty.describe();
        line(text, format_args!("  - `{}`, {takes}{needed}: {}", attribute.name, attribute.documentation));
    }
}

fn row(cells: &[&str], text: &mut String) {
    for cell in cells {
        text.push_str("| ");
        // A bar in a cell would end it.
        text.push_str(&cell.replace('|', "\\|"));
        text.push(' ');
    }
    text.push_str("|\n");
}

/// Adds a line; writing into a string cannot fail.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "a string takes everything");
    text.push('\n');
}
