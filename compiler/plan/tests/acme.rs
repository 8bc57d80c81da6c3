//! The plan of the two-cluster example, proxy by proxy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use meshc_plan::filter::Filter;
use meshc_plan::{
    Ejection, Elsewhere, EndpointAddress, HttpAction, InboundProtocol, Listener, ListenerKind, PeerCheck,
    Plan, PodFailures, Principal, ProxyPlan, Serves, Upstream, UpstreamTls,
};
use support::compile;

const ACME: &str = include_str!("../../../tests/golden/plan/acme/mesh.mesh");

fn proxy<'a>(plan: &'a Plan, name: &str) -> &'a ProxyPlan {
    plan.proxies.iter().find(|proxy| proxy.name.to_string() == name).unwrap()
}

fn listener<'a>(proxy: &'a ProxyPlan, name: &str) -> &'a Listener {
    proxy.listeners.iter().find(|listener| listener.name == name).unwrap()
}

fn upstream<'a>(proxy: &'a ProxyPlan, name: &str) -> &'a Upstream {
    proxy.upstreams.iter().find(|upstream| upstream.name == name).unwrap()
}

#[test]
fn every_proxy_has_a_plan_in_order_of_name() {
    let names: Vec<_> = compile(ACME).unwrap().proxies.iter().map(|proxy| proxy.name.to_string()).collect();
    let expected = [
        "east/gateways/eastwest",
        "east/sidecars/istioinaction/catalog",
        "east/sidecars/istioinaction/simple-backend",
        "west/gateways/eastwest",
        "west/gateways/ingress",
        "west/sidecars/istioinaction/simple-backend",
        "west/sidecars/istioinaction/webapp",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_caller_reaches_a_remote_service_at_a_virtual_address_through_the_other_gateway() {
    let plan = compile(ACME).unwrap();
    let webapp = proxy(&plan, "west/sidecars/istioinaction/webapp");
    let (address, names) = &webapp.host_aliases[0];
    let expected = [
        "catalog",
        "catalog.istioinaction",
        "catalog.istioinaction.svc",
        "catalog.istioinaction.svc.cluster.local",
    ];
    assert_eq!(**names, expected);
    let outbound = listener(webapp, "outbound_istioinaction_catalog_80");
    assert_eq!(outbound.address.to_string(), format!("{address}:80"));
    let ListenerKind::Http(http) = &outbound.kind else { panic!("not HTTP") };
    assert_eq!(*http.virtual_hosts[0].hosts, ["*"], "whatever the application calls it");

    let catalog = upstream(webapp, "catalog.istioinaction:80");
    let Some(UpstreamTls::Mutual { sni, peers }) = &catalog.tls else { panic!("no mTLS") };
    assert_eq!(sni, "outbound_.80_._.catalog.istioinaction.svc.cluster.local");
    assert_eq!(peers[0].to_string(), "spiffe://cluster.local/ns/istioinaction/sa/catalog");
    let group = &catalog.groups[0];
    let endpoint = &group.endpoints[0];
    assert_eq!(endpoint.address, EndpointAddress::Ip("172.18.255.202".parse().unwrap()));
    assert_eq!((endpoint.port, endpoint.copies, group.requests_per_connection), (15443, 8, Some(100)));
    let Serves::Proxy { proxy, listener } = &endpoint.serves else { panic!("not a proxy") };
    assert_eq!((proxy.to_string().as_str(), listener.as_str()), ("east/gateways/eastwest", "eastwest"));
    assert!(matches!(group.ejection, Ejection::Gateway { consecutive_connections: 3, .. }));
}

#[test]
fn the_ingress_prefers_its_own_cluster_and_fails_over_to_the_other() {
    let plan = compile(ACME).unwrap();
    let ingress = proxy(&plan, "west/gateways/ingress");
    let http = listener(ingress, "ingress_http");
    assert_eq!(http.address.to_string(), "0.0.0.0:8080");
    let backend = upstream(ingress, "simple-backend.istioinaction:80");
    let names: Vec<_> = backend.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["west", "east"]);
    assert!(matches!(
        backend.groups[0].ejection,
        Ejection::Pods { judged: PodFailures::InARow { consecutive: 1, .. }, .. }
    ));
    let local = EndpointAddress::Name(String::from("simple-backend-mesh.istioinaction.svc.cluster.local"));
    assert_eq!(backend.groups[0].endpoints[0].address, local);
    let ListenerKind::Http(http) = &http.kind else { panic!("not HTTP") };
    let HttpAction::Forward { retry, .. } = &http.virtual_hosts[0].routes[0].action else {
        panic!("not sent on")
    };
    assert!(http.edge && retry.elsewhere == Elsewhere::AtOnce && retry.attempts == 3);
}

#[test]
fn the_east_west_gateway_passes_on_what_has_callers_outside_and_nothing_else() {
    let plan = compile(ACME).unwrap();
    let exported = |name: &str| {
        let proxy = proxy(&plan, name);
        assert_eq!(proxy.identity, None);
        let ListenerKind::PassThrough(pass) = &listener(proxy, "eastwest").kind else {
            panic!("no pass-through")
        };
        pass.chains.iter().map(|chain| chain.names.join(" ")).collect::<Vec<_>>()
    };
    let sni = |service: &str| format!("outbound_.80_._.{service}.istioinaction.svc.cluster.local");
    assert_eq!(exported("east/gateways/eastwest"), [sni("catalog"), sni("simple-backend")]);
    assert!(exported("west/gateways/eastwest").is_empty());
}

#[test]
fn a_callee_admits_its_declared_callers_and_allow_narrows_them() {
    let plan = compile(ACME).unwrap();
    let admitted = |name: &str| {
        let ListenerKind::Inbound(inbound) = &listener(proxy(&plan, name), "inbound").kind else {
            panic!("not inbound")
        };
        let chain = &inbound.chains[0];
        assert_eq!(chain.peers, PeerCheck::TrustDomains(vec![String::from("cluster.local")]));
        let InboundProtocol::Http { filters, .. } = &chain.protocol else { panic!("not HTTP") };
        let [Filter::Authorize(authorization), ..] = filters.as_slice() else { panic!("not authorised") };
        let principals = authorization.allow.iter().flat_map(|rule| &rule.principals);
        principals
            .map(|principal| match principal {
                Principal::Identity(id) => id.to_string(),
                Principal::Namespace { .. } | Principal::Client(_) | Principal::Anyone => panic!("too wide"),
            })
            .collect::<Vec<_>>()
    };
    let webapp = "spiffe://cluster.local/ns/istioinaction/sa/webapp";
    let ingress = "spiffe://cluster.local/ns/mesh-system/sa/west-ingress";
    assert_eq!(admitted("east/sidecars/istioinaction/catalog"), [webapp]);
    assert_eq!(admitted("west/sidecars/istioinaction/webapp"), [ingress]);
    assert_eq!(admitted("east/sidecars/istioinaction/simple-backend"), [ingress]);
}
