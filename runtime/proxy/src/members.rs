//! The endpoints of a group, and who is next among them: in turn by weight, the less busy of two, any, or by hash.

use crate::choice::{self, Candidate};
use crate::comparison;
use crate::random;
use crate::upstream::Endpoint;
use arc_swap::ArcSwap;
use meshd_config::{Balance, Compared, Outlier};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The endpoints of a group with the state of their rotation. Who looks for one waits for nobody: the list is replaced as a
/// whole, and what changes of its members are numbers.
#[derive(Debug)]
pub(crate) struct Members {
    list: ArcSwap<Vec<Member>>,
    /// Who is next.
    balance: Balance,
    /// How long the share of a new endpoint grows.
    slow_start: Option<Duration>,
    /// Since when there is the group.
    since: Instant,
    /// How old it was when its members were last compared with each other, in nanoseconds; 0 is never.
    compared: AtomicU64,
    /// Held by whoever may eject, where not all may be ejected.
    bound: Mutex<()>,
    /// Ejections that were found due while an endpoint was looked for, and that no metric has counted yet.
    unseen_ejections: AtomicU32,
}

#[derive(Debug)]
struct Member {
    endpoint: Arc<Endpoint>,
    /// How much this member is owed: the smooth weighted round robin known from nginx. Of two workers that choose at once
    /// each sees what the other has added, or not yet; what is owed to all together is nothing in the end.
    owed: AtomicI64,
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
            list: ArcSwap::default(),
            balance,
            slow_start,
            since: Instant::now(),
            compared: AtomicU64::new(0),
            bound: Mutex::default(),
            unseen_ejections: AtomicU32::new(0),
        }
    }

    /// Makes the members these (address, copy, weight), keeping the endpoints that were there before.
    pub(crate) fn renew(&self, wanted: &[(SocketAddr, u32, u32)], new: fn(SocketAddr, u32, u32) -> Endpoint) {
        let members = self.list.load();
        let renewed = wanted.iter().map(|(address, copy, weight)| {
            let known = members.iter().find(|member| {
                let endpoint = &member.endpoint;
                endpoint.address == *address && endpoint.copy == *copy && endpoint.weight == *weight
            });
            let endpoint = match known {
                Some(member) => Arc::clone(&member.endpoint),
                None => Arc::new(new(*address, *copy, *weight)),
            };
            Member { endpoint, owed: AtomicI64::new(0) }
        });
        self.list.store(Arc::new(renewed.collect()));
    }

    /// The endpoints, in the order of the configuration.
    pub(crate) fn all(&self) -> Vec<Arc<Endpoint>> {
        self.list.load().iter().map(|member| Arc::clone(&member.endpoint)).collect()
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
        let members = self.list.load();
        let _alone = self.alone(among, &members);
        let mut room = self.room(among, &members);
        let mut total = 0;
        let mut chosen: Option<(&Member, i64)> = None;
        for member in members.iter() {
            if !self.is_among(among, &mut room, &member.endpoint) || !admits(&member.endpoint) {
                continue;
            }
            let weight = i64::from(weigh(&member.endpoint));
            total += weight;
            let owed = member.owed.fetch_add(weight, Ordering::Relaxed) + weight;
            if chosen.is_none_or(|(_, most)| owed > most) {
                chosen = Some((member, owed));
            }
        }
        let (chosen, _) = chosen?;
        chosen.owed.fetch_sub(total, Ordering::Relaxed);
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
        let members = self.list.load();
        let _alone = self.alone(among, &members);
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
        let members = self.list.load();
        let _alone = self.alone(among, &members);
        let mut room = self.room(among, &members);
        let among = members.iter().filter(|member| self.is_among(among, &mut room, &member.endpoint));
        (among.count(), members.len())
    }

    /// Whether any member is among these.
    pub(crate) fn any(&self, among: Among<'_>) -> bool {
        let members = self.list.load();
        let _alone = self.alone(among, &members);
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
        let _alone = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        report(left(rules, now, &self.list.load()) > 0)
    }

    /// Where not all may be ejected, and an ejection may be due: nobody else ejects until this is dropped. Between the ends of
    /// intervals none is due, and nobody waits.
    fn alone(&self, among: Among<'_>, members: &[Member]) -> Option<MutexGuard<'_, ()>> {
        let Among::Usable(Some(rules), now) = among else { return None };
        rules.max_ejected?;
        let is_due = members.iter().any(|member| member.endpoint.is_due(now))
            || (rules.compared.is_some() && self.compares(rules, now).is_some());
        is_due.then(|| self.bound.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When the members were compared last and how old the group is, if it is time to compare them.
    fn compares(&self, rules: &Outlier, now: Instant) -> Option<(u64, u64)> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let age = nanos(now.saturating_duration_since(self.since)).max(1);
        let last = match self.compared.compare_exchange(0, age, Ordering::Relaxed, Ordering::Relaxed) {
            // The first interval begins with the first question.
            Ok(_) => age,
            Err(last) => last,
        };
        (age.saturating_sub(last) >= nanos(rules.interval)).then_some((last, age))
    }

    /// Ejects those that answered worse than the others in the interval that has ended, if one has.
    fn compare(&self, rules: &Outlier, rule: Compared, now: Instant, members: &[Member], room: &mut usize) {
        let Some((last, age)) = self.compares(rules, now) else { return };
        if self.compared.compare_exchange(last, age, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            // Somebody else does it.
            return;
        }
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
    let out = members.iter().filter(|member| member.endpoint.is_out(rules, now));
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

    #[test]
    fn workers_that_choose_at_once_keep_the_shares() {
        const PICKS: u32 = 8_000;
        let members = Members::new(Balance::RoundRobin, None);
        let wanted: Vec<_> =
            (1..=4u32).map(|n| (SocketAddr::from(([127, 0, 0, n as u8], 80)), 0, n)).collect();
        members.renew(&wanted, Endpoint::new);
        let shares = [(); 5].map(|()| AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..PICKS / 4 {
                        shares[usize::from(place(&members, None))].fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let owed: i64 = members.list.load().iter().map(|member| member.owed.load(Ordering::Relaxed)).sum();
        assert_eq!(owed, 0, "nothing is lost");
        for (share, expected) in shares.iter().zip([0, 800, 1600, 2400, 3200]) {
            // What each of four workers has not seen of the others is a few turns.
            assert!(share.load(Ordering::Relaxed).abs_diff(expected) <= 80, "{shares:?}");
        }
    }

    /// Rules by which an endpoint is ejected for its share of failures, and no more than a fifth of all.
    fn rules() -> Outlier {
        let text = r#"{"version":1,"node":{"name":"n","cluster":"c"},"listeners":[],"upstreams":{"u":{
            "connect_timeout":"1s","pool":{"max_connections":1,"max_pending":1,"max_requests":1},
            "groups":[{"name":"g","endpoints":[{"host":"127.0.0.1","port":1}],"outlier":{
            "failing_share":{"percent":50,"attempts":1},"interval":"10s","ejection":"30s","max_ejected":20}}]}}}"#;
        meshd_config::Config::read(text).unwrap().upstreams["u"].groups[0].outlier.clone().unwrap()
    }

    #[test]
    fn workers_that_find_ejections_due_at_once_keep_the_bound() {
        for _ in 0..50 {
            let (rules, start) = (rules(), Instant::now());
            let members = members(Balance::RoundRobin, None, 10);
            for endpoint in members.all() {
                members.within_bounds(&rules, start, |room| endpoint.fail(&rules, start, room));
            }
            let later = start + Duration::from_secs(11);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| members.next(Among::Usable(Some(&rules), later), None, |_| true));
                }
            });
            assert_eq!(members.count(Among::Usable(Some(&rules), later)), (8, 10));
            assert_eq!(members.unseen_ejections(), 2);
        }
    }

    #[test]
    fn between_the_ends_of_intervals_nobody_waits() {
        let (rules, start) = (rules(), Instant::now());
        let members = members(Balance::RoundRobin, None, 3);
        let among = Among::Usable(Some(&rules), start);
        assert!(members.next(among, None, |_| true).is_some(), "all intervals begin");
        let _held = (
            members.bound.lock().unwrap(),
            members.all().into_iter().map(Endpoint::hold).collect::<Vec<_>>(),
        );
        assert!((0..30).all(|_| members.next(among, None, |_| true).is_some()));
    }
}
