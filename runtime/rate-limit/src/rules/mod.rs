//! The limits that a service knows: a tree of descriptors per domain.

mod raw;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use read::RulesError;
pub(crate) use read::parse;

use crate::metrics::RuleCounts;
use crate::{Descriptor, Limit};

/// Everything that was read from the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    domains: BTreeMap<String, Node>,
}

/// A place in the tree, reached by the entries of a descriptor one after another.
#[derive(Clone, Debug, Default)]
struct Node {
    rule: Option<Arc<Rule>>,
    /// By key and value.
    exact: BTreeMap<(String, String), Node>,
    /// By key and the beginning of the value, in the file's order.
    prefixes: Vec<(String, String, Node)>,
    /// By key alone: each value is counted for itself.
    keys: BTreeMap<String, Node>,
}

/// What holds for a descriptor.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its place in the configuration, such as `header_match_gold_request`; for metrics and the dump.
    pub(crate) name: String,
    /// What is admitted.
    pub(crate) allowance: Allowance,
    /// Whether it is only counted and never enforced.
    pub(crate) shadow: bool,
    /// How often it was asked.
    pub(crate) counts: Arc<RuleCounts>,
}

/// What a rule admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// Everything.
    Unlimited,
    /// So much per unit.
    Limited(Limit),
}

impl Rules {
    /// The rule for a descriptor: the one whose path in the tree has exactly the descriptor's entries. At each step
    /// key and value together come first, then the beginning of the value, then the key alone.
    pub(crate) fn find(&self, domain: &str, descriptor: &Descriptor) -> Option<Arc<Rule>> {
        let mut node = self.domains.get(domain)?;
        for (key, value) in &descriptor.entries {
            node = node.child(key, value)?;
        }
        node.rule.clone()
    }
}

impl Node {
    fn child(&self, key: &str, value: &str) -> Option<&Node> {
        let exact = self.exact.get(&(key.to_owned(), value.to_owned()));
        let prefix = || {
            self.prefixes
                .iter()
                .find(|(of, prefix, _)| of == key && value.starts_with(prefix.as_str()))
                .map(|(_, _, node)| node)
        };
        exact.or_else(prefix).or_else(|| self.keys.get(key))
    }

    fn rules(&self) -> Vec<&Rule> {
        let children = self.exact.values().chain(self.prefixes.iter().map(|(_, _, node)| node));
        let below = children.chain(self.keys.values()).flat_map(Node::rules);
        self.rule.as_deref().into_iter().chain(below).collect()
    }
}

/// One line per rule, as `/rlconfig` shows them.
impl fmt::Display for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (domain, node) in &self.domains {
            for rule in node.rules() {
                write!(formatter, "{domain}.{}: ", rule.name)?;
                match rule.allowance {
                    Allowance::Unlimited => formatter.write_str("unlimited")?,
                    Allowance::Limited(limit) => {
                        let unit = limit.unit.name().to_uppercase();
                        write!(formatter, "unit={unit} requests_per_unit={}", limit.requests_per_unit)?;
                    }
                }
                writeln!(formatter, ", shadow_mode: {}", rule.shadow)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
