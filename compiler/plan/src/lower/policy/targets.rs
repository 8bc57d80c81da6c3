//! Policies whose settings cannot hold where the policy attaches: each is an error, since a setting that nothing
//! enforces must not look as if it were.

use lang_diagnostics::{Diagnostic, Origin, Sink, Span};
use meshc_vocabulary::model::policy::{Policy, PolicyScope, PolicySettings, Pool};

use crate::codes;
use crate::lower::context::Context;

pub(in crate::lower) fn check(context: &Context<'_>, sink: &mut Sink) {
    for (_, policy) in context.model.policies.iter() {
        match &policy.scope {
            PolicyScope::Mesh | PolicyScope::Namespace(_) => {}
            PolicyScope::Targets { services, routes } => {
                for route in routes {
                    for (kind, origin) in about_services(&policy.settings) {
                        sink.push(
                            Diagnostic::error(
                                codes::SETTING_ON_ROUTE,
                                origin.span,
                                format!("`{kind}` cannot apply to a route"),
                            )
                            .also(route.span, "the policy names this route")
                            .help("a policy on a route may set `retry` and `timeout`; name the services instead"),
                        );
                    }
                }
                for target in services {
                    let service = context.model.services.at(target.value);
                    if !service.ports.is_empty() && !service.ports.iter().any(|port| port.protocol.is_http())
                    {
                        no_requests(policy, target.span, sink);
                    }
                }
            }
        }
    }
}

/// The settings that belong to a callee, whoever calls it.
fn about_services(settings: &PolicySettings) -> Vec<(&'static str, &Origin)> {
    let mut found = Vec::new();
    found.extend(settings.failover.as_ref().map(|it| ("failover", &it.origin)));
    found.extend(settings.outlier.as_ref().map(|it| ("outlier", &it.origin)));
    found.extend(settings.pool.as_ref().map(|it| ("pool", &it.origin)));
    found.extend(settings.allow.iter().map(|it| ("allow", &it.origin)));
    found.extend(settings.deny.iter().map(|it| ("deny", &it.origin)));
    found.extend(settings.rate_limits.iter().map(|it| ("rate_limit", &it.origin)));
    found
}

/// Reports settings about requests at a service whose ports all speak TCP.
fn no_requests(policy: &Policy, target: Span, sink: &mut Sink) {
    for (kind, span) in about_requests(&policy.settings) {
        sink.push(
            Diagnostic::error(
                codes::SETTING_WITHOUT_REQUESTS,
                span,
                format!("`{kind}` is about requests, and a TCP port has none"),
            )
            .also(target, "all ports of this service speak `tcp`")
            .help("name services with an `http`, `http2` or `grpc` port"),
        );
    }
}

/// The settings that mean nothing without requests, with their places: those that were declared, whatever their values.
fn about_requests(settings: &PolicySettings) -> Vec<(&'static str, Span)> {
    let mut found = Vec::new();
    found.extend(settings.retry.as_ref().map(|it| ("retry", it.origin.span)));
    found.extend(settings.rate_limits.iter().map(|it| ("rate_limit", it.origin.span)));
    if let Some(timeout) = settings.timeout.as_ref().filter(|it| it.request.declared.is_some()) {
        found.push(("timeout.request", timeout.origin.span));
    }
    if let Some(pool) = &settings.pool {
        let Pool {
            origin: _,
            max_connections: _,
            max_pending_requests,
            max_concurrent_requests,
            requests_per_connection,
            connect_timeout: _,
            retry_budget_percent,
            min_concurrent_retries,
        } = pool;
        let declared = [
            ("pool.max_pending_requests", max_pending_requests.declared),
            ("pool.max_concurrent_requests", max_concurrent_requests.declared),
            ("pool.requests_per_connection", requests_per_connection.declared),
            ("pool.retry_budget", retry_budget_percent.declared),
            ("pool.min_concurrent_retries", min_concurrent_retries.declared),
        ];
        found.extend(declared.into_iter().filter_map(|(name, span)| Some((name, span?))));
    }
    found
}
