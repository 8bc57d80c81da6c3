//! Readiness, the application's probes, and metrics.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::http::health_check::v3::HealthCheck;
use meshc_plan::{AppMetrics, MetricsListener, ProbeCheck, StatusListener, bounds, paths};

use super::beyond_the_connection_limit;
use crate::cluster;
use crate::http::clients::Clients;
use crate::http::manager;
use crate::http::matches::{exact, header_matcher};
use crate::http::routes;
use crate::pb::base::TrafficDirection;
use crate::pb::hcm::HttpFilter;
use crate::pb::listener::{FilterChain, Listener};
use crate::pb::route::route_action::ClusterSpecifier;
use crate::pb::route::route_match::PathSpecifier;
use crate::pb::route::{self, Route, RouteAction, RouteMatch, VirtualHost};
use crate::pb::{duration, flag, http_filter};

/// Metrics in Prometheus' format at the admin socket.
const PROMETHEUS: &str = "/stats/prometheus";

/// `GET /healthz/ready` is answered here, with 503 as soon as the proxy drains, and `/healthz/live`; probes are asked of
/// the application.
pub(super) fn readiness(name: &str, status: &StatusListener) -> Listener {
    let StatusListener { probes } = status;
    let ready = HealthCheck {
        pass_through_mode: flag(false),
        headers: vec![header_matcher(":path", exact(paths::READY_PATH))],
        ..Default::default()
    };
    let filter = http_filter("envoy.filters.http.health_check", &ready);
    listener(name, vec![filter], [live()].into_iter().chain(probes.iter().map(probe)).collect())
}

/// `GET /metrics`, and nothing else of the admin interface; and the application's own at `/app/metrics`.
pub(super) fn metrics(name: &str, metrics: &MetricsListener) -> Listener {
    let MetricsListener { app } = metrics;
    let own = rewrite(paths::METRICS_PATH, PROMETHEUS, cluster::ADMIN, bounds::METRICS_TIMEOUT);
    let app = app.as_ref().map(|app| {
        let AppMetrics { upstream, path } = app;
        rewrite(paths::APP_METRICS_PATH, path, upstream, bounds::METRICS_TIMEOUT)
    });
    listener(name, Vec::new(), [own].into_iter().chain(app).collect())
}

/// Whether threads answer at all; a watchdog ends the process if one is stuck.
fn live() -> Route {
    let answer = route::DirectResponseAction { status: 200, ..Default::default() };
    Route {
        r#match: Some(RouteMatch {
            path_specifier: Some(PathSpecifier::Path(paths::LIVE_PATH.to_owned())),
            ..Default::default()
        }),
        action: Some(route::route::Action::DirectResponse(answer)),
        ..Default::default()
    }
}

fn probe(probe: &ProbeCheck) -> Route {
    let ProbeCheck { kind, upstream, path: app_path, timeout } = probe;
    rewrite(paths::probe_path(*kind), app_path, upstream, *timeout)
}

fn rewrite(from: &str, to: &str, upstream: &str, limit: Duration) -> Route {
    let action = RouteAction {
        prefix_rewrite: to.to_owned(),
        timeout: duration(limit),
        cluster_specifier: Some(ClusterSpecifier::Cluster(upstream.to_owned())),
        ..Default::default()
    };
    Route {
        r#match: Some(RouteMatch {
            headers: vec![header_matcher(":method", exact("GET"))],
            path_specifier: Some(PathSpecifier::Path(from.to_owned())),
            ..Default::default()
        }),
        action: Some(route::route::Action::Route(action)),
        ..Default::default()
    }
}

fn listener(name: &str, filters: Vec<HttpFilter>, routes: Vec<Route>) -> Listener {
    let host =
        VirtualHost { name: name.to_owned(), domains: vec!["*".to_owned()], routes, ..Default::default() };
    let manager = manager::filter(name, Clients::Operators, routes::of(name, vec![host]), filters, None);
    Listener {
        filter_chains: vec![FilterChain { filters: vec![manager], ..Default::default() }],
        traffic_direction: TrafficDirection::Inbound.into(),
        ..beyond_the_connection_limit()
    }
}
