//! What becomes of a call: at each proxy of the caller, on each way that it may take.

use meshc_plan::ListenerKind;
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::{Callee, Cluster, Id, Route};
use meshc_vocabulary::testing::{CallTest, CallTo};

use super::reply::{Fact, Line, Place};
use super::{Asked, agreed};
use crate::admission::{Admission, Verdict};
use crate::expectation::{Answering, Sender};
use crate::found::Found;
use crate::sending::{Destination, Handled, Sending, Way};
use crate::sent::Sent;
use crate::truth::Truth;

impl<'m> Asked<'_, 'm> {
    /// Whether a call is sent, admitted and answered, at each proxy of the caller.
    pub(crate) fn can(&self, call: &CallTest) -> (Truth, Vec<Line>) {
        let sent = self.asking.sent(call);
        let mut senders = self.asking.senders(call, &sent);
        for sender in &mut senders {
            if sender.ways.is_empty() {
                sender.ways = self.to_whole(sender, call, &sent);
            }
            if sender.ways.is_empty() {
                sender.ways = self.through_others(sender, call, &sent);
            }
        }
        let living: Vec<_> =
            senders.iter().filter(|sender| !self.asking.survivors.caller_failed(sender.key)).collect();
        if living.is_empty() {
            let who = self.asking.caller_name(call.from);
            return (Truth::No, vec![line(Truth::No, &who, "has failed itself, everywhere")]);
        }
        let mut lines = Vec::new();
        let mut verdicts = Vec::new();
        for sender in living {
            let mut own = self.of_sender(call, sender, &sent);
            let verdict = agreed(own.iter().map(|line| line.verdict));
            // Rules before them may leave nothing to those that lead there.
            let is_met = sender.ways.is_empty() || sender.ways.iter().any(|way| way.is_met);
            verdicts.push(if is_met { verdict } else { verdict.and(Truth::Depends) });
            lines.append(&mut own);
        }
        (agreed(verdicts), lines)
    }

    fn of_sender(&self, call: &CallTest, sender: &Sender<'m>, sent: &Sent) -> Vec<Line> {
        if sender.ways.is_empty() {
            return vec![self.without_way(call, sender, sent)];
        }
        sender.ways.iter().map(|way| self.of_way(call, sender, way)).collect()
    }

    /// Calls of a service whose pods are drawn among all of its subsets.
    fn to_whole(&self, sender: &Sender<'m>, call: &CallTest, sent: &Sent) -> Vec<Way<'m>> {
        let Some(whole) = self.whole_of_subset(call) else { return Vec::new() };
        let of_whole = CallTest { to: CallTo { callee: whole, ..call.to.clone() }, ..call.clone() };
        let senders = self.asking.senders(&of_whole, sent);
        let own = senders.into_iter().find(|other| other.key == sender.key);
        own.map(|own| own.ways).unwrap_or_default()
    }

    /// The service of a subset that is called.
    fn whole_of_subset(&self, call: &CallTest) -> Option<Callee> {
        let Callee::Service(service) = call.to.callee else { return None };
        let whole = self.asking.world.model.whole(service);
        (whole != service).then_some(Callee::Service(whole))
    }

    /// What becomes of a request for a subset that is sent elsewhere, if not even pods of the subset may be drawn.
    fn not_in_subset(&self, call: &CallTest, to: &Destination, answering: &Answering) -> Option<Truth> {
        let whole = self.whole_of_subset(call)?;
        if self.asking.is_meant(to, &call.to) {
            return None;
        }
        let Callee::Service(subset) = call.to.callee else { return None };
        let entry = self.asking.world.model.services.at(subset);
        let is_there =
            |place: &Option<Id<Cluster>>| place.is_some_and(|place| entry.presence(place).is_some());
        let may_be = to.callee == whole && answering.iter().any(|(_, place)| is_there(place));
        Some(if may_be { Truth::Depends } else { Truth::No })
    }

    /// What an application reaches because a route sends there what it calls others for.
    fn through_others(&self, sender: &Sender<'m>, call: &CallTest, sent: &Sent) -> Vec<Way<'m>> {
        match sender.key {
            ProxyKey::Gateway(_) => return Vec::new(),
            ProxyKey::Sidecar { .. } => {}
        }
        let sending =
            Sending { world: self.asking.world, callees: self.asking.callees, log: self.asking.log };
        let listeners = sender.proxy.listeners.iter().filter(|listener| match &listener.kind {
            ListenerKind::Http(_) | ListenerKind::Tcp(_) | ListenerKind::PassThrough(_) => true,
            ListenerKind::Inbound(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => false,
        });
        let ways = listeners.flat_map(|listener| sending.at(listener, sent));
        ways.filter(|way| self.asking.leads_to(way, &call.to)).collect()
    }

    /// A caller that does not send it; its application may still try, past its proxy.
    fn without_way(&self, call: &CallTest, sender: &Sender<'m>, sent: &Sent) -> Line {
        let none = self.asking.no_way(call, sender);
        if let (ProxyKey::Sidecar { .. }, Callee::Service(_)) = (sender.key, call.to.callee)
            && self.is_there(call, sender)
            && let Err(found) = self.asking.refused(call, std::slice::from_ref(sender), sent)
        {
            let text = format!("{}, but past its own proxy: {}", none.text, found.text);
            return with(
                line(Truth::Depends, &sender.name, text),
                none.places.into_iter().chain(found.places),
            );
        }
        let Found { text, places, help: _ } = none;
        with(line(Truth::No, &sender.name, text), places)
    }

    /// Whether pods of the callee are left where the caller gets to.
    fn is_there(&self, call: &CallTest, sender: &Sender<'m>) -> bool {
        let (world, survivors) = (self.asking.world, &self.asking.survivors);
        let Callee::Service(service) = call.to.callee else { return true };
        let reaches = world.topology.reaches.get(&sender.key).map_or(&[][..], Vec::as_slice);
        let mut own = reaches.iter().filter(|reach| world.is_part(reach.callee, call.to.callee)).peekable();
        if own.peek().is_none() {
            let pods = world.sidecars(service, call.to.cluster);
            return pods.iter().any(|(pod, _)| !survivors.caller_failed(*pod));
        }
        own.any(|reach| {
            let answering =
                reach.groups.iter().filter_map(|group| survivors.answers_in(sender.key, reach, group));
            answering.into_iter().any(|cluster| call.to.cluster.is_none_or(|wanted| wanted == cluster))
        })
    }

    fn of_way(&self, call: &CallTest, sender: &Sender<'m>, way: &Way<'m>) -> Line {
        let who = &sender.name;
        let mut line = self.along(call, sender, way);
        if let Handled::Forwarded { to, timeout: _ } = &way.handled {
            line.facts.extend(to.first().into_iter().flat_map(|to| self.settings(sender.key, way, to)));
        }
        match way.truth {
            Truth::Yes | Truth::No => {}
            Truth::Depends => line.text = format!("if {}: {}", self.taker(way), line.text),
        }
        line.who.clone_from(who);
        line
    }

    fn along(&self, call: &CallTest, sender: &Sender<'m>, way: &Way<'m>) -> Line {
        let name = &sender.name;
        let taken = || Fact::at(way.by.span, self.taker(way));
        if let (Handled::Answered(status), Some(unfit)) = (&way.handled, way.sent.unfit) {
            return line(Truth::No, name, format!("`{name}` refuses it with {status}: {}", unfit.why()));
        }
        let to = match &way.handled {
            Handled::Answered(status) => {
                return and(line(Truth::No, name, format!("`{name}` answers it with {status}")), taken());
            }
            Handled::Forwarded { to, timeout: _ } => to,
        };
        let entrance = way.entrance.as_ref();
        if let Some(entrance) = entrance.filter(|it| it.verdict == Verdict::Refused) {
            return and(judged(name, name, entrance), taken());
        }
        let fates: Vec<Line> = to.iter().map(|to| self.at_destination(call, sender, way, to)).collect();
        let mut verdict = agreed(fates.iter().map(|fate| fate.verdict));
        let mut facts = vec![taken()];
        let mut texts: Vec<String> = Vec::new();
        let mut answered_by = Vec::new();
        for fate in fates {
            facts.extend(fate.facts);
            answered_by.extend(fate.answered_by);
            if !texts.contains(&fate.text) {
                texts.push(fate.text);
            }
        }
        if let Some(entrance) = entrance {
            let Line { verdict: own, text, facts: more, .. } = judged(name, name, entrance);
            facts.extend(more);
            if own == Truth::Depends && verdict != Truth::No {
                verdict = Truth::Depends;
                texts.insert(0, text);
            }
        }
        Line { verdict, who: name.clone(), text: texts.join("; or "), answered_by, facts }
    }

    /// What becomes of it at one of the destinations of a way.
    pub(super) fn at_destination(
        &self,
        call: &CallTest,
        sender: &Sender<'m>,
        way: &Way<'m>,
        to: &Destination,
    ) -> Line {
        let model = self.asking.world.model;
        let name = &sender.name;
        let is_callee = self.asking.is_meant(to, &call.to);
        if let (false, ProxyKey::Gateway(_)) = (is_callee, sender.key) {
            let other = model.callee_name(to.callee);
            return line(Truth::No, name, format!("`{name}` sends it to `{other}`"));
        }
        let admissions = self.asking.admissions(call, sender, way, to);
        let judgements: Vec<Line> =
            admissions.iter().map(|(callee, admission)| judged(name, callee, admission)).collect();
        let admitted = if judgements.is_empty() {
            Truth::Yes
        } else {
            agreed(judgements.iter().map(|judgement| judgement.verdict))
        };
        let mut facts: Vec<Fact> = Vec::new();
        for fact in judgements.iter().flat_map(|judgement| &judgement.facts) {
            if facts.iter().all(|known| known.place != fact.place) {
                facts.push(fact.clone());
            }
        }
        let only = Way {
            handled: Handled::Forwarded { to: vec![*to], timeout: None },
            entrance: None,
            ..way.clone()
        };
        let answering = self.asking.answering(sender, &only);
        let shown = self.shown(&answering);
        let refused = judgements.into_iter().find(|judgement| judgement.verdict != Truth::Yes);
        let refused = refused.map(|judgement| judgement.text).unwrap_or_default();
        // Where no pod is left, nobody refuses it either.
        if admitted == Truth::No && !shown.is_empty() {
            return Line { facts, ..line(admitted, name, refused) };
        }
        let meant = call.to.cluster.map_or_else(
            || Truth::from(!answering.is_empty()),
            |wanted| agreed(answering.iter().map(|(_, cluster)| Truth::from(*cluster == Some(wanted)))),
        );
        let other = self.not_in_subset(call, to, &answering).filter(|_| !shown.is_empty());
        let meant = other.map_or(meant, |other| meant.and(other));
        let text = if shown.is_empty() {
            format!("no pod of `{}` answers", model.callee_name(to.callee))
        } else {
            format!(
                "answered by {}",
                shown.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(" and ")
            )
        };
        // What nobody answers is not there, whoever would admit it.
        let text = if admitted == Truth::Depends && meant != Truth::No { refused } else { text };
        let text = match other {
            None | Some(Truth::Yes) => text,
            Some(Truth::Depends) if admitted == Truth::Depends => text,
            Some(Truth::No) => format!("{text}, not by `{}`", model.callee_name(call.to.callee)),
            Some(Truth::Depends) => {
                format!(
                    "{text}, by whichever pod is drawn, of `{}` or not",
                    model.callee_name(call.to.callee)
                )
            }
        };
        Line { verdict: meant.and(admitted), who: name.clone(), text, answered_by: shown, facts }
    }

    /// What takes a request: a rule of a route, or the port that is called.
    pub(super) fn taker(&self, way: &Way<'m>) -> String {
        match self.rule(way) {
            Some((route, position)) if route.rules.len() > 1 => {
                format!("rule {} of route `{}` takes it", position + 1, route.name)
            }
            Some((route, _)) => format!("route `{}` takes it", route.name),
            None => format!("{} takes it", way.by.name),
        }
    }

    /// The rule that a way is of, if it is of one: its route, and its position there.
    pub(super) fn rule(&self, way: &Way<'m>) -> Option<(&'m Route, usize)> {
        let routes = self.asking.world.model.routes.iter();
        let mut rules = routes.flat_map(|(_, route)| {
            route.rules.iter().enumerate().map(move |(position, rule)| (route, position, rule))
        });
        let own = rules.find(|(_, _, rule)| rule.origin.span == way.by.span);
        own.map(|(route, position, _)| (route, position))
    }

    /// Pods that answer, as one would write them.
    pub(super) fn shown(&self, answering: &Answering) -> Vec<String> {
        let model = self.asking.world.model;
        let one = |(callee, cluster): &(Callee, Option<Id<Cluster>>)| match cluster {
            Some(cluster) => {
                format!("{} in {}", model.callee_name(*callee), model.clusters.at(*cluster).name)
            }
            None => model.callee_name(*callee),
        };
        answering.iter().map(one).collect()
    }
}

fn line(verdict: Truth, who: &str, text: impl Into<String>) -> Line {
    Line { verdict, who: who.to_owned(), text: text.into(), answered_by: Vec::new(), facts: Vec::new() }
}

fn and(mut line: Line, fact: Fact) -> Line {
    line.facts.insert(0, fact);
    line
}

fn with(mut line: Line, places: impl IntoIterator<Item = (lang_diagnostics::Span, String)>) -> Line {
    line.facts.extend(places.into_iter().map(|(span, text)| Fact::at(span, text)));
    line
}

/// What rules make of it.
fn judged(who: &str, at: &str, admission: &Admission<'_>) -> Line {
    let Admission { verdict, rule, why } = admission;
    let (truth, text) = match verdict {
        Verdict::Admitted => (Truth::Yes, format!("`{at}` admits it")),
        Verdict::Refused => (Truth::No, format!("`{at}` refuses it: {why}")),
        Verdict::Depends => (Truth::Depends, format!("at `{at}`, {why}")),
    };
    let fact = match rule {
        Some((name, origin)) => Fact {
            text: match verdict {
                Verdict::Admitted => format!("rule `{name}` of `{at}` admits it"),
                Verdict::Refused => format!("rule `{name}` of `{at}` refuses it"),
                Verdict::Depends => format!("rule `{name}` of `{at}` decides"),
            },
            place: Place::At(origin.span),
            further: *verdict == Verdict::Admitted,
        },
        None => Fact { text: format!("`{at}`: {why}"), place: Place::Nowhere, further: true },
    };
    Line { facts: vec![fact], ..line(truth, who, text) }
}
