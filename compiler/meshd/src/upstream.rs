//! What the proxy connects to.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{
    CheckPlan, Ejection, EjectionTiming, Endpoint, FailingAnswers, Group, GroupBalance, HealthPlan,
    PodFailures, PoolPlan, Share, Spill, Upstream, UpstreamProtocol, UpstreamTls, paths,
};
use meshc_vocabulary::model::{OutsideTls, TlsVersion};
use meshd_config::{Period, raw};
use std::time::Duration;

use crate::placed::Placed;

/// One upstream.
pub(crate) fn render(placed: &Placed<'_>, upstream: &Upstream) -> raw::Upstream {
    let Upstream { name: _, protocol, groups, spill, failing_answers, tls, health, pool, origin: _ } =
        upstream;
    let PoolPlan {
        max_connections,
        max_pending_requests,
        max_requests,
        connect_timeout,
        retry_budget_percent,
        min_concurrent_retries,
    } = *pool;
    let tls = tls.as_ref();
    raw::Upstream {
        protocol: match protocol {
            UpstreamProtocol::HttpLikeDownstream => raw::Protocol::Downstream,
            UpstreamProtocol::Http1 => raw::Protocol::Http1,
            UpstreamProtocol::Http2 => raw::Protocol::Http2,
            // No request is ever sent to it, so what HTTP would be spoken does not matter.
            UpstreamProtocol::Tcp => raw::Protocol::Downstream,
        },
        connect_timeout: Period::from(connect_timeout),
        spill: match spill {
            Spill::WhenEmpty => raw::Spill::WhenEmpty,
            Spill::ByShare => raw::Spill::ByShare,
        },
        groups: groups.iter().map(|group| self::group(placed, group, failing_answers, tls)).collect(),
        health: health.as_ref().map(self::health),
        pool: raw::Pool {
            max_connections,
            max_pending: max_pending_requests,
            max_requests,
            idle_timeout: None,
        },
        retry_budget: Some(raw::RetryBudget {
            percent: retry_budget_percent,
            min_concurrency: min_concurrent_retries,
        }),
    }
}

fn group(
    placed: &Placed<'_>,
    group: &Group,
    answers: &FailingAnswers,
    tls: Option<&UpstreamTls>,
) -> raw::Group {
    // meshd has no locality but the order of the groups.
    let Group { name, locality: _, endpoints, balance, ejection, requests_per_connection } = group;
    let (balance, slow_start) = self::balance(*balance);
    raw::Group {
        name: name.clone(),
        endpoints: placed.found(endpoints).map(|one| endpoint(placed, one)).collect(),
        balance,
        slow_start: slow_start.map(Period::from),
        outlier: outlier(ejection, answers),
        tls: tls.and_then(self::mutual),
        origination: tls.and_then(|tls| self::origination(placed, tls)),
        requests_per_connection: *requests_per_connection,
    }
}

/// Who is next, and for how long the share of a new endpoint grows.
const fn balance(balance: GroupBalance) -> (raw::Balance, Option<Duration>) {
    match balance {
        GroupBalance::RoundRobin { slow_start } => (raw::Balance::RoundRobin, slow_start),
        GroupBalance::LeastRequest { slow_start } => (raw::Balance::LeastRequest, slow_start),
        GroupBalance::Random => (raw::Balance::Random, None),
        // meshd compares endpoints with each other for each request, and has no ring.
        GroupBalance::Hash { ring: _ } => (raw::Balance::Hash, None),
    }
}

fn mutual(tls: &UpstreamTls) -> Option<raw::Tls> {
    match tls {
        UpstreamTls::Mutual { sni, peers } => {
            Some(raw::Tls { sni: sni.clone(), peers: peers.iter().map(ToString::to_string).collect() })
        }
        UpstreamTls::Outside(_) => None,
    }
}

fn origination(placed: &Placed<'_>, tls: &UpstreamTls) -> Option<raw::Origination> {
    let OutsideTls { sni, names, ca, client, minimum_version } = match tls {
        UpstreamTls::Mutual { sni: _, peers: _ } => return None,
        UpstreamTls::Outside(outside) => outside,
    };
    let file = |secret: &str, name: &str| placed.path(&format!("{}/{secret}/{name}", paths::OUTSIDE_TLS));
    Some(raw::Origination {
        sni: sni.clone(),
        names: names.clone(),
        ca: file(ca, "ca.crt"),
        certificate: client.as_ref().map(|secret| raw::KeyPair {
            certificate: file(secret, "tls.crt"),
            private_key: file(secret, "tls.key"),
        }),
        min_version: match minimum_version {
            TlsVersion::Tls12 => raw::TlsVersion::Tls12,
            TlsVersion::Tls13 => raw::TlsVersion::Tls13,
        },
    })
}

fn health(health: &HealthPlan) -> raw::Health {
    let HealthPlan { check, sni, host, interval, timeout, unhealthy, healthy } = health;
    let host = host.clone();
    raw::Health {
        check: match check {
            CheckPlan::Http { path } => raw::Check::Http { host, path: path.clone() },
            CheckPlan::Grpc { service } => raw::Check::Grpc { host, service: service.clone() },
            CheckPlan::Tcp { send, receive } => {
                raw::Check::Tcp { send: send.clone(), receive: receive.clone() }
            }
        },
        sni: sni.clone(),
        interval: Period::from(*interval),
        timeout: Period::from(*timeout),
        unhealthy: *unhealthy,
        healthy: *healthy,
    }
}

fn endpoint(placed: &Placed<'_>, endpoint: &Endpoint) -> raw::Endpoint {
    // Where it is depends on the placement.
    let Endpoint { address: _, port: _, weight, copies, serves: _ } = endpoint;
    let (host, port) = placed.connect(endpoint);
    raw::Endpoint { host, port, weight: Some(*weight), repeat: Some(*copies) }
}

fn outlier(ejection: &Ejection, answers: &FailingAnswers) -> Option<raw::Outlier> {
    let failing_answers = match answers {
        FailingAnswers::GatewayErrors => raw::FailingAnswers::GatewayErrors,
        FailingAnswers::ServerErrors => raw::FailingAnswers::ServerErrors,
        FailingAnswers::Statuses(ranges) => raw::FailingAnswers::Statuses(ranges.clone()),
    };
    match ejection {
        Ejection::Never => None,
        Ejection::Pods { judged, most, timing } => {
            let outlier = match *judged {
                PodFailures::InARow { consecutive, unanswered } => raw::Outlier {
                    consecutive_answers: Some(consecutive),
                    consecutive_connections: Some(consecutive),
                    failing_share: Some(share(unanswered, false)),
                    ..judged_at(timing)
                },
                PodFailures::ByShare { failed } => {
                    raw::Outlier { failing_share: Some(share(failed, true)), ..judged_at(timing) }
                }
                PodFailures::Compared { deviation, attempts, endpoints } => raw::Outlier {
                    compared: Some(raw::Compared { deviation, attempts, endpoints }),
                    ..judged_at(timing)
                },
            };
            Some(raw::Outlier { failing_answers, max_ejected: (*most < 100).then_some(*most), ..outlier })
        }
        Ejection::Gateway { consecutive_connections, failed, timing } => Some(raw::Outlier {
            failing_answers,
            consecutive_connections: Some(*consecutive_connections),
            failing_share: Some(share(*failed, true)),
            ..judged_at(timing)
        }),
        Ejection::Connections { consecutive, timing } => {
            Some(raw::Outlier { consecutive_connections: Some(*consecutive), ..judged_at(timing) })
        }
    }
}

fn judged_at(timing: &EjectionTiming) -> raw::Outlier {
    let EjectionTiming { interval, ejection } = *timing;
    raw::Outlier {
        failing_answers: raw::FailingAnswers::None,
        consecutive_answers: None,
        consecutive_connections: None,
        failing_share: None,
        compared: None,
        max_ejected: None,
        interval: Period::from(interval),
        ejection: Period::from(ejection),
    }
}

const fn share(share: Share, answers: bool) -> raw::FailingShare {
    let Share { percent, attempts } = share;
    raw::FailingShare { percent, attempts, answers }
}
