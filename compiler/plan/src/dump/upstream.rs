//! Upstreams as text.

use meshc_vocabulary::model::OutsideTls;

use super::{Text, parts, words};
use crate::{
    CheckPlan, Ejection, EjectionTiming, Endpoint, EndpointAddress, FailingAnswers, Group, GroupBalance,
    HealthPlan, Locality, PodFailures, PoolPlan, Serves, Share, Spill, Upstream, UpstreamProtocol,
    UpstreamTls,
};

pub(super) fn dump(text: &mut Text, upstream: &Upstream) {
    let Upstream { name, protocol, groups, spill, failing_answers, tls, health, pool, origin } = upstream;
    let protocol = match protocol {
        UpstreamProtocol::HttpLikeDownstream => "HTTP like downstream",
        UpstreamProtocol::Http1 => "HTTP/1.1",
        UpstreamProtocol::Http2 => "HTTP/2",
        UpstreamProtocol::Tcp => "bytes",
    };
    text.line(format!("upstream {name}, {protocol}, from {}", origin.name));
    text.nested(|text| {
        match tls {
            Some(UpstreamTls::Mutual { sni, peers }) => {
                text.line(format!("mTLS as {sni}"));
                for peer in peers {
                    text.line(format!("peer {peer}"));
                }
            }
            Some(UpstreamTls::Outside(outside)) => text.line(outside_tls(outside)),
            None => {}
        }
        if let Some(health) = health {
            self::health(text, health);
        }
        self::pool(text, pool);
        text.line(format!("{} are failures", self::failing_answers(failing_answers)));
        match spill {
            Spill::WhenEmpty => {}
            Spill::ByShare => text.line("groups hand on what exceeds 1.4 times the share that is left"),
        }
        for group in groups {
            self::group(text, group);
        }
    });
}

pub(super) fn failing_answers(failing: &FailingAnswers) -> String {
    match failing {
        FailingAnswers::GatewayErrors => String::from("502, 503 and 504"),
        FailingAnswers::ServerErrors => String::from("5xx"),
        FailingAnswers::Statuses(ranges) => {
            let ranges: Vec<_> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
            ranges.join(", ")
        }
    }
}

pub(super) fn address(address: &EndpointAddress) -> String {
    match address {
        EndpointAddress::Ip(ip) => ip.to_string(),
        EndpointAddress::Name(name) => name.clone(),
    }
}

/// TLS that a proxy begins towards a host outside.
pub(super) fn outside_tls(tls: &OutsideTls) -> String {
    let OutsideTls { sni, names, ca, client, minimum_version } = tls;
    parts([
        Some(format!(
            "TLS {} or later as {sni} to {}",
            words::tls_version(*minimum_version),
            names.join(" or ")
        )),
        Some(format!("roots of {ca}")),
        client.as_ref().map(|secret| format!("with the certificate of {secret}")),
    ])
}

pub(super) fn health(text: &mut Text, health: &HealthPlan) {
    let HealthPlan { check, sni, host, interval, timeout, unhealthy, healthy } = health;
    let quoted =
        |said: &Option<String>| said.as_ref().map_or(String::from("nothing"), |said| format!("{said:?}"));
    let check = match check {
        CheckPlan::Http { path } => format!("GET {path} of {host}"),
        CheckPlan::Grpc { service } => format!("gRPC health of {service:?} of {host}"),
        CheckPlan::Tcp { send, receive } => {
            format!("a connection, sends {}, expects {}", quoted(send), quoted(receive))
        }
    };
    let (interval, timeout) = (words::duration(*interval), words::duration(*timeout));
    text.line(format!(
        "checked as {sni} every {interval}: {check}, within {timeout}; unhealthy after {unhealthy}, healthy after {healthy}"
    ));
}

pub(super) fn pool(text: &mut Text, pool: &PoolPlan) {
    let PoolPlan {
        max_connections,
        max_pending_requests,
        max_requests,
        connect_timeout,
        retry_budget_percent,
        min_concurrent_retries,
    } = pool;
    let bounds = [*max_connections, *max_pending_requests, *max_requests];
    let connect = words::duration(*connect_timeout);
    if bounds == [u32::MAX; 3] {
        text.line(format!("pool without bounds, connect within {connect}"));
    } else {
        text.line(format!(
            "pool of {max_connections} connections, {max_pending_requests} pending, {max_requests} requests, \
             connect within {connect}, retries {retry_budget_percent}% or {min_concurrent_retries}"
        ));
    }
}

fn group(text: &mut Text, group: &Group) {
    let Group {
        name,
        locality: Locality { region, zone, cluster },
        endpoints,
        balance,
        ejection,
        requests_per_connection,
    } = group;
    let ejection = self::ejection(ejection);
    text.line(parts([
        Some(format!("group {name} in {region}/{zone} of {cluster}, {ejection}")),
        self::balance(*balance),
        requests_per_connection.map(|requests| format!("{requests} requests per connection")),
    ]));
    text.nested(|text| {
        for Endpoint { address, port, weight, copies, serves } in endpoints {
            let address = self::address(address);
            let serves = match serves {
                Serves::Proxy { proxy, listener } => format!("{proxy} {listener}"),
                Serves::App => String::from("application"),
                Serves::RateLimit => String::from("rate-limit service"),
                Serves::External { external, number } => format!("{external}:{number} outside the mesh"),
            };
            text.line(format!("{address}:{port}, weight {weight}, {copies} copies: {serves}"));
        }
    });
}

/// Nothing where endpoints take turns, as they mostly do.
pub(super) fn balance(balance: GroupBalance) -> Option<String> {
    let (how, slow_start) = match balance {
        GroupBalance::RoundRobin { slow_start: None } => return None,
        GroupBalance::RoundRobin { slow_start } => ("in turn", slow_start),
        GroupBalance::LeastRequest { slow_start } => ("the least busy of two", slow_start),
        GroupBalance::Random => ("at random", None),
        GroupBalance::Hash { ring } => return Some(format!("by hash on a ring of {ring}")),
    };
    let slow_start = slow_start.map(|window| format!(", growing for {}", words::duration(window)));
    Some(format!("{how}{}", slow_start.unwrap_or_default()))
}

pub(super) fn ejection(ejection: &Ejection) -> String {
    let (why, EjectionTiming { interval, ejection }) = match ejection {
        Ejection::Never => return String::from("never ejected"),
        Ejection::Pods { judged, most, timing } => {
            let why = match *judged {
                PodFailures::InARow { consecutive, unanswered } => {
                    format!("after {consecutive} failures, or if {} get no answer", share(unanswered))
                }
                PodFailures::ByShare { failed } => format!("if {} fail", share(failed)),
                PodFailures::Compared { deviation, attempts, endpoints } => format!(
                    "if {deviation}/1000 standard deviations worse than at least {endpoints} of at least \
                     {attempts}"
                ),
            };
            let most = if *most == 100 { String::new() } else { format!(" ({most}% at most)") };
            (format!("{why}{most}"), timing)
        }
        Ejection::Gateway { consecutive_connections, failed, timing } => {
            let share = share(*failed);
            (format!("after {consecutive_connections} failed connections, or if {share} fail"), timing)
        }
        Ejection::Connections { consecutive, timing } => {
            (format!("after {consecutive} failed connections"), timing)
        }
    };
    let (interval, ejection) = (words::duration(*interval), words::duration(*ejection));
    format!("ejected {why}, for {ejection}, swept every {interval}")
}

fn share(Share { percent, attempts }: Share) -> String {
    format!("{percent}% of at least {attempts}")
}
