//! Choosing one of several candidates: pure, with the randomness handed in.

use std::time::Duration;

/// One that may be chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Its share relative to the others.
    pub(crate) weight: u32,
    /// How many requests it has under way.
    pub(crate) active: u32,
    /// A number of its own that is the same in every proxy.
    pub(crate) mark: u64,
}

/// The smallest share of a new endpoint, in thousandths of what it will be. Source: Envoy's default.
const LEAST: u128 = 100;

/// How many thousandths of its full share an endpoint of this age has. The share grows evenly, from a tenth.
pub(crate) fn thousandths(age: Duration, window: Duration) -> u32 {
    let share = (age.as_nanos() * 1000).checked_div(window.as_nanos()).unwrap_or(1000);
    u32::try_from(share.clamp(LEAST, 1000)).unwrap_or(1000)
}

/// The position that a random number stands for, where each has as much room as it weighs.
pub(crate) fn any(candidates: &[Candidate], random: u64) -> Option<usize> {
    by_weight(candidates.iter().map(|one| one.weight), random)
}

/// The same of bare weights; `None` if none of them is above 0.
pub(crate) fn by_weight(weights: impl Iterator<Item = u32> + Clone, random: u64) -> Option<usize> {
    let total: u64 = weights.clone().map(u64::from).sum();
    let mut point = random.checked_rem(total)?;
    for (position, weight) in weights.enumerate() {
        match point.checked_sub(u64::from(weight)) {
            None => return Some(position),
            Some(rest) => point = rest,
        }
    }
    None
}

/// The position of the group that a random number stands for, where each has so many usable endpoints out of so many. A
/// group keeps 1.4 times the share of its endpoints that is usable, and the next one gets what it cannot keep; if all
/// together keep less than everything, each gets as much more. `None` if no endpoint is usable. The arithmetic is that of
/// Envoy's priorities, whole percentages included.
pub(crate) fn group(usable: &[(usize, usize)], random: u64) -> Option<usize> {
    const KEPT: u64 = 140;
    let keeps = |(usable, all): &(usize, usize)| {
        let [usable, all] = [*usable, *all].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        (usable.saturating_mul(KEPT)).checked_div(all).unwrap_or(0).min(100)
    };
    let together = usable.iter().map(keeps).sum::<u64>().min(100);
    let mut left = 100;
    let mut point = random % 100;
    let mut first = None;
    for (position, one) in usable.iter().enumerate() {
        let load = (keeps(one) * 100).checked_div(together)?.min(left);
        if load > 0 {
            first = first.or(Some(position));
        }
        match point.checked_sub(load) {
            None => return Some(position),
            Some(rest) => point = rest,
        }
        left -= load;
    }
    // What is lost by rounding goes to the first.
    first
}

/// Of two at random the one with fewer requests under way; of equals the first. It may be drawn twice.
pub(crate) fn less_busy(candidates: &[Candidate], random: fn() -> u64) -> Option<usize> {
    let [first, second] = [any(candidates, random())?, any(candidates, random())?];
    let active = |position: usize| candidates.get(position).map(|one| one.active);
    Some(if active(second) < active(first) { second } else { first })
}

/// The one that scores best for a key. Without one of them, only its keys have another best one, and a new one takes only
/// the keys for which it is best: the scores of two candidates do not depend on a third (rendezvous hashing, Thaler and
/// Ravishankar 1998). Weights do not count: the endpoints of one group weigh alike.
pub(crate) fn by_hash(candidates: &[Candidate], key: u64) -> Option<usize> {
    let scored = candidates.iter().enumerate().map(|(position, one)| (mixed(key ^ one.mark), position));
    scored.max().map(|(_, position)| position)
}

/// A number whose every bit depends on every bit of another one. Source: the finalizer of SplitMix64 (Steele, Lea and
/// Flood 2014).
const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A number for some bytes, the same in every proxy of every version.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let first = digest.as_ref().first_chunk::<8>();
    first.map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(weights: &[u32]) -> Vec<Candidate> {
        let marked = weights.iter().zip(0u64..);
        marked
            .map(|(weight, n)| Candidate { weight: *weight, active: 0, mark: number(&n.to_be_bytes()) })
            .collect()
    }

    #[test]
    fn a_share_grows_from_a_tenth() {
        let at = |age| thousandths(Duration::from_secs(age), Duration::from_secs(100));
        assert_eq!([0, 5, 10, 50, 99, 100, 1_000_000].map(at), [100, 100, 100, 500, 990, 1000, 1000]);
        assert_eq!(thousandths(Duration::ZERO, Duration::ZERO), 1000);
    }

    #[test]
    fn each_has_as_much_room_as_it_weighs() {
        let candidates = of(&[2, 0, 3]);
        let chosen: Vec<_> = (0..10).map(|random| any(&candidates, random).unwrap()).collect();
        assert_eq!(chosen, [0, 0, 2, 2, 2, 0, 0, 2, 2, 2]);
        assert_eq!((any(&[], 7), any(&of(&[0]), 7)), (None, None));
    }

    #[test]
    fn groups_hand_on_what_envoy_s_priorities_do() {
        // The first five were measured with Envoy 1.40 (1,000 requests each), the others follow from its documentation.
        for (usable, expected) in [
            ([(4, 4), (4, 4)], [100, 0]),
            ([(3, 4), (4, 4)], [100, 0]),
            ([(2, 4), (4, 4)], [70, 30]),
            ([(1, 4), (4, 4)], [35, 65]),
            ([(0, 4), (4, 4)], [0, 100]),
            ([(1, 4), (1, 4)], [50, 50]),
            ([(1, 4), (2, 4)], [35, 65]),
            ([(1, 10), (1, 5)], [34, 66]),
            ([(4, 4), (0, 4)], [100, 0]),
            ([(0, 0), (1, 4)], [0, 100]),
        ] {
            let mut shares = [0; 2];
            (0..100).for_each(|random| shares[group(&usable, random).unwrap()] += 1);
            assert_eq!(shares, expected, "{usable:?}");
        }
        assert_eq!((group(&[(0, 4), (0, 4)], 7), group(&[], 7)), (None, None));
    }

    #[test]
    fn of_two_the_less_busy_is_chosen() {
        let mut candidates = of(&[1, 1]);
        candidates[0].active = 1;
        thread_local!(static NEXT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
        let draws = || NEXT.replace(NEXT.get() + 1);
        // The draws are 0 and 1: whatever comes first, 1 has less to do.
        assert_eq!(less_busy(&candidates, draws), Some(1));
        assert_eq!(less_busy(&candidates, || 0), Some(0), "it was drawn twice");
        candidates[1].active = 1;
        assert_eq!(less_busy(&candidates, draws), Some(0), "the first of equals");
    }

    #[test]
    fn when_one_goes_only_its_keys_move() {
        const KEYS: u64 = 8_000;
        let before = of(&[1; 8]);
        let after: Vec<Candidate> = before.iter().copied().skip(1).collect();
        let mut shares = [0u64; 8];
        for key in 0..KEYS {
            let key = number(&key.to_be_bytes());
            let (old, new) = (by_hash(&before, key).unwrap(), by_hash(&after, key).unwrap());
            shares[old] += 1;
            assert!(old == 0 || old == new + 1, "a key of another one moved");
        }
        // Binomial with 8,000 and 1/8: the bound is 6.7 standard deviations away.
        assert!(shares.iter().all(|share| share.abs_diff(KEYS / 8) < 200), "{shares:?}");
    }

    #[test]
    fn numbers_are_the_same_in_every_version() {
        assert_eq!(number(b"127.0.0.1:80/0"), 0x16fc_8701_658d_5101);
    }
}
