//! West's egress gateway, which passes on TLS for some names, and bytes.

use std::time::Duration;

use meshc_plan::{
    AppPort, Carried, Endpoint, EndpointAddress, InboundChain, InboundListener, InboundProtocol,
    ListenerKind, PeerCheck, ProxyPlan, Role, Serves, Upstream, UpstreamProtocol, sni,
};
use meshc_vocabulary::model::Table;

use super::build::{gateway_plan, group, identity, listener, metrics, origin, readiness, shared, upstream};

pub(crate) fn egress() -> ProxyPlan {
    let names = ["api.pay.example", "*.eu.pay.example"].map(str::to_owned).to_vec();
    let tls = InboundProtocol::Tls { names, hello_timeout: Duration::from_secs(5), connect_attempts: 2 };
    let chains = vec![chain(443, tls), chain(5432, InboundProtocol::Tcp { connect_attempts: 2 })];
    let mut plan = gateway_plan("west", "egress");
    plan.role = Role::EgressGateway(Table::default().next_id());
    plan.identity = Some(identity("mesh-system", "west-egress"));
    plan.listeners = vec![
        listener("egress", "0.0.0.0:15443", ListenerKind::Inbound(InboundListener { chains })),
        metrics(),
        readiness(Vec::new()),
    ];
    plan.upstreams = shared(vec![pay(443), pay(5432)]);
    plan
}

fn chain(port: u16, protocol: InboundProtocol) -> InboundChain {
    InboundChain {
        sni: sni("pay", None, "shop", port),
        subset_sni: None,
        peers: PeerCheck::Exactly(vec![identity("shop", "web").spiffe]),
        protocol,
        plain: None,
        app: AppPort { upstream: format!("pay.shop:{port}"), port },
        carries: Carried::Calls,
        origin: origin("pay"),
    }
}

fn pay(port: u16) -> Upstream {
    let endpoint = Endpoint {
        address: EndpointAddress::Name("api.pay.example".to_owned()),
        port,
        weight: 1,
        copies: 1,
        serves: Serves::External { external: "shop.pay".to_owned(), number: port },
    };
    upstream(&format!("pay.shop:{port}"), UpstreamProtocol::Tcp, vec![group("west", vec![endpoint])])
}
