//! Policies whose settings cannot hold where the policy attaches: each is an error, since a setting that nothing
//! enforces must not look as if it were.

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_vocabulary::model::policy::{Policy, PolicyScope, PolicySettings};

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
                                format!("`{kind}` cannot hold for a route"),
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

fn no_requests(policy: &Policy, target: lang_diagnostics::Span, sink: &mut Sink) {
    let retry = policy.settings.retry.iter().map(|it| ("retry", &it.origin));
    let limits = policy.settings.rate_limits.iter().map(|it| ("rate_limit", &it.origin));
    for (kind, origin) in retry.chain(limits) {
        sink.push(
            Diagnostic::error(
                codes::SETTING_WITHOUT_REQUESTS,
                origin.span,
                format!("`{kind}` is about requests, and a TCP port has none"),
            )
            .also(target, "all ports of this service speak `tcp`")
            .help("name services with an `http`, `http2` or `grpc` port"),
        );
    }
}
