//! Literals against scalar types, and the form of a value at a glance.

use std::time::Duration;

use lang_diagnostics::{Applicability, Diagnostic, Fix, Span};
use lang_syntax::ast::{self, Literal, ValueKind};

use crate::codes;
use crate::evaluator::Evaluator;
use crate::mismatch::replace;
use crate::schema::{Symbol, Type};
use crate::value::Value;

/// The syntax tree's unit of decimals and percentages: so many make a whole.
const WHOLE: u64 = 1_000_000_000;

/// Certificates and data planes cannot count much further.
const LONGEST: Duration = Duration::from_hours(1000 * 365 * 24);

impl Evaluator<'_, '_> {
    /// The value, if it lies in the range of its type. `others` are what may be written instead.
    pub(crate) fn in_range(&mut self, value: Value, span: Span, ty: &Type, others: &[Type]) -> Option<Value> {
        let wrong = match (&value, ty) {
            (Value::Integer(number), Type::Integer(min, max)) if !(*min..=*max).contains(number) => {
                format!("`{number}` is out of range")
            }
            (Value::Duration(duration), _) if duration.is_zero() => {
                String::from("a duration must be greater than zero")
            }
            (Value::Duration(duration), _) if *duration > LONGEST => {
                String::from("a duration cannot be longer than a thousand years")
            }
            (Value::Percentage(share), _) if share.nanos > 100 * WHOLE => {
                String::from("a share cannot be more than 100%")
            }
            (Value::Percentage(share), Type::WholePercentage) if share.nanos % WHOLE != 0 => {
                String::from("this percentage cannot have decimals")
            }
            _ => return Some(value),
        };
        let is_port = matches!(ty, Type::Integer(1, 65535));
        let expected = if is_port { String::from("a port number from 1 to 65535") } else { ty.describe() };
        let diagnostic =
            Diagnostic::error(codes::OUT_OF_RANGE, span, wrong).label(format!("expected {expected}"));
        self.sink.push(match word_for_zero(others).filter(|_| is_zero(&value)) {
            Some(symbol) => diagnostic
                .help(format!("did you mean `{}`: {}?", symbol.word, symbol.documentation))
                .fix(word_fix(span, symbol)),
            None => diagnostic,
        });
        None
    }
}

fn is_zero(value: &Value) -> bool {
    matches!(value, Value::Integer(0)) || matches!(value, Value::Duration(duration) if duration.is_zero())
}

/// What is written where other systems write zero: the only word beside a quantity, such as `none` or `unlimited`.
pub(crate) fn word_for_zero(types: &[Type]) -> Option<&'static Symbol> {
    types.iter().find_map(|ty| if let Type::Symbol([only]) = ty { Some(only) } else { None })
}

/// A fix that writes a word in the place of a value.
pub(crate) fn word_fix(span: Span, symbol: &Symbol) -> Fix {
    replace(span, &format!("write `{}`", symbol.word), symbol.word.to_owned(), Applicability::Suggested)
}

/// The only segment of a path.
pub(crate) fn bare_word(value: &ast::Value) -> Option<&str> {
    let ValueKind::Path(path) = &value.kind else { return None };
    if let [segment] = path.segments.as_slice() { Some(&segment.value) } else { None }
}

/// A literal as a value of a scalar type; ranges are not looked at.
pub(crate) fn scalar(literal: &Literal, ty: &Type) -> Option<Value> {
    match (ty, literal) {
        (Type::Integer(..), Literal::Integer(number)) => Some(Value::Integer(*number)),
        (Type::Decimal, Literal::Decimal(number)) => Some(Value::Decimal(*number)),
        (Type::Decimal, Literal::Integer(number)) => {
            Some(Value::Decimal(ast::Decimal { nanos: number.checked_mul(WHOLE)? }))
        }
        (Type::Duration, Literal::Duration(duration)) => {
            Some(Value::Duration(Duration::from_millis(duration.milliseconds)))
        }
        (Type::Rate, Literal::Rate(rate)) => Some(Value::Rate(*rate)),
        (Type::Size, Literal::Size(bytes)) => Some(Value::Size(*bytes)),
        (Type::Percentage | Type::WholePercentage, Literal::Percentage(percentage)) => {
            Some(Value::Percentage(*percentage))
        }
        (Type::Ip, Literal::Ip(address)) => Some(Value::Ip(*address)),
        (Type::Ipv4, Literal::Ip(address)) if address.is_ipv4() => Some(Value::Ip(*address)),
        (Type::Cidr, Literal::Cidr(address, bits)) => Some(Value::Cidr(*address, *bits)),
        (Type::SocketAddress, Literal::SocketAddress(address)) => Some(Value::SocketAddress(*address)),
        (Type::StatusClass, Literal::StatusClass(digit)) => Some(Value::StatusClass(*digit)),
        _ => None,
    }
}

/// Whether a value has the outer form of a type, so that a report should speak of that type.
pub(crate) fn has_form(value: &ast::Value, ty: &Type) -> bool {
    match ty {
        Type::Boolean => matches!(value.kind, ValueKind::Boolean(_)),
        Type::Text(_) | Type::Template(_) => matches!(value.kind, ValueKind::String(_)),
        Type::Host(_) => matches!(value.kind, ValueKind::String(_) | ValueKind::Literal(Literal::Ip(_))),
        Type::Symbol(symbols) => {
            bare_word(value).is_some_and(|word| symbols.iter().any(|symbol| symbol.word == word))
        }
        Type::Reference(_) => matches!(value.kind, ValueKind::Path(_)),
        Type::List { .. } => matches!(value.kind, ValueKind::List(_)),
        Type::Record(_) | Type::Map { .. } => matches!(value.kind, ValueKind::Record(_)),
        Type::Tagged(_) => matches!(value.kind, ValueKind::Tagged(..) | ValueKind::Path(_)),
        Type::Call(..) => matches!(value.kind, ValueKind::Arrow(..)),
        Type::Instance(..) => matches!(value.kind, ValueKind::In(..)),
        Type::Condition => true,
        Type::Union(types) => types.iter().any(|ty| has_form(value, ty)),
        Type::Integer(..)
        | Type::Decimal
        | Type::Duration
        | Type::Rate
        | Type::Size
        | Type::Percentage
        | Type::WholePercentage
        | Type::Ip
        | Type::Ipv4
        | Type::Cidr
        | Type::SocketAddress
        | Type::StatusClass => {
            if let ValueKind::Literal(literal) = &value.kind {
                scalar(literal, ty).is_some()
            } else {
                false
            }
        }
    }
}
