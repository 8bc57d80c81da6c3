//! Small rules that several parts of the document share.

use crate::problem::Problems;
use crate::{Path, Period};
use std::net::SocketAddr;

/// What a check is given: the names that exist, and where mistakes go.
pub(crate) struct Context<'a> {
    /// The names of the upstreams.
    pub(crate) upstreams: &'a std::collections::BTreeSet<String>,
    /// Whether the file names a rate-limit service.
    pub(crate) has_rate_limit_service: bool,
    /// Where mistakes go.
    pub(crate) problems: &'a mut Problems,
}

impl Context<'_> {
    /// Notes one mistake.
    pub(crate) fn wrong(&mut self, at: &Path, message: impl Into<String>) {
        self.problems.push(at, message);
    }

    /// The name of an upstream that exists.
    pub(crate) fn upstream(&mut self, name: &str, at: &Path) -> Option<String> {
        if self.upstreams.contains(name) {
            return Some(name.to_owned());
        }
        self.wrong(at, format!("there is no upstream `{name}`"));
        None
    }

    /// A text that says something.
    pub(crate) fn text(&mut self, value: &str, at: &Path) -> Option<String> {
        if value.is_empty() {
            self.wrong(at, "must not be empty");
            return None;
        }
        Some(value.to_owned())
    }

    /// An address with its port.
    pub(crate) fn address(&mut self, value: &str, at: &Path) -> Option<SocketAddr> {
        match value.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                self.wrong(at, format!("`{value}` is not `ip:port`"));
                None
            }
        }
    }

    /// A number that is not zero.
    pub(crate) fn positive<N: PartialEq + From<u8>>(&mut self, value: N, at: &Path) -> Option<N> {
        if value == N::from(0) {
            self.wrong(at, "must be at least 1");
            return None;
        }
        Some(value)
    }

    /// A period that is not zero.
    pub(crate) fn some_time(&mut self, value: Period, at: &Path) -> Option<Period> {
        if value.duration().is_zero() {
            self.wrong(at, "must be greater than zero");
            return None;
        }
        Some(value)
    }

    /// Every element checked; `None` if one of them was wrong, after all were looked at.
    pub(crate) fn each<T, U>(
        &mut self,
        values: &[T],
        at: &Path,
        mut check: impl FnMut(&mut Self, &T, &Path) -> Option<U>,
    ) -> Option<Vec<U>> {
        let checked: Vec<Option<U>> = values
            .iter()
            .enumerate()
            .map(|(position, value)| check(self, value, &at.index(position)))
            .collect();
        checked.into_iter().collect()
    }

    /// An optional member: absent is fine, present must be right.
    pub(crate) fn optional<T, U>(
        &mut self,
        value: Option<&T>,
        at: &Path,
        check: impl FnOnce(&mut Self, &T, &Path) -> Option<U>,
    ) -> Option<Option<U>> {
        match value {
            None => Some(None),
            Some(value) => check(self, value, at).map(Some),
        }
    }

    /// Notes every value that occurs a second time.
    pub(crate) fn unique<V>(&mut self, what: &str, values: impl Iterator<Item = (V, Path)>)
    where
        V: Ord + std::fmt::Display,
    {
        let mut seen = std::collections::BTreeMap::new();
        for (value, at) in values {
            match seen.get(&value) {
                None => {
                    seen.insert(value, at);
                }
                Some(first) => {
                    let message = format!("{what} `{value}` is already at {first}");
                    self.wrong(&at, message);
                }
            }
        }
    }
}
