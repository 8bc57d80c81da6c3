//! The endpoints of a group, and who is next among them: in turn by weight, the less busy of two, any, or by hash.

use crate::choice::{self, Candidate};
use crate::comparison;
use crate::random;
use crate::upstream::Endpoint;
use meshd_config::{Balance, Compared, Outlier};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The endpoints of a group with the state of their rotation.
#[derive(Debug)]
pub(crate) struct Members {
    list: Mutex<Vec<Member>>,
    /// Who is next.
    balance: Balance,
    /// How long the share of a new endpoint grows.
    slow_start: Option<Duration>,
    /// When its members were last compared with each other.
    compared: Mutex<Option<Instant>>,
    /// Ejections that were found due while an endpoint was looked for, and that no metric has counted yet.
    unseen_ejections: AtomicU32,
}

#[derive(Debug)]
struct Member {
    endpoint: Arc<Endpoint>,
    /// How much this member is owed: the smooth weighted round robin known from nginx.
    owed: i64,
}

/// The endpoints from which one is chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Among<'a> {
    /// Those that these rules have not ejected and that are healthy.
    Usable(Option<&'a Outlier>, Instant),
    /// All of them.
    All,
}

impl Members {
    /// No endpoints yet.
    pub(crate) fn new(balance: Balance, slow_start: Option<Duration>) -> Self {
        Members {
            list: Mutex::default(),
            balance,
            slow_start,
            compared: Mutex::default(),
            unseen_ejections: AtomicU32::new(0),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Member>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the members these (address, copy, weight), keeping the endpoints that were there before.
    pub(crate) fn renew(&self, wanted: &[(SocketAddr, u32, u32)], new: fn(SocketAddr, u32, u32) -> Endpoint) {
        let mut members = self.lock();
        let renewed = wanted.iter().map(|(address, copy, weight)| {
            let known = members.iter().find(|member| {
                let endpoint = &member.endpoint;
                endpoint.address == *address && endpoint.copy == *copy && endpoint.weight == *weight
            });
            let endpoint = match known {
                Some(member) => Arc::clone(&member.endpoint),
                None => Arc::new(new(*address, *copy, *weight)),
            };
            Member { endpoint, owed: 0 }
        });
        *members = renewed.collect();
    }

    /// The endpoints, in the order of the configuration.
    pub(crate) fn all(&self) -> Vec<Arc<Endpoint>> {
        self.lock().iter().map(|member| Arc::clone(&member.endpoint)).collect()
    }

    /// How many ejections came about since this was last asked, beside those that a report brought.
    pub(crate) fn unseen_ejections(&self) -> u32 {
        // Nearly always there are none, and then this costs no write.
        if self.unseen_ejections.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.unseen_ejections.swap(0, Ordering::Relaxed)
    }

    /// The next member that `admits` accepts, for a request with this hash.
    pub(crate) fn next(
        &self,
        among: Among<'_>,
        key: Option<u64>,
        admits: impl Fn(&Endpoint) -> bool,
    ) -> Option<Arc<Endpoint>> {
        match (self.balance, self.slow_start) {
            (Balance::RoundRobin, None) => self.in_turn(among, admits, |endpoint| endpoint.weight),
            (Balance::RoundRobin, Some(window)) => {
                let now = Instant::now();
                self.in_turn(among, admits, |endpoint| grown(endpoint, Some(window), now))
            }
            (Balance::LeastRequest | Balance::Random | Balance::Hash, slow_start) => {
                self.at_once(among, slow_start, key, admits)
            }
        }
    }

    /// The one that is owed most.
    fn in_turn(
        &self,
        among: Among<'_>,
        admits: impl Fn(&Endpoint) -> bool,
        weigh: impl Fn(&Endpoint) -> u32,
    ) -> Option<Arc<Endpoint>> {
        let mut members = self.lock();
        let mut room = self.room(among, &members);
        let mut total = 0;
        let mut chosen: Option<&mut Member> = None;
        for member in members.iter_mut() {
            if !self.is_among(among, &mut room, &member.endpoint) || !admits(&member.endpoint) {
                continue;
            }
            let weight = i64::from(weigh(&member.endpoint));
            total += weight;
            member.owed += weight;
            if chosen.as_ref().is_none_or(|best| member.owed > best.owed) {
                chosen = Some(member);
            }
        }
        let chosen = chosen?;
        chosen.owed -= total;
        Some(Arc::clone(&chosen.endpoint))
    }

    /// One that is chosen without regard to those before.
    fn at_once(
        &self,
        among: Among<'_>,
        slow_start: Option<Duration>,
        key: Option<u64>,
        admits: impl Fn(&Endpoint) -> bool,
    ) -> Option<Arc<Endpoint>> {
        let now = Instant::now();
        let members = self.lock();
        let mut room = self.room(among, &members);
        let endpoints = members.iter().map(|member| &member.endpoint);
        let endpoints: Vec<&Arc<Endpoint>> = endpoints
            .filter(|endpoint| self.is_among(among, &mut room, endpoint) && admits(endpoint))
            .collect();
        let candidates = endpoints.iter().map(|endpoint| Candidate {
            weight: grown(endpoint, slow_start, now),
            active: endpoint.active.load(Ordering::Relaxed),
            mark: endpoint.mark,
        });
        let candidates: Vec<Candidate> = candidates.collect();
        let position = match (self.balance, key) {
            (Balance::LeastRequest, _) => choice::less_busy(&candidates, random::number),
            (Balance::Hash, Some(key)) => choice::by_hash(&candidates, key),
            (Balance::Hash | Balance::Random | Balance::RoundRobin, _) => {
                choice::any(&candidates, random::number())
            }
        };
        endpoints.get(position?).map(|endpoint| Arc::clone(endpoint))
    }

    /// How many members are among these, and how many there are.
    pub(crate) fn count(&self, among: Among<'_>) -> (usize, usize) {
        let members = self.lock();
        let mut room = self.room(among, &members);
        let among = members.iter().filter(|member| self.is_among(among, &mut room, &member.endpoint));
        (among.count(), members.len())
    }

    /// Whether any member is among these.
    pub(crate) fn any(&self, among: Among<'_>) -> bool {
        let members = self.lock();
        let mut room = self.room(among, &members);
        members.iter().any(|member| self.is_among(among, &mut room, &member.endpoint))
    }

    fn is_among(&self, among: Among<'_>, room: &mut usize, endpoint: &Endpoint) -> bool {
        match among {
            Among::All => true,
            Among::Usable(_, _) if !endpoint.is_healthy() => false,
            Among::Usable(rules, now) => {
                let (ejected, ejections) = endpoint.is_ejected(rules, now, *room > 0);
                if ejections > 0 {
                    *room = room.saturating_sub(1);
                    self.unseen_ejections.fetch_add(ejections, Ordering::Relaxed);
                }
                !ejected
            }
        }
    }

    /// How many more may be ejected, after the members were compared where it is time for that.
    fn room(&self, among: Among<'_>, members: &[Member]) -> usize {
        let Among::Usable(Some(rules), now) = among else { return usize::MAX };
        let mut room = left(rules, now, members);
        if let Some(rule) = rules.compared {
            self.compare(rules, rule, now, members, &mut room);
        }
        room
    }

    /// Does something that may eject a member, telling it whether there is room for that.
    pub(crate) fn within_bounds<T>(
        &self,
        rules: &Outlier,
        now: Instant,
        report: impl FnOnce(bool) -> T,
    ) -> T {
        let members = self.lock();
        report(left(rules, now, &members) > 0)
    }

    /// Ejects those that answered worse than the others in the interval that has ended, if one has.
    fn compare(&self, rules: &Outlier, rule: Compared, now: Instant, members: &[Member], room: &mut usize) {
        let mut last = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *last.get_or_insert(now);
        if now.saturating_duration_since(since) < rules.interval {
            return;
        }
        *last = Some(now);
        let rates: Vec<_> = members.iter().map(|member| member.endpoint.take_rate()).collect();
        for (member, is_worse) in members.iter().zip(comparison::worse(&rates, rule)) {
            if is_worse && *room > 0 {
                let ejections = member.endpoint.eject(rules, now);
                if ejections > 0 {
                    *room = room.saturating_sub(1);
                    self.unseen_ejections.fetch_add(ejections, Ordering::Relaxed);
                }
            }
        }
    }
}

/// How many more of these may be ejected.
fn left(rules: &Outlier, now: Instant, members: &[Member]) -> usize {
    let Some(percent) = rules.max_ejected else { return usize::MAX };
    let most = members.len() * usize::try_from(percent).unwrap_or(100) / 100;
    let out = members.iter().filter(|member| member.endpoint.ejected_until(Some(rules), now).is_some());
    most.saturating_sub(out.count())
}

/// The weight of an endpoint now, in thousandths, while its share may still grow.
fn grown(endpoint: &Endpoint, slow_start: Option<Duration>, now: Instant) -> u32 {
    match slow_start {
        None => endpoint.weight,
        Some(window) => endpoint.weight.saturating_mul(choice::thousandths(endpoint.age(now), window)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(balance: Balance, slow_start: Option<Duration>, count: u8) -> Members {
        let members = Members::new(balance, slow_start);
        members.renew(&wanted(count), Endpoint::new);
        members
    }

    fn wanted(count: u8) -> Vec<(SocketAddr, u32, u32)> {
        (0..count).map(|last| (SocketAddr::from(([127, 0, 0, last], 80)), 0, 1)).collect()
    }

    fn place(members: &Members, key: Option<u64>) -> u8 {
        let endpoint = members.next(Among::All, key, |_| true).unwrap();
        let std::net::IpAddr::V4(address) = endpoint.address.ip() else { panic!("IPv4") };
        address.octets()[3]
    }

    #[test]
    fn whoever_is_busy_gets_little() {
        let members = members(Balance::LeastRequest, None, 3);
        members.all()[0].active.store(5, Ordering::Relaxed);
        let to_the_busy_one = (0..900).filter(|_| place(&members, None) == 0).count();
        // Only if both draws are it: one in nine. In turn it would be 300; the bound is 11 standard deviations away.
        assert!(to_the_busy_one < 200, "{to_the_busy_one}");
    }

    #[test]
    fn one_key_has_one_place_and_no_key_any() {
        let members = members(Balance::Hash, None, 8);
        for key in [0, 7, u64::MAX] {
            let first = place(&members, Some(key));
            assert!((0..50).all(|_| place(&members, Some(key)) == first));
        }
        let mut places: Vec<u8> = (0..400).map(|_| place(&members, None)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 8);
    }

    #[test]
    fn a_retry_of_a_key_goes_to_the_same_second_place() {
        let members = members(Balance::Hash, None, 8);
        let first = members.next(Among::All, Some(7), |_| true).unwrap();
        let second = || members.next(Among::All, Some(7), |other| other.id != first.id).unwrap().id;
        let expected = second();
        assert!(expected != first.id && (0..50).all(|_| second() == expected));
    }

    #[test]
    fn a_new_endpoint_begins_with_a_tenth() {
        let members = members(Balance::RoundRobin, Some(Duration::from_secs(3600)), 2);
        // The group is an hour old when the third one comes.
        let old = |address, copy, weight| {
            let hour = Duration::from_secs(3600);
            let mut endpoint = Endpoint::new(address, copy, weight);
            endpoint.since = Instant::now().checked_sub(hour).unwrap();
            endpoint
        };
        members.renew(&[], Endpoint::new);
        members.renew(&wanted(2), old);
        members.renew(&wanted(3), Endpoint::new);
        let mut shares = [0u32; 3];
        (0..2100).for_each(|_| shares[usize::from(place(&members, None))] += 1);
        assert!(shares[2].abs_diff(100) <= 5 && shares[0].abs_diff(shares[1]) <= 2, "{shares:?}");
    }

    #[test]
    fn all_that_are_new_share_alike() {
        let members = members(Balance::RoundRobin, Some(Duration::from_secs(3600)), 3);
        let mut shares = [0u32; 3];
        (0..300).for_each(|_| shares[usize::from(place(&members, None))] += 1);
        assert!(shares.iter().all(|share| share.abs_diff(100) <= 2), "{shares:?}");
    }
}
