//! `health`: how callers check endpoints, and where the callee's sidecar takes the checks.
//!
//! Checks have a server name and a chain of their own. What is opened there to the declared callers is the check and
//! nothing else, so no rule about requests has to be weakened, and the callee's limits and logs see calls only.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::policy::{Health, HealthCheck};
use meshc_vocabulary::model::{Callee, Cluster, HttpMatch, Id, PathMatch, Port, Service};

use super::authorization::Admission;
use super::{AtCallee, AtCaller};
use crate::filter::Filter;
use crate::lower::context::Context;
use crate::lower::upstream;
use crate::{
    AccessRequests, AccessRule, AppPort, Authorization, Carried, CheckPlan, HealthPlan, InboundChain,
    InboundProtocol, PeerCheck, Principal, Told, check_sni,
};

/// The path of every gRPC health check. Source: the protocol of gRPC's health checking.
const GRPC_PATH: &str = "/grpc.health.v1.Health/Check";

/// How a callee's port is checked, if it is.
pub(in crate::lower) fn plan(context: &Context<'_>, service: Id<Service>, port: &Port) -> Option<HealthPlan> {
    let callee = Callee::Service(service);
    let called = context.called(callee);
    let Health { origin: _, check, interval, timeout, unhealthy, healthy } =
        AtCaller::of(context, callee).health.filter(|health| health.check.value.suits(port.protocol))?;
    Some(HealthPlan {
        check: match &check.value {
            HealthCheck::Off => return None,
            HealthCheck::Http { path } => CheckPlan::Http { path: path.clone() },
            HealthCheck::Grpc { service } => CheckPlan::Grpc { service: service.clone() },
            HealthCheck::Tcp { send, receive } => {
                CheckPlan::Tcp { send: send.clone(), receive: receive.clone() }
            }
        },
        sni: check_sni(called.service, called.subset, called.namespace, port.number),
        host: format!("{}.{}", called.service, called.namespace),
        interval: *interval,
        timeout: *timeout,
        unhealthy: *unhealthy,
        healthy: *healthy,
    })
}

/// Where the pods of a service take the checks of a port: those of its callers, and for a subset also those of whoever
/// calls the whole service.
pub(in crate::lower) fn chains(
    context: &Context<'_>,
    cluster: Id<Cluster>,
    id: Id<Service>,
    position: usize,
    app_http2: bool,
) -> Vec<InboundChain> {
    let whole = context.model.whole(id);
    let subset = (whole != id).then_some(id);
    [whole]
        .into_iter()
        .chain(subset)
        .filter_map(|id| chain(context, cluster, id, position, app_http2))
        .collect()
}

fn chain(
    context: &Context<'_>,
    cluster: Id<Cluster>,
    id: Id<Service>,
    position: usize,
    app_http2: bool,
) -> Option<InboundChain> {
    let port = context.model.services.at(id).ports.get(position)?;
    let AtCallee { health, allow: _, deny: _, audited_allow: _, audited_deny: _, rate_limits: _ } =
        AtCallee::of(context, id);
    let check = &health.filter(|health| health.check.value.suits(port.protocol))?.check.value;
    let access = Admission::new(context, cluster, id, position, port);
    let callers = access.callers();
    if callers.is_empty() {
        return None;
    }
    let requests = |path: &str, method: &str| AccessRequests {
        matches: vec![HttpMatch {
            path: PathMatch::Exact(path.to_owned()),
            methods: vec![method.to_owned()],
            ..HttpMatch::EVERYTHING
        }],
        ..AccessRequests::default()
    };
    let only = |requests: Option<AccessRequests>| InboundProtocol::Http {
        app_http2,
        upgrades: Vec::new(),
        vouching: Vec::new(),
        told: Told::Nothing,
        retry: None,
        filters: vec![Filter::Authorize(Authorization {
            deny: Vec::new(),
            allow: requests
                .into_iter()
                .map(|requests| AccessRule {
                    name: String::from("check"),
                    principals: callers.iter().cloned().map(Principal::Identity).collect(),
                    requests,
                    except: Vec::new(),
                    origin: port.origin.clone(),
                })
                .collect(),
        })],
    };
    let (peers, protocol) = match check {
        HealthCheck::Off => return None,
        HealthCheck::Http { path } => {
            (PeerCheck::Exactly(callers.clone()), only(Some(requests(path, "GET"))))
        }
        HealthCheck::Grpc { service: _ } => {
            (PeerCheck::Exactly(callers.clone()), only(Some(requests(GRPC_PATH, "POST"))))
        }
        // Bytes would pass the rules about requests, so the handshake is all that there is.
        HealthCheck::Tcp { send: _, receive: _ } if port.protocol.is_http() => {
            (PeerCheck::Exactly(callers.clone()), only(None))
        }
        HealthCheck::Tcp { send: _, receive: _ } => {
            (access.peers_of_connections(), InboundProtocol::Tcp { connect_attempts: 1 })
        }
    };
    let called = context.called(Callee::Service(id));
    Some(InboundChain {
        sni: check_sni(called.service, called.subset, called.namespace, port.number),
        subset_sni: None,
        peers,
        protocol,
        plain: None,
        app: AppPort { upstream: upstream::app_name(port.target), port: port.target },
        carries: Carried::Checks,
        origin: port.origin.clone(),
    })
}
