//! What parameters and inputs take.
#![expect(clippy::wildcard_enum_match_arm, reason = "what is no number is one case, whatever it is")]

use std::rc::Rc;

use lang_diagnostics::{Diagnostic, Span, Spanned, suggest};
use lang_syntax::ast::{Literal, Path, Type, TypeKind, Value, ValueKind};
use regex::Regex;

use crate::codes;
use crate::items::Expander;
use crate::modules::list;
use crate::scope::Scope;
use crate::values::{shown, text_of};

/// The types that are no kinds.
const TYPES: &[&str] = &[
    "any",
    "boolean",
    "integer",
    "decimal",
    "string",
    "duration",
    "rate",
    "size",
    "percentage",
    "address",
    "address_range",
    "name",
    "record",
    "one_of",
];

impl<'a> Expander<'a, '_> {
    /// The value as a type takes it: a string is taken as a name where a name is needed. If it does not fit, that is
    /// reported, with the declaration of what is called `name`.
    pub(crate) fn taken(
        &mut self,
        value: &Value,
        ty: &'a Type,
        name: (&str, Span),
        scope: &Rc<Scope<'a>>,
    ) -> Option<Value> {
        let value = self.with_names(value, ty);
        match self.mismatch(&value, ty, scope) {
            Ok(None) => Some(value),
            Ok(Some(expected)) => {
                let message = format!("`{}` takes {expected}, and not `{}`", name.0, shown(&value));
                self.sink.push(
                    Diagnostic::error(codes::WRONG_TYPE, value.span, message)
                        .label(format!("expected {expected}"))
                        .also(name.1, format!("`{}` is declared here", name.0)),
                );
                None
            }
            // The type is at fault, which was reported.
            Err(()) => None,
        }
    }

    /// The value with names in the place of strings, where its type takes names.
    fn with_names(&self, value: &Value, ty: &Type) -> Value {
        let kind = match (&ty.kind, &value.kind) {
            (TypeKind::List(inner), ValueKind::List(elements)) => {
                ValueKind::List(elements.iter().map(|element| self.with_names(element, inner)).collect())
            }
            (TypeKind::Named(word, _), ValueKind::String(_)) if self.is_name_type(&word.value) => {
                match text_of(value).filter(|text| !text.is_empty()) {
                    Some(text) => ValueKind::Path(Path {
                        segments: text
                            .split('.')
                            .map(|part| Spanned::new(part.to_owned(), value.span))
                            .collect(),
                    }),
                    None => value.kind.clone(),
                }
            }
            (TypeKind::List(_) | TypeKind::Named(..) | TypeKind::Invalid, other) => other.clone(),
        };
        Value { kind, span: value.span }
    }

    /// Whether a type takes names of what is declared.
    fn is_name_type(&self, word: &str) -> bool {
        word == "name" || crate::entities::plurals(self.schema).iter().any(|(_, kind)| *kind == word)
    }

    /// What was expected, if a value does not fit.
    fn mismatch(&mut self, value: &Value, ty: &'a Type, scope: &Rc<Scope<'a>>) -> Result<Option<String>, ()> {
        let (word, arguments) = match &ty.kind {
            TypeKind::Invalid => return Err(()),
            TypeKind::List(inner) => {
                let ValueKind::List(elements) = &value.kind else {
                    let fits = value.kind == ValueKind::Invalid;
                    return Ok((!fits).then(|| String::from("a list")));
                };
                for element in elements {
                    if let Some(expected) = self.mismatch(element, inner, scope)? {
                        return Ok(Some(format!("a list in which each element is {expected}")));
                    }
                }
                return Ok(None);
            }
            TypeKind::Named(word, arguments) => (word, arguments),
        };
        if value.kind == ValueKind::Invalid {
            return Ok(None);
        }
        let literal =
            |fits: fn(&Literal) -> bool| matches!(&value.kind, ValueKind::Literal(found) if fits(found));
        let is_name = matches!(value.kind, ValueKind::Path(_));
        let (fits, expected) = match word.value.as_str() {
            "any" => (true, ""),
            "boolean" => (matches!(value.kind, ValueKind::Boolean(_)), "`true` or `false`"),
            "integer" => return self.integer(value, arguments, word.span, scope),
            "string" => return self.text(value, arguments, word.span, scope),
            "one_of" => return self.one_of(value, arguments, word.span, scope),
            "decimal" => {
                (literal(|it| matches!(it, Literal::Decimal(_) | Literal::Integer(_))), "a decimal number")
            }
            "duration" => (literal(|it| matches!(it, Literal::Duration(_))), "a duration"),
            "rate" => (literal(|it| matches!(it, Literal::Rate(_))), "a rate"),
            "size" => (literal(|it| matches!(it, Literal::Size(_))), "a size"),
            "percentage" => (literal(|it| matches!(it, Literal::Percentage(_))), "a percentage"),
            "address" => (literal(|it| matches!(it, Literal::Ip(_))), "an IP address"),
            "address_range" => (literal(|it| matches!(it, Literal::Cidr(..))), "an address range"),
            "name" => (is_name, "a name"),
            "record" => (matches!(value.kind, ValueKind::Record(_)), "a record"),
            kind => {
                if !self.is_name_type(kind) {
                    self.unknown_type(kind, word.span);
                    return Err(());
                }
                return Ok((!is_name).then(|| format!("the name of a {kind}")));
            }
        };
        Ok((!fits).then(|| expected.to_owned()))
    }

    fn unknown_type(&mut self, word: &str, span: Span) {
        let kinds = crate::entities::plurals(self.schema);
        let words = TYPES.iter().copied().chain(kinds.iter().map(|(_, kind)| *kind));
        let diagnostic = Diagnostic::error(codes::UNKNOWN_TYPE, span, format!("there is no type `{word}`"))
            .label("not a type");
        self.sink.push(match suggest(word, words) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("the types are {}, and the kinds that have names", list(TYPES))),
        });
    }

    fn integer(
        &mut self,
        value: &Value,
        arguments: &'a [Value],
        span: Span,
        scope: &Rc<Scope<'a>>,
    ) -> Result<Option<String>, ()> {
        let bounds: Vec<Value> = arguments.iter().map(|argument| self.value(argument, scope)).collect();
        let number = |value: &Value| match value.kind {
            ValueKind::Literal(Literal::Integer(number)) => Some(number),
            _ => None,
        };
        let (least, most) = match bounds.as_slice() {
            [] => (0, u64::MAX),
            [least, most] => match (number(least), number(most)) {
                (Some(least), Some(most)) => (least, most),
                _ => return self.wrong_type(span, "`integer(1, 10)` has two whole numbers"),
            },
            _ => return self.wrong_type(span, "`integer(1, 10)` has two whole numbers"),
        };
        let fits = number(value).is_some_and(|number| (least..=most).contains(&number));
        let expected = if bounds.is_empty() {
            String::from("a whole number")
        } else {
            format!("a whole number from {least} to {most}")
        };
        Ok((!fits).then_some(expected))
    }

    fn text(
        &mut self,
        value: &Value,
        arguments: &'a [Value],
        span: Span,
        scope: &Rc<Scope<'a>>,
    ) -> Result<Option<String>, ()> {
        let is_string = matches!(value.kind, ValueKind::String(_));
        let pattern = match arguments {
            [] => return Ok((!is_string).then(|| String::from("a string"))),
            [pattern] => {
                let pattern = self.value(pattern, scope);
                text_of(&pattern).filter(|_| matches!(pattern.kind, ValueKind::String(_)))
            }
            _ => None,
        };
        let Some(pattern) = pattern else {
            return self.wrong_type(span, "`string(\"[a-z]+\")` has one regular expression");
        };
        let Ok(expression) = Regex::new(&format!("^(?:{pattern})$")) else {
            return self.wrong_type(span, "this is not a regular expression");
        };
        // What only evaluation can fill in is checked where it is used.
        let fits = is_string && text_of(value).is_none_or(|text| expression.is_match(&text));
        Ok((!fits).then(|| format!("a string of the form `{pattern}`")))
    }

    fn one_of(
        &mut self,
        value: &Value,
        arguments: &'a [Value],
        span: Span,
        scope: &Rc<Scope<'a>>,
    ) -> Result<Option<String>, ()> {
        let words: Vec<Value> = arguments.iter().map(|argument| self.value(argument, scope)).collect();
        if words.is_empty() {
            return self.wrong_type(span, "`one_of(a, b)` has at least one word");
        }
        let text = text_of(value);
        let fits = words.iter().any(|word| text.is_some() && text_of(word) == text);
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", shown(word))).collect();
        Ok((!fits).then(|| format!("one of {}", words.join(", "))))
    }

    fn wrong_type(&mut self, span: Span, why: &str) -> Result<Option<String>, ()> {
        self.sink.push(Diagnostic::error(codes::UNKNOWN_TYPE, span, why.to_owned()).label("not a type"));
        Err(())
    }
}

/// What a value is, with an article.
pub(crate) fn form(value: &Value) -> &'static str {
    match &value.kind {
        ValueKind::Boolean(_) => "a truth value",
        ValueKind::String(_) => "a string",
        ValueKind::Literal(literal) => lang_evaluate::literal(literal),
        ValueKind::Path(_) => "a name",
        ValueKind::List(_) => "a list",
        ValueKind::Record(_) => "a record",
        ValueKind::Tagged(..) => "a word with a record",
        ValueKind::In(..) => "an instance `A in B`",
        ValueKind::Arrow(..) => "a call `A -> B`",
        ValueKind::Group(_)
        | ValueKind::If(_)
        | ValueKind::Logic(..)
        | ValueKind::Not(_)
        | ValueKind::Compare(..)
        | ValueKind::Spread(_)
        | ValueKind::Invalid => "something that could not be read",
    }
}
