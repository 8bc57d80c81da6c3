//! What answers come to.

use std::collections::BTreeSet;
use std::time::Duration;

use super::wish::{MOST, is_part};
use super::{Inquiry, Judged, Observation, Probe, Seen, Wish, words};

/// The status of a refusal.
const FORBIDDEN: u16 = 403;
/// The status of a limit that is used up.
const TOO_MANY: u16 = 429;
/// The status of a timeout.
const TIMED_OUT: u16 = 504;
/// The status of a proxy that has nobody to ask.
const UNAVAILABLE: u16 = 503;
/// At least so many answers have to agree where several could answer.
const FEW: usize = 10;

impl Inquiry {
    /// What the answers to one of the probes come to so far, in the order in which they came.
    #[must_use]
    pub fn judge(&self, probe: &Probe, seen: &[Observation]) -> Judged {
        let Some(last) = seen.last() else { return Judged::More };
        if let Seen::Somebody = last.seen {
            return Judged::Open(String::from(
                "a process of your own answers, and does not say whether it or a proxy does",
            ));
        }
        let used_up = last.seen == Seen::Proxy(TOO_MANY);
        match &self.wish {
            Wish::Limited(_) | Wish::Rate(..) | Wish::Status(TOO_MANY) => {}
            Wish::Refused(_)
            | Wish::Admitted(_)
            | Wish::AnsweredIn(..)
            | Wish::AnsweredBy(_)
            | Wish::Ends(..)
            | Wish::Status(_) => {
                if used_up {
                    return Judged::Open(String::from(
                        "a limit refuses the request, so what else becomes of it is not to be seen",
                    ));
                }
            }
        }
        let unmet = || Judged::Unmet(said(probe, last));
        match &self.wish {
            Wish::Admitted(callee) => match &last.seen {
                Seen::Answered { service, cluster: _ } => {
                    met_if(callee.as_ref().is_none_or(|callee| is_part(service, callee)), unmet)
                }
                Seen::Proxy(_) | Seen::Somebody | Seen::Closed | Seen::Silent => unmet(),
            },
            Wish::Refused(callee) => refused(probe, last, callee),
            Wish::AnsweredIn(callee, cluster) => match (&last.seen, cluster) {
                (Seen::Answered { .. }, None) => Judged::Met,
                (Seen::Answered { service, cluster: at }, Some(cluster)) => {
                    if at == cluster && is_part(service, callee) {
                        return Judged::Met;
                    }
                    match seen.len().cmp(&probe.enough.unwrap_or(MOST)) {
                        std::cmp::Ordering::Less => Judged::More,
                        std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => few(probe, seen),
                    }
                }
                (Seen::Proxy(_) | Seen::Somebody | Seen::Closed | Seen::Silent, _) => unmet(),
            },
            Wish::AnsweredBy(places) => match &last.seen {
                Seen::Answered { service, cluster } => {
                    if !places.iter().any(|place| place.is(service, cluster)) {
                        return unmet();
                    }
                    if seen.len() >= probe.enough.unwrap_or(MOST).max(FEW) {
                        Judged::Met
                    } else {
                        Judged::More
                    }
                }
                Seen::Proxy(_) | Seen::Somebody | Seen::Closed | Seen::Silent => unmet(),
            },
            Wish::Limited(most) => match &last.seen {
                Seen::Proxy(TOO_MANY) => Judged::Met,
                Seen::Answered { .. } if seen.len() < *most => Judged::More,
                Seen::Answered { .. } => Judged::Unmet(format!(
                    "{} requests of `{}` in {} are all answered",
                    seen.len(),
                    probe.from,
                    words(whole(seen))
                )),
                Seen::Proxy(_) | Seen::Somebody | Seen::Closed | Seen::Silent => unmet(),
            },
            Wish::Rate(count, per) => rate(probe, seen, *count, *per),
            Wish::Ends(earliest, latest) => self.ends(probe, last, *earliest, *latest),
            Wish::Status(status) => met_if(last.seen == Seen::Proxy(*status), unmet),
        }
    }

    /// What the answers to all probes come to together, once each by itself is as expected.
    #[must_use]
    pub fn conclude(&self, seen: &[Observation]) -> Judged {
        let Wish::AnsweredBy(places) = &self.wish else { return Judged::Met };
        let answers = |place: &super::wish::Place| {
            seen.iter().any(|one| match &one.seen {
                Seen::Answered { service, cluster } => place.is(service, cluster),
                Seen::Proxy(_) | Seen::Somebody | Seen::Closed | Seen::Silent => false,
            })
        };
        match places.iter().find(|place| !answers(place)) {
            None => Judged::Met,
            Some(place) if self.probes.iter().any(|probe| probe.enough.is_none()) => Judged::Open(format!(
                "{} may have too small a share to be met with {MOST} requests",
                place.shown
            )),
            Some(place) => Judged::Unmet(format!("{} answers none of {} requests", place.shown, seen.len())),
        }
    }

    fn ends(&self, probe: &Probe, last: &Observation, earliest: Duration, latest: Duration) -> Judged {
        let after = words(last.after);
        match &last.seen {
            Seen::Proxy(TIMED_OUT) if (earliest..=latest).contains(&last.after) => Judged::Met,
            Seen::Proxy(TIMED_OUT) => Judged::Unmet(format!("`{}` gets 504 after {after}", probe.from)),
            Seen::Answered { .. } => {
                let delay = self.wish.delay().unwrap_or_default();
                if last.after + Duration::from_millis(50) < delay {
                    return Judged::Open(String::from(
                        "the application is asked to wait in the query, and the query does not get there",
                    ));
                }
                Judged::Unmet(format!("{}, after {after}", said(probe, last)))
            }
            Seen::Proxy(_) | Seen::Somebody | Seen::Closed => {
                Judged::Unmet(format!("{}, after {after}", said(probe, last)))
            }
            Seen::Silent => Judged::Unmet(said(probe, last)),
        }
    }
}

fn met_if(is_so: bool, unmet: impl Fn() -> Judged) -> Judged {
    if is_so { Judged::Met } else { unmet() }
}

fn said(probe: &Probe, last: &Observation) -> String {
    format!("{}, to `{}`", last.text(), probe.from)
}

/// A callee's proxy refuses with 403, or in the handshake. What a gateway answers by itself does not get to the callee, but
/// 503 may as well be that the callee is gone.
fn refused(probe: &Probe, last: &Observation, callee: &str) -> Judged {
    let direct = match probe.entry {
        super::Entry::Callee { .. } => true,
        super::Entry::Gateway { .. } | super::Entry::Sidecar { .. } => false,
    };
    match &last.seen {
        Seen::Proxy(FORBIDDEN) | Seen::Closed => Judged::Met,
        Seen::Proxy(UNAVAILABLE) if !direct => Judged::Open(String::from(
            "the gateway answers with 503, which is what it does if the callee refuses it, and if no pod is left",
        )),
        Seen::Proxy(_) if !direct => Judged::Met,
        Seen::Answered { service, cluster: _ } if !direct && !is_part(service, callee) => Judged::Met,
        Seen::Answered { .. } | Seen::Proxy(_) | Seen::Somebody | Seen::Silent => {
            Judged::Unmet(said(probe, last))
        }
    }
}

/// None of those who answered is the one that is wished.
fn few(probe: &Probe, seen: &[Observation]) -> Judged {
    if probe.enough.is_none() {
        return Judged::Open(format!("its share may be too small to be met with {MOST} requests"));
    }
    let who: BTreeSet<String> = seen.iter().map(Observation::text).collect();
    let who = who.into_iter().collect::<Vec<_>>().join(" and ");
    let plural = if seen.len() == 1 { "a request" } else { "each of many requests" };
    Judged::Unmet(format!("{who}, to {plural} of `{}`", probe.from))
}

fn whole(seen: &[Observation]) -> Duration {
    seen.iter().map(|one| one.after).sum()
}

/// The first refusal comes after as many as the limit has, and after no more than came in again meanwhile.
fn rate(probe: &Probe, seen: &[Observation], count: u64, per: u64) -> Judged {
    let Some(last) = seen.last() else { return Judged::More };
    let taken = seen.len() as u64;
    let time = whole(seen);
    let again = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).saturating_mul(count) / per.max(1);
    // What is measured is a little less than what has passed.
    let most = count + if again == 0 { 0 } else { again + again / 4 + 1 };
    match &last.seen {
        Seen::Answered { .. } => {
            let who = |one: &Observation| match &one.seen {
                Seen::Answered { service, cluster } => Some((service.clone(), cluster.clone())),
                Seen::Proxy(_) | Seen::Somebody | Seen::Closed | Seen::Silent => None,
            };
            let several: BTreeSet<_> = seen.iter().filter_map(who).collect();
            if several.len() > 1 {
                return Judged::Open(String::from("several pods answer, and each may count by itself"));
            }
            if again > count * 3 {
                return Judged::Open(String::from("this machine sends too few requests to use the limit up"));
            }
            if taken <= most + count {
                return Judged::More;
            }
            Judged::Unmet(format!("{taken} requests of `{}` in {} are all answered", probe.from, words(time)))
        }
        Seen::Proxy(TOO_MANY) => {
            let taken = taken - 1;
            if (count..=most).contains(&taken) {
                return Judged::Met;
            }
            if taken < count && per > 1000 {
                return Judged::Open(String::from(
                    "the limit may have been used just before, and has its requests again only after a while",
                ));
            }
            let time = words(time);
            Judged::Unmet(format!("the limit refuses requests of `{}` after {taken} in {time}", probe.from))
        }
        Seen::Proxy(_) | Seen::Somebody | Seen::Closed | Seen::Silent => Judged::Unmet(said(probe, last)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wish::Place;
    use super::super::{Entry, Message};
    use super::*;

    fn probe(enough: Option<usize>) -> Probe {
        let entry = Entry::Sidecar {
            cluster: String::from("west"),
            caller: String::from("shop.web"),
            callee: String::from("shop.db"),
            port: 80,
        };
        Probe { from: String::from("shop.web in west"), entry, message: Message::Connection, enough }
    }

    fn answered(cluster: &str) -> Observation {
        let seen = Seen::Answered { service: String::from("shop.db"), cluster: cluster.to_owned() };
        Observation { seen, after: Duration::from_millis(1) }
    }

    fn proxy(status: u16) -> Observation {
        Observation { seen: Seen::Proxy(status), after: Duration::from_millis(1) }
    }

    fn judged(wish: Wish, enough: Option<usize>, seen: &[Observation]) -> Judged {
        let inquiry = Inquiry { wish, probes: vec![probe(enough)] };
        inquiry.judge(&probe(enough), seen)
    }

    /// So many answers, and a refusal.
    fn burst(answers: usize) -> Vec<Observation> {
        let mut all = vec![answered("west"); answers];
        all.push(proxy(TOO_MANY));
        all
    }

    #[test]
    fn a_limit_is_what_it_is_meant_to_be_and_no_other() {
        let rate = |count, answers: usize| judged(Wish::Rate(count, 1000), Some(1), &burst(answers));
        assert_eq!(rate(5, 5), Judged::Met);
        for (count, answers) in [(5, 4), (5, 6), (3, 5), (9, 5)] {
            assert!(matches!(rate(count, answers), Judged::Unmet(_)), "{count} {answers}");
        }
        // A hundred answers take a tenth of a second, in which ten more come in.
        assert_eq!(rate(100, 111), Judged::Met);
        let minute = |answers: usize| judged(Wish::Rate(10, 60_000), Some(1), &burst(answers));
        assert_eq!(minute(10), Judged::Met);
        assert!(matches!(minute(7), Judged::Open(_)), "it may have been used before");
        assert!(matches!(minute(12), Judged::Unmet(_)));
        let pods = [answered("west"), answered("east")];
        assert!(matches!(judged(Wish::Rate(5, 1000), Some(1), &pods), Judged::Open(_)));
    }

    #[test]
    fn who_answers_is_asked_until_everybody_was_met() {
        let wish = |clusters: &[&str]| {
            let place = |cluster: &&str| Place {
                service: None,
                cluster: Some((*cluster).to_owned()),
                shown: (*cluster).to_owned(),
            };
            Wish::AnsweredBy(clusters.iter().map(place).collect())
        };
        let (west, east) = (answered("west"), answered("east"));
        let few = vec![west.clone(); FEW];
        assert_eq!(judged(wish(&["west"]), Some(1), &few), Judged::Met);
        assert_eq!(judged(wish(&["west"]), Some(1), &few[1..]), Judged::More);
        assert_eq!(judged(wish(&["west"]), Some(28), &few), Judged::More);
        assert!(matches!(judged(wish(&["west"]), Some(1), std::slice::from_ref(&east)), Judged::Unmet(_)));
        let all = |enough| Inquiry { wish: wish(&["west", "east"]), probes: vec![probe(enough)] };
        assert!(matches!(all(Some(28)).conclude(&few), Judged::Unmet(_)));
        assert!(matches!(all(None).conclude(&few), Judged::Open(_)), "its share may be too small");
        assert_eq!(all(Some(28)).conclude(&[west.clone(), east.clone()]), Judged::Met);
        let in_east = || Wish::AnsweredIn(String::from("shop.db"), Some(String::from("east")));
        assert_eq!(judged(in_east(), Some(2), std::slice::from_ref(&west)), Judged::More);
        assert!(matches!(judged(in_east(), Some(2), &[west.clone(), west.clone()]), Judged::Unmet(_)));
        assert_eq!(judged(in_east(), Some(2), &[west, east]), Judged::Met);
    }

    #[test]
    fn a_refusal_is_no_limit_and_no_absence() {
        let refused = || Wish::Refused(String::from("shop.db"));
        assert_eq!(judged(refused(), Some(1), &[proxy(403)]), Judged::Met);
        assert!(matches!(judged(refused(), Some(1), &[proxy(429)]), Judged::Open(_)));
        assert!(matches!(judged(refused(), Some(1), &[proxy(503)]), Judged::Open(_)));
        assert!(matches!(judged(refused(), Some(1), &[answered("west")]), Judged::Unmet(_)));
        assert!(matches!(judged(Wish::Admitted(None), Some(1), &[proxy(403)]), Judged::Unmet(_)));
        assert_eq!(judged(Wish::Admitted(None), Some(1), &[answered("west")]), Judged::Met);
        assert!(matches!(
            judged(Wish::Admitted(Some(String::from("shop.d"))), Some(1), &[answered("west")]),
            Judged::Unmet(_)
        ));
    }

    #[test]
    fn a_timeout_is_seen_in_time() {
        let ends = || Wish::ends(Duration::from_secs(2), true).unwrap();
        let after = |seen, millis| [Observation { seen, after: Duration::from_millis(millis) }];
        assert_eq!(judged(ends(), Some(1), &after(Seen::Proxy(504), 2010)), Judged::Met);
        assert!(matches!(judged(ends(), Some(1), &after(Seen::Proxy(504), 900)), Judged::Unmet(_)));
        assert!(matches!(judged(ends(), Some(1), &after(Seen::Proxy(504), 4000)), Judged::Unmet(_)));
        let west = || answered("west").seen;
        assert!(matches!(judged(ends(), Some(1), &after(west(), 7000)), Judged::Unmet(_)));
        assert!(matches!(judged(ends(), Some(1), &after(west(), 3)), Judged::Open(_)), "it did not wait");
        assert!(Wish::ends(Duration::from_secs(60), true).is_err());
    }
}
