//! What is so of calls of a callee.

use meshc_plan::{
    Endpoint, Group, GroupBalance, Locality, Serves, Spill, Upstream, UpstreamProtocol, UpstreamTls, phrases,
};

use crate::changes::Facts;
use crate::effect::Risk;
use crate::side::Side;

pub(super) fn tell(side: &Side<'_, '_>, owner: &str, upstream: &Upstream, facts: &mut Facts) {
    let Upstream { name, protocol, groups, spill, failing_answers, tls, health, pool, origin: _ } = upstream;
    let subject = match side.upstream(name) {
        Some(callee) => format!("{owner} -> {callee}"),
        // The application itself.
        None if name.starts_with("app:") => format!("{owner}'s application"),
        None => return,
    };
    let subject = subject.as_str();
    let order: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let is_call = side.upstream(name).is_some();
    // Hosts outside have addresses of their own.
    let is_inside = groups.iter().flat_map(|group| &group.endpoints).any(|endpoint| match endpoint.serves {
        Serves::Proxy { .. } => true,
        Serves::App | Serves::RateLimit | Serves::External { .. } => false,
    });
    if is_call && is_inside {
        facts.tell(Risk::Routing, subject, "order of clusters", order.join(", then "));
    }
    match spill {
        Spill::WhenEmpty => {}
        Spill::ByShare => facts.tell(Risk::Routing, subject, "spill", "hands on before it is empty"),
    }
    if is_call {
        facts.tell(
            Risk::Resilience,
            subject,
            "answers that are failures",
            phrases::failing_answers(failing_answers),
        );
    }
    match tls {
        // Follows from the callee's name and identities.
        Some(UpstreamTls::Mutual { sni: _, peers: _ }) => {}
        Some(UpstreamTls::Outside(outside)) => {
            facts.tell(Risk::Trust, subject, "TLS to the outside", phrases::outside_tls(outside));
        }
        None if is_call => facts.tell(Risk::Mtls, subject, "TLS", "none"),
        None => {}
    }
    facts.tell_if(Risk::Resilience, subject, "health check", health.as_ref().map(phrases::health));
    facts.tell(Risk::Resilience, subject, "pool", phrases::pool(pool));
    for group in groups {
        self::group(facts, subject, *protocol, group, is_call && is_inside);
    }
}

fn group(facts: &mut Facts, subject: &str, protocol: UpstreamProtocol, group: &Group, is_call: bool) {
    let Group {
        name,
        // That of the cluster.
        locality: Locality { region: _, zone: _, cluster: _ },
        endpoints,
        balance,
        ejection,
        requests_per_connection,
    } = group;
    if is_call {
        // A group that comes or goes is told by the order.
        facts.tell(Risk::Routing, &format!("{subject} in {name}"), "endpoints", self::endpoints(endpoints));
    }
    // By where the endpoints are, and not by how they are ejected: that may be never.
    let of = match protocol {
        UpstreamProtocol::Tcp => "connections",
        UpstreamProtocol::HttpLikeDownstream | UpstreamProtocol::Http1 | UpstreamProtocol::Http2 => {
            if endpoints.iter().any(is_gateway) {
                "gateways on the way"
            } else {
                "pods"
            }
        }
    };
    let own = format!("{subject}, {of}");
    facts.tell(Risk::Resilience, &own, "ejection", phrases::ejection(ejection));
    // What is seen of a callee through a gateway is its gateway.
    let is_plain = matches!(balance, GroupBalance::RoundRobin { slow_start: None });
    if !is_plain {
        facts.tell_if(Risk::Routing, subject, "balancing", phrases::balance(*balance));
    }
    facts.tell_if(
        Risk::Resilience,
        &own,
        "requests for each connection",
        requests_per_connection.map(|requests| requests.to_string()),
    );
}

fn is_gateway(endpoint: &Endpoint) -> bool {
    match &endpoint.serves {
        Serves::Proxy { proxy, listener: _ } => proxy.path.starts_with("gateways/"),
        Serves::App | Serves::RateLimit | Serves::External { .. } => false,
    }
}

fn endpoints(endpoints: &[Endpoint]) -> String {
    let shares = shares(endpoints.iter().map(|endpoint| endpoint.weight));
    let one = |(endpoint, share): (&Endpoint, u32)| {
        let Endpoint {
            address,
            port,
            weight: _,
            // So many as to spread requests evenly over the pods behind a gateway.
            copies: _,
            // Follows from the address.
            serves: _,
        } = endpoint;
        let share = if endpoints.len() > 1 { format!(" x{share}") } else { String::new() };
        format!("{}:{port}{share}", phrases::address(address))
    };
    endpoints.iter().zip(shares).map(one).collect::<Vec<_>>().join(", ")
}

/// Weights without what all have in common.
pub(super) fn shares(weights: impl Iterator<Item = u32> + Clone) -> Vec<u32> {
    let common = weights.clone().fold(0, common).max(1);
    weights.map(|weight| weight / common).collect()
}

fn common(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { common(other, one % other) }
}
