//! The report that a value has another form than its type, with the advice that the pair of them suggests.

use lang_diagnostics::{Applicability, Diagnostic, Edit, FileId, Fix, Sink, Span};
use lang_syntax::ast::{self, Literal, ValueKind};

use crate::codes;
use crate::describe;
use crate::evaluator::Evaluator;
use crate::scalar::{bare_word, has_form, word_fix, word_for_zero};
use crate::schema::Type;

impl Evaluator<'_, '_> {
    /// Reports that a value has another form than the type.
    pub(crate) fn mismatch<T>(&mut self, value: &ast::Value, ty: &Type) -> Option<T> {
        let wrong_unit = if let ValueKind::Literal(literal) = &value.kind {
            is_quantity(literal) && ty.is_quantity()
        } else {
            false
        };
        let code = if wrong_unit { codes::WRONG_UNIT } else { codes::WRONG_TYPE };
        let found = describe::value(value);
        let diagnostic =
            Diagnostic::error(code, value.span, format!("expected {}, found {found}", ty.describe()))
                .label(found);
        let diagnostic = match self.advice(value, ty) {
            Some(Advice::Help(help)) => diagnostic.help(help),
            Some(Advice::Fix(fix)) => diagnostic.fix(fix),
            Some(Advice::Both(help, fix)) => diagnostic.help(help).fix(fix),
            None => diagnostic,
        };
        self.sink.push(diagnostic);
        None
    }

    /// The way out that the form of a value and the type suggest together.
    fn advice(&self, value: &ast::Value, ty: &Type) -> Option<Advice> {
        match (&value.kind, ty) {
            (ValueKind::Literal(Literal::Integer(0)), Type::Union(types))
                if let Some(symbol) = word_for_zero(types) =>
            {
                let help = format!("did you mean `{}`: {}?", symbol.word, symbol.documentation);
                Some(Advice::Both(help, word_fix(value.span, symbol)))
            }
            // A literal is nearest to the member for which there is advice.
            (ValueKind::Literal(_), Type::Union(types)) => types.iter().find_map(|ty| self.advice(value, ty)),
            (ValueKind::Literal(Literal::Percentage(share)), Type::Integer(min, max))
                if (*min..=*max).contains(&(share.nanos / 1_000_000_000))
                    && share.nanos.is_multiple_of(1_000_000_000) =>
            {
                let number = share.nanos / 1_000_000_000;
                let title = format!("write `{number}`");
                Some(Advice::Fix(replace(value.span, &title, number.to_string(), Applicability::Suggested)))
            }
            (ValueKind::Literal(Literal::Decimal(share)), Type::Percentage | Type::WholePercentage)
                if share.nanos <= 1_000_000_000 && share.nanos.is_multiple_of(10_000_000) =>
            {
                let text = format!("{}%", share.nanos / 10_000_000);
                let title = format!("write `{text}`");
                Some(Advice::Fix(replace(value.span, &title, text, Applicability::Suggested)))
            }
            (ValueKind::Literal(Literal::Integer(number)), Type::Duration) => {
                let units = "`ms`, `s`, `m`, `h`, `d` or `y`";
                Some(Advice::Help(format!("give it a unit, such as `{number}s`: one of {units}")))
            }
            (ValueKind::Literal(Literal::Integer(number)), Type::Rate) => {
                Some(Advice::Help(format!("say per what, such as `{number}/min`")))
            }
            (ValueKind::Literal(Literal::Integer(number)), Type::Percentage | Type::WholePercentage) => {
                Some(Advice::Help(format!("write `{number}%`")))
            }
            (ValueKind::Literal(Literal::Rate(rate)), Type::Integer(..)) => {
                let unit = describe::rate_unit(rate.unit);
                Some(Advice::Help(format!("write `{}` without `{unit}`", rate.count)))
            }
            (ValueKind::Literal(Literal::SocketAddress(address)), Type::Ip | Type::Ipv4 | Type::Host(_)) => {
                Some(Advice::Help(format!("leave `:{}` out: a port is declared on its own", address.port())))
            }
            (ValueKind::Literal(Literal::Cidr(address, _)), Type::Ip | Type::Ipv4 | Type::Host(_)) => {
                let title = format!("write `{address}`, the address without its range");
                let fix = replace(value.span, &title, address.to_string(), Applicability::Suggested);
                Some(Advice::Fix(fix))
            }
            (ValueKind::Path(_), _) if is_nothing(value) => {
                Some(Advice::Help(String::from("leave the attribute out: its default applies then")))
            }
            (ValueKind::Path(_), Type::Boolean) => {
                let meant = match bare_word(value)?.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "true" | "enabled" => "true",
                    "no" | "off" | "false" | "disabled" => "false",
                    _ => return None,
                };
                let title = format!("write `{meant}`");
                let fix = replace(value.span, &title, meant.to_owned(), Applicability::Suggested);
                Some(Advice::Fix(fix))
            }
            (
                ValueKind::Path(_) | ValueKind::Literal(_),
                Type::Text(_) | Type::Template(_) | Type::Host(_),
            ) => {
                let written = self.texts.text(value.span).filter(|text| !text.contains(['"', '\n']))?;
                let quoted = format!("\"{written}\"");
                let help = "strings are written in quotes; a name without them refers to something";
                let fix = replace(value.span, "put it in quotes", quoted, Applicability::Suggested);
                let is_name = matches!(value.kind, ValueKind::Path(_));
                Some(if is_name { Advice::Both(help.to_owned(), fix) } else { Advice::Fix(fix) })
            }
            (ValueKind::String(parts), _) => {
                let [ast::StringPart::Text(text)] = parts.as_slice() else { return None };
                match ty.reference() {
                    Some(reference) if text == "*" => {
                        let refused = reference.refused.iter().find(|(word, _)| *word == "*");
                        let help = refused.map_or("no name stands for all: list each", |(_, why)| *why);
                        Some(Advice::Help(help.to_owned()))
                    }
                    Some(_) if let Some(around) = all_of(text) => Some(Advice::Help(format!(
                        "there are no patterns: `{around}` without quotes stands for all in it, where it is accepted"
                    ))),
                    Some(_) | None => unquoted(text, value.span, ty),
                }
            }
            (ValueKind::List(entries), _) => match entries.as_slice() {
                [only] if has_form(only, ty) => Some(Advice::Fix(Fix {
                    title: String::from("remove the brackets"),
                    applicability: Applicability::Safe,
                    edits: vec![
                        Edit { span: Span { end: only.span.start, ..value.span }, text: String::new() },
                        Edit { span: Span { start: only.span.end, ..value.span }, text: String::new() },
                    ],
                })),
                [first, _, ..] if has_form(first, ty) => {
                    Some(Advice::Help(String::from("only one fits here: keep one of them, without brackets")))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// What other languages write for the absence of a value.
pub(crate) fn is_nothing(value: &ast::Value) -> bool {
    matches!(bare_word(value), Some("null" | "none" | "None" | "nil"))
}

/// What a pattern for all in something is about: `shop` in `shop.*` and in `shop/*`.
fn all_of(text: &str) -> Option<&str> {
    text.strip_suffix(".*").or_else(|| text.strip_suffix("/*")).filter(|around| !around.is_empty())
}

/// How a report goes on.
enum Advice {
    Help(String),
    Fix(Fix),
    Both(String, Fix),
}

/// What stands in a string may be right without its quotes.
fn unquoted(text: &str, span: Span, ty: &Type) -> Option<Advice> {
    let fix =
        |title: &str, text: String, applicability| Advice::Fix(replace(span, title, text, applicability));
    if let Some(value) = read(text)
        && has_form(&value, ty)
    {
        // Whether a name leads anywhere is not known here.
        let is_name = matches!(value.kind, ValueKind::Path(_));
        let applicability = if is_name { Applicability::Suggested } else { Applicability::Safe };
        return Some(fix("remove the quotes", text.to_owned(), applicability));
    }
    if let Type::List { of, .. } = ty {
        let listed = format!("[{text}]");
        if let Some(ast::Value { kind: ValueKind::List(entries), .. }) = read(&listed)
            && !entries.is_empty()
            && entries.iter().all(|entry| has_form(entry, of))
        {
            let title = format!("write `{listed}`");
            return Some(fix(&title, listed, Applicability::Suggested));
        }
    }
    ty.reference().is_some().then(|| {
        let help = "a name has no quotes; one of another form is quoted behind the name around it, such as";
        Advice::Help(format!("{help} `shop.\"2nd\"`"))
    })
}

/// A value from its text, if that is one value without a mistake.
fn read(text: &str) -> Option<ast::Value> {
    let mut sink = Sink::default();
    let file = lang_syntax::parse(FileId(0), &format!("x = {text}"), &mut sink);
    match file.items.as_slice() {
        [ast::Item::Attribute(attribute)] if sink.diagnostics().is_empty() => Some(attribute.value.clone()),
        _ => None,
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
