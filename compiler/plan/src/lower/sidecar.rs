//! A sidecar: what its application offers and what it calls.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::sync::Arc;

use lang_diagnostics::Sink;
use meshc_resolve::{Captured, HeldPort};
use meshc_topology::Reach;
use meshc_vocabulary::model::{Capture, Cluster, Id, Mtls, Port, Service, SubsetOf};

use super::context::Context;
use super::policy::rate_limit::{self, Limits};
use super::{Extent, Lowered, inbound, outbound, status, upstream};
use crate::bounds;
use crate::names::FIRST_UNPRIVILEGED_PORT;
use crate::{
    ApplicationPort, Deployment, Identity, Owner, ProxyPlan, RATE_LIMIT_UPSTREAM, RedirectedFor, Role,
    SidecarDeployment,
};

pub(super) fn lower(
    context: &Context<'_>,
    cluster: Id<Cluster>,
    id: Id<Service>,
    reaches: &[Reach],
    sink: &mut Sink,
) -> Lowered {
    let model = context.model;
    let service = model.services.at(id);
    // Limits and calls are those of the whole service, whichever of its pods these are.
    let whole = model.whole(id);
    let limits =
        if takes_requests(service) { rate_limit::of_service(context, whole) } else { Limits::default() };
    let outbound = outbound::lower(context, cluster, whole, reaches, sink);
    let captured = context.resolved.captured_in(id, cluster);
    let calls = outbound.lowest_port.is_some();
    let lowest_privileged_port = outbound.lowest_port.filter(|port| *port < FIRST_UNPRIVILEGED_PORT);

    let mut listeners = outbound.listeners;
    let inbound = inbound::listener(context, cluster, id, &limits, sink);
    let asked = limits.asked();
    listeners.extend(inbound);
    match context.extent {
        Extent::Whole => listeners.extend(status::sidecar(context, cluster, service)),
        Extent::Findings => {}
    }
    listeners.sort_by(|left, right| left.name.cmp(&right.name));
    // There are as many of these lists as proxies, and room for one more listener is most of a kilobyte.
    listeners.shrink_to_fit();

    let mut upstreams = outbound.upstreams;
    match context.extent {
        Extent::Whole => {
            upstreams.extend(inbound::upstreams(context, cluster, id).into_iter().map(Arc::new));
            upstreams.extend(status::upstreams(context, cluster, service).into_iter().map(Arc::new));
            let asked = asked.iter().map(|origin| upstream::rate_limit(context, cluster, origin));
            upstreams.extend(asked.map(Arc::new));
            upstreams.sort_by(|left, right| left.name.cmp(&right.name));
            upstreams.shrink_to_fit();
        }
        Extent::Findings => {}
    }

    let proxy = ProxyPlan {
        name: context.sidecar_name(cluster, id),
        role: Role::Sidecar(id),
        cluster,
        data_plane: model.data_plane(cluster),
        ip_family: model.clusters.at(cluster).ip_family,
        locality: context.locality(cluster),
        identity: Some(Identity {
            spiffe: model.service_identity(id, cluster),
            secret: format!("mesh-id-{}", service.account),
        }),
        listeners,
        upstreams,
        capture: Some(captured.capture()),
        host_aliases: outbound.host_aliases,
        memory: bounds::memory(model.data_plane(cluster)),
        trusted_hops: 0,
        rate_limit_upstream: asked.map(|_| RATE_LIMIT_UPSTREAM.to_owned()),
        deployment: Deployment::Sidecar(deployment(
            context,
            cluster,
            (id, captured),
            calls,
            lowest_privileged_port,
        )),
        origin: service.origin.clone(),
    };
    Lowered { proxy, domains: limits.domains }
}

/// Whether there is anything to limit: requests that the sidecar sees.
fn takes_requests(service: &Service) -> bool {
    service.ports.iter().any(|port| port.protocol.is_http() && port.mtls != Mtls::Off)
}

fn deployment(
    context: &Context<'_>,
    cluster: Id<Cluster>,
    (id, captured): (Id<Service>, Captured<'_>),
    calls: bool,
    lowest_privileged_port: Option<u16>,
) -> SidecarDeployment {
    let service = context.model.services.at(id);
    let replicas = service.presence(cluster).map_or(1, |presence| presence.replicas);
    let Service {
        origin: _,
        name,
        namespace,
        ports,
        account,
        workloads,
        // What it comes to was resolved, with its reason.
        capture: _,
        probes,
        scrape,
        // For readers of the source.
        documentation: _,
        // Where it runs besides, and whom it calls: the topology's.
        clusters: _,
        calls: _,
        // Its callers'.
        vip: _,
        // The proof's.
        max_amplification: _,
        subset_of,
        // None: where there are some, the sidecars are theirs.
        subsets: _,
    } = service;
    let (service_name, subset) = match subset_of {
        Some(SubsetOf { service: _, service_name, name }) => (service_name, Some(name)),
        None => (name, None),
    };
    let port = |port: &Port| {
        let Port { origin, name, number, target, protocol, bind, mtls } = port;
        ApplicationPort {
            name: name.clone(),
            number: *number,
            target: *target,
            protocol: *protocol,
            bind: *bind,
            mtls: *mtls,
            origin: origin.clone(),
        }
    };
    SidecarDeployment {
        owner: if context.model.limiter == Some(id) { Owner::Mesh } else { Owner::User },
        namespace: context.model.namespaces.at(*namespace).name.clone(),
        service: service_name.clone(),
        subset: subset.cloned(),
        account: account.clone(),
        workloads: workloads.clone(),
        replicas,
        ports: ports.iter().map(port).collect(),
        probes: probes.clone(),
        scrape: scrape.clone(),
        redirected_for: match captured {
            Captured::Hindered(HeldPort { call: _, callee: _, port, holder: _ }) => {
                Some(RedirectedFor::HeldPort(port.number))
            }
            Captured::NoLoopback => calls.then_some(RedirectedFor::Ipv6),
            Captured::Declared(_) | Captured::Unhindered => None,
        },
        lowest_privileged_port: match captured.capture() {
            Capture::Loopback => lowest_privileged_port,
            Capture::Redirect => None,
        },
    }
}
