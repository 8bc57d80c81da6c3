//! Bytes to an upstream: several endpoints are tried before the client is given up.

use crate::access_log::Line;
use crate::balance::{Picked, Prefer, Tried, pick};
use crate::connect::{Upward, connect_for_bytes};
use crate::outlier::Report;
use crate::relay::{Breaks, Counts, End, relay};
use crate::serve::Connection;
use crate::shares::Forwarding;
use crate::upstream::{Endpoint, Held, Upstream};
use crate::worker::Worker;
use std::borrow::Cow;
use std::rc::Rc;
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
pub(crate) async fn forward<S>(
    worker: Rc<Worker>,
    connection: Connection,
    forwarding: Arc<Forwarding>,
    mut client: End<S>,
) where
    S: Breaks,
{
    let start = Instant::now();
    let listener = connection.slot.state.load_full();
    let mut told = Told::default();
    let limit = forwarding.upstream.config.pool.max_connections;
    match Held::below(&forwarding.upstream, connections, limit) {
        None => told.flags = "UO",
        Some(_held) => match Box::pin(reach(&worker, &forwarding, client.come(), &mut told)).await {
            None => {}
            Some((endpoint, mut upstream, sent)) => {
                let _active = Held::raise(&endpoint, active);
                let counts = Counts::beginning(&mut client, sent);
                let relayed = relay(&mut client, &mut upstream, forwarding.idle_timeout, &counts).await;
                drop(upstream);
                told.bytes = Some(counts.so_far());
                if let Err(error) = relayed {
                    told.flags = "UC";
                    told.details = Some(error.to_string());
                }
            }
        },
    }
    if let Some(log) = worker.shared.log.load().as_ref() {
        let Told { picked, attempts, flags, details, bytes } = told;
        log.write(&Line {
            listener: Some(listener),
            upstream: Some(Arc::clone(&forwarding.upstream)),
            attempts: (attempts > 0).then_some(attempts),
            flags,
            details: details.map(Cow::Owned),
            received: bytes.map(|(up, _)| up),
            bytes: bytes.map_or(0, |(_, down)| down),
            picked,
            duration: start.elapsed(),
            ..connection.line()
        });
    }
}

/// What the line in the log will say of a connection, which is written at its end.
#[derive(Default)]
struct Told {
    /// The endpoint that was tried last.
    picked: Option<Picked>,
    attempts: u32,
    flags: &'static str,
    details: Option<String>,
    /// Bytes from the client and bytes to it, once it is connected.
    bytes: Option<(u64, u64)>,
}

/// A connection to one of the endpoints, and how much of `first` was sent on it already.
async fn reach(
    worker: &Worker,
    forwarding: &Forwarding,
    first: &[u8],
    told: &mut Told,
) -> Option<(Arc<Endpoint>, End<Upward>, usize)> {
    let mut tried = Tried::default();
    let metrics = &worker.shared.metrics;
    for attempt in 1..=forwarding.max_connect_attempts {
        told.attempts = attempt;
        let Some(picked) = pick(&forwarding.upstream, &mut tried, Prefer::AnotherEndpoint) else {
            told.flags = "UH";
            return None;
        };
        told.picked = Some(picked.clone());
        let result = connect_for_bytes(&picked, first, metrics).await;
        let name = &forwarding.upstream.name;
        let report = match &result {
            // A connection is the only answer that bytes give.
            Ok(_) => {
                picked.group().iter().for_each(|group| group.count_connected(name, &metrics.attempts));
                Some(Report::Answer(200))
            }
            Err(failure) => {
                told.flags = "UF";
                told.details = Some(failure.message.clone());
                metrics.attempts.add(&[name, picked.group_name(), failure.reason], 1);
                failure.is_endpoints().then_some(Report::Unconnected)
            }
        };
        if let Some(report) = report {
            picked.report(report, metrics);
        }
        if let Ok((upstream, sent)) = result {
            told.flags = "";
            told.details = None;
            return Some((picked.endpoint, End::new(upstream), sent));
        }
    }
    None
}
