//! Text → rules, with everything refused that could be misunderstood.

use std::sync::Arc;

use super::raw::{Entry, File, RateLimit};
use super::{Allowance, Node, Rule, Rules};
use crate::metrics::Metrics;
use crate::{Limit, Unit};

/// A file of the configuration: its name, for messages, and its text.
pub(crate) type Named<'a> = (&'a str, &'a str);

/// What is wrong with the configuration, naming file and place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct RulesError {
    /// The file.
    pub file: String,
    /// What is wrong in it.
    pub problem: String,
}

/// Reads all files, one domain each. Counts of rules that existed before go on in `metrics`.
pub(crate) fn parse<'a>(
    files: impl IntoIterator<Item = Named<'a>>,
    metrics: &Metrics,
) -> Result<Rules, RulesError> {
    let mut rules = Rules::default();
    for (name, text) in files {
        let refuse = |problem: String| RulesError { file: name.to_owned(), problem };
        let file: File = serde_yaml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        if file.domain.is_empty() {
            return Err(refuse("`domain` is empty".to_owned()));
        }
        if rules.domains.contains_key(&file.domain) {
            return Err(refuse(format!("another file has the domain `{}`, too", file.domain)));
        }
        let mut reader = Reader { domain: &file.domain, metrics };
        let mut node = Node::default();
        reader.entries(file.descriptors, "", &mut node).map_err(refuse)?;
        rules.domains.insert(file.domain, node);
    }
    Ok(rules)
}

struct Reader<'a> {
    domain: &'a str,
    metrics: &'a Metrics,
}

impl Reader<'_> {
    fn entries(&mut self, entries: Vec<Entry>, parent: &str, into: &mut Node) -> Result<(), String> {
        for entry in entries {
            if entry.key.is_empty() {
                return Err(format!("a descriptor below `{}{parent}` has an empty `key`", self.domain));
            }
            let name = entry_name(parent, &entry);
            let (key, value) = (entry.key.clone(), entry.value.clone());
            let mut node = Node { rule: self.rule(&entry, &name)?, ..Node::default() };
            self.entries(entry.descriptors, &format!("{name}."), &mut node)?;
            if !insert(into, key, value, node) {
                return Err(format!("the descriptor `{}.{name}` is there twice", self.domain));
            }
        }
        Ok(())
    }

    fn rule(&self, entry: &Entry, name: &str) -> Result<Option<Arc<Rule>>, String> {
        let Some(written) = &entry.rate_limit else {
            if entry.shadow_mode {
                return Err(format!("`{}.{name}` has `shadow_mode` but no `rate_limit`", self.domain));
            }
            return Ok(None);
        };
        let allowance = allowance(written)
            .map_err(|problem| format!("the `rate_limit` of `{}.{name}` {problem}", self.domain))?;
        Ok(Some(Arc::new(Rule {
            name: name.to_owned(),
            allowance,
            shadow: entry.shadow_mode,
            counts: self.metrics.rule(self.domain, name),
        })))
    }
}

/// Puts a node in its place; false if the place is taken.
fn insert(into: &mut Node, key: String, value: Option<String>, node: Node) -> bool {
    match value {
        None => into.keys.insert(key, node).is_none(),
        Some(value) => match value.strip_suffix('*') {
            Some(prefix) => {
                let free = !into.prefixes.iter().any(|(of, other, _)| *of == key && other == prefix);
                into.prefixes.push((key, prefix.to_owned(), node));
                free
            }
            None => into.exact.insert((key, value), node).is_none(),
        },
    }
}

fn allowance(written: &RateLimit) -> Result<Allowance, String> {
    match (written.unlimited, &written.unit, written.requests_per_unit) {
        (true, None, None) => Ok(Allowance::Unlimited),
        (true, ..) => Err("is `unlimited` and has a limit".to_owned()),
        (false, Some(unit), Some(requests_per_unit)) => {
            Ok(Allowance::Limited(Limit { requests_per_unit, unit: parse_unit(unit)? }))
        }
        (false, None, _) => Err("has no `unit`".to_owned()),
        (false, Some(_), None) => Err("has no `requests_per_unit`".to_owned()),
    }
}

/// Units are written in any case, as in the original.
fn parse_unit(text: &str) -> Result<Unit, String> {
    const UNITS: [Unit; 7] =
        [Unit::Second, Unit::Minute, Unit::Hour, Unit::Day, Unit::Week, Unit::Month, Unit::Year];
    UNITS.into_iter().find(|unit| unit.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let names: Vec<&str> = UNITS.iter().map(|unit| unit.name()).collect();
        format!("has the unit `{text}`; units are {}", names.join(", "))
    })
}

fn entry_name(parent: &str, entry: &Entry) -> String {
    match &entry.value {
        Some(value) => format!("{parent}{}_{value}", entry.key),
        None => format!("{parent}{}", entry.key),
    }
}
