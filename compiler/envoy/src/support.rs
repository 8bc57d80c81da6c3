//! What a plan may ask for that Envoy cannot do: an error at the place that asks, never a dropped setting.

use lang_diagnostics::{Diagnostic, Sink};
use meshc_plan::{InboundProtocol, ListenerKind, LocalLimit, ProxyPlan};

use crate::codes;

/// Reports everything in the plan that cannot be rendered, and returns whether there was nothing.
pub fn check(plan: &ProxyPlan, sink: &mut Sink) -> bool {
    let mut fine = true;
    for listener in &plan.listeners {
        match &listener.kind {
            ListenerKind::Inbound(inbound) => {
                for chain in &inbound.chains {
                    match &chain.protocol {
                        InboundProtocol::Http { local_limits, .. } => {
                            fine &= local_limits.iter().all(|limit| fits(limit, sink));
                        }
                        InboundProtocol::Tcp => {}
                    }
                }
            }
            ListenerKind::Http(_)
            | ListenerKind::Tcp(_)
            | ListenerKind::PassThrough(_)
            | ListenerKind::Readiness(_)
            | ListenerKind::Redirected
            | ListenerKind::Metrics(_) => {}
        }
    }
    fine
}

/// Token buckets hold a 32-bit number of tokens.
fn fits(limit: &LocalLimit, sink: &mut Sink) -> bool {
    let Some(bucket) = limit.buckets.iter().find(|bucket| u32::try_from(bucket.requests).is_err()) else {
        return true;
    };
    let message = format!("envoy cannot count {} requests per pod in `{}`", bucket.requests, bucket.value);
    sink.push(
        Diagnostic::error(codes::LIMIT_TOO_LARGE, limit.origin.span, message)
            .label(format!("asked for by {}", limit.origin.name))
            .help(format!("the highest number is {}; a limit this high never refuses a request", u32::MAX)),
    );
    false
}
