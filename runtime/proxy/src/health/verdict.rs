//! What the checks of an endpoint come to: pure state.

/// What is known of an endpoint. One that was never asked is unhealthy.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    is_healthy: bool,
    was_asked: bool,
    /// Passed checks in a row, while it is unhealthy.
    passed: u32,
    /// Failed checks in a row, while it is healthy.
    failed: u32,
}

impl Verdict {
    /// Takes a check into account, and says whether the endpoint is healthy now; so many in a row make it unhealthy and
    /// healthy. The first check decides at once if it is
    /// passed, as with Envoy: a proxy that starts has nothing better to go by.
    pub(super) fn take(&mut self, passed: bool, unhealthy: u32, healthy: u32) -> bool {
        let is_first = !self.was_asked;
        self.was_asked = true;
        if passed {
            self.failed = 0;
            self.passed = self.passed.saturating_add(1);
            if !self.is_healthy && (is_first || self.passed >= healthy) {
                (self.is_healthy, self.passed) = (true, 0);
            }
        } else {
            self.passed = 0;
            self.failed = self.failed.saturating_add(1);
            if self.is_healthy && self.failed >= unhealthy {
                (self.is_healthy, self.failed) = (false, 0);
            }
        }
        self.is_healthy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(checks: &str) -> String {
        let mut verdict = Verdict::default();
        let healthy = |check| if verdict.take(check == '+', 3, 2) { 'h' } else { 'u' };
        checks.chars().map(healthy).collect()
    }

    #[test]
    fn the_first_check_decides_if_it_is_passed() {
        assert_eq!(after("+"), "h");
        assert_eq!(after("-++"), "uuh", "then it takes as many as after any failure");
        assert_eq!(after("-+-++"), "uuuuh");
    }

    #[test]
    fn it_takes_several_failures_in_a_row_and_several_successes_in_a_row() {
        assert_eq!(after("+--+--"), "hhhhhh");
        assert_eq!(after("+---"), "hhhu");
        assert_eq!(after("+---+-++"), "hhhuuuuh");
        assert_eq!(after("+---++---"), "hhhuuhhhu");
    }
}
