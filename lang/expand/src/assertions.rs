//! `assert`: a condition that is decided when the whole mesh is resolved. Only variables are filled in here.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever no operator joins is made like any other value"
)]

use std::rc::Rc;

use lang_diagnostics::{Span, Spanned};
use lang_evaluate::schema::assertion;
use lang_syntax::ast::{self, Attribute, Block, Conditional, Item, StringPart, Value, ValueKind};

use crate::items::Expander;
use crate::scope::{Named, Scope};
use crate::values::shown;

/// A message, in which any value may stand.
fn said(mut message: Value) -> Value {
    if let ValueKind::String(parts) = &mut message.kind {
        for part in parts {
            if let StringPart::Interpolation(inner) = part {
                *part = StringPart::Text(shown(inner));
            }
        }
    }
    message
}

impl<'a> Expander<'a, '_> {
    /// The block that an assertion stands for.
    pub(crate) fn assertion(&mut self, assert: &'a ast::Assert, span: Span, scope: &Rc<Scope<'a>>) -> Block {
        let span = scope.place(span);
        let length = u32::try_from(assertion::KIND.len()).unwrap_or(0);
        let word = Span { end: span.start + length, ..span };
        let attribute = |name: &str, value: Value| {
            let span = value.span;
            Item::Attribute(Attribute {
                name: Spanned::new(name.to_owned(), word),
                value,
                documentation: None,
                span,
            })
        };
        let mut body = vec![attribute(assertion::CONDITION.text(), self.deferred(&assert.condition, scope))];
        if let Some(message) = &assert.message {
            body.push(attribute(assertion::MESSAGE.text(), said(self.value(message, scope))));
        }
        Block {
            kind: Spanned::new(assertion::KIND.to_owned(), word),
            label: None,
            interpolated: None,
            body,
            short: false,
            documentation: None,
            span,
        }
    }

    /// A value that is decided later: what is declared stands in it by its whole name, and what variables stand for is
    /// filled in.
    fn deferred(&mut self, value: &'a Value, scope: &Rc<Scope<'a>>) -> Value {
        let span = scope.place(value.span);
        let kind = match &value.kind {
            ValueKind::Path(path) => {
                let first = path.segments.first().and_then(|first| scope.find(&first.value));
                let Some((Named::Entity(entity), ..)) = first else { return self.value(value, scope) };
                // A route may have the name of a service.
                let kind = format!("{}{}", entity.kind, assertion::OF_KIND);
                let whole = std::iter::once(&kind).chain(&entity.path);
                let whole = whole.map(|name| Spanned::new(name.clone(), span));
                let rest = path.segments.iter().skip(1);
                let rest = rest.map(|name| Spanned::new(name.value.clone(), scope.place(name.span)));
                ValueKind::Path(ast::Path { segments: whole.chain(rest).collect() })
            }
            ValueKind::List(elements) => {
                ValueKind::List(elements.iter().map(|element| self.deferred(element, scope)).collect())
            }
            ValueKind::Spread(inner) => ValueKind::Spread(Box::new(self.deferred(inner, scope))),
            ValueKind::Group(inner) => ValueKind::Group(Box::new(self.deferred(inner, scope))),
            ValueKind::Not(inner) => ValueKind::Not(Box::new(self.deferred(inner, scope))),
            ValueKind::Logic(connective, operands) => {
                let operands = operands.iter().map(|operand| self.deferred(operand, scope)).collect();
                ValueKind::Logic(*connective, operands)
            }
            ValueKind::Compare(comparison, sides) => {
                let (left, right) = (self.deferred(&sides.0, scope), self.deferred(&sides.1, scope));
                ValueKind::Compare(*comparison, Box::new((left, right)))
            }
            ValueKind::In(left, right) => {
                let (left, right) = (self.deferred(left, scope), self.deferred(right, scope));
                ValueKind::In(Box::new(left), Box::new(right))
            }
            ValueKind::If(choice) => ValueKind::If(Box::new(Conditional {
                condition: self.deferred(&choice.condition, scope),
                then: self.deferred(&choice.then, scope),
                otherwise: self.deferred(&choice.otherwise, scope),
            })),
            _ => return self.value(value, scope),
        };
        if self.spend(1, span) { Value { kind, span } } else { Value { kind: ValueKind::Invalid, span } }
    }
}
