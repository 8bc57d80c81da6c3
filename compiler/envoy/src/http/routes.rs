//! Virtual hosts and routes.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::HashMap;

use envoy_types::pb::google::protobuf::Any;
use meshc_plan::filter::{Filter, who_then_what};
use meshc_plan::{HttpAction, HttpRoute, Limit, REPLAYED_BODY, RetryPlan, VirtualHost, WeightedUpstream};
use meshc_vocabulary::METHODS;
use meshc_vocabulary::model::{DeadShare, HttpMatch};

use crate::http::{answers, cors, deadline, filters, hash, matches, retry, upgrade};
use crate::pb::hcm::HttpFilter;
use crate::pb::matcher::StringMatcher;
use crate::pb::route::route_action::ClusterSpecifier;
use crate::pb::route::{
    self, DirectResponseAction, HeaderMatcher, Route, RouteAction, RouteConfiguration, WeightedCluster,
    weighted_cluster,
};
use crate::pb::{flag, long, number, timeout};
use crate::shares;

/// The routes of a listener, with `others` that answer by themselves, and what must stand before its router for them.
pub(crate) fn configuration(
    name: &str,
    hosts: &[VirtualHost],
    others: Vec<route::VirtualHost>,
) -> (RouteConfiguration, Vec<HttpFilter>) {
    let mut before = Before::default();
    let hosts = hosts.iter().map(|host| virtual_host(host, &mut before));
    let hosts = hosts.chain(others).collect();
    let Before { who, limits, what } = before;
    (of(name, hosts), who.into_iter().chain(limits).chain(what).collect())
}

/// What stands before the router for some of the hosts and routes, in order.
#[derive(Default)]
struct Before {
    /// What says who may ask.
    who: Vec<HttpFilter>,
    /// What counts for whole hosts.
    limits: Vec<HttpFilter>,
    /// Everything else.
    what: Vec<HttpFilter>,
}

/// A table of these virtual hosts.
///
/// Clusters are not validated against the routes: with watched files, listeners and clusters arrive one after the
/// other, and listeners refused for a cluster that comes a moment later would never be tried again.
pub(crate) fn of(name: &str, mut virtual_hosts: Vec<route::VirtualHost>) -> RouteConfiguration {
    for host in &mut virtual_hosts {
        host.routes.splice(0..0, [no_such_method(), no_host(), dots_with_parameters()]);
    }
    RouteConfiguration {
        name: name.to_owned(),
        virtual_hosts,
        validate_clusters: flag(false),
        // Hosts are declared without a port; clients of an unusual port send one.
        ignore_port_in_host_matching: true,
        ..Default::default()
    }
}

/// Refuses, over HTTP/2, what Envoy's parser of HTTP/1.1 refuses by itself. Methods are compared as they are written, also
/// in rules that refuse; one that differs from `GET` only in case would escape such a rule, and some applications would
/// take it for `GET`.
fn no_such_method() -> Route {
    refuse_unless(":method", matches::one_of(&METHODS.map(str::to_owned)))
}

/// Refuses what is neither a name nor an address, with or without a port: an application behind a listener that serves
/// any host could take it for anything. A label without a letter or a digit would still be one below `*.example.org`.
fn no_host() -> Route {
    refuse_unless(
        ":authority",
        matches::regex(&format!(r"(?:{}|\[[0-9A-Fa-f:.]*\])(?::[0-9]{{0,5}})?", matches::NAME)),
    )
}

/// Refuses a segment of dots with parameters. A path in its one spelling has none, and whoever resolves it, the next proxy or
/// an application that knows parameters, reads another path than the one that was decided by here.
fn dots_with_parameters() -> Route {
    refuse(matches::header_matcher(":path", matches::regex(r"[^?]*/\.\.?(?:;|%3[Bb]).*")))
}

fn refuse_unless(header: &str, fits: StringMatcher) -> Route {
    refuse(HeaderMatcher { invert_match: true, ..matches::header_matcher(header, fits) })
}

fn refuse(what: HeaderMatcher) -> Route {
    let mut matches = matches::route(&HttpMatch::default());
    matches.headers.push(what);
    let refused = DirectResponseAction { status: 400, ..Default::default() };
    Route {
        r#match: Some(matches),
        action: Some(route::route::Action::DirectResponse(refused)),
        ..Default::default()
    }
}

fn virtual_host(host: &VirtualHost, before: &mut Before) -> route::VirtualHost {
    let VirtualHost { name, hosts, entrance, limits, routes, origin: _ } = host;
    let (at_the_door, mut of_host) = filters::of_one_route(&filters::of_entrance(entrance), name);
    before.who.extend(at_the_door);
    // Said of the host, a limit has one count for all its routes.
    let limits: Vec<Filter> = limits.iter().map(Limit::filter).collect();
    let (counting, counted) = filters::of_one_route(&limits, name);
    before.limits.extend(counting);
    of_host.extend(counted);
    let routes = routes.iter().enumerate().flat_map(|(position, route)| {
        let place = format!("{name}.{position}");
        let (who, what) = who_then_what(&route.filters);
        let (filters, asked) = filters::of_one_route(who, &place);
        before.who.extend(filters);
        let preflights = asking(cors::preflights(route), &asked);
        let what: Vec<Filter> = what.iter().filter(|filter| cors::is_made(route, filter)).cloned().collect();
        let (filters, also_asked) = filters::of_one_route(&what, &place);
        before.what.extend(filters);
        let asked = asked.into_iter().chain(also_asked).collect();
        preflights.into_iter().chain(asking(self::routes(route), &asked))
    });
    route::VirtualHost {
        name: name.clone(),
        domains: hosts.to_vec(),
        routes: routes.collect(),
        typed_per_filter_config: of_host,
        request_body_buffer_limit: long(REPLAYED_BODY),
        ..Default::default()
    }
}

/// Routes whose requests pass these filters.
fn asking(routes: Vec<Route>, asked: &HashMap<String, Any>) -> Vec<Route> {
    let asking = |route| Route { typed_per_filter_config: asked.clone(), ..route };
    routes.into_iter().map(asking).collect()
}

/// One route, or several where methods decide how a request is retried, or the origin what its page may read.
fn routes(planned: &HttpRoute) -> Vec<Route> {
    let HttpRoute { matches, filters, action, origin: _ } = planned;
    let route = |matches: &HttpMatch, action| Route {
        r#match: Some(matches::route(matches)),
        action: Some(action),
        ..Default::default()
    };
    let (to, dead_share, key, limit, idle_timeout, retry, upgrades, deadlines) = match action {
        HttpAction::Forward { to, dead_share, hash, timeout, idle_timeout, retry, upgrades, deadlines } => {
            (to, dead_share, hash, timeout, idle_timeout, retry, upgrades, deadlines)
        }
        HttpAction::Redirect(redirect) => {
            let redirects = answers::redirects(redirect).into_iter().map(|(asked, redirect)| {
                let mut route = route(matches, route::route::Action::Redirect(redirect));
                route.r#match.iter_mut().for_each(|matches| matches.headers.extend(asked.clone()));
                filters::at_the_router(filters, &mut route);
                cors::for_pages(filters, route)
            });
            return redirects.flatten().collect();
        }
        HttpAction::Respond(respond) => {
            let answer = DirectResponseAction::default();
            let mut route = route(matches, route::route::Action::DirectResponse(answer));
            filters::at_the_router(filters, &mut route);
            answers::respond(respond, &mut route);
            return cors::for_pages(filters, route);
        }
    };
    let action = |policy, hedge_policy| RouteAction {
        cluster_specifier: Some(clusters(to, *dead_share)),
        hash_policy: key.iter().map(hash::policy).collect(),
        timeout: timeout(*limit),
        idle_timeout: timeout(*idle_timeout),
        retry_policy: policy,
        hedge_policy,
        upgrade_configs: upgrade::refused(upgrades),
        ..Default::default()
    };
    let (again, once) = by_method(&matches.methods, retry);
    let mut routes = Vec::new();
    let policies =
        [(again, retry::full(retry), retry::hedge(retry)), (once, retry::connect_only(retry), None)];
    for (methods, policy, hedge) in policies {
        let Some(methods) = methods else { continue };
        let matches = HttpMatch { methods, ..matches.clone() };
        let mut route = route(&matches, route::route::Action::Route(action(policy, hedge)));
        if retry.max_body != REPLAYED_BODY {
            route.request_body_buffer_limit = long(retry.max_body);
        }
        filters::at_the_router(filters, &mut route);
        routes.extend(deadline::routes(*deadlines, *limit, route));
    }
    routes
}

/// The methods of the route that retries everything, and of the one after it that retries only connections; `None`
/// where there is no such route.
fn by_method(matched: &[String], retry: &RetryPlan) -> (Option<Vec<String>>, Option<Vec<String>>) {
    if retry.methods.is_empty() || !retry::reaches_applications(retry) {
        return (Some(matched.to_vec()), None);
    }
    if matched.is_empty() {
        return (Some(retry.methods.clone()), Some(Vec::new()));
    }
    let (again, once): (Vec<String>, Vec<String>) =
        matched.iter().cloned().partition(|method| retry.methods.contains(method));
    let some = |methods: Vec<String>| (!methods.is_empty()).then_some(methods);
    (some(again), some(once))
}

fn clusters(to: &[WeightedUpstream], dead_share: DeadShare) -> ClusterSpecifier {
    match shares::clusters(to, dead_share).as_slice() {
        [(cluster, _)] => ClusterSpecifier::Cluster(cluster.clone()),
        several => ClusterSpecifier::WeightedClusters(WeightedCluster {
            clusters: several.iter().map(share).collect(),
            ..Default::default()
        }),
    }
}

fn share((cluster, weight): &(String, u32)) -> weighted_cluster::ClusterWeight {
    weighted_cluster::ClusterWeight { name: cluster.clone(), weight: number(*weight), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use meshc_plan::RetryReason;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn methods_that_may_not_repeat_get_a_route_that_retries_connections_only() {
        let mut retry = RetryPlan {
            attempts: 1,
            when: vec![RetryReason::ServerError],
            elsewhere: meshc_plan::Elsewhere::SameGroup,
            methods: names(&["GET", "PUT"]),
            per_try_timeout: None,
            hedge: false,
            per_try_idle: None,
            back_off: meshc_vocabulary::model::policy::BackOff::DEFAULT,
            max_retry_after: None,
            max_body: meshc_plan::REPLAYED_BODY,
        };
        assert_eq!(by_method(&[], &retry), (Some(names(&["GET", "PUT"])), Some(Vec::new())));
        assert_eq!(
            by_method(&names(&["GET", "POST"]), &retry),
            (Some(names(&["GET"])), Some(names(&["POST"])))
        );
        assert_eq!(by_method(&names(&["POST"]), &retry), (None, Some(names(&["POST"]))));
        retry.when = vec![RetryReason::ConnectFailure];
        assert_eq!(by_method(&[], &retry), (Some(Vec::new()), None));
    }
}
