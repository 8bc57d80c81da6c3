//! Whether the condition of an assertion is true, and what each part of it comes to.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever no operator joins is a value, and only a truth is a condition"
)]

use std::cmp::Ordering;

use lang_diagnostics::{Diagnostic, Span};
use lang_syntax::ast::{Comparison, Connective, StringPart, Value, ValueKind};

use crate::codes;
use crate::values::{Lookup, Plain, REACHED_BY, Seen};

/// A part of a condition, with what it comes to.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Where it stands in the condition.
    pub(crate) span: Span,
    /// Its value.
    pub(crate) value: String,
    /// Where that is written, if it is.
    pub(crate) place: Option<Span>,
}

/// Evaluates one condition.
pub(crate) struct Evaluation<'l, 'a> {
    pub(crate) lookup: &'l Lookup<'a>,
    /// What was looked at, in order.
    pub(crate) parts: Vec<Part>,
    /// How somebody reaches what was looked at through others: `a -> b -> c`.
    pub(crate) ways: Vec<String>,
}

/// A mistake in the condition.
type Wrong = Box<Diagnostic>;

impl Evaluation<'_, '_> {
    /// Whether a condition is true.
    pub(crate) fn truth(&mut self, value: &Value) -> Result<bool, Wrong> {
        match &value.kind {
            ValueKind::Group(inner) => self.truth(inner),
            ValueKind::Not(inner) => self.truth(inner).map(|truth| !truth),
            ValueKind::Logic(connective, operands) => {
                let ends = match connective {
                    Connective::And => false,
                    Connective::Or => true,
                };
                // What is not needed may be wrong: `x != none and x.size > 3`.
                for operand in operands {
                    if self.truth(operand)? == ends {
                        return Ok(ends);
                    }
                }
                Ok(!ends)
            }
            ValueKind::If(choice) => {
                let taken = if self.truth(&choice.condition)? { &choice.then } else { &choice.otherwise };
                self.truth(taken)
            }
            ValueKind::Compare(comparison, sides) => {
                self.compare(*comparison, &sides.0, &sides.1, value.span)
            }
            ValueKind::In(element, list) => self.is_in(element, list),
            _ => {
                let seen = self.value(value)?;
                match seen.value {
                    Plain::Boolean(truth) => Ok(truth),
                    other => Err(Box::new(
                        Diagnostic::error(
                            codes::NOT_A_CONDITION,
                            value.span,
                            format!("a condition is needed here, and this is {}", other.kind()),
                        )
                        .label("neither true nor false")
                        .help("compare it: `… == …`, `… != none`, `… in […]`"),
                    )),
                }
            }
        }
    }

    fn compare(
        &mut self,
        comparison: Comparison,
        left: &Value,
        right: &Value,
        whole: Span,
    ) -> Result<bool, Wrong> {
        let (one, other) = (self.value(left)?.value, self.value(right)?.value);
        let truth = match comparison {
            Comparison::Equal if one.is_comparable(&other) => Some(one.same(&other)),
            Comparison::NotEqual if one.is_comparable(&other) => Some(!one.same(&other)),
            Comparison::Equal | Comparison::NotEqual => None,
            Comparison::Less => one.order(&other).map(|order| order == Ordering::Less),
            Comparison::AtMost => one.order(&other).map(|order| order != Ordering::Greater),
            Comparison::Greater => one.order(&other).map(|order| order == Ordering::Greater),
            Comparison::AtLeast => one.order(&other).map(|order| order != Ordering::Less),
        };
        match truth {
            Some(truth) => Ok(truth),
            // Nothing is neither more nor less than something.
            None if one == Plain::None || other == Plain::None => Ok(false),
            None => Err(Box::new(
                Diagnostic::error(
                    codes::NOT_COMPARABLE,
                    whole,
                    format!(
                        "{} cannot be compared with {} by `{}`",
                        one.kind(),
                        other.kind(),
                        comparison.text()
                    ),
                )
                .label("two values of different kinds")
                .also(left.span, format!("this is `{one}`"))
                .also(right.span, format!("this is `{other}`")),
            )),
        }
    }

    fn is_in(&mut self, element: &Value, list: &Value) -> Result<bool, Wrong> {
        let (one, all) = (self.value(element)?.value, self.value(list)?.value);
        // Of one element it matters how that one gets there.
        if let Plain::Name(name) | Plain::Bare(_, Some(name)) = &one {
            let begin = format!("{name} -> ");
            self.ways.retain(|way| way.starts_with(&begin));
        }
        match all {
            Plain::List(all) => Ok(all.iter().any(|other| one.same(other))),
            Plain::None => Ok(false),
            // What may be there several times is there once.
            other @ (Plain::Word(_) | Plain::Name(_)) => Ok(one.same(&other)),
            other => Err(Box::new(
                Diagnostic::error(
                    codes::NOT_COMPARABLE,
                    list.span,
                    format!("a list is needed behind `in`, and this is {}", other.kind()),
                )
                .label(format!("this is `{other}`")),
            )),
        }
    }

    fn value(&mut self, value: &Value) -> Result<Seen, Wrong> {
        let plain = |value| Ok(Seen { value, place: None });
        match &value.kind {
            ValueKind::Boolean(truth) => plain(Plain::Boolean(*truth)),
            ValueKind::Literal(literal) => plain(Plain::Literal(literal.clone())),
            ValueKind::String(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        StringPart::Text(part) => text.push_str(part),
                        StringPart::Interpolation(inner) => match self.value(inner)?.value {
                            Plain::Text(inner) => text.push_str(&inner),
                            other => text.push_str(&other.to_string()),
                        },
                    }
                }
                plain(Plain::Text(text))
            }
            ValueKind::List(elements) => {
                let mut list = Vec::with_capacity(elements.len());
                for element in elements {
                    if let ValueKind::Spread(inner) = &element.kind {
                        match self.value(inner)?.value {
                            Plain::List(inner) => list.extend(inner),
                            other => list.push(other),
                        }
                    } else {
                        list.push(self.value(element)?.value);
                    }
                }
                plain(Plain::List(list))
            }
            ValueKind::Record(entries) => {
                let mut record = Vec::with_capacity(entries.len());
                for entry in entries {
                    record.push((entry.name.value.clone(), self.value(&entry.value)?.value));
                }
                plain(Plain::Record(record))
            }
            ValueKind::Group(inner) => self.value(inner),
            ValueKind::If(choice) => {
                let taken = if self.truth(&choice.condition)? { &choice.then } else { &choice.otherwise };
                self.value(taken)
            }
            ValueKind::Path(path) => {
                let names: Vec<&str> = path.segments.iter().map(|segment| segment.value.as_str()).collect();
                match self.lookup.path(&names) {
                    Ok(seen) => {
                        let is_said = match &seen.value {
                            // A word says itself.
                            Plain::Bare(..) => false,
                            Plain::Name(name) => !names.join(".").ends_with(name.as_str()),
                            _ => true,
                        };
                        if is_said {
                            let part =
                                Part { span: value.span, value: seen.value.to_string(), place: seen.place };
                            self.parts.push(part);
                        }
                        if let [service @ .., REACHED_BY] = names.as_slice() {
                            let ways = self.lookup.ways(&service.join(".")).into_values();
                            self.ways.extend(ways.filter(|way| way.len() > 2).map(|way| way.join(" -> ")));
                        }
                        Ok(seen)
                    }
                    Err(unknown) => {
                        let span =
                            path.segments.get(unknown.segment).map_or(value.span, |segment| segment.span);
                        Err(Box::new(
                            Diagnostic::error(codes::UNKNOWN, span, unknown.message)
                                .label("not there")
                                .help(unknown.help),
                        ))
                    }
                }
            }
            ValueKind::Not(_) | ValueKind::Logic(..) | ValueKind::Compare(..) | ValueKind::In(..) => {
                self.truth(value).map(|truth| Seen { value: Plain::Boolean(truth), place: None })
            }
            ValueKind::Tagged(..) | ValueKind::Arrow(..) | ValueKind::Spread(_) | ValueKind::Invalid => {
                Err(Box::new(
                    Diagnostic::error(codes::NOT_A_CONDITION, value.span, "this is no value of a condition")
                        .label("neither a name nor a literal")
                        .help("calls are expected by `allow`, `deny`, `reaches` and `call`"),
                ))
            }
        }
    }
}
