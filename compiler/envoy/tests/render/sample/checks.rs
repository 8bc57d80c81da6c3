//! Upstreams that are checked, each in another way.

use std::time::Duration;

use meshc_plan::{CheckPlan, HealthPlan, Upstream, UpstreamProtocol, check_sni};

/// Has the first three checked: over HTTP, over gRPC, and with bytes.
pub(super) fn checked(upstreams: &mut [Upstream]) {
    let checks = [
        CheckPlan::Http { path: "/healthz".to_owned() },
        CheckPlan::Grpc { service: "shop.Cart".to_owned() },
        CheckPlan::Tcp { send: Some("PING\r\n".to_owned()), receive: Some("PONG".to_owned()) },
    ];
    // What Envoy asks over gRPC has to speak HTTP/2.
    let spoken = [UpstreamProtocol::HttpLikeDownstream, UpstreamProtocol::Http2, UpstreamProtocol::Tcp];
    for ((upstream, check), protocol) in upstreams.iter_mut().zip(checks).zip(spoken) {
        upstream.protocol = protocol;
        upstream.health = Some(HealthPlan {
            check,
            sni: check_sni("checked", None, "istioinaction", 80),
            host: "checked.istioinaction".to_owned(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            unhealthy: 3,
            healthy: 2,
        });
    }
}
