//! What must hold between the parts of one block, as the schema has it.

use std::fmt;
use std::time::Duration;

use lang_diagnostics::{Code, Diagnostic, Span};
use lang_syntax::ast;

use crate::declarations::Block;
use crate::describe::alternatives;
use crate::evaluator::attempted;
use crate::schema::{Constant, Name};
use crate::value::Value;

/// What must hold between parts of a block, beyond what each of them takes.
#[derive(Debug)]
pub struct Relation {
    /// What must hold.
    pub rule: Rule,
    /// The code of what is reported if it does not.
    pub code: Code,
    /// Why it must hold; a sentence without its final period.
    pub reason: &'static str,
    /// The way out, for the report.
    pub help: &'static str,
}

/// What must hold.
#[derive(Debug)]
pub enum Rule {
    /// Where the first is given, at least one of the others must be.
    Requires(Part, &'static [Part]),
    /// Where the first is given, none of the others may be.
    Excludes(Part, &'static [Part]),
    /// One of these or more must be given.
    AtLeastOne(&'static [Part]),
    /// Not more than one of these may be given.
    AtMostOne(&'static [Part]),
    /// One of these must be given, and no other.
    ExactlyOne(&'static [Part]),
    /// The value of the first is at most that of the second, if both are known.
    NotGreater {
        /// What may not be greater.
        least: Name,
        /// Its value where it is not written, if that is the same everywhere.
        otherwise: Option<Constant>,
        /// What may not be less.
        most: Name,
    },
}

/// A part of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// An attribute that is written. An empty record or string is as good as none.
    Attribute(Name),
    /// A nested block of this word.
    Block(&'static str),
    /// An attribute with this word.
    Is(Name, &'static str),
    /// An attribute with this truth value.
    Flag(Name, bool),
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => write!(formatter, "`{name}`"),
            Self::Block(word) => write!(formatter, "`{word}`"),
            Self::Is(name, word) => write!(formatter, "`{name} = {word}`"),
            Self::Flag(name, truth) => write!(formatter, "`{name} = {truth}`"),
        }
    }
}

impl Rule {
    /// The rule in words, without its final period.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Requires(part, others) => format!("{part} requires {}", alternatives(&shown(others))),
            Self::Excludes(part, others) => format!("{part} excludes {}", list(&shown(others))),
            Self::AtLeastOne([only]) => format!("{only} is required"),
            Self::AtLeastOne(parts) => format!("at least one of {} is required", list(&shown(parts))),
            Self::AtMostOne(parts) => format!("at most one of {} is accepted", list(&shown(parts))),
            Self::ExactlyOne(parts) => format!("exactly one of {} is required", list(&shown(parts))),
            Self::NotGreater { least, otherwise: _, most } => format!("`{least}` is at most `{most}`"),
        }
    }

    /// Whether it is about the attribute or block of that word.
    #[must_use]
    pub fn is_about(&self, word: &str) -> bool {
        self.parts().into_iter().any(|part| match part {
            Part::Attribute(name) | Part::Is(name, _) | Part::Flag(name, _) => name.text() == word,
            Part::Block(block) => block == word,
        })
    }

    /// The parts that it is about.
    fn parts(&self) -> Vec<Part> {
        match self {
            Self::Requires(part, others) | Self::Excludes(part, others) => {
                std::iter::once(*part).chain(others.iter().copied()).collect()
            }
            Self::AtLeastOne(parts) | Self::AtMostOne(parts) | Self::ExactlyOne(parts) => parts.to_vec(),
            Self::NotGreater { least, otherwise: _, most } => {
                vec![Part::Attribute(*least), Part::Attribute(*most)]
            }
        }
    }
}

fn shown(parts: &[Part]) -> Vec<String> {
    let mut shown: Vec<String> = parts.iter().map(Part::to_string).collect();
    // An attribute and a block may have one word.
    shown.dedup();
    shown
}

/// `a`, `b` and `c`
fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Holds a block to the relations of its kind; `items` are what is written in it. A part counts in one report only.
pub(crate) fn check(block: &Block, items: &[&ast::Item], broken: &mut Vec<Diagnostic>) {
    let mut reported: Vec<Part> = Vec::new();
    for relation in block.kind.relations {
        let parts = relation.rule.parts();
        if parts.iter().any(|part| reported.contains(part)) {
            continue;
        }
        let before = broken.len();
        Check { block, items, relation }.run(broken);
        if broken.len() > before {
            reported.extend(parts);
        }
    }
}

/// Whether a part is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    At(Span),
    No,
    /// It was reported, or something that was reported may be meant to be it.
    Unknown,
}

struct Check<'a> {
    block: &'a Block,
    items: &'a [&'a ast::Item],
    relation: &'static Relation,
}

impl Check<'_> {
    fn run(&self, broken: &mut Vec<Diagnostic>) {
        match &self.relation.rule {
            Rule::Requires(part, others) => {
                if let Given::At(place) = self.given(*part) {
                    broken.extend(self.required(*part, place, others));
                }
            }
            Rule::Excludes(part, others) => {
                let Given::At(place) = self.given(*part) else { return };
                for other in *others {
                    if let Given::At(at) = self.given(*other) {
                        broken.push(self.exclusive((*other, at), (*part, place)));
                    }
                }
            }
            Rule::AtLeastOne(parts) => broken.extend(self.none_of(parts)),
            Rule::AtMostOne(parts) => self.several_of(parts, broken),
            Rule::ExactlyOne(parts) => {
                broken.extend(self.none_of(parts));
                self.several_of(parts, broken);
            }
            Rule::NotGreater { least, otherwise, most } => {
                broken.extend(self.greater(*least, *otherwise, *most));
            }
        }
    }

    fn report(&self, place: Span, message: String) -> Diagnostic {
        let Relation { rule: _, code, reason, help } = self.relation;
        Diagnostic::error(*code, place, message).label(*reason).help(*help)
    }

    fn required(&self, part: Part, place: Span, others: &[Part]) -> Option<Diagnostic> {
        let given: Vec<Given> = others.iter().map(|other| self.given(*other)).collect();
        if given.iter().any(|one| *one != Given::No) {
            return None;
        }
        let message = format!("{part} requires {}", alternatives(&shown(others)));
        let mut report = self.report(place, message);
        // Where another word is given, that place is as good a way out.
        for other in others {
            let (Part::Is(name, _) | Part::Flag(name, _)) = other else { continue };
            if let Some(value) = self.block.value(name.text())
                && report.secondary.is_empty()
            {
                report = report.also(value.span, format!("`{name}` has another value here"));
            }
        }
        Some(report)
    }

    fn none_of(&self, parts: &[Part]) -> Option<Diagnostic> {
        if parts.iter().any(|part| self.given(*part) != Given::No) {
            return None;
        }
        let message = format!("`{}` requires {}", self.block.kind.word, alternatives(&shown(parts)));
        Some(self.report(self.block.kind_span, message))
    }

    fn several_of(&self, parts: &[Part], broken: &mut Vec<Diagnostic>) {
        let mut given = parts.iter().filter_map(|part| match self.given(*part) {
            Given::At(place) => Some((*part, place)),
            Given::No | Given::Unknown => None,
        });
        let Some(first) = given.next() else { return };
        broken.extend(given.map(|other| self.exclusive(other, first)));
    }

    fn exclusive(&self, (part, place): (Part, Span), (other, at): (Part, Span)) -> Diagnostic {
        let message = format!("{part} and {other} exclude each other");
        self.report(place, message).also(at, format!("{other} is given here"))
    }

    fn greater(&self, least: Name, otherwise: Option<Constant>, most: Name) -> Option<Diagnostic> {
        let known = |name: Name| self.block.value(name.text());
        let most_value = known(most)?;
        let least_value = known(least);
        let written = self.block.attributes.iter().any(|attribute| attribute.name == least.text());
        let fallback = otherwise.filter(|_| !written);
        let fallback = fallback.map(|constant| Value::constant(constant, most_value.span));
        let value = least_value.map(|value| &value.value).or(fallback.as_ref())?;
        if size(value)? <= size(&most_value.value)? {
            return None;
        }
        let report = self.report(most_value.span, format!("`{least}` is greater than `{most}`"));
        Some(match least_value {
            Some(value) => report.also(value.span, format!("`{least}` is given here")),
            None => report,
        })
    }

    fn given(&self, part: Part) -> Given {
        let missing = |word: &str| {
            if attempted(self.block.kind, self.items, word) { Given::Unknown } else { Given::No }
        };
        match part {
            Part::Attribute(name) => {
                let found = self.block.attributes.iter().find(|attribute| attribute.name == name.text());
                match found.filter(|attribute| attribute.written) {
                    None => missing(name.text()),
                    Some(attribute) => match &attribute.value {
                        None => Given::Unknown,
                        Some(value) if is_empty(&value.value) => Given::No,
                        Some(_) => Given::At(attribute.span),
                    },
                }
            }
            Part::Block(word) => match self.block.blocks.iter().find(|block| block.kind.word == word) {
                Some(block) => Given::At(block.kind_span),
                None => missing(word),
            },
            Part::Is(name, word) => self.has(
                name,
                |value| matches!(value, Value::Symbol(found) | Value::Tagged(found, _) if *found == word),
            ),
            Part::Flag(name, truth) => self.has(name, |value| *value == Value::Boolean(truth)),
        }
    }

    /// Whether the value of an attribute is as wanted; what it is where it is not written may be said elsewhere.
    fn has(&self, name: Name, wanted: impl Fn(&Value) -> bool) -> Given {
        match self.block.value(name.text()) {
            None => Given::Unknown,
            Some(value) if wanted(&value.value) => Given::At(value.span),
            Some(_) => Given::No,
        }
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Record(entries) if entries.is_empty())
        || matches!(value, Value::Text(text) if text.is_empty())
}

/// A value as a number that is compared with that of another value of its type; nothing if it has no order.
fn size(value: &Value) -> Option<u128> {
    match value {
        Value::Integer(number) | Value::Size(number) => Some(u128::from(*number)),
        Value::Decimal(number) | Value::Percentage(number) => Some(u128::from(number.nanos)),
        Value::Duration(duration) => Some(Duration::as_nanos(duration)),
        Value::Boolean(_)
        | Value::Rate(_)
        | Value::Ip(_)
        | Value::Cidr(..)
        | Value::SocketAddress(_)
        | Value::StatusClass(_)
        | Value::Text(_)
        | Value::Template(_)
        | Value::Symbol(_)
        | Value::Reference(_)
        | Value::List(_)
        | Value::Record(_)
        | Value::Tagged(..)
        | Value::Call(..)
        | Value::Instance(..)
        | Value::Condition(_) => None,
    }
}
