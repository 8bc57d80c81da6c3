//! What an older Envoy does otherwise than the one that configurations are written for, and where a mesh makes use of it.
//!
//! The table is what was seen: `tests/releases` runs everything that is proved of Envoy on each release that can be installed, and
//! each entry names the cases that fail before it and pass from it on.

mod behaviours;
mod parts;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use lang_diagnostics::Origin;
use meshc_plan::{ProxyName, ProxyPlan};
use meshc_vocabulary::model::DataPlane;

pub use behaviours::BEHAVIOURS;
use parts::Parts;

/// A release of Envoy, `1.MINOR.PATCH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    minor: u8,
    /// Without one it is the newest of its minor release.
    patch: Option<u8>,
}

/// The releases of which anything is known, each as old as it was seen.
pub const SEEN: [Release; 6] = [
    Release::new(36, 4),
    Release::new(37, 0),
    Release::new(38, 3),
    Release::new(39, 0),
    Release::new(39, 3),
    Release::new(40, 0),
];

/// What began to be otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Before, the configuration is refused.
    Refused,
    /// Before, a static configuration is refused as a whole; a watched one is taken without the setting.
    Setting,
    /// Before, it means something else.
    Meaning,
}

/// One behaviour that began with a release.
#[derive(Debug)]
pub struct Behaviour {
    /// A short name, unique.
    pub name: &'static str,
    /// The first release that was seen to have it.
    pub since: Release,
    /// The first release that was seen to lack it, where older ones fail otherwise, of which another behaviour tells.
    pub lacking_from: Option<Release>,
    /// What began to be otherwise.
    pub kind: Kind,
    /// What is done from this release on, which is what the mesh says.
    pub now: &'static str,
    /// What was done before.
    pub before: &'static str,
    /// The cases of `tests/suite/conformance` that fail before it because of it; never empty.
    pub seen_by: &'static [&'static str],
    places: for<'p> fn(&Parts<'p>) -> Vec<&'p Origin>,
}

/// A behaviour that one of two releases has and the other one lacks, where a mesh makes use of it.
#[derive(Debug)]
pub struct Change<'p> {
    /// Which.
    pub behaviour: &'static Behaviour,
    /// The proxies that are told to do it, in order, each with the places that ask for it, in order; never empty.
    pub proxies: Vec<(&'p ProxyName, Vec<&'p Origin>)>,
}

impl Behaviour {
    /// Whether a release does what was done before.
    #[must_use]
    pub fn is_lacked_by(&self, release: Release) -> bool {
        !release.has(self.since) && self.lacking_from.is_none_or(|from| release.has(from))
    }
}

impl Release {
    const fn new(minor: u8, patch: u8) -> Self {
        Self { minor, patch: Some(patch) }
    }

    /// Whether a behaviour that began with `since` is there.
    fn has(self, since: Self) -> bool {
        self >= since
    }

    /// Whether it was seen, or is the newest of a minor release of which one was.
    #[must_use]
    pub fn is_known(self) -> bool {
        SEEN.iter().any(|seen| seen.minor == self.minor && (self.patch.is_none() || seen.patch == self.patch))
    }
}

/// In order of time: a minor release alone is its newest one.
impl Ord for Release {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |release: &Self| (release.minor, release.patch.unwrap_or(u8::MAX));
        place(self).cmp(&place(other))
    }
}

impl PartialOrd for Release {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is no release of Envoy, such as 1.40 or 1.39.3");
        let rest = text.strip_prefix('v').unwrap_or(text).strip_prefix("1.").ok_or_else(malformed)?;
        let number = |text: &str| text.parse::<u8>().map_err(|_| malformed());
        let (minor, patch) = match rest.split_once('.') {
            Some((minor, patch)) => (number(minor)?, Some(number(patch)?)),
            None => (number(rest)?, None),
        };
        let release = Self { minor, patch };
        if release.is_known() {
            return Ok(release);
        }
        let seen = SEEN.map(|release| release.to_string()).join(", ");
        Err(format!("Envoy {release} was not tried; tried were {seen}, and what they do is known"))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "1.{}", self.minor)?;
        match self.patch {
            Some(patch) => write!(formatter, ".{patch}"),
            None => Ok(()),
        }
    }
}

/// What is otherwise between two releases for the proxies of a plan that are Envoy, oldest behaviour first. Which of the releases is
/// the older one makes no difference.
#[must_use]
pub fn between<'p>(proxies: &'p [ProxyPlan], one: Release, other: Release) -> Vec<Change<'p>> {
    let begun =
        BEHAVIOURS.iter().filter(|behaviour| behaviour.is_lacked_by(one) != behaviour.is_lacked_by(other));
    let mut begun: Vec<&'static Behaviour> = begun.collect();
    begun.sort_by_key(|behaviour| (behaviour.since, behaviour.kind, behaviour.name));
    if begun.is_empty() {
        return Vec::new();
    }
    let envoys = proxies.iter().filter(|proxy| match proxy.data_plane {
        DataPlane::Envoy => true,
        DataPlane::Meshd => false,
    });
    let parts: Vec<(&ProxyName, Parts<'_>)> = envoys.map(|proxy| (&proxy.name, Parts::of(proxy))).collect();
    let change = |behaviour: &'static Behaviour| {
        let asked = parts.iter().map(|(name, parts)| (*name, in_order((behaviour.places)(parts))));
        let proxies: Vec<_> = asked.filter(|(_, places)| !places.is_empty()).collect();
        (!proxies.is_empty()).then_some(Change { behaviour, proxies })
    };
    begun.into_iter().filter_map(change).collect()
}

/// Each place once, by where it is.
fn in_order(mut places: Vec<&Origin>) -> Vec<&Origin> {
    places.sort_by(|left, right| (left.span, &left.name).cmp(&(right.span, &right.name)));
    places.dedup_by(|left, right| left.span == right.span && left.name == right.name);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Release>().map(|release| release.to_string());
        assert_eq!(read("1.40"), Ok(String::from("1.40")));
        assert_eq!(read("v1.39.3"), Ok(String::from("1.39.3")));
        for untried in ["1.35", "1.39.99", "1.38.2"] {
            assert!(read(untried).unwrap_err().contains("was not tried; tried were 1.36.4, "), "{untried}");
        }
        for odd in ["", "1", "2.40", "1.x", "1.40.", "1.40.0.1", "1.999"] {
            assert!(read(odd).unwrap_err().contains("no release of Envoy"), "{odd}");
        }
    }

    #[test]
    fn a_minor_release_alone_is_its_newest_one() {
        let has = |release: &str, since: Release| release.parse::<Release>().unwrap().has(since);
        assert!(has("1.39", Release::new(39, 3)));
        assert!(!has("1.39.0", Release::new(39, 3)));
        let release = |text: &str| text.parse::<Release>().unwrap();
        assert!(release("1.39") > release("1.39.3") && release("1.39") < release("1.40.0"));
        assert!(!has("1.38", Release::new(39, 0)));
        assert!(has("1.40.0", Release::new(40, 0)));
    }

    #[test]
    fn names_are_unique_and_every_behaviour_began_with_a_release_that_was_seen() {
        let mut names: Vec<_> = BEHAVIOURS.iter().map(|behaviour| behaviour.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), BEHAVIOURS.len());
        for behaviour in BEHAVIOURS {
            assert!(SEEN.iter().skip(1).any(|seen| *seen == behaviour.since), "{}", behaviour.name);
        }
    }
}
