//! Which endpoints answer worse than the others: pure.

use meshd_config::Compared;

/// What one endpoint did in an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Attempts.
    pub(crate) attempts: u32,
    /// How many of them failed.
    pub(crate) failures: u32,
}

impl Rate {
    /// Successes of a million attempts.
    fn successes(self) -> u64 {
        let Rate { attempts, failures } = self;
        u64::from(attempts.saturating_sub(failures)) * 1_000_000 / u64::from(attempts.max(1))
    }
}

/// Whether each of these is so much worse than all that were asked often enough that it has to go. The arithmetic is that
/// of Envoy's success rate, in whole numbers, so that what is equal is never worse.
pub(crate) fn worse(rates: &[Rate], rule: Compared) -> Vec<bool> {
    let Compared { deviation, attempts, endpoints } = rule;
    let was_asked = |rate: &&Rate| rate.attempts >= attempts;
    let asked: Vec<u64> = rates.iter().filter(was_asked).map(|rate| rate.successes()).collect();
    let Some(count) = u64::try_from(asked.len()).ok().filter(|count| *count >= u64::from(endpoints.max(1)))
    else {
        return vec![false; rates.len()];
    };
    let mean = asked.iter().sum::<u64>() / count;
    let variance = asked.iter().map(|rate| rate.abs_diff(mean).pow(2)).sum::<u64>() / count;
    let allowed = variance.isqrt().saturating_mul(deviation.into()) / 1000;
    let least = mean.saturating_sub(allowed);
    rates.iter().map(|rate| rate.attempts >= attempts && rate.successes() < least).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Compared = Compared { deviation: 1_900, attempts: 10, endpoints: 5 };

    fn failing(failures: &[u32]) -> Vec<Rate> {
        failures.iter().map(|failures| Rate { attempts: 30, failures: *failures }).collect()
    }

    #[test]
    fn the_one_that_is_far_below_the_mean_has_to_go() {
        assert_eq!(worse(&failing(&[0, 0, 30, 0, 0, 1]), RULE), [false, false, true, false, false, false]);
        // Among five, one alone is two deviations below the mean, and with less patience so is a smaller difference.
        assert_eq!(worse(&failing(&[0, 0, 0, 0, 3]), RULE), [false, false, false, false, true]);
        assert_eq!(worse(&failing(&[0, 1, 2, 3, 4]), RULE), [false; 5]);
    }

    #[test]
    fn what_is_equal_is_never_worse() {
        for failures in [0, 1, 7, 29, 30] {
            let strict = Compared { deviation: 0, ..RULE };
            assert_eq!(worse(&failing(&[failures; 7]), strict), [false; 7]);
        }
    }

    #[test]
    fn few_attempts_and_few_endpoints_say_nothing() {
        assert_eq!(worse(&failing(&[0, 0, 0, 30]), RULE), [false; 4], "four are not enough");
        let mut rates = failing(&[0, 0, 0, 0, 0]);
        rates.push(Rate { attempts: 9, failures: 9 });
        assert_eq!(worse(&rates, RULE), [false; 6], "it was hardly asked");
        assert_eq!(worse(&[], RULE), [false; 0]);
    }
}
