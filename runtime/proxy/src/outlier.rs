//! Ejection of one endpoint: pure state, with the time handed in.

use meshd_config::Outlier;
use std::time::{Duration, Instant};

/// What an attempt told about its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// It answered with this status.
    Answer(u16),
    /// It could not be connected to, went away, or stayed silent.
    LocalOrigin,
}

/// The record of one endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// Failures in a row.
    failures: u32,
    /// How many ejections are remembered.
    ejections: u32,
    /// The end of the current ejection.
    until: Option<Instant>,
    /// Since when an ejection was last remembered or forgotten.
    behaved_since: Option<Instant>,
}

impl Record {
    /// Whether the endpoint may be used now. An ejection that is over is forgotten as a state, not as an event.
    pub(crate) fn usable(&mut self, now: Instant) -> bool {
        match self.until {
            Some(until) if now < until => false,
            Some(until) => {
                self.until = None;
                self.failures = 0;
                self.behaved_since = Some(until);
                true
            }
            None => true,
        }
    }

    /// When the current ejection ends, if the endpoint is ejected.
    pub(crate) fn ejected_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| now < *until)
    }

    /// Takes a report into account; the answer is the length of the ejection that it caused.
    pub(crate) fn report(&mut self, rules: &Outlier, report: Report, now: Instant) -> Option<Duration> {
        if !self.usable(now) {
            // A straggler from before the ejection.
            return None;
        }
        let failed = match report {
            Report::Answer(status) => rules.answers_count && (500..600).contains(&status),
            Report::LocalOrigin => true,
        };
        if !failed {
            self.failures = 0;
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < rules.consecutive {
            return None;
        }
        self.forget(rules, now);
        self.ejections = self.ejections.saturating_add(1);
        let length = rules.base_ejection.saturating_mul(self.ejections).min(rules.max_ejection);
        self.until = now.checked_add(length);
        self.failures = 0;
        Some(length)
    }

    /// One earlier ejection is forgotten per interval of good behaviour.
    fn forget(&mut self, rules: &Outlier, now: Instant) {
        let Some(since) = self.behaved_since else { return };
        let intervals = now.saturating_duration_since(since).as_millis() / rules.interval.as_millis().max(1);
        self.ejections = self.ejections.saturating_sub(u32::try_from(intervals).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(answers: bool, consecutive: u32) -> Outlier {
        let section = if answers { "http" } else { "local_origin" };
        let count = if answers { "consecutive_5xx" } else { "consecutive_failures" };
        let group = format!(
            r#"{{"version":1,"node":{{"name":"n","cluster":"c"}},"listeners":[],"upstreams":{{"u":{{
              "connect_timeout":"1s","pool":{{"max_connections":1,"max_pending":1,"max_requests":1}},
              "groups":[{{"name":"g","endpoints":[{{"host":"127.0.0.1","port":1}}],
              "outlier":{{"{section}":{{"{count}":{consecutive},"interval":"10s","base_ejection":"30s","max_ejection":"70s"}}}}}}]}}}}}}"#
        );
        meshd_config::Config::read(&group).unwrap().upstreams["u"].groups[0].outlier.clone().unwrap()
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn failures_in_a_row_eject_and_a_success_starts_over() {
        let (rules, now) = (rules(true, 3), Instant::now());
        let mut record = Record::default();
        for status in [500, 503, 200, 500, 502] {
            assert_eq!(record.report(&rules, Report::Answer(status), now), None);
        }
        assert_eq!(record.report(&rules, Report::LocalOrigin, now), Some(seconds(30)));
        assert!(!record.usable(now));
        assert!(!record.usable(now + seconds(29)));
        assert!(record.usable(now + seconds(30)));
    }

    #[test]
    fn each_ejection_lasts_longer_up_to_the_bound() {
        let (rules, mut now) = (rules(true, 1), Instant::now());
        let mut record = Record::default();
        for expected in [30, 60, 70, 70] {
            assert_eq!(record.report(&rules, Report::Answer(500), now), Some(seconds(expected)));
            now += seconds(expected);
        }
    }

    #[test]
    fn good_behaviour_is_remembered() {
        let (rules, now) = (rules(true, 1), Instant::now());
        let mut record = Record::default();
        record.report(&rules, Report::Answer(500), now);
        let later = now + seconds(30) + seconds(10);
        assert!(record.usable(later));
        assert_eq!(record.report(&rules, Report::Answer(500), later), Some(seconds(30)));
    }

    #[test]
    fn an_answer_never_ejects_a_pass_through_gateway() {
        let (rules, now) = (rules(false, 1), Instant::now());
        let mut record = Record::default();
        for _ in 0..100 {
            assert_eq!(record.report(&rules, Report::Answer(500), now), None);
        }
        assert_eq!(record.report(&rules, Report::LocalOrigin, now), Some(seconds(30)));
    }

    #[test]
    fn stragglers_do_not_prolong_an_ejection() {
        let (rules, now) = (rules(true, 1), Instant::now());
        let mut record = Record::default();
        record.report(&rules, Report::Answer(500), now);
        assert_eq!(record.report(&rules, Report::Answer(500), now + seconds(1)), None);
        assert!(record.usable(now + seconds(30)));
    }
}
