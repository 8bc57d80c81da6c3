//! How many retries may run at once: a share of the active requests, and never fewer than a minimum.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshd_config::RetryBudget;

/// Whether one more retry may run beside `retries` others while `active` requests (those included) are active.
pub(crate) fn admits(budget: RetryBudget, active: u32, retries: u32) -> bool {
    let RetryBudget { percent, min_concurrency } = budget;
    let share = u64::from(active) * u64::from(percent) / 100;
    u64::from(retries) < share.max(u64::from(min_concurrency))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The budget of an upstream that says nothing: 20 %, at least 3.
    fn default_budget() -> RetryBudget {
        let text = r#"{"version":1,"node":{"name":"n","cluster":"c"},"listeners":[],"upstreams":{"u":{
            "connect_timeout":"1s","pool":{"max_connections":1,"max_pending":1,"max_requests":1},
            "groups":[{"name":"g","endpoints":[{"host":"127.0.0.1","port":1}]}]}}}"#;
        meshd_config::Config::read(text).unwrap().upstreams["u"].retry_budget
    }

    #[test]
    fn a_quiet_upstream_may_always_retry_a_little() {
        assert!(admits(default_budget(), 1, 2));
        assert!(!admits(default_budget(), 1, 3));
    }

    #[test]
    fn a_busy_upstream_retries_a_fifth() {
        assert!(admits(default_budget(), 100, 19));
        assert!(!admits(default_budget(), 100, 20));
    }
}
