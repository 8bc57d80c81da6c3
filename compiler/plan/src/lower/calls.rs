//! Routes for calls: what they cannot take.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use lang_diagnostics::{Diagnostic, Sink};
use meshc_vocabulary::model::{OfCalls, RouteScope, RoutedCallee};

use super::context::Context;
use crate::codes;

/// Reports callees whose ports carry no requests.
pub(super) fn check(context: &Context<'_>, sink: &mut Sink) {
    for (_, route) in context.model.routes.iter() {
        let OfCalls { callees, from: _ } = match &route.scope {
            RouteScope::Calls(calls) => calls,
            RouteScope::Gateways(_) => continue,
        };
        for RoutedCallee { span, service, port: named } in callees {
            let ports = context.model.services.at(*service).ports.iter();
            let mut meant =
                ports.filter(|port| named.as_ref().is_none_or(|name| name.value == port.name)).peekable();
            let Some(first) = meant.peek().copied() else { continue };
            if meant.any(|port| port.protocol.is_http()) {
                continue;
            }
            sink.push(
                Diagnostic::error(
                    codes::ROUTE_OF_TCP,
                    *span,
                    "a route takes requests, and the protocol of this port is `tcp`",
                )
                .also(first.origin.span, "declared here")
                .help("name an `http`, `http2` or `grpc` port"),
            );
        }
    }
}
