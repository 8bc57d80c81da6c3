//! What a plan may ask for that Envoy cannot do: an error at the place that asks, never a dropped setting.
//!
//! What no data plane can do is refused before the plan; what a whole data plane lacks is in the plan's capability
//! tables. Here are the limits of single values, which only this backend knows.

mod re2;

use std::collections::BTreeSet;

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_plan::filter::Filter;
use meshc_plan::{InboundChain, InboundProtocol, Limit, ListenerKind, LocalLimit, ProxyPlan};
use meshc_vocabulary::model::{HttpMatch, PathMatch, StringMatch};

use crate::codes;
use crate::http::filters::{self, Asked};
use crate::http::path_expression;

/// Reports everything in the plan that cannot be rendered, and returns whether there was nothing.
pub fn check(plan: &ProxyPlan, sink: &mut Sink) -> bool {
    let said_before = sink.diagnostics().len();
    for listener in &plan.listeners {
        match &listener.kind {
            ListenerKind::Http(http) => {
                let of_hosts = http.virtual_hosts.iter().flat_map(|host| &host.limits);
                let limits = http.limits.iter().chain(of_hosts).map(Limit::filter);
                let entrances = http.virtual_hosts.iter().map(|host| &host.entrance).chain([&http.entrance]);
                let limits: Vec<Filter> = limits.chain(entrances.flat_map(filters::of_entrance)).collect();
                filters(&limits, sink);
                for route in http.virtual_hosts.iter().flat_map(|host| &host.routes) {
                    expressions(&route.matches, &route.origin, sink);
                    filters(&route.filters, sink);
                }
            }
            ListenerKind::Inbound(inbound) => {
                for chain in &inbound.chains {
                    inbound_chain(chain, sink);
                }
            }
            ListenerKind::Tcp(_)
            | ListenerKind::PassThrough(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => {}
        }
    }
    sink.diagnostics().len() == said_before
}

fn inbound_chain(chain: &InboundChain, sink: &mut Sink) {
    for protocol in std::iter::once(&chain.protocol).chain(&chain.plain) {
        inbound_protocol(protocol, sink);
    }
}

fn inbound_protocol(protocol: &InboundProtocol, sink: &mut Sink) {
    match protocol {
        InboundProtocol::Http { app_http2: _, upgrades: _, vouching: _, told: _, retry: _, filters } => {
            self::filters(filters, sink)
        }
        InboundProtocol::Tcp { connect_attempts: _ }
        | InboundProtocol::Tls { names: _, hello_timeout: _, connect_attempts: _ } => {}
    }
}

fn filters(filters: &[Filter], sink: &mut Sink) {
    for filter in filters {
        let Asked { conditions, local, global } = filters::asked(filter);
        for (matches, origin) in conditions {
            expressions(matches, origin, sink);
            if local.is_some() || global.is_some() {
                of_a_limit(matches, origin, sink);
            }
        }
        if let Some(limit) = local {
            token_buckets(limit, sink);
        }
    }
}

/// Token buckets hold a 32-bit number of tokens.
fn token_buckets(limit: &LocalLimit, sink: &mut Sink) {
    let Some(bucket) = limit.buckets.iter().find(|bucket| u32::try_from(bucket.requests).is_err()) else {
        return;
    };
    let message = format!("envoy cannot count {} requests per pod in `{}`", bucket.requests, bucket.value);
    sink.push(
        Diagnostic::error(codes::LIMIT_TOO_LARGE, limit.origin.span, message)
            .label(format!("asked for by {}", limit.origin.name))
            .help(format!("the highest number is {}; a limit this high never refuses a request", u32::MAX)),
    );
}

/// Limits are counted by the path with its query, where an expression cannot see that the path ends.
fn of_a_limit(matches: &HttpMatch, origin: &Origin, sink: &mut Sink) {
    let PathMatch::Regex(expression) = &matches.path else { return };
    let Some(part) = path_expression::looks_around(expression) else { return };
    let message = format!("envoy cannot count by `{part}` in the regular expression `{expression}`");
    sink.push(
        Diagnostic::error(codes::EXPRESSION_NOT_UNDERSTOOD, origin.span, message)
            .label(format!("asked for by {}", origin.name))
            .help("the whole path must match: leave it out"),
    );
}

/// One expression that Envoy cannot compile makes it refuse the listener, so none gets that far.
fn expressions(matches: &HttpMatch, origin: &Origin, sink: &mut Sink) {
    let mut expressions = BTreeSet::new();
    match &matches.path {
        PathMatch::Regex(regex) => {
            expressions.insert(regex);
        }
        PathMatch::Any | PathMatch::Exact(_) | PathMatch::Prefix(_) | PathMatch::StartsWith(_) => {}
    }
    for header in &matches.headers {
        match &header.value {
            StringMatch::Regex(regex) => {
                expressions.insert(regex);
            }
            StringMatch::Present | StringMatch::Exact(_) | StringMatch::Prefix(_) => {}
        }
    }
    for expression in expressions {
        let Some(refused) = re2::refused(expression) else { continue };
        let message =
            format!("envoy does not understand `{}` in the regular expression `{expression}`", refused.text);
        sink.push(
            Diagnostic::error(codes::EXPRESSION_NOT_UNDERSTOOD, origin.span, message)
                .label(format!("asked for by {}", origin.name))
                .help(refused.help),
        );
    }
}
