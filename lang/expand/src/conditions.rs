//! Conditions and comparisons.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each place asks for one or two forms of a value, and all others are one case"
)]

use std::cmp::Ordering;
use std::rc::Rc;

use lang_diagnostics::Diagnostic;
use lang_syntax::ast::{Comparison, Connective, Literal, StringPart, Value, ValueKind};

use crate::codes;
use crate::items::Expander;
use crate::scope::Scope;
use crate::types::form;

impl<'a> Expander<'a, '_> {
    /// The truth of a value that has to be `true` or `false`; nothing after a report.
    pub(crate) fn truth(&mut self, value: &'a Value, scope: &Rc<Scope<'a>>) -> Option<bool> {
        let made = self.value(value, scope);
        match made.kind {
            ValueKind::Boolean(truth) => Some(truth),
            ValueKind::Invalid => None,
            _ => {
                let place = scope.place(value.span);
                let message = format!("a condition is `true` or `false`, and this is {}", form(&made));
                let mut diagnostic =
                    Diagnostic::error(codes::CONDITION, place, message).label("not a condition");
                if made.span != place {
                    diagnostic = diagnostic.also(made.span, "the value is written here");
                }
                self.sink.push(diagnostic);
                None
            }
        }
    }

    /// The truth of operators on values.
    pub(crate) fn condition(&mut self, value: &'a Value, scope: &Rc<Scope<'a>>) -> Option<bool> {
        match &value.kind {
            ValueKind::Logic(connective, operands) => {
                // What is not needed may be wrong: `x != none and x.size > 3`.
                let ends = match connective {
                    Connective::And => false,
                    Connective::Or => true,
                };
                for operand in operands {
                    if self.truth(operand, scope)? == ends {
                        return Some(ends);
                    }
                }
                Some(!ends)
            }
            ValueKind::Not(inner) => self.truth(inner, scope).map(|truth| !truth),
            ValueKind::Compare(comparison, sides) => {
                let (left, right) = (self.value(&sides.0, scope), self.value(&sides.1, scope));
                self.compare(*comparison, &left, &right, value, scope)
            }
            _ => None,
        }
    }

    fn compare(
        &mut self,
        comparison: Comparison,
        left: &Value,
        right: &Value,
        whole: &Value,
        scope: &Rc<Scope<'a>>,
    ) -> Option<bool> {
        if left.kind == ValueKind::Invalid || right.kind == ValueKind::Invalid {
            return None;
        }
        let order = order(left, right);
        let truth = match (comparison, order) {
            (Comparison::Equal | Comparison::NotEqual, _) if is_name(left) || is_name(right) => {
                Some(alike(left, right) == (comparison == Comparison::Equal))
            }
            (Comparison::Equal | Comparison::NotEqual, None) if form(left) == form(right) => {
                Some(alike(left, right) == (comparison == Comparison::Equal))
            }
            (_, None) => None,
            (Comparison::Equal, Some(order)) => Some(order == Ordering::Equal),
            (Comparison::NotEqual, Some(order)) => Some(order != Ordering::Equal),
            (Comparison::Less, Some(order)) => Some(order == Ordering::Less),
            (Comparison::AtMost, Some(order)) => Some(order != Ordering::Greater),
            (Comparison::Greater, Some(order)) => Some(order == Ordering::Greater),
            (Comparison::AtLeast, Some(order)) => Some(order != Ordering::Less),
        };
        if truth.is_none() {
            let place = scope.place(whole.span);
            let (one, other) = (form(left), form(right));
            let message = if one == other {
                format!("{one} is neither less nor greater than another")
            } else {
                format!("{one} cannot be compared with {other}")
            };
            self.sink.push(
                Diagnostic::error(codes::CONDITION, place, message)
                    .label(format!("`{}` needs two values of one kind", comparison.text()))
                    .also(left.span, format!("this is {one}"))
                    .also(right.span, format!("this is {other}")),
            );
        }
        truth
    }
}

fn is_name(value: &Value) -> bool {
    matches!(value.kind, ValueKind::Path(_))
}

/// Which of two values of one dimension is greater.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (&left.kind, &right.kind) {
        (ValueKind::Literal(left), ValueKind::Literal(right)) => match (left, right) {
            (Literal::Integer(one), Literal::Integer(other)) | (Literal::Size(one), Literal::Size(other)) => {
                Some(one.cmp(other))
            }
            (Literal::Decimal(one), Literal::Decimal(other))
            | (Literal::Percentage(one), Literal::Percentage(other)) => Some(one.cmp(other)),
            (Literal::Duration(one), Literal::Duration(other)) => Some(one.cmp(other)),
            (Literal::Rate(one), Literal::Rate(other)) => {
                let per = |count: u64, seconds: u64| u128::from(count) * u128::from(seconds);
                Some(per(one.count, other.unit.seconds()).cmp(&per(other.count, one.unit.seconds())))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether two values are the same, wherever they are written.
fn alike(left: &Value, right: &Value) -> bool {
    match (&left.kind, &right.kind) {
        (ValueKind::Boolean(one), ValueKind::Boolean(other)) => one == other,
        (ValueKind::Literal(one), ValueKind::Literal(other)) => one == other,
        (ValueKind::String(one), ValueKind::String(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|pair| match pair {
                    (StringPart::Text(one), StringPart::Text(other)) => one == other,
                    (StringPart::Interpolation(one), StringPart::Interpolation(other)) => alike(one, other),
                    (StringPart::Text(_), StringPart::Interpolation(_))
                    | (StringPart::Interpolation(_), StringPart::Text(_)) => false,
                })
        }
        (ValueKind::Path(one), ValueKind::Path(other)) => {
            let names = |path: &lang_syntax::ast::Path| -> Vec<String> {
                path.segments.iter().map(|segment| segment.value.clone()).collect()
            };
            names(one) == names(other)
        }
        (ValueKind::List(one), ValueKind::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (ValueKind::Record(one), ValueKind::Record(other)) => {
            one.len() == other.len()
                && one.iter().all(|entry| {
                    let same = other.iter().find(|candidate| candidate.name.value == entry.name.value);
                    same.is_some_and(|same| alike(&entry.value, &same.value))
                })
        }
        (ValueKind::In(a, b), ValueKind::In(c, d)) | (ValueKind::Arrow(a, b), ValueKind::Arrow(c, d)) => {
            alike(a, c) && alike(b, d)
        }
        _ => false,
    }
}
