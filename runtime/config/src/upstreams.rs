//! The rules for upstreams.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::identity::spiffe_id;
use crate::rules::Context;
use crate::upstream::{
    Balance, Compared, Endpoint, EndpointHost, FailingAnswers, FailingShare, Group, Health, Outlier, Pool,
    RetryBudget, Tls, Upstream,
};
use crate::{Origination, Path, Period, raw};
use std::time::Duration;

/// How long an unused connection is kept unless the file says otherwise.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// The retries that may run unless the file says otherwise.
const RETRY_BUDGET: RetryBudget = RetryBudget { percent: 20, min_concurrency: 3 };

/// The most often one endpoint may be listed: more would only cost memory.
const MAX_REPEAT: u32 = 64;

impl Upstream {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Upstream, at: &Path) -> Option<Self> {
        let raw::Upstream { protocol, connect_timeout, groups, spill, health, pool, retry_budget } = raw;
        let connect_timeout = cx.some_time(*connect_timeout, &at.field("connect_timeout"));
        let groups_at = at.field("groups");
        if groups.is_empty() {
            cx.wrong(&groups_at, "an upstream without a group can never be reached");
        }
        let names = groups.iter().enumerate();
        cx.unique("group", names.map(|(i, group)| (group.name.as_str(), groups_at.index(i).field("name"))));
        let groups = cx.each(groups, &groups_at, group);
        let health = cx.optional(health.as_ref(), &at.field("health"), |cx, health, at| {
            if raw.groups.iter().any(|group| group.tls.is_none()) {
                cx.wrong(at, "checks go over mutual TLS, and a group has none");
            }
            self::health(cx, health, at)
        });
        let pool = self::pool(cx, pool, &at.field("pool"));
        let budget_at = at.field("retry_budget");
        let retry_budget = cx.optional(retry_budget.as_ref(), &budget_at, self::retry_budget);
        Some(Upstream {
            protocol: *protocol,
            connect_timeout: connect_timeout?.duration(),
            groups: groups?,
            spill: *spill,
            health: health?,
            pool: pool?,
            retry_budget: retry_budget?.unwrap_or(RETRY_BUDGET),
        })
    }
}

fn retry_budget(cx: &mut Context<'_>, raw: &raw::RetryBudget, at: &Path) -> Option<RetryBudget> {
    let raw::RetryBudget { percent, min_concurrency } = *raw;
    if percent > 100 {
        cx.wrong(&at.field("percent"), "must be at most 100");
        return None;
    }
    Some(RetryBudget { percent, min_concurrency })
}

fn group(cx: &mut Context<'_>, raw: &raw::Group, at: &Path) -> Option<Group> {
    let raw::Group {
        name,
        endpoints,
        balance,
        slow_start,
        outlier,
        tls,
        origination,
        requests_per_connection,
    } = raw;
    let name = cx.text(name, &at.field("name"));
    let endpoints_at = at.field("endpoints");
    if endpoints.is_empty() {
        cx.wrong(&endpoints_at, "a group needs an endpoint");
    }
    let endpoints = cx.each(endpoints, &endpoints_at, endpoint);
    let slow_start_at = at.field("slow_start");
    let slow_start = cx.optional(slow_start.as_ref(), &slow_start_at, |cx, time, at| {
        match balance {
            Balance::RoundRobin | Balance::LeastRequest => {}
            Balance::Random | Balance::Hash => cx.wrong(at, "shares grow in turn and by load only"),
        }
        cx.some_time(*time, at)
    });
    let outlier = cx.optional(outlier.as_ref(), &at.field("outlier"), self::outlier);
    let origination_at = at.field("origination");
    if tls.is_some() && origination.is_some() {
        cx.wrong(&origination_at, "excludes `tls`: a connection has one kind of TLS");
    }
    let tls = cx.optional(tls.as_ref(), &at.field("tls"), self::tls);
    let origination = cx.optional(origination.as_ref(), &origination_at, Origination::check);
    let per_connection_at = at.field("requests_per_connection");
    let requests_per_connection =
        cx.optional(requests_per_connection.as_ref(), &per_connection_at, |cx, n, at| cx.positive(*n, at));
    Some(Group {
        name: name?,
        endpoints: endpoints?,
        balance: *balance,
        slow_start: slow_start?.map(Period::duration),
        outlier: outlier?,
        tls: tls?,
        origination: origination?,
        requests_per_connection: requests_per_connection?,
    })
}

fn endpoint(cx: &mut Context<'_>, raw: &raw::Endpoint, at: &Path) -> Option<Endpoint> {
    let raw::Endpoint { host, port, weight, repeat } = raw;
    let found = endpoint_host(host);
    if found.is_none() {
        cx.wrong(&at.field("host"), format!("`{host}` is neither an address nor a name"));
    }
    if *port == 0 {
        cx.wrong(&at.field("port"), "must be between 1 and 65535");
    }
    if repeat.is_some_and(|repeat| repeat > MAX_REPEAT) {
        cx.wrong(&at.field("repeat"), format!("must be at most {MAX_REPEAT}"));
    }
    let weight = cx.positive(weight.unwrap_or(1), &at.field("weight"));
    let repeat = cx.positive(repeat.unwrap_or(1), &at.field("repeat"));
    Some(Endpoint { host: found?, port: *port, weight: weight?, repeat: repeat? })
}

/// An address, or a complete name of labels as RFC 1035 section 2.3.4 bounds them (underscores are in use).
pub(crate) fn endpoint_host(text: &str) -> Option<EndpointHost> {
    if let Ok(address) = text.parse() {
        return Some(EndpointHost::Address(address));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let looks_like_address = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (name.len() <= 253 && !looks_like_address && name.split('.').all(label_ok))
        .then(|| EndpointHost::Name(format!("{name}.")))
}

fn outlier(cx: &mut Context<'_>, raw: &raw::Outlier, at: &Path) -> Option<Outlier> {
    let raw::Outlier {
        failing_answers,
        consecutive_answers,
        consecutive_connections,
        failing_share,
        compared,
        max_ejected,
        interval,
        ejection,
    } = raw;
    let count = |cx: &mut Context<'_>, count: &Option<u32>, name: &str| {
        cx.optional(count.as_ref(), &at.field(name), |cx, count, at| cx.positive(*count, at))
    };
    let answers = count(cx, consecutive_answers, "consecutive_answers");
    let connections = count(cx, consecutive_connections, "consecutive_connections");
    let share = cx.optional(failing_share.as_ref(), &at.field("failing_share"), self::failing_share);
    if let FailingAnswers::Statuses(ranges) = failing_answers
        && !ranges.iter().all(|(first, last)| 100 <= *first && first <= last && *last < 600)
    {
        cx.wrong(&at.field("failing_answers"), "a status is between 100 and 599, and a range goes upwards");
    }
    let compared = cx.optional(compared.as_ref(), &at.field("compared"), self::compared);
    let max_ejected = cx.optional(max_ejected.as_ref(), &at.field("max_ejected"), |cx, percent, at| {
        if *percent > 100 {
            cx.wrong(at, "must be at most 100");
        }
        Some(*percent)
    });
    let interval = cx.some_time(*interval, &at.field("interval"));
    let ejection = cx.some_time(*ejection, &at.field("ejection"));
    if consecutive_answers.is_none()
        && consecutive_connections.is_none()
        && failing_share.is_none()
        && raw.compared.is_none()
    {
        cx.wrong(
            at,
            "no reason to eject: name `consecutive_answers`, `consecutive_connections`, `failing_share` or `compared`",
        );
    }
    Some(Outlier {
        failing_answers: failing_answers.clone(),
        consecutive_answers: answers?,
        consecutive_connections: connections?,
        failing_share: share?,
        compared: compared?,
        max_ejected: max_ejected?,
        interval: interval?.duration(),
        ejection: ejection?.duration(),
    })
}

fn compared(cx: &mut Context<'_>, raw: &Compared, at: &Path) -> Option<Compared> {
    let Compared { deviation, attempts, endpoints } = *raw;
    let attempts = cx.positive(attempts, &at.field("attempts"));
    if endpoints < 2 {
        cx.wrong(&at.field("endpoints"), "must be at least 2");
    }
    Some(Compared { deviation, attempts: attempts?, endpoints })
}

fn failing_share(cx: &mut Context<'_>, raw: &raw::FailingShare, at: &Path) -> Option<FailingShare> {
    let raw::FailingShare { percent, attempts, answers } = *raw;
    let attempts = cx.positive(attempts, &at.field("attempts"));
    if !(1..=100).contains(&percent) {
        cx.wrong(&at.field("percent"), "must be between 1 and 100");
    }
    Some(FailingShare { percent, attempts: attempts?, answers })
}

fn health(cx: &mut Context<'_>, raw: &raw::Health, at: &Path) -> Option<Health> {
    let raw::Health { check, sni, interval, timeout, unhealthy, healthy } = raw;
    match check {
        raw::Check::Http { host, path } => {
            let at = at.field("check").field("http");
            cx.text(host, &at.field("host"));
            if !path.starts_with('/') {
                cx.wrong(&at.field("path"), format!("`{path}` does not begin with `/`"));
            }
        }
        raw::Check::Grpc { host, service: _ } => {
            cx.text(host, &at.field("check").field("grpc").field("host"));
        }
        raw::Check::Tcp { send: _, receive: _ } => {}
    }
    let sni = self::sni(cx, sni, &at.field("sni"));
    let interval = cx.some_time(*interval, &at.field("interval"));
    let timeout = cx.some_time(*timeout, &at.field("timeout"));
    let unhealthy = cx.positive(*unhealthy, &at.field("unhealthy"));
    let healthy = cx.positive(*healthy, &at.field("healthy"));
    Some(Health {
        check: check.clone(),
        sni: sni?,
        interval: interval?.duration(),
        timeout: timeout?.duration(),
        unhealthy: unhealthy?,
        healthy: healthy?,
    })
}

fn tls(cx: &mut Context<'_>, raw: &raw::Tls, at: &Path) -> Option<Tls> {
    let raw::Tls { sni, peers } = raw;
    let sni = self::sni(cx, sni, &at.field("sni"));
    if peers.is_empty() {
        cx.wrong(&at.field("peers"), "without a peer's identity, any workload could answer");
    }
    let peers = cx.each(peers, &at.field("peers"), |cx, peer, at| spiffe_id(cx, peer, at));
    Some(Tls { sni: sni?, peers: peers? })
}

/// An SNI value in lower case, which is a name and never an address (RFC 6066 section 3).
pub(crate) fn sni(cx: &mut Context<'_>, text: &str, at: &Path) -> Option<String> {
    match endpoint_host(text) {
        Some(EndpointHost::Name(name)) if !text.ends_with('.') => Some(name.trim_end_matches('.').to_owned()),
        Some(EndpointHost::Name(_) | EndpointHost::Address(_)) | None => {
            cx.wrong(at, format!("`{text}` is not a server name without a final dot"));
            None
        }
    }
}

fn pool(cx: &mut Context<'_>, raw: &raw::Pool, at: &Path) -> Option<Pool> {
    let raw::Pool { max_connections, max_pending, max_requests, idle_timeout } = raw;
    let max_connections = cx.positive(*max_connections, &at.field("max_connections"));
    let max_requests = cx.positive(*max_requests, &at.field("max_requests"));
    Some(Pool {
        max_connections: max_connections?,
        max_pending: *max_pending,
        max_requests: max_requests?,
        idle_timeout: idle_timeout.map_or(IDLE_TIMEOUT, Period::duration),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_complete_name() {
        assert!(matches!(endpoint_host("10.0.0.1"), Some(EndpointHost::Address(_))));
        assert!(matches!(endpoint_host("::1"), Some(EndpointHost::Address(_))));
        assert_eq!(
            endpoint_host("Catalog-mesh.shop.svc.cluster.local"),
            Some(EndpointHost::Name("catalog-mesh.shop.svc.cluster.local.".into()))
        );
        assert_eq!(endpoint_host("a."), endpoint_host("a"));
        for bad in ["", ".", "a..b", "-a", "a-", "10.0.0", "999.0.0.1", "a b", &"x".repeat(64)] {
            assert_eq!(endpoint_host(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_sni_of_every_hop_is_a_name() {
        assert!(endpoint_host("outbound_.80_._.catalog.istioinaction.svc.cluster.local").is_some());
    }
}
