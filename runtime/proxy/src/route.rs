//! Which route a request takes: the host decides the virtual host, then the first route that matches wins.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::balance;
use crate::choice;
use crate::counters::ByStatus;
use crate::filter::Filter;
use crate::hosts::Hosts;
use crate::random;
use crate::upstream::Upstream;
use http::{HeaderMap, HeaderValue};
use meshd_config::{HashKey, HeaderMatch, HostPattern, NotMatch, QueryMatch, QueryValue, RequestMatch};
use std::sync::Arc;
use std::time::Duration;

/// The properties of a request that decisions are made by. Its path is normalised and without the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// The host that was asked for, with its port if it had one.
    pub(crate) host: &'a str,
    /// The normalised path without the query.
    pub(crate) path: &'a str,
    /// The query, as it is sent.
    pub(crate) query: Option<&'a str>,
    /// The method.
    pub(crate) method: &'a str,
    /// The headers.
    pub(crate) headers: &'a HeaderMap,
}

impl Seen<'_> {
    /// Whether everything that `wanted` names is so.
    pub(crate) fn matches(&self, wanted: &RequestMatch) -> bool {
        let RequestMatch { path, methods, headers, queries, not } = wanted;
        path.as_ref().is_none_or(|path| path.matches(self.path))
            && (methods.is_empty() || methods.iter().any(|method| method == self.method))
            && headers.iter().all(|header| self.header(header))
            && queries.iter().all(|query| self.parameter(query))
            && !not.iter().any(|not| self.meets(not))
    }

    /// Whether a condition on a header is met.
    pub(crate) fn header(&self, wanted: &HeaderMatch) -> bool {
        let HeaderMatch { name, not, value: wanted } = wanted;
        let found = self.values(name).any(|value| wanted.matches(value));
        found != *not
    }

    fn meets(&self, not: &NotMatch) -> bool {
        match not {
            NotMatch::Path(path) => path.matches(self.path),
            NotMatch::Methods(methods) => methods.iter().any(|method| method == self.method),
        }
    }

    fn parameter(&self, wanted: &QueryMatch) -> bool {
        let QueryMatch { name, not, value: wanted } = wanted;
        let mut values = parameters(self.query).filter(|(found, _)| found == name);
        let found = values.any(|(_, value)| match wanted {
            QueryValue::Present => true,
            QueryValue::Exact(exact) => value == exact,
            QueryValue::Prefix(prefix) => value.starts_with(prefix.as_str()),
            QueryValue::Regex(pattern) => pattern.matches(value.as_bytes()),
        });
        found != *not
    }

    /// Every line of a header, as the bytes that came. A value need not be text, and what is not would otherwise be
    /// missing where it is decided by. The host is one of them, whichever way a version of HTTP says it.
    pub(crate) fn values<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s [u8]> {
        let host = (name == "host").then_some(self.host.as_bytes());
        host.into_iter().chain(self.headers.get_all(name).into_iter().map(HeaderValue::as_bytes))
    }
}

/// The parameters of a query with their values, as they are sent; `a` is `a=`.
pub(crate) fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let parameters = query.into_iter().flat_map(|query| query.split('&'));
    parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

/// The routes of a listener.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    by_host: Hosts<usize>,
    virtual_hosts: Vec<Vec<Arc<Route>>>,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Route {
    /// The name in logs.
    pub(crate) name: String,
    /// What it matches.
    pub(crate) matching: RequestMatch,
    /// The upstreams with their shares.
    pub(crate) to: Vec<(Arc<Upstream>, u32)>,
    /// What decides which endpoint gets a request, in groups that are balanced by hash.
    pub(crate) hash: Vec<HashKey>,
    /// What is answered instead of sending requests on.
    pub(crate) answer: Option<meshd_config::Answer>,
    /// Whether the others take the share of one of which no endpoint is left.
    pub(crate) failover: bool,
    /// From the request's end to the answer's end.
    pub(crate) timeout: Option<Duration>,
    /// How long neither side may send anything.
    pub(crate) idle_timeout: Option<Duration>,
    /// When to try again.
    pub(crate) retry: Option<meshd_config::Retry>,
    /// What its requests may change to.
    pub(crate) upgrades: Vec<meshd_config::Upgrade>,
    /// Whether a request ends with the time that it names itself.
    pub(crate) grpc_deadlines: bool,
    /// What is done with its requests, in order.
    pub(crate) filters: Vec<Filter>,
    /// Where answers of each of its upstreams are counted, and last of none of them.
    pub(crate) counted: Box<[ByStatus]>,
}

impl Route {
    /// The upstream of the next request: each request draws anew, so that a small share is small from the first request
    /// of every proxy.
    pub(crate) fn upstream(&self) -> Option<&Arc<Upstream>> {
        draw(&self.to, self.failover, |upstream| balance::lives(upstream))
    }
}

/// One of several by weight, drawn anew each time; with `failover` none that is dead, as long as one lives.
pub(crate) fn draw<T>(shares: &[(T, u32)], failover: bool, lives: impl Fn(&T) -> bool) -> Option<&T> {
    if failover { by_weight_of_the_living(shares, lives) } else { by_weight(shares) }
}

/// One of several by weight, drawn anew each time. If it is dead, one of those that live is drawn in its place, if any does:
/// so each of these gets of all requests as much as it weighs among them.
fn by_weight_of_the_living<T>(shares: &[(T, u32)], lives: impl Fn(&T) -> bool) -> Option<&T> {
    let drawn = by_weight(shares)?;
    if lives(drawn) {
        return Some(drawn);
    }
    let living: Vec<(&T, u32)> = shares
        .iter()
        .filter(|(one, weight)| *weight > 0 && lives(one))
        .map(|(one, weight)| (one, *weight))
        .collect();
    Some(by_weight(&living).copied().unwrap_or(drawn))
}

/// One of several by weight, drawn anew each time; `None` if none has any.
fn by_weight<T>(shares: &[(T, u32)]) -> Option<&T> {
    match shares {
        [(only, _)] => Some(only),
        several => at_point(several, random::number()),
    }
}

/// What is at a point of the line on which each has as much room as it weighs.
fn at_point<T>(shares: &[(T, u32)], point: u64) -> Option<&T> {
    let drawn = choice::by_weight(shares.iter().map(|(_, weight)| *weight), point)?;
    shares.get(drawn).map(|(one, _)| one)
}

impl Route {
    /// Its upstream's name if it has only one, for logs about requests that reached none.
    pub(crate) fn only_upstream(&self) -> Option<&Arc<Upstream>> {
        match self.to.as_slice() {
            [(only, _)] => Some(only),
            _ => None,
        }
    }

    /// Where answers of one of its upstreams are counted, or of none.
    pub(crate) fn counted(&self, upstream: Option<&Arc<Upstream>>) -> Option<&ByStatus> {
        let at = match upstream {
            Some(upstream) => self.to.iter().position(|(one, _)| Arc::ptr_eq(one, upstream))?,
            None => self.to.len(),
        };
        self.counted.get(at)
    }
}

/// Places to count the answers of so many upstreams, and those of none of them.
pub(crate) fn places_to_count(upstreams: usize) -> Box<[ByStatus]> {
    std::iter::repeat_with(ByStatus::default).take(upstreams + 1).collect()
}

/// Whether a request is one of so many of a million, drawn anew each time.
pub(crate) fn is_drawn(of_a_million: u32) -> bool {
    const MILLION: u64 = 1_000_000;
    random::number() % MILLION < u64::from(of_a_million)
}

impl Routes {
    /// Adds a virtual host.
    pub(crate) fn add(&mut self, hosts: &[HostPattern], routes: Vec<Arc<Route>>) {
        let position = self.virtual_hosts.len();
        self.virtual_hosts.push(routes);
        self.by_host.add(hosts, position);
    }

    /// The route of a request; `None` is 404.
    pub(crate) fn find(&self, host: &str, seen: &Seen<'_>) -> Option<&Arc<Route>> {
        let position = self.by_host.find(without_port(host))?;
        self.virtual_hosts.get(position)?.iter().find(|route| seen.matches(&route.matching))
    }
}

/// An authority without its port; an IPv6 address keeps its brackets.
pub(crate) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        Some(_) | None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshd_config::ValueMatch;
    use std::collections::BTreeMap;

    fn route(name: &str) -> Arc<Route> {
        let text = r#"{"version":1,"node":{"name":"n","cluster":"c"},"listeners":[{"name":"l","bind":"127.0.0.1:1","kind":{"http":
            {"virtual_hosts":[{"name":"v","hosts":["*"],"routes":[{"match":{},"to":[{"upstream":"u"}]}]}]}}}],"upstreams":{"u":
            {"connect_timeout":"1s","pool":{"max_connections":1,"max_pending":1,"max_requests":1},
             "groups":[{"name":"g","endpoints":[{"host":"127.0.0.1","port":1}]}]}}}"#;
        let config = meshd_config::Config::read(text).unwrap();
        let meshd_config::Kind::Http { virtual_hosts, .. } = &config.listeners[0].kind else {
            panic!("HTTP")
        };
        Arc::new(Route {
            failover: false,
            name: name.into(),
            matching: virtual_hosts[0].routes[0].matching.clone(),
            to: Vec::new(),
            hash: Vec::new(),
            answer: None,
            timeout: None,
            idle_timeout: None,
            retry: None,
            upgrades: Vec::new(),
            grpc_deadlines: false,
            filters: Vec::new(),
            counted: places_to_count(0),
        })
    }

    #[test]
    fn the_most_specific_host_wins() {
        let mut routes = Routes::default();
        routes.add(&[HostPattern::Any], vec![route("any")]);
        routes.add(&[HostPattern::Suffix(".example".into())], vec![route("short")]);
        routes.add(&[HostPattern::Suffix(".shop.example".into())], vec![route("long")]);
        routes.add(&[HostPattern::Exact("www.shop.example".into())], vec![route("exact")]);
        let headers = HeaderMap::new();
        let seen = Seen { host: "a.example", path: "/", query: None, method: "GET", headers: &headers };
        let found = |host: &str| routes.find(host, &seen).unwrap().name.clone();
        assert_eq!(found("WWW.shop.example:8080"), "exact");
        assert_eq!(found("m.shop.example"), "long");
        assert_eq!(found("shop.example"), "short");
        assert_eq!(found("example"), "any");
    }

    #[test]
    fn a_value_is_compared_byte_by_byte_whatever_they_are() {
        let text = r#"{"version":1,"node":{"name":"n","cluster":"c"},"listeners":[{"name":"l","bind":"127.0.0.1:1","kind":{"http":
            {"virtual_hosts":[{"name":"v","hosts":["*"],"routes":[
            {"match":{"headers":[{"name":"x-role","value":{"prefix":"guest"}}]},"to":[{"upstream":"u"}]},
            {"match":{"headers":[{"name":"x-role","value":{"exact":"gäst"}}]},"to":[{"upstream":"u"}]},
            {"match":{"headers":[{"name":"x-role","value":{"regex":"a.b"}}]},"to":[{"upstream":"u"}]},
            {"match":{"headers":[{"name":"x-role","value":"present"}]},"to":[{"upstream":"u"}]}]}]}}}],"upstreams":{"u":
            {"connect_timeout":"1s","pool":{"max_connections":1,"max_pending":1,"max_requests":1},
             "groups":[{"name":"g","endpoints":[{"host":"127.0.0.1","port":1}]}]}}}"#;
        let config = meshd_config::Config::read(text).unwrap();
        let meshd_config::Kind::Http { virtual_hosts, .. } = &config.listeners[0].kind else {
            panic!("HTTP")
        };
        let first = |lines: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-role", HeaderValue::from_bytes(line).unwrap());
            }
            let seen = Seen { host: "a.example", path: "/", query: None, method: "GET", headers: &headers };
            virtual_hosts[0].routes.iter().position(|route| seen.matches(&route.matching)).unwrap()
        };
        assert_eq!(first(&[b"guest"]), 0);
        assert_eq!(first(&[b"guest\xe4"]), 0);
        assert_eq!(first(&[b"guest\x80\xff"]), 0);
        assert_eq!(first(&[b"other", b"guest\xe4"]), 0, "each line counts");
        assert_eq!(first(&["gäst".as_bytes()]), 1);
        assert_eq!(first(&[b"a\xe4b"]), 2, "one byte");
        assert_eq!(first(&["aäb".as_bytes()]), 3, "two bytes");
        assert_eq!(first(&[b"g\xe4st"]), 3);
    }

    #[test]
    fn what_must_not_be_is_met_by_what_is_not_there() {
        let headers = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-role", HeaderValue::from_static(line));
            }
            headers
        };
        let role = |value| HeaderMatch { name: String::from("x-role"), not: true, value };
        let matches = |wanted: HeaderMatch, lines: &[&'static str]| {
            let headers = headers(lines);
            let seen = Seen { host: "a.example", path: "/", query: None, method: "GET", headers: &headers };
            seen.matches(&RequestMatch { headers: vec![wanted], ..RequestMatch::any() })
        };
        let guest = || role(ValueMatch::Exact(String::from("guest")));
        assert!(matches(guest(), &[]) && matches(guest(), &["other"]) && matches(guest(), &[""]));
        assert!(!matches(guest(), &["guest"]) && !matches(guest(), &["other", "guest"]), "any line refuses");
        assert!(matches(role(ValueMatch::Present), &[]) && !matches(role(ValueMatch::Present), &[""]));
    }

    #[test]
    fn parameters_are_compared_as_they_are_sent() {
        let headers = HeaderMap::new();
        let matches = |not, value: QueryValue, query| {
            let seen = Seen { host: "a.example", path: "/", query, method: "GET", headers: &headers };
            let queries = vec![QueryMatch { name: String::from("v"), not, value }];
            seen.matches(&RequestMatch { queries, ..RequestMatch::any() })
        };
        let exact = || QueryValue::Exact(String::from("2"));
        for query in ["v=2", "a&v=2", "v=1&v=2", "v=2&v=1"] {
            assert!(matches(false, exact(), Some(query)) && !matches(true, exact(), Some(query)), "{query}");
        }
        for query in [None, Some(""), Some("v"), Some("v=22"), Some("v=%32"), Some("xv=2"), Some("a?v=2")] {
            assert!(!matches(false, exact(), query) && matches(true, exact(), query), "{query:?}");
        }
        let starts = || QueryValue::Prefix(String::from("be"));
        assert!(matches(false, starts(), Some("v=beta")) && !matches(false, starts(), Some("v=abe")));
        assert!(
            matches(false, QueryValue::Present, Some("v"))
                && !matches(false, QueryValue::Present, Some("vv"))
        );
        assert!(matches(false, QueryValue::Exact(String::new()), Some("v")), "`v` is `v=`");
    }

    #[test]
    fn ports_are_cut_off_and_addresses_are_not() {
        for (authority, host) in
            [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("1.2.3.4:5", "1.2.3.4")]
        {
            assert_eq!(without_port(authority), host);
        }
    }

    /// A route to two upstreams of these weights.
    fn weighted(weights: [u32; 2]) -> Route {
        let text = r#"{"version":1,"node":{"name":"n","cluster":"c"},"listeners":[],"upstreams":{"u":
            {"connect_timeout":"1s","pool":{"max_connections":1,"max_pending":1,"max_requests":1},
             "groups":[{"name":"g","endpoints":[{"host":"127.0.0.1","port":1}]}]}}}"#;
        let config = meshd_config::Config::read(text).unwrap();
        let upstream = |name| Upstream::new(name, &config.upstreams["u"]);
        let to = vec![(upstream("first"), weights[0]), (upstream("second"), weights[1])];
        Route { to, ..Arc::into_inner(route("weighted")).unwrap() }
    }

    fn is_second(upstream: Option<&Arc<Upstream>>) -> bool {
        upstream.unwrap().name == "second"
    }

    #[test]
    fn each_upstream_has_as_much_room_as_it_weighs() {
        let route = weighted([90, 10]);
        assert_eq!((0..100).filter(|point| is_second(at_point(&route.to, *point))).count(), 10);
        assert!(weighted([0, 0]).upstream().is_none());
    }

    #[test]
    fn those_that_live_take_the_share_of_the_dead_by_their_weights() {
        let shares = [("a", 60), ("b", 30), ("c", 10), ("idle", 0)];
        let draws = |lives: fn(&&str) -> bool| {
            let mut drawn: BTreeMap<&str, u32> = BTreeMap::new();
            for _ in 0..4000 {
                *drawn.entry(by_weight_of_the_living(&shares, lives).unwrap()).or_default() += 1;
            }
            drawn
        };
        // Seven standard deviations on either side.
        let near = |drawn: u32, share: f64| {
            let (mean, deviation) = (4000.0 * share, (4000.0 * share * (1.0 - share)).sqrt());
            (f64::from(drawn) - mean).abs() <= 7.0 * deviation
        };
        let all = draws(|_| true);
        assert!(near(all["a"], 0.6) && near(all["b"], 0.3) && near(all["c"], 0.1), "{all:?}");
        let without = draws(|one| *one != "a");
        assert!(
            !without.contains_key("a") && near(without["b"], 0.75) && near(without["c"], 0.25),
            "{without:?}"
        );
        assert_eq!(draws(|one| *one == "c").keys().collect::<Vec<_>>(), [&"c"]);
        // A destination of weight 0 takes nobody's place; where all are dead, each is tried for its own share.
        let dead = draws(|one| *one == "idle");
        assert!(!dead.contains_key("idle") && near(dead["a"], 0.6), "{dead:?}");
    }

    #[test]
    fn each_request_draws_anew() {
        let route = weighted([90, 10]);
        let hits = (0..100_000).filter(|_| is_second(route.upstream())).count();
        // The standard deviation is 95, and more than 6.2 of it happens less than once in a thousand million times.
        assert!((9_411..=10_589).contains(&hits), "{hits}");
        let draws = || {
            let route = weighted([1, 1]);
            (0..64).map(|_| is_second(route.upstream())).collect::<Vec<_>>()
        };
        assert_ne!(draws(), draws(), "two proxies do not send the same requests to the same place");
    }
}
