//! The table: what was seen to begin with which release.
//!
//! What else failed on an older release came from one of these: a watched configuration with a setting that Envoy does not know is
//! taken without it.

use lang_diagnostics::Origin;
use meshc_plan::LimitKey;
use meshc_vocabulary::model::{HeaderMatch, HttpMatch, StringMatch};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::parts::Parts;
use super::{Behaviour, Kind, Release};

/// Every behaviour, oldest first.
pub static BEHAVIOURS: &[Behaviour] = &[
    Behaviour {
        name: "egress-tls-names",
        since: Release::new(37, 0),
        lacking_from: None,
        kind: Kind::Refused,
        now: "an egress gateway reads the names that callers ask for inside the mesh's own TLS",
        before: "an egress gateway cannot hand over who called to what reads the names inside TLS",
        seen_by: &["egress::on_envoy::an_egress_gateway_connects_for_those_who_declared_their_call"],
        places: |parts| parts.inside.clone(),
    },
    Behaviour {
        name: "limit-values",
        since: Release::new(37, 0),
        lacking_from: None,
        kind: Kind::Setting,
        now: "a limit with `each` counts every value for itself, and together what has none",
        before: "all values are counted together",
        seen_by: &[
            "limit_keys::on_envoy::counters_are_kept_for_each_value",
            "operators::on_envoy::operators_find_what_they_rely_on",
            "mesh_limits::on_envoy::one_cluster_counts_for_all",
        ],
        places: |parts| keyed(parts, |_| true),
    },
    Behaviour {
        name: "resets-of-web-sockets",
        since: Release::new(37, 0),
        lacking_from: None,
        kind: Kind::Meaning,
        now: "a WebSocket whose server resets the connection is reset for the client, too",
        before: "a WebSocket whose server resets the connection is closed for the client as if it had ended",
        seen_by: &["browser::on_envoy::a_browser_finds_what_it_expects"],
        places: |parts| parts.http.clone(),
    },
    Behaviour {
        name: "ejection-by-grpc-status",
        since: Release::new(37, 0),
        lacking_from: None,
        kind: Kind::Meaning,
        now: "an endpoint that answers with gRPC's UNAVAILABLE is ejected with as many of them as the mesh says",
        before: "an endpoint that answers with gRPC's UNAVAILABLE is ejected with one more of them than the mesh says",
        seen_by: &["health::on_envoy::checks_pass_by_rules_limits_and_logs"],
        places: |parts| parts.grpc.clone(),
    },
    Behaviour {
        name: "limit-addresses",
        since: Release::new(38, 3),
        lacking_from: Some(Release::new(37, 0)),
        kind: Kind::Refused,
        now: "a limit counts by an address, or by the network that one of IPv6 is in",
        before: "a limit cannot count by an address",
        seen_by: &[
            "gateway_limits::on_envoy::routes_and_gateways_have_limits",
            "limit_keys::on_envoy::bursts_long_units_and_limits_in_audit",
            "limit_keys::on_envoy::counters_are_kept_for_each_value",
        ],
        places: |parts| keyed(parts, is_address),
    },
    Behaviour {
        name: "rule-headers-in-several-lines",
        since: Release::new(38, 3),
        lacking_from: None,
        kind: Kind::Meaning,
        now: "in `allow` and `deny` a header, or the cookies, may come in several lines: `not = true` asks that none of them match, and a cookie is found in any",
        before: "the lines are compared as one text, joined by commas",
        seen_by: &["conditions::on_envoy::conditions_mean_the_same_everywhere"],
        places: |parts| in_several_lines(&parts.rules),
    },
    Behaviour {
        name: "refused-connections",
        since: Release::new(38, 3),
        lacking_from: None,
        kind: Kind::Meaning,
        now: "a 503 for a connection that was refused says `remote connection failure`",
        before: "a 503 for a connection that was refused also says which error the socket had",
        seen_by: &["grpc::on_envoy::local_replies_are_told_in_grpc"],
        places: |parts| parts.http.clone(),
    },
    Behaviour {
        name: "route-headers-in-several-lines",
        since: Release::new(39, 0),
        lacking_from: None,
        kind: Kind::Meaning,
        now: "in routes and limits a header, or the cookies, may come in several lines: `not = true` asks that none of them match, and a cookie is found in any",
        before: "the lines are compared as one text, joined by commas",
        seen_by: &["conditions::on_envoy::conditions_mean_the_same_everywhere"],
        places: |parts| in_several_lines(&parts.routes),
    },
    Behaviour {
        name: "header-bytes",
        since: Release::new(39, 3),
        lacking_from: None,
        kind: Kind::Meaning,
        now: "an expression about a header reads bytes that are not ASCII one by one",
        before: "an expression about a header reads bytes that are not ASCII as UTF-8, and matches none that are not",
        seen_by: &["strictness::on_envoy::values_are_compared_byte_by_byte"],
        places: bytes,
    },
    Behaviour {
        name: "dot-segments-with-parameters",
        since: Release::new(39, 3),
        lacking_from: None,
        kind: Kind::Meaning,
        now: "`..;a=b` and `.;` in a path are what `..` and `.` are",
        before: "a request with `..;a=b` or `.;` in its path is answered with 400",
        seen_by: &["requests::on_envoy::a_path_has_one_spelling"],
        places: |parts| parts.http.clone(),
    },
    Behaviour {
        name: "resets-of-bytes",
        since: Release::new(40, 0),
        lacking_from: None,
        kind: Kind::Meaning,
        now: "a connection of bytes that is reset on one side of two sidecars is reset on the other",
        before: "a connection of bytes that is reset on one side of two sidecars is closed on the other as if it had ended",
        seen_by: &["resets::on_envoy::a_reset_goes_on_as_a_reset"],
        places: |parts| parts.bytes.clone(),
    },
    Behaviour {
        name: "query-requests",
        since: Release::new(40, 0),
        lacking_from: None,
        kind: Kind::Meaning,
        now: "a request by the method QUERY is passed on if it says of what type its content is, and is answered with 400 if it does not",
        before: "a request by the method QUERY that does not say of what type its content is is passed on over HTTP/2",
        seen_by: &["strictness::on_envoy::values_are_compared_byte_by_byte"],
        places: |parts| parts.http.clone(),
    },
    Behaviour {
        name: "retry-after",
        since: Release::new(40, 0),
        lacking_from: None,
        kind: Kind::Setting,
        now: "a request that exceeds a limit is told how long to wait, in `retry-after`, and proxies that send again wait as long",
        before: "nothing is told, and what is sent again exceeds the limit again",
        seen_by: &[
            "gateway_limits::on_envoy::routes_and_gateways_have_limits",
            "limit_keys::on_envoy::counters_are_kept_for_each_value",
            "times::on_envoy::requests_are_sent_again_as_the_route_says",
        ],
        places: |parts| parts.limits.clone(),
    },
];

/// Limits that count by one of these.
fn keyed<'p>(parts: &Parts<'p>, wanted: impl Fn(&LimitKey) -> bool) -> Vec<&'p Origin> {
    let asked = parts.buckets.iter().filter(|(bucket, _)| bucket.keys.iter().any(&wanted));
    asked.map(|(_, origin)| *origin).collect()
}

const fn is_address(key: &LimitKey) -> bool {
    match key {
        LimitKey::Address | LimitKey::Client => true,
        LimitKey::Caller
        | LimitKey::Path
        | LimitKey::Header(_)
        | LimitKey::Cookie(_)
        | LimitKey::Query(_) => false,
    }
}

/// Conditions for which it matters whether a header comes in several lines.
fn in_several_lines<'p>(conditions: &[(&'p HttpMatch, &'p Origin)]) -> Vec<&'p Origin> {
    headers(conditions, |header| header.negated || header.name == "cookie")
}

/// Conditions for which it matters how bytes beyond ASCII are read.
fn bytes<'p>(parts: &Parts<'p>) -> Vec<&'p Origin> {
    let reads = |header: &HeaderMatch| match &header.value {
        StringMatch::Regex(expression) => is_beyond_ascii(expression),
        StringMatch::Present | StringMatch::Exact(_) | StringMatch::Prefix(_) => false,
    };
    let mut places = headers(&parts.rules, reads);
    places.extend(headers(&parts.routes, reads));
    places
}

/// Conditions on a header of a kind.
fn headers<'p>(
    conditions: &[(&'p HttpMatch, &'p Origin)],
    wanted: impl Fn(&HeaderMatch) -> bool,
) -> Vec<&'p Origin> {
    let asked = conditions.iter().filter(|(matches, _)| matches.headers.iter().any(&wanted));
    asked.map(|(_, origin)| *origin).collect()
}

/// Whether an expression means something that is not ASCII, and so depends on how bytes are read.
fn is_beyond_ascii(expression: &str) -> bool {
    fn reaches(hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => false,
            HirKind::Literal(literal) => !literal.0.is_ascii(),
            HirKind::Class(Class::Unicode(class)) => class.iter().any(|range| !range.end().is_ascii()),
            HirKind::Class(Class::Bytes(class)) => class.iter().any(|range| !range.end().is_ascii()),
            HirKind::Repetition(repeated) => reaches(&repeated.sub),
            HirKind::Capture(group) => reaches(&group.sub),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(reaches),
        }
    }
    // What cannot be read here was refused long before.
    ParserBuilder::new().utf8(false).build().parse(expression).is_ok_and(|hir| reaches(&hir))
}
