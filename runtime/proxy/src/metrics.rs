//! What is counted, and how Prometheus reads it (text exposition format 0.0.4).

use crate::counters::Counters;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A single number.
#[derive(Debug)]
pub(crate) struct Single {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    value: AtomicI64,
}

impl Single {
    const fn new(name: &'static str, kind: &'static str, help: &'static str) -> Self {
        Single { name, help, kind, value: AtomicI64::new(0) }
    }

    /// Adds `amount`, which is negative only for a gauge.
    pub(crate) fn add(&self, amount: i64) {
        self.value.fetch_add(amount, Ordering::Relaxed);
    }

    /// Raises a gauge by one unless it is at `limit`; whether it was raised.
    pub(crate) fn raise_below(&self, limit: i64) -> bool {
        let raised = self.value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            if now < limit { now.checked_add(1) } else { None }
        });
        raised.is_ok()
    }

    /// Sets a gauge.
    pub(crate) fn set(&self, value: i64) {
        self.value.store(value, Ordering::Relaxed);
    }

    /// Its value now.
    pub(crate) fn value(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }

    fn render(&self, page: &mut String) {
        let value = self.value.load(Ordering::Relaxed);
        let _ =
            writeln!(page, "# HELP {0} {1}\n# TYPE {0} {2}\n{0} {value}", self.name, self.help, self.kind);
    }
}

/// Everything that this proxy counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Answers to clients.
    pub(crate) requests: Counters,
    /// Attempts at upstreams.
    pub(crate) attempts: Counters,
    /// Retries, by what came of asking for one.
    pub(crate) retries: Counters,
    /// Ejections.
    pub(crate) ejections: Counters,
    /// Checks of endpoints.
    pub(crate) health_checks: Counters,
    /// Connections that were accepted.
    pub(crate) accepted: Counters,
    /// Connections that were closed before anything could be done with them.
    pub(crate) refused: Counters,
    /// Failed handshakes with clients.
    pub(crate) handshake_failures: Counters,
    /// Chains of certificates that peers of the mesh have shown; shared with whoever verifies them.
    pub(crate) chains: Arc<Counters>,
    /// Failed connections to upstreams.
    pub(crate) connect_failures: Counters,
    /// What limits said.
    pub(crate) limits: Counters,
    /// Requests that authorization refused.
    pub(crate) denied: Counters,
    /// Requests that rules which are only tried would refuse.
    pub(crate) audited: Counters,
    /// Connections that were closed to free memory.
    pub(crate) shed: Counters,
    /// Answers on connections with others that were reset to free memory.
    pub(crate) shed_streams: Counters,
    /// Connections that were closed for a flood of frames.
    pub(crate) floods: Counters,
    /// Bytes in use.
    pub(crate) memory: Single,
    /// Bytes that may be.
    pub(crate) memory_limit: Single,
    /// Connections that are open now.
    pub(crate) connections: Single,
    /// The configuration that is in force, counted from 1.
    pub(crate) config_version: Single,
    /// Configurations that were refused.
    pub(crate) config_rejected: Single,
    /// Certificates that were taken into use after the first.
    pub(crate) identity_reloads: Single,
    /// Certificates that were refused.
    pub(crate) identity_rejected: Single,
    /// Questions to DNS without an answer.
    pub(crate) dns_failures: Counters,
    /// Access log lines that were lost because whoever reads them is too slow.
    pub(crate) log_dropped: Single,
    /// 1 while ready.
    pub(crate) ready: Single,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            requests: Counters::new(
                "meshd_requests_total",
                "Requests that were answered.",
                &["listener", "upstream", "code"],
            ),
            attempts: Counters::new(
                "meshd_upstream_attempts_total",
                "Attempts at endpoints, with the status or the failure.",
                &["upstream", "group", "result"],
            ),
            retries: Counters::new(
                "meshd_retries_total",
                "Retries that ran, and those that the budget or the body's size forbade.",
                &["upstream", "outcome"],
            ),
            health_checks: Counters::new(
                "meshd_health_checks_total",
                "Health checks of endpoints.",
                &["upstream", "group", "result"],
            ),
            ejections: Counters::new(
                "meshd_ejections_total",
                "Endpoints that were left out for a while.",
                &["upstream", "group"],
            ),
            accepted: Counters::new(
                "meshd_connections_total",
                "Connections that were accepted.",
                &["listener"],
            ),
            refused: Counters::new(
                "meshd_connections_refused_total",
                "Connections that were closed because nothing here is for them.",
                &["listener", "reason"],
            ),
            handshake_failures: Counters::new(
                "meshd_tls_handshake_failures_total",
                "Handshakes with clients that failed.",
                &["listener", "reason"],
            ),
            chains: Arc::new(
                Counters::new(
                    "meshd_certificate_chains_total",
                    "Certificate chains of peers in handshakes: verified, or known to be good from an earlier one.",
                    &["result"],
                )
                .beginning_at_zero(&["verified", "known"]),
            ),
            connect_failures: Counters::new(
                "meshd_connect_failures_total",
                "Connections to endpoints that could not be made.",
                &["upstream", "group", "reason"],
            ),
            limits: Counters::new(
                "meshd_rate_limit_total",
                "What limits said: ok, over, would_be_over (in audit), allowed_on_error, denied_on_error.",
                &["policy", "outcome"],
            ),
            denied: Counters::new(
                "meshd_authorization_denied_total",
                "Requests that authorization refused, and the rule that did; none, if it is that no rule admits them.",
                &["listener", "upstream", "rule"],
            ),
            audited: Counters::new(
                "meshd_authorization_audited_total",
                "Requests that rules in audit would have refused, and the rule; none, if it is that none of them admits them.",
                &["listener", "upstream", "rule"],
            ),
            shed: Counters::new(
                "meshd_connections_shed_total",
                "Connections that were closed to free memory: unread, idle or slow.",
                &["listener", "reason"],
            ),
            shed_streams: Counters::new(
                "meshd_streams_shed_total",
                "HTTP/2 answers that were reset to free memory because their clients did not read them.",
                &["listener"],
            ),
            floods: Counters::new(
                "meshd_http2_floods_total",
                "Connections that were closed because the client sent too many frames of a kind.",
                &["listener", "frame"],
            ),
            memory: Single::new(
                "meshd_memory_bytes",
                "gauge",
                "Memory in use, with what the kernel holds for the proxy's sockets.",
            ),
            memory_limit: Single::new(
                "meshd_memory_limit_bytes",
                "gauge",
                "Memory that may be in use; 0 is without a limit.",
            ),
            connections: Single::new("meshd_connections_active", "gauge", "Connections that are open."),
            config_version: Single::new(
                "meshd_config_version",
                "gauge",
                "Configurations taken into use so far.",
            ),
            config_rejected: Single::new(
                "meshd_config_rejected_total",
                "counter",
                "Configurations that were refused.",
            ),
            identity_reloads: Single::new(
                "meshd_identity_reloads_total",
                "counter",
                "Certificates taken into use after the first.",
            ),
            identity_rejected: Single::new(
                "meshd_identity_rejected_total",
                "counter",
                "Certificates that were refused.",
            ),
            dns_failures: Counters::new(
                "meshd_dns_failures_total",
                "Names that could not be resolved.",
                &["name", "reason"],
            ),
            log_dropped: Single::new(
                "meshd_access_log_dropped_total",
                "counter",
                "Access log lines that were lost.",
            ),
            ready: Single::new("meshd_ready", "gauge", "1 while this proxy wants traffic."),
        }
    }
}

impl Metrics {
    /// The page that Prometheus reads.
    pub(crate) fn page(&self) -> String {
        let mut page = String::new();
        for counters in [
            &self.requests,
            &self.attempts,
            &self.retries,
            &self.ejections,
            &self.health_checks,
            &self.accepted,
            &self.refused,
            &self.handshake_failures,
            &*self.chains,
            &self.connect_failures,
            &self.limits,
            &self.denied,
            &self.audited,
            &self.dns_failures,
            &self.shed,
            &self.shed_streams,
            &self.floods,
        ] {
            counters.render(&mut page);
        }
        for single in [
            &self.connections,
            &self.memory,
            &self.memory_limit,
            &self.config_version,
            &self.config_rejected,
            &self.identity_reloads,
            &self.identity_rejected,
            &self.log_dropped,
            &self.ready,
        ] {
            single.render(&mut page);
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_combinations_are_counted_apart_and_in_order() {
        let metrics = Metrics::default();
        for round in 0..3 {
            for upstream in 0..5000 {
                metrics.attempts.add(&[&format!("u{upstream:04}"), "g", "200"], round);
            }
        }
        let page = metrics.page();
        let lines: Vec<&str> =
            page.lines().filter(|line| line.starts_with("meshd_upstream_attempts_total{")).collect();
        assert_eq!(lines.len(), 5000);
        assert!(lines.is_sorted() && lines.iter().all(|line| line.ends_with("result=\"200\"} 3")));
    }

    #[test]
    fn the_page_has_one_line_per_combination() {
        let metrics = Metrics::default();
        metrics.requests.add(&["in", "app", "200"], 2);
        metrics.requests.add(&["in", "app", "200"], 1);
        metrics.requests.add(&["in", "a\"b", "503"], 1);
        let page = metrics.page();
        assert!(
            page.contains("meshd_requests_total{listener=\"in\",upstream=\"app\",code=\"200\"} 3\n"),
            "{page}"
        );
        assert!(page.contains("upstream=\"a\\\"b\",code=\"503\"} 1\n"), "{page}");
        assert!(
            page.contains("# TYPE meshd_config_rejected_total counter\nmeshd_config_rejected_total 0\n"),
            "{page}"
        );
    }
}
