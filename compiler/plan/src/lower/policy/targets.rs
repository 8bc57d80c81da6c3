//! Policies whose settings cannot hold where the policy attaches: each is an error, since a setting that nothing
//! enforces must not look as if it were.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use lang_diagnostics::{Diagnostic, Sink};
use meshc_resolve::{Misplaced, Obstacle};

use crate::codes;
use crate::lower::context::Context;

pub(in crate::lower) fn check(context: &Context<'_>, sink: &mut Sink) {
    for Misplaced { setting, at, target, obstacle } in &context.resolved.misplaced {
        sink.push(match obstacle {
            Obstacle::Route => {
                let message = format!("`{setting}` cannot apply to a route");
                Diagnostic::error(codes::SETTING_ON_ROUTE, *at, message)
                    .also(*target, "the policy names this route")
                    .help("a policy on a route may set `retry` and `timeout`; name the services instead")
            }
            Obstacle::Subset => {
                let message = format!("`{setting}` cannot apply to a subset");
                Diagnostic::error(codes::SETTING_ON_SUBSET, *at, message)
                    .also(*target, "the policy names this subset")
                    .help("name the service instead: its subsets have one account, and its callers reach all of them")
            }
            Obstacle::NoRequests => {
                let message = format!("`{setting}` is about requests, and a TCP port has none");
                Diagnostic::error(codes::SETTING_WITHOUT_REQUESTS, *at, message)
                    .also(*target, "all ports of this service speak `tcp`")
                    .help("name services with an `http`, `http2` or `grpc` port")
            }
        });
    }
}
