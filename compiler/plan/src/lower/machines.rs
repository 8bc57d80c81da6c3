//! What machines outside Kubernetes do not have.

use lang_diagnostics::{Diagnostic, Sink};
use meshc_vocabulary::model::{Capture, Platform};

use super::context::Context;
use crate::{ProxyPlan, codes};

/// Reports proxies on machines that would need what only Kubernetes gives them.
pub(super) fn check(context: &Context<'_>, proxies: &[ProxyPlan], sink: &mut Sink) {
    for proxy in proxies {
        let cluster = context.model.clusters.at(proxy.cluster);
        match cluster.platform {
            Platform::Kubernetes => continue,
            Platform::Machines => {}
        }
        let mut refuse = |what: &str, help: &str| {
            sink.push(
                Diagnostic::error(codes::NOT_ON_MACHINES, proxy.origin.span, what)
                    .label(format!("it runs on machines, in `{}`", cluster.name))
                    .also(cluster.origin.span, "declared here")
                    .help(help),
            );
        };
        match proxy.capture {
            Some(Capture::Redirect) => refuse(
                "connections are redirected in pods only",
                "let the application listen on 127.0.0.1, with `bind = loopback`, so that `capture = loopback` does",
            ),
            Some(Capture::Loopback) | None => {}
        }
        if proxy.rate_limit_upstream.is_some() {
            refuse("no rate-limit service runs beside machines", "use `scope = pod`");
        }
    }
}
