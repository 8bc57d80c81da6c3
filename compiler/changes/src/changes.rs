//! Single differences, before they are put together.

use std::collections::{BTreeMap, BTreeSet};

use meshc_vocabulary::testing::Request;

use crate::effect::{Probe, Risk};

/// Something that differs at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) risk: Risk,
    pub(crate) aspect: String,
    pub(crate) subject: String,
    /// Where, if it is not everywhere.
    pub(crate) place: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) probe: Probe,
}

/// What is so at one side.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    all: BTreeMap<Key, (Risk, String)>,
    /// What there is at all, by place.
    there: BTreeSet<(String, String)>,
    /// What is told also where it comes or goes.
    always: BTreeSet<Key>,
    /// Requests that something counts.
    samples: BTreeMap<String, Vec<Request>>,
    /// Whom clients outside reach by what is told.
    reached: BTreeMap<Key, BTreeSet<String>>,
    place: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    subject: String,
    aspect: String,
    place: String,
}

impl Facts {
    /// What is told from now on is so there.
    pub(crate) fn at(&mut self, place: &str) {
        place.clone_into(&mut self.place);
    }

    /// Tells something; of several values of one aspect, all.
    pub(crate) fn tell(
        &mut self,
        risk: Risk,
        subject: &str,
        aspect: impl Into<String>,
        value: impl Into<String>,
    ) {
        self.exists(subject);
        let key = Key { subject: subject.to_owned(), aspect: aspect.into(), place: self.place.clone() };
        let value = value.into();
        let (_, all) = self.all.entry(key).or_insert_with(|| (risk, String::new()));
        if all.is_empty() {
            *all = value;
        } else if *all != value {
            *all = format!("{all}; {value}");
        }
    }

    /// Tells that there is something, of which it is a change that it comes or goes.
    pub(crate) fn declare(&mut self, risk: Risk, subject: &str, aspect: &str, value: impl Into<String>) {
        let (subject, aspect) = (subject.to_owned(), aspect.to_owned());
        self.always.insert(Key {
            subject: subject.clone(),
            aspect: aspect.clone(),
            place: self.place.clone(),
        });
        self.tell(risk, &subject, aspect, value);
    }

    /// Tells what may be absent.
    pub(crate) fn tell_if(
        &mut self,
        risk: Risk,
        subject: &str,
        aspect: impl Into<String>,
        value: Option<impl Into<String>>,
    ) {
        self.exists(subject);
        if let Some(value) = value {
            self.tell(risk, subject, aspect, value);
        }
    }

    /// Requests that show what is told of limits.
    pub(crate) fn sample(&mut self, subject: &str, requests: Vec<Request>) {
        self.samples.entry(subject.to_owned()).or_default().extend(requests);
    }

    pub(crate) fn samples(&self, subject: &str) -> &[Request] {
        self.samples.get(subject).map_or(&[], Vec::as_slice)
    }

    /// Tells whom clients outside reach by an aspect: whoever is newly among them is exposed, whatever else the aspect is about.
    pub(crate) fn reach(&mut self, subject: &str, aspect: &str, whom: BTreeSet<String>) {
        let key = Key { subject: subject.to_owned(), aspect: aspect.to_owned(), place: self.place.clone() };
        self.reached.entry(key).or_default().extend(whom);
    }

    /// Whether another side reaches somebody there who is not reached here.
    fn exposes(&self, after: &Self, key: &Key) -> bool {
        let (before, now) = (self.reached.get(key), after.reached.get(key));
        let is_new = |whom: &String| before.is_none_or(|known| !known.contains(whom));
        now.is_some_and(|now| now.iter().any(is_new))
    }

    /// Tells that something is there, so that what is no longer told of it is a change.
    pub(crate) fn exists(&mut self, subject: &str) {
        self.there.insert((subject.to_owned(), self.place.clone()));
    }

    /// What differs, of what is there on both sides: what comes or goes is told by whoever has it.
    pub(crate) fn changes(&self, after: &Self) -> Vec<Change> {
        let keys: BTreeSet<&Key> = self.all.keys().chain(after.all.keys()).collect();
        let mut changes = Vec::new();
        for key in keys {
            let there = (key.subject.clone(), key.place.clone());
            let always = self.always.contains(key) || after.always.contains(key);
            if !always && (!self.there.contains(&there) || !after.there.contains(&there)) {
                continue;
            }
            let (one, other) = (self.all.get(key), after.all.get(key));
            let before = one.map(|(_, value)| value.clone());
            let now = other.map(|(_, value)| value.clone());
            if before == now {
                continue;
            }
            let Some((risk, _)) = one.or(other) else { continue };
            changes.push(Change {
                risk: if self.exposes(after, key) { Risk::Exposure } else { *risk },
                aspect: key.aspect.clone(),
                subject: key.subject.clone(),
                place: key.place.clone(),
                before,
                after: now,
                probe: Probe::None,
            });
        }
        let places = |subject: &str| {
            let both = self.there.intersection(&after.there);
            both.filter(|(known, _)| known == subject).count()
        };
        merged(changes, places)
    }
}

/// One for each that is the same at several places; at all of them, it needs no place.
pub(crate) fn merged(changes: Vec<Change>, places: impl Fn(&str) -> usize) -> Vec<Change> {
    let mut merged: Vec<(Change, BTreeSet<String>)> = Vec::new();
    let mut known: BTreeMap<(String, String, Option<String>, Option<String>), usize> = BTreeMap::new();
    for change in changes {
        let key =
            (change.subject.clone(), change.aspect.clone(), change.before.clone(), change.after.clone());
        let position = *known.entry(key).or_insert(merged.len());
        let place = change.place.clone();
        match merged.get_mut(position) {
            Some((_, all)) => {
                all.insert(place);
            }
            None => merged.push((change, BTreeSet::from([place]))),
        }
    }
    let one = |(change, all): (Change, BTreeSet<String>)| {
        let everywhere = all.len() >= places(&change.subject);
        let place = if everywhere { String::new() } else { all.into_iter().collect::<Vec<_>>().join(", ") };
        Change { place, ..change }
    };
    merged.into_iter().map(one).collect()
}
