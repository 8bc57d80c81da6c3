//! Upstreams as text.

use super::{Text, parts, words};
use crate::{
    Ejection, Endpoint, EndpointAddress, Group, Locality, PoolPlan, Serves, Upstream, UpstreamProtocol,
    UpstreamTls,
};

pub(super) fn dump(text: &mut Text, upstream: &Upstream) {
    let Upstream { name, protocol, groups, tls, pool, origin } = upstream;
    let protocol = match protocol {
        UpstreamProtocol::HttpLikeDownstream => "HTTP like downstream",
        UpstreamProtocol::Http1 => "HTTP/1.1",
        UpstreamProtocol::Http2 => "HTTP/2",
        UpstreamProtocol::Tcp => "bytes",
    };
    text.line(format!("upstream {name}, {protocol}, from {}", origin.name));
    text.nested(|text| {
        if let Some(UpstreamTls { sni, peers }) = tls {
            text.line(format!("mTLS as {sni}"));
            for peer in peers {
                text.line(format!("peer {peer}"));
            }
        }
        self::pool(text, pool);
        for group in groups {
            self::group(text, group);
        }
    });
}

fn pool(text: &mut Text, pool: &PoolPlan) {
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
        ejection,
        requests_per_connection,
    } = group;
    let ejection = match ejection {
        Ejection::Never => String::from("never ejected"),
        Ejection::OnFailures { consecutive, interval, ejection } => {
            let (interval, ejection) = (words::duration(*interval), words::duration(*ejection));
            format!("ejected on {consecutive} failures for {ejection}, swept every {interval}")
        }
        Ejection::OnLocalOrigin { consecutive, interval, ejection } => {
            let (interval, ejection) = (words::duration(*interval), words::duration(*ejection));
            format!("ejected on {consecutive} local-origin failures for {ejection}, swept every {interval}")
        }
    };
    text.line(parts([
        Some(format!("group {name} in {region}/{zone} of {cluster}, {ejection}")),
        requests_per_connection.map(|requests| format!("{requests} requests per connection")),
    ]));
    text.nested(|text| {
        for Endpoint { address, port, weight, copies, serves } in endpoints {
            let address = match address {
                EndpointAddress::Ip(ip) => ip.to_string(),
                EndpointAddress::Name(name) => name.clone(),
            };
            let serves = match serves {
                Serves::Proxy { proxy, listener } => format!("{proxy} {listener}"),
                Serves::App => String::from("application"),
                Serves::RateLimit => String::from("rate-limit service"),
                Serves::External => String::from("outside the mesh"),
            };
            text.line(format!("{address}:{port}, weight {weight}, {copies} copies: {serves}"));
        }
    });
}
