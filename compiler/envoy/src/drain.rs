//! What ends an Envoy gently: a second, short-lived Envoy that Kubernetes starts in the container before it ends the
//! first one.
//!
//! Envoy ends at once on SIGTERM, whatever is in flight; only its admin interface can ask clients to leave first. The
//! image has no shell and no other program, and a port from which the drain could be started would be open to whoever
//! reaches the pod. So the same program is started once more with this file: its health checks tick once a second, and
//! a script asks the first one's admin socket, which only this container can open. It ends by itself when nothing is in
//! flight any more, and then Kubernetes sends SIGTERM.

use std::time::Duration;

use envoy_types::pb::envoy::config::bootstrap::v3::Bootstrap;
use envoy_types::pb::envoy::config::bootstrap::v3::bootstrap::StaticResources;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::Lua;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use meshc_plan::{ListenerKind, paths};

use crate::bootstrap;
use crate::cluster;
use crate::pb::base::data_source::Specifier;
use crate::pb::base::health_check::{HealthChecker, HttpHealthCheck};
use crate::pb::base::{Address, DataSource, HealthCheck};
use crate::pb::cluster::Cluster;
use crate::pb::hcm::HttpConnectionManager;
use crate::pb::hcm::http_connection_manager::RouteSpecifier;
use crate::pb::listener::{FilterChain, Listener};
use crate::pb::route::route_match::PathSpecifier;
use crate::pb::route::{self, DirectResponseAction, Route, RouteConfiguration, RouteMatch, VirtualHost};
use crate::pb::{duration, http_filter, network_filter, number, pipe};
use crate::placed::Placed;

/// The file that the second Envoy is started with.
pub(crate) const FILE: &str = "drain.yaml";
/// How long the proxy goes on serving at least, in seconds: until load balancers and resolvers no longer send anyone.
const AT_LEAST: u32 = 15;
/// How long it may take until nothing is in flight, in seconds. The pod's grace period must be longer.
const AT_MOST: u32 = 45;
/// For how many seconds nothing may have been in flight: a client whose answer had begun before the drain learns of it
/// with its next request.
const QUIET: u32 = 3;
/// How long one tick may take.
const TICK_TIMEOUT: Duration = Duration::from_secs(10);

/// The cluster that is the first Envoy's admin socket.
const PROXY: &str = "proxy";
/// The cluster that is the second Envoy's own.
const OWN: &str = "own";
/// What the ticks are called.
const TICKS: &str = "ticks";

/// The second Envoy, whole.
pub(crate) fn bootstrap(placed: &Placed<'_>) -> Bootstrap {
    let own = pipe(placed.path(paths::DRAIN_ADMIN_SOCKET), 0o600);
    let ticks = pipe(placed.path(paths::DRAIN_SOCKET), 0o600);
    let at = |address: &Address| address.clone();
    Bootstrap {
        admin: Some(bootstrap::admin(at(&own))),
        overload_manager: Some(crate::overload::of_heap(placed.plan.memory)),
        static_resources: Some(StaticResources {
            listeners: vec![listener(placed, at(&ticks))],
            clusters: vec![
                cluster::at_address(OWN, own),
                cluster::at_address(PROXY, pipe(placed.path(paths::ADMIN_SOCKET), 0)),
                Cluster { health_checks: vec![every_second()], ..cluster::at_address(TICKS, ticks) },
            ],
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn every_second() -> HealthCheck {
    let check = HttpHealthCheck { host: TICKS.to_owned(), path: "/".to_owned(), ..Default::default() };
    let second = Duration::from_secs(1);
    HealthCheck {
        timeout: duration(TICK_TIMEOUT),
        interval: duration(second),
        // Nothing but checks ever goes there, and without traffic they would come once a minute.
        no_traffic_interval: duration(second),
        healthy_threshold: number(1),
        unhealthy_threshold: number(1),
        health_checker: Some(HealthChecker::HttpHealthCheck(check)),
        ..Default::default()
    }
}

fn listener(placed: &Placed<'_>, address: Address) -> Listener {
    let script = DataSource {
        specifier: Some(Specifier::InlineString(script(&in_flight(placed)))),
        ..Default::default()
    };
    let lua = Lua { default_source_code: Some(script), ..Default::default() };
    let everything = Route {
        r#match: Some(RouteMatch {
            path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
            ..Default::default()
        }),
        action: Some(route::route::Action::DirectResponse(DirectResponseAction {
            status: 200,
            ..Default::default()
        })),
        ..Default::default()
    };
    let host = VirtualHost {
        name: TICKS.to_owned(),
        domains: vec!["*".to_owned()],
        routes: vec![everything],
        ..Default::default()
    };
    let manager = HttpConnectionManager {
        stat_prefix: TICKS.to_owned(),
        http_filters: vec![
            http_filter("envoy.filters.http.lua", &lua),
            http_filter("envoy.filters.http.router", &Router::default()),
        ],
        route_specifier: Some(RouteSpecifier::RouteConfig(RouteConfiguration {
            virtual_hosts: vec![host],
            ..Default::default()
        })),
        ..Default::default()
    };
    let filter = network_filter("envoy.filters.network.http_connection_manager", &manager);
    Listener {
        name: TICKS.to_owned(),
        address: Some(address),
        filter_chains: vec![FilterChain { filters: vec![filter], ..Default::default() }],
        ..Default::default()
    }
}

/// The counters of what is in flight: requests where HTTP is spoken, connections where bytes pass through. A connection
/// that waits for its next request is told to end with its next answer, and is not waited for.
fn in_flight(placed: &Placed<'_>) -> Vec<String> {
    let of_listener = |listener: &meshc_plan::Listener| match &listener.kind {
        ListenerKind::Http(_) => Some(format!("http.{}.downstream_rq_active", listener.name)),
        ListenerKind::Tcp(_) | ListenerKind::PassThrough(_) => {
            Some(format!("listener.{}.downstream_cx_active", listener.name))
        }
        // Gateways have none of the first two, and nobody waits for the others.
        ListenerKind::Inbound(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => None,
    };
    placed.plan.listeners.iter().filter_map(of_listener).collect()
}

/// What happens at each tick. The first one makes the proxy unready, and lets it ask each client to leave with its next
/// answer.
fn script(in_flight: &[String]) -> String {
    let counted: String = in_flight.iter().map(|name| format!("  [{}] = true,\n", quoted(name))).collect();
    format!(
        r#"local counted = {{
{counted}}}
local ticks = 0
local quiet = 0

local function ask(handle, cluster, method, path)
  local headers = {{[":method"] = method, [":path"] = path, [":authority"] = cluster}}
  local _, body = handle:httpCall(cluster, headers, "", 5000)
  return body or ""
end

function envoy_on_request(handle)
  ticks = ticks + 1
  if ticks == 1 then
    ask(handle, "{PROXY}", "POST", "/healthcheck/fail")
  end
  if ticks <= {AT_LEAST} then
    return
  end
  local active = 0
  local stats = ask(handle, "{PROXY}", "GET", "/stats?filter=downstream_(rq|cx)_active$")
  for name, value in string.gmatch(stats, "(%S+): (%d+)") do
    if counted[name] then
      active = active + tonumber(value)
    end
  end
  quiet = active == 0 and quiet + 1 or 0
  if quiet >= {QUIET} or ticks > {AT_MOST} then
    ask(handle, "{OWN}", "POST", "/quitquitquit")
  end
end
"#
    )
}

/// Text in Lua's quotes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}
