//! Which of several things is for a host: the one whose pattern is the most specific.

use meshd_config::HostPattern;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Things by host.
#[derive(Debug)]
pub(crate) struct Hosts<T> {
    exact: BTreeMap<String, T>,
    /// Longest first.
    suffixes: Vec<(String, T)>,
    any: Option<T>,
}

impl<T> Default for Hosts<T> {
    fn default() -> Self {
        Hosts { exact: BTreeMap::new(), suffixes: Vec::new(), any: None }
    }
}

impl<T: Copy> Hosts<T> {
    /// Adds a thing for some hosts.
    pub(crate) fn add(&mut self, hosts: &[HostPattern], thing: T) {
        for host in hosts {
            match host {
                HostPattern::Exact(exact) => {
                    self.exact.insert(exact.clone(), thing);
                }
                HostPattern::Suffix(suffix) => self.suffixes.push((suffix.clone(), thing)),
                HostPattern::Any => self.any = Some(thing),
            }
        }
        self.suffixes.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    }

    /// What is for this host, which may be written in any case.
    pub(crate) fn find(&self, host: &str) -> Option<T> {
        // Most clients write it in small letters.
        let is_small = !host.bytes().any(|byte| byte.is_ascii_uppercase());
        let host = if is_small { Cow::Borrowed(host) } else { Cow::Owned(host.to_ascii_lowercase()) };
        let by_suffix = || {
            let is_it = |suffix: &str| host.len() > suffix.len() && host.ends_with(suffix);
            self.suffixes.iter().find(|(suffix, _)| is_it(suffix)).map(|(_, thing)| *thing)
        };
        self.exact.get(host.as_ref()).copied().or_else(by_suffix).or(self.any)
    }

    /// What is for every host that nothing else is for.
    pub(crate) fn any(&self) -> Option<T> {
        self.any
    }
}
