//! Readiness, probes and metrics: listeners that every proxy has.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeSet;

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{Cluster, Id, Probe, Scrape, Service};

use super::context::Context;
use super::upstream;
use crate::{
    AppMetrics, Listener, ListenerKind, MetricsListener, ProbeCheck, Socket, StatusListener, Upstream, paths,
};

/// The readiness and metrics listeners of a gateway.
pub(super) fn gateway(context: &Context<'_>, cluster: Id<Cluster>, origin: &Origin) -> [Listener; 2] {
    listeners(context, cluster, origin, StatusListener::default(), MetricsListener::default())
}

/// Those of a sidecar, which answer for the application too.
pub(super) fn sidecar(context: &Context<'_>, cluster: Id<Cluster>, service: &Service) -> [Listener; 2] {
    let probe = |probe: &Probe| {
        let Probe { origin: _, kind, path, port, timeout } = probe;
        let (path, timeout) = (path.clone(), *timeout);
        ProbeCheck { kind: *kind, upstream: upstream::app_name(*port), path, timeout }
    };
    let probes = service.probes.iter().map(probe);
    let app = service.scrape.as_ref().map(|scrape| {
        let Scrape { origin: _, path, port } = scrape;
        AppMetrics { upstream: upstream::app_name(*port), path: path.clone() }
    });
    let status = StatusListener { probes: probes.collect() };
    listeners(context, cluster, &service.origin, status, MetricsListener { app })
}

/// The application's ports that only probes and metrics need.
pub(super) fn upstreams(context: &Context<'_>, cluster: Id<Cluster>, service: &Service) -> Vec<Upstream> {
    let offered: BTreeSet<u16> = service.ports.iter().map(|port| port.target).collect();
    let asked = service.probes.iter().map(|probe| (probe.port, &probe.origin));
    let asked = asked.chain(service.scrape.iter().map(|scrape| (scrape.port, &scrape.origin)));
    let mut known = offered;
    asked
        .filter(|(port, _)| known.insert(*port))
        .map(|(port, origin)| {
            upstream::app(context, cluster, port, crate::UpstreamProtocol::Http1, crate::Serves::App, origin)
        })
        .collect()
}

fn listeners(
    context: &Context<'_>,
    cluster: Id<Cluster>,
    origin: &Origin,
    status: StatusListener,
    metrics: MetricsListener,
) -> [Listener; 2] {
    let listener = |name: &str, port, kind| Listener {
        name: name.to_owned(),
        address: context.wildcard(cluster, port),
        socket: Socket::Own,
        proxy_protocol: false,
        kind,
        origin: origin.clone(),
    };
    [
        listener("metrics", paths::METRICS_PORT, ListenerKind::Metrics(metrics)),
        listener("readiness", paths::READINESS_PORT, ListenerKind::Readiness(status)),
    ]
}
