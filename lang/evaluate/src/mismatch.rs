//! The report that a value has another form than its type, with the advice that the pair of them suggests.

use lang_diagnostics::{Applicability, Diagnostic, Edit, Fix, Span};
use lang_syntax::ast::{self, Literal, ValueKind};

use crate::codes;
use crate::describe;
use crate::evaluator::Evaluator;
use crate::schema::Type;

impl Evaluator<'_, '_> {
    /// Reports that a value has another form than the type.
    pub(crate) fn mismatch<T>(&mut self, value: &ast::Value, ty: &Type) -> Option<T> {
        let wrong_unit = if let ValueKind::Literal(literal) = &value.kind {
            is_quantity(literal) && takes_quantity(ty)
        } else {
            false
        };
        let code = if wrong_unit { codes::WRONG_UNIT } else { codes::WRONG_TYPE };
        let found = describe::value(value);
        let mut diagnostic =
            Diagnostic::error(code, value.span, format!("expected {}, found {found}", ty.describe()))
                .label(found);
        match (&value.kind, ty) {
            (ValueKind::Literal(Literal::Integer(number)), Type::Duration) => {
                diagnostic = diagnostic.help(format!("give it a unit, such as `{number}s`"));
            }
            (ValueKind::Literal(Literal::Integer(number)), Type::Rate) => {
                diagnostic = diagnostic.help(format!("say per what, such as `{number}/min`"));
            }
            (ValueKind::Literal(Literal::Rate(rate)), Type::Integer(..)) => {
                let unit = describe::rate_unit(rate.unit);
                diagnostic = diagnostic.help(format!("write `{}` without `{unit}`", rate.count));
            }
            (ValueKind::Path(path), Type::Text(_) | Type::Host(_)) => {
                if let [segment] = path.segments.as_slice() {
                    let text = format!("\"{}\"", segment.value);
                    diagnostic = diagnostic
                        .help("strings stand in quotes; a name without them refers to something")
                        .fix(replace(value.span, "put it in quotes", text, Applicability::Suggested));
                }
            }
            _ => {}
        }
        self.sink.push(diagnostic);
        None
    }
}

/// A fix that puts `text` in the place of a value.
pub(crate) fn replace(span: Span, title: &str, text: String, applicability: Applicability) -> Fix {
    Fix { title: title.to_owned(), applicability, edits: vec![Edit { span, text }] }
}

fn is_quantity(literal: &Literal) -> bool {
    match literal {
        Literal::Integer(_)
        | Literal::Decimal(_)
        | Literal::Duration(_)
        | Literal::Rate(_)
        | Literal::Size(_)
        | Literal::Percentage(_) => true,
        Literal::Ip(_)
        | Literal::Cidr(..)
        | Literal::SocketAddress(_)
        | Literal::PortRange(..)
        | Literal::StatusClass(_) => false,
    }
}

fn takes_quantity(ty: &Type) -> bool {
    match ty {
        Type::Integer(..)
        | Type::Decimal
        | Type::Duration
        | Type::Rate
        | Type::Size
        | Type::Percentage
        | Type::WholePercentage => true,
        Type::Union(types) => types.iter().any(takes_quantity),
        Type::Boolean
        | Type::Ip
        | Type::Ipv4
        | Type::Host(_)
        | Type::Cidr
        | Type::SocketAddress
        | Type::StatusClass
        | Type::Text(_)
        | Type::Symbol(_)
        | Type::Reference(_)
        | Type::List { .. }
        | Type::Record(_)
        | Type::Map { .. }
        | Type::Tagged(_)
        | Type::Call(..)
        | Type::Instance(..) => false,
    }
}
