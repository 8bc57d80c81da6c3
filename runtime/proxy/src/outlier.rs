//! Ejection of one endpoint: pure state, with the time handed in.
//!
//! An endpoint is ejected at once after failures in a row, and at the end of an interval for its share of failures. An
//! ejection ends with the first interval that ends after its length, as with Envoy, which looks at its endpoints only
//! then. Nothing runs in between: whoever asks hands in the time, and the intervals that have ended since are caught up.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::comparison::Rate;
use meshd_config::{FailingAnswers, FailingShare, Outlier};
use std::time::Instant;

/// What an attempt told about its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// It answered with this status, or took a connection that carries bytes (200).
    Answer(u16),
    /// No connection to it came about.
    Unconnected,
    /// It was connected to and did not answer: it went away or stayed silent for too long.
    Unanswered,
    /// The rest of an answer that was reported already did not come.
    BrokenOff,
}

/// The record of one endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// Failing answers in a row.
    answers: u32,
    /// Failed connections in a row.
    connections: u32,
    /// Attempts in the current interval.
    attempts: u32,
    /// How many of them failed.
    failures: u32,
    /// When the current interval began; the first one begins with the first question or report.
    since: Option<Instant>,
    /// Before this the endpoint does not return.
    until: Option<Instant>,
    /// What it did since it was last compared with the others.
    rate: Rate,
}

impl Record {
    /// Whether the endpoint is ejected, after all intervals that ended until `now` were judged, where there is `room` for
    /// one more ejection in its group or not. The answer's second part is how many ejections that brought.
    pub(crate) fn is_ejected(&mut self, rules: &Outlier, now: Instant, room: bool) -> (bool, u32) {
        let ejections = self.catch_up(rules, now, room);
        (self.until.is_some(), ejections)
    }

    /// When the endpoint may return, if it is ejected.
    pub(crate) fn ejected_until(&self, rules: &Outlier, now: Instant) -> Option<Instant> {
        let (until, since) = (self.until?, self.since?);
        // It returns with the end of an interval.
        let intervals = until.saturating_duration_since(since).as_nanos().div_ceil(nanos(rules)).max(1);
        let returns = since + rules.interval.saturating_mul(u32::try_from(intervals).unwrap_or(u32::MAX));
        (now < returns).then_some(returns)
    }

    /// Whether the endpoint is ejected, and until when that holds unless something is reported: the end of the current
    /// interval. `None` before anything was asked or reported.
    pub(crate) fn settled(&self, rules: &Outlier) -> Option<(bool, Instant)> {
        Some((self.until.is_some(), self.since?.checked_add(rules.interval)?))
    }

    /// What the endpoint did since this was last asked.
    pub(crate) fn take_rate(&mut self) -> Rate {
        std::mem::take(&mut self.rate)
    }

    /// Ejects the endpoint for being worse than the others; how many ejections that brought.
    pub(crate) fn eject_if_in(&mut self, rules: &Outlier, now: Instant) -> u32 {
        let ejections = self.catch_up(rules, now, true);
        if self.until.is_some() {
            return ejections;
        }
        self.eject(rules, now);
        ejections.saturating_add(1)
    }

    /// Takes a report into account, where there is `room` for one more ejection in the group or not; the answer is the
    /// number of ejections that followed.
    pub(crate) fn report(&mut self, rules: &Outlier, report: Report, now: Instant, room: bool) -> u32 {
        let ejections = self.catch_up(rules, now, room);
        // The intervals are caught up with, and their shares judged, above; an ejection knows its length.
        let Outlier {
            failing_answers,
            consecutive_answers,
            consecutive_connections,
            failing_share,
            compared,
            // Whoever asks has looked at it.
            max_ejected: _,
            interval: _,
            ejection: _,
        } = rules;
        self.count(*failing_share, failing_answers, report);
        if compared.is_some() {
            self.rate(failing_answers, report);
        }
        // Of requests that were sent before the ejection, or because everything is ejected, only the share counts.
        if self.until.is_some() {
            return ejections;
        }
        match report {
            Report::Answer(status) => {
                self.connections = 0;
                let failing = is_failing(failing_answers, status);
                self.answers = if failing { self.answers.saturating_add(1) } else { 0 };
            }
            Report::Unconnected => self.connections = self.connections.saturating_add(1),
            Report::Unanswered | Report::BrokenOff => self.connections = 0,
        }
        let reached = |count: u32, bound: Option<u32>| bound.is_some_and(|bound| count >= bound);
        if reached(self.answers, *consecutive_answers) || reached(self.connections, *consecutive_connections)
        {
            (self.answers, self.connections) = (0, 0);
            if room {
                self.eject(rules, now);
                return ejections.saturating_add(1);
            }
        }
        ejections
    }

    /// Counts for the comparison with others.
    fn rate(&mut self, failing: &FailingAnswers, report: Report) {
        let (attempts, failures) = match report {
            Report::Answer(status) => (1, u32::from(is_failing(failing, status))),
            Report::Unconnected | Report::Unanswered => (1, 1),
            Report::BrokenOff => (0, 1),
        };
        self.rate.attempts = self.rate.attempts.saturating_add(attempts);
        self.rate.failures = self.rate.failures.saturating_add(failures);
    }

    fn count(&mut self, share: Option<FailingShare>, failing: &FailingAnswers, report: Report) {
        let failed = match report {
            Report::Answer(status) => share.is_some_and(|share| share.answers) && is_failing(failing, status),
            Report::Unconnected | Report::Unanswered | Report::BrokenOff => true,
        };
        let attempts = match report {
            Report::Answer(_) | Report::Unconnected | Report::Unanswered => 1,
            Report::BrokenOff => 0,
        };
        self.attempts = self.attempts.saturating_add(attempts);
        self.failures = self.failures.saturating_add(u32::from(failed));
    }

    fn eject(&mut self, rules: &Outlier, now: Instant) {
        self.until = now.checked_add(rules.ejection).or(Some(now));
        (self.answers, self.connections) = (0, 0);
    }

    /// Judges the intervals that have ended. Only the first of them can have seen attempts; the others may end an
    /// ejection.
    fn catch_up(&mut self, rules: &Outlier, now: Instant, room: bool) -> u32 {
        let since = *self.since.get_or_insert(now);
        let ended = now.saturating_duration_since(since).as_nanos() / nanos(rules);
        let Ok(ended) = u32::try_from(ended) else {
            // More intervals than can be counted: whatever was known is too old to matter.
            *self = Self { since: Some(now), ..Self::default() };
            return 0;
        };
        if ended == 0 {
            return 0;
        }
        let mut ejections = 0;
        self.end_ejection(since + rules.interval);
        if room && self.until.is_none() && rules.failing_share.is_some_and(|share| self.exceeds(share)) {
            self.eject(rules, since + rules.interval);
            ejections = 1;
        }
        (self.attempts, self.failures) = (0, 0);
        let last = since + rules.interval.saturating_mul(ended);
        self.end_ejection(last);
        self.since = Some(last);
        ejections
    }

    fn end_ejection(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            (self.answers, self.connections) = (0, 0);
        }
    }

    fn exceeds(&self, share: FailingShare) -> bool {
        // Whether answers are failures was asked when they were counted.
        let FailingShare { percent, attempts, answers: _ } = share;
        self.attempts >= attempts
            && u64::from(self.failures) * 100 >= u64::from(self.attempts) * u64::from(percent)
    }
}

/// The interval, which is never zero.
fn nanos(rules: &Outlier) -> u128 {
    rules.interval.as_nanos().max(1)
}

fn is_failing(failing: &FailingAnswers, status: u16) -> bool {
    match failing {
        FailingAnswers::None => false,
        FailingAnswers::GatewayErrors => (502..=504).contains(&status),
        FailingAnswers::ServerErrors => (500..=599).contains(&status),
        FailingAnswers::Statuses(ranges) => {
            ranges.iter().any(|(first, last)| (*first..=*last).contains(&status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Rules with an interval of ten seconds and ejections of thirty.
    fn rules(rest: &str) -> Outlier {
        let group = format!(
            r#"{{"version":1,"node":{{"name":"n","cluster":"c"}},"listeners":[],"upstreams":{{"u":{{
              "connect_timeout":"1s","pool":{{"max_connections":1,"max_pending":1,"max_requests":1}},
              "groups":[{{"name":"g","endpoints":[{{"host":"127.0.0.1","port":1}}],
              "outlier":{{{rest},"interval":"10s","ejection":"30s"}}}}]}}}}}}"#
        );
        meshd_config::Config::read(&group).unwrap().upstreams["u"].groups[0].outlier.clone().unwrap()
    }

    fn pods() -> Outlier {
        rules(
            r#""failing_answers":"gateway_errors","consecutive_answers":3,"consecutive_connections":3,
               "failing_share":{"percent":85,"attempts":3}"#,
        )
    }

    fn gateway() -> Outlier {
        rules(
            r#""failing_answers":"gateway_errors","consecutive_connections":3,
               "failing_share":{"percent":85,"attempts":1,"answers":true}"#,
        )
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn ejected(record: &mut Record, rules: &Outlier, now: Instant) -> bool {
        record.is_ejected(rules, now, true).0
    }

    #[test]
    fn failures_in_a_row_eject_and_a_success_starts_over() {
        let (rules, now) = (pods(), Instant::now());
        let mut record = Record::default();
        for status in [502, 503, 200, 504, 502] {
            assert_eq!(record.report(&rules, Report::Answer(status), now, true), 0);
        }
        assert_eq!(record.report(&rules, Report::Answer(503), now, true), 1);
        assert!(ejected(&mut record, &rules, now + seconds(29)));
        assert!(!ejected(&mut record, &rules, now + seconds(30)));
    }

    #[test]
    fn an_application_s_own_500_counts_only_where_asked() {
        let now = Instant::now();
        let mut record = Record::default();
        for _ in 0..100 {
            assert_eq!(record.report(&pods(), Report::Answer(500), now, true), 0);
        }
        let every = rules(r#""failing_answers":"5xx","consecutive_answers":2"#);
        let mut record = Record::default();
        let ejections: Vec<u32> =
            [500, 501].map(|status| record.report(&every, Report::Answer(status), now, true)).to_vec();
        assert_eq!(ejections, [0, 1]);
    }

    #[test]
    fn failed_connections_count_in_a_row_and_silence_never_does() {
        let (rules, now) = (pods(), Instant::now());
        let mut record = Record::default();
        for _ in 0..100 {
            assert_eq!(record.report(&rules, Report::Unanswered, now, true), 0);
        }
        let ejections: Vec<u32> =
            (0..3).map(|_| record.report(&rules, Report::Unconnected, now, true)).collect();
        assert_eq!(ejections, [0, 0, 1]);
    }

    #[test]
    fn an_endpoint_returns_with_the_end_of_an_interval() {
        let (rules, start) = (pods(), Instant::now());
        let mut record = Record::default();
        assert!(!ejected(&mut record, &rules, start));
        let now = start + seconds(4);
        for _ in 0..3 {
            record.report(&rules, Report::Unconnected, now, true);
        }
        // Thirty seconds later the interval that began at 30 is still running.
        assert_eq!(record.clone().ejected_until(&rules, now), Some(start + seconds(40)));
        assert!(ejected(&mut record, &rules, start + seconds(39)));
        assert!(!ejected(&mut record, &rules, start + seconds(40)));
    }

    #[test]
    fn a_hung_endpoint_is_left_at_the_end_of_the_interval_and_one_slow_page_is_not_enough() {
        let (rules, start) = (pods(), Instant::now());
        let after = |good: u32, silent: u32| {
            let mut record = Record::default();
            (0..good).for_each(|_| assert_eq!(record.report(&rules, Report::Answer(200), start, true), 0));
            (0..silent).for_each(|_| assert_eq!(record.report(&rules, Report::Unanswered, start, true), 0));
            assert!(!ejected(&mut record, &rules, start + seconds(9)));
            ejected(&mut record, &rules, start + seconds(10))
        };
        assert!(after(0, 3) && after(1, 10));
        assert!(!after(8, 40) && !after(0, 2) && !after(0, 0));
    }

    #[test]
    fn a_gateway_is_judged_by_nearly_all_that_goes_through_it() {
        let (rules, start) = (gateway(), Instant::now());
        let after = |good: u32, failing: u32, status: u16| {
            let mut record = Record::default();
            (0..good).for_each(|_| assert_eq!(record.report(&rules, Report::Answer(200), start, true), 0));
            (0..failing)
                .for_each(|_| assert_eq!(record.report(&rules, Report::Answer(status), start, true), 0));
            ejected(&mut record, &rules, start + seconds(10))
        };
        assert!(after(0, 1, 503) && after(15, 85, 502));
        assert!(!after(16, 84, 503), "one bad pod of several");
        assert!(!after(0, 50, 500), "the application's own answers");
    }

    #[test]
    fn what_fails_while_everything_is_ejected_is_judged_at_the_return() {
        let (rules, start) = (gateway(), Instant::now());
        let mut record = Record::default();
        record.report(&rules, Report::Answer(503), start, true);
        assert!(ejected(&mut record, &rules, start + seconds(10)));
        record.report(&rules, Report::Answer(503), start + seconds(39), true);
        assert_eq!(record.is_ejected(&rules, start + seconds(40), true), (true, 1), "it still fails");
        record.report(&rules, Report::Answer(200), start + seconds(79), true);
        assert_eq!(record.is_ejected(&rules, start + seconds(80), true), (false, 0));
    }

    #[test]
    fn an_answer_that_breaks_off_is_a_failed_attempt() {
        let (rules, start) = (pods(), Instant::now());
        let mut record = Record::default();
        for report in [Report::Answer(200), Report::BrokenOff].repeat(3) {
            record.report(&rules, report, start, true);
        }
        assert!(ejected(&mut record, &rules, start + seconds(10)));
    }

    #[test]
    fn however_long_nobody_asks_the_intervals_are_caught_up() {
        let (rules, start) = (gateway(), Instant::now());
        let mut record = Record::default();
        record.report(&rules, Report::Answer(503), start, true);
        // It was ejected at 10 seconds, and that was over at 40.
        assert_eq!(record.is_ejected(&rules, start + seconds(1_000_003), true), (false, 1));
        record.report(&rules, Report::Answer(503), start + seconds(1_000_004), true);
        assert!(!ejected(&mut record, &rules, start + seconds(1_000_009)));
        assert!(ejected(&mut record, &rules, start + seconds(1_000_010)), "intervals keep their phase");
    }

    #[test]
    fn chosen_statuses_are_failures_and_no_others() {
        let (rules, now) = (
            rules(r#""failing_answers":{"statuses":[[429,429],[500,599]]},"consecutive_answers":3"#),
            Instant::now(),
        );
        let mut record = Record::default();
        let ejections: Vec<u32> = [429, 404, 428, 500, 599, 429]
            .map(|status| record.report(&rules, Report::Answer(status), now, true))
            .to_vec();
        assert_eq!(ejections, [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn without_room_nothing_is_ejected_and_counting_starts_over() {
        let (rules, start) = (pods(), Instant::now());
        let mut record = Record::default();
        for _ in 0..3 {
            assert_eq!(record.report(&rules, Report::Answer(503), start, false), 0);
        }
        let ejections: Vec<u32> =
            (0..3).map(|_| record.report(&rules, Report::Answer(503), start, true)).collect();
        assert_eq!(ejections, [0, 0, 1]);
        let (rules, mut record) = (gateway(), Record::default());
        record.report(&rules, Report::Answer(503), start, false);
        assert_eq!(record.is_ejected(&rules, start + seconds(10), false), (false, 0));
    }

    #[test]
    fn what_is_compared_counts_each_attempt_once() {
        let rules =
            rules(r#""failing_answers":"5xx","compared":{"deviation":1900,"attempts":1,"endpoints":2}"#);
        let (now, mut record) = (Instant::now(), Record::default());
        for report in [Report::Answer(200), Report::BrokenOff, Report::Answer(500), Report::Unconnected] {
            record.report(&rules, report, now, true);
        }
        assert_eq!(record.take_rate(), Rate { attempts: 3, failures: 3 });
        assert_eq!(record.take_rate(), Rate::default());
        assert_eq!(record.eject_if_in(&rules, now), 1);
        assert!(ejected(&mut record, &rules, now) && record.eject_if_in(&rules, now) == 0);
    }
}
