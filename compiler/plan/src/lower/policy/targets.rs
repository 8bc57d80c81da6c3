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
            Obstacle::Inside => {
                let message = format!("`{setting}` without `from` cannot apply to a route for calls inside the mesh");
                Diagnostic::error(codes::SETTING_ON_ROUTE, *at, message)
                    .label("it is about clients outside the mesh, who do not come here")
                    .also(*target, "the policy names this route")
                    .help("name the service that is called in `targets`, and the callers in `from`")
            }
            Obstacle::Route => {
                let message = format!("`{setting}` cannot apply to a route");
                Diagnostic::error(codes::SETTING_ON_ROUTE, *at, message)
                    .also(*target, "the policy names this route")
                    .help("a policy on a route may set `retry` and `timeout`, and at gateways `rate_limit`, and `allow` and `deny` without `from`; name the services instead")
            }
            Obstacle::Callers => {
                let message = format!("`{setting}` cannot apply to a route for calls inside the mesh");
                Diagnostic::error(codes::SETTING_ON_ROUTE, *at, message)
                    .label("each caller would count for itself, and bound nothing")
                    .also(*target, "the policy names this route")
                    .help("name the service that is called in `targets`: its sidecars count whatever arrives")
            }
            Obstacle::Gateway => {
                let message = format!("`{setting}` cannot apply to a gateway");
                Diagnostic::error(codes::SETTING_ON_ROUTE, *at, message)
                    .also(*target, "the policy names this gateway")
                    .help("a policy on a gateway may set `rate_limit`, and `allow` and `deny` without `from`; name the routes or the services instead")
            }
            Obstacle::Connections => {
                let message = format!("`{setting}` is about requests, and here are connections only");
                Diagnostic::error(codes::SETTING_WITHOUT_REQUESTS, *at, message)
                    .also(*target, "it takes connections: `protocol = tcp` or `tls`")
                    .help("name what takes requests, or bound connections with `pool` at the service")
            }
            Obstacle::Subset => {
                let message = format!("`{setting}` cannot apply to a subset");
                Diagnostic::error(codes::SETTING_ON_SUBSET, *at, message)
                    .also(*target, "the policy names this subset")
                    .help("name the service instead: its subsets have one account, and its callers reach all of them")
            }
            Obstacle::NoPort => {
                let message = format!("`{setting}` suits no port of this service");
                Diagnostic::error(codes::UNSUITED_CHECK, *at, message)
                    .also(*target, "the policy names this service")
                    .help("`http` asks ports with requests, `grpc` those of `http2` and `grpc`, and `tcp` all, but `send` and `receive` only those of `tcp`")
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
