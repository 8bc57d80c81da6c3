//! Bytes to an upstream: several endpoints are tried before the client is given up.

use crate::access_log::Line;
use crate::balance::{Picked, Prefer, Tried, pick};
use crate::connect::{Upward, connect_for_client};
use crate::outlier::Report;
use crate::relay::{Breaks, Counts, End, relay};
use crate::serve::Connection;
use crate::shares::Forwarding;
use crate::upstream::{Endpoint, Held, Spoken, Upstream};
use crate::worker::Worker;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

fn connections(upstream: &Upstream) -> &AtomicU32 {
    &upstream.load.connections
}

fn active(endpoint: &Endpoint) -> &AtomicU32 {
    &endpoint.active
}

/// Forwards a connection until it ends. A client for whom no endpoint is reached is reset: an orderly end would say that
/// it has been served.
pub(crate) async fn forward<S>(worker: &Worker, connection: &Connection, forwarding: &Forwarding, client: S)
where
    S: Breaks,
{
    let mut client = End::new(client);
    let start = Instant::now();
    let mut line = connection.line();
    line.upstream = Some(Arc::clone(&forwarding.upstream));
    let limit = forwarding.upstream.config.pool.max_connections;
    match Held::below(&forwarding.upstream, connections, limit) {
        None => line.flags = "UO",
        Some(_held) => match reach(worker, forwarding, &mut line).await {
            None => {}
            Some((picked, upstream)) => {
                let _active = Held::raise(&picked.endpoint, active);
                let counts = Counts::default();
                let mut upstream = End::new(upstream);
                let relayed = relay(&mut client, &mut upstream, forwarding.idle_timeout, &counts).await;
                drop(upstream);
                let (up, down) = counts.so_far();
                line.bytes = down;
                line.received = Some(up);
                if let Err(error) = relayed {
                    line.flags = "UC";
                    line.details = Some(error.to_string().into());
                }
            }
        },
    }
    line.duration = start.elapsed();
    if let Some(log) = worker.shared.log.load().as_ref() {
        log.write(&line);
    }
}

/// A connection to one of the endpoints.
async fn reach(worker: &Worker, forwarding: &Forwarding, line: &mut Line) -> Option<(Picked, Upward)> {
    let mut tried = Tried::default();
    let metrics = &worker.shared.metrics;
    for attempt in 1..=forwarding.max_connect_attempts {
        line.attempts = Some(attempt);
        let Some(picked) = pick(&forwarding.upstream, &mut tried, Prefer::AnotherEndpoint) else {
            line.flags = "UH";
            return None;
        };
        line.picked = Some(picked.clone());
        let result = connect_for_client(&picked, Spoken::Bytes, metrics).await;
        let name = &forwarding.upstream.name;
        let report = match &result {
            // A connection is the only answer that bytes give.
            Ok(_) => {
                picked.group().iter().for_each(|group| group.count_connected(name, &metrics.attempts));
                Some(Report::Answer(200))
            }
            Err(failure) => {
                line.flags = "UF";
                line.details = Some(failure.message.clone().into());
                metrics.attempts.add(&[name, picked.group_name(), failure.reason], 1);
                failure.is_endpoints().then_some(Report::Unconnected)
            }
        };
        if let Some(report) = report {
            picked.report(report, metrics);
        }
        if let Ok(upstream) = result {
            line.flags = "";
            line.details = None;
            return Some((picked, upstream));
        }
    }
    None
}
