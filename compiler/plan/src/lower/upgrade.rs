//! What follows from the protocol of a route's destinations: what a request may change to, and whether it has a time of its own.

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use meshc_vocabulary::model::{Port, Protocol, Upgrade};

use crate::{Deadlines, codes};

/// Without a word about it: WebSocket where every port is HTTP/1.1's, since there an application that does not want it
/// refuses it, as it would without a mesh. Towards an application over HTTP/2 the request takes a form that ends the whole
/// connection of one that has not announced it (RFC 8441, section 3), and Envoy does not wait for that.
pub(super) fn by_default<'a>(ports: impl IntoIterator<Item = &'a Port>) -> Vec<Upgrade> {
    if ports.into_iter().all(takes_upgrades) { vec![Upgrade::WebSocket] } else { Vec::new() }
}

/// What a rule says, or what its destinations take.
pub(super) fn of_rule(
    said: Option<&Spanned<Vec<Upgrade>>>,
    ports: &[&Port],
    sink: &mut Sink,
) -> Vec<Upgrade> {
    let Some(Spanned { value: upgrades, span }) = said else { return by_default(ports.iter().copied()) };
    if let Some(port) = ports.iter().find(|port| !upgrades.is_empty() && !takes_upgrades(port)) {
        sink.push(
            Diagnostic::error(codes::UPGRADE_OVER_HTTP2, *span, "this destination takes no upgrades")
                .label("WebSocket reaches applications over HTTP/1.1 only")
                .also(port.origin.span, "an application on this port speaks HTTP/2")
                .help("name an `http` port of the service as destination, or remove `upgrade`"),
        );
    }
    let mut upgrades = upgrades.clone();
    upgrades.sort_unstable();
    upgrades.dedup();
    upgrades
}

fn takes_upgrades(port: &Port) -> bool {
    match port.protocol {
        Protocol::Http => true,
        Protocol::Http2 | Protocol::Grpc | Protocol::Tcp | Protocol::Tls => false,
    }
}

/// Calls of gRPC have a time of their own where all destinations speak it.
pub(super) fn deadlines<'a>(ports: impl IntoIterator<Item = &'a Port>) -> Deadlines {
    let is_grpc = |port: &Port| match port.protocol {
        Protocol::Grpc => true,
        Protocol::Http | Protocol::Http2 | Protocol::Tcp | Protocol::Tls => false,
    };
    if ports.into_iter().all(is_grpc) { Deadlines::OfGrpc } else { Deadlines::Unknown }
}
