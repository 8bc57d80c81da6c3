//! What the service counts about itself, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How often one rule was asked, and what was said.
#[derive(Debug, Default)]
pub(crate) struct RuleCounts {
    pub(crate) within: AtomicU64,
    pub(crate) over: AtomicU64,
}

/// All counts of a server. Labels only come from the configuration, never from requests, so their number is bounded.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    rules: Mutex<BTreeMap<(String, String), Arc<RuleCounts>>>,
    /// Descriptors that no rule is known for.
    pub(crate) unknown_descriptors: AtomicU64,
    /// Questions without an answer because the counters were not there.
    pub(crate) counter_failures: AtomicU64,
    /// Questions that made no sense.
    pub(crate) invalid_questions: AtomicU64,
    /// Changed configurations that took effect.
    pub(crate) reloads: AtomicU64,
    /// Changed configurations that were refused.
    pub(crate) refused_reloads: AtomicU64,
    /// Whether the files on disk differ from what is in effect because they were refused.
    pub(crate) stale: AtomicBool,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Metrics {
    /// The counts of a rule, which outlive reloads.
    pub(crate) fn rule(&self, domain: &str, name: &str) -> Arc<RuleCounts> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(rules.entry((domain.to_owned(), name.to_owned())).or_default())
    }

    /// Everything in Prometheus' text format, version 0.0.4.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        let requests = "meshd_rate_limit_requests_total";
        let _ = writeln!(out, "# HELP {requests} Descriptors with a limit, by the answer given.");
        let _ = writeln!(out, "# TYPE {requests} counter");
        for ((domain, name), counts) in &*self.rules.lock().unwrap_or_else(PoisonError::into_inner) {
            let (domain, name) = (escape(domain), escape(name));
            for (code, counter) in [("ok", &counts.within), ("over_limit", &counts.over)] {
                let value = counter.load(Ordering::Relaxed);
                let labels = format!("domain=\"{domain}\",descriptor=\"{name}\",code=\"{code}\"");
                let _ = writeln!(out, "{requests}{{{labels}}} {value}");
            }
        }
        let plain: [(&str, &str, &AtomicU64); 5] = [
            ("unknown_descriptors_total", "Descriptors without a limit.", &self.unknown_descriptors),
            ("counter_failures_total", "Questions unanswered for want of counters.", &self.counter_failures),
            ("invalid_questions_total", "Questions that made no sense.", &self.invalid_questions),
            ("reloads_total", "Changed configurations that took effect.", &self.reloads),
            ("refused_reloads_total", "Changed configurations that were refused.", &self.refused_reloads),
        ];
        for (name, help, counter) in plain {
            let value = counter.load(Ordering::Relaxed);
            let _ = writeln!(out, "# HELP meshd_rate_limit_{name} {help}");
            let _ = writeln!(out, "# TYPE meshd_rate_limit_{name} counter\nmeshd_rate_limit_{name} {value}");
        }
        let stale = u8::from(self.stale.load(Ordering::Relaxed));
        let name = "meshd_rate_limit_configuration_stale";
        let _ = writeln!(out, "# HELP {name} 1 while the files on disk are refused and older limits hold.");
        let _ = writeln!(out, "# TYPE {name} gauge\n{name} {stale}");
        out
    }
}

/// A label value, as Prometheus' text format quotes it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_cannot_break_out() {
        let metrics = Metrics::default();
        count(&metrics.rule("a\"b\\c\nd", "k").over);
        let line = "meshd_rate_limit_requests_total{domain=\"a\\\"b\\\\c\\nd\",descriptor=\"k\",code=\"over_limit\"} 1\n";
        assert!(metrics.render().contains(line), "{}", metrics.render());
    }
}
