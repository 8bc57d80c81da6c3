//! A value of the source against the type that the schema promises.

use std::collections::HashMap;

use lang_diagnostics::{Applicability, Diagnostic, Edit, Fix, Span, Spanned};
use lang_syntax::ast::{self, Literal, ValueKind};

use crate::codes;
use crate::declarations::EntityId;
use crate::describe;
use crate::evaluator::{Evaluator, Known};
use crate::mismatch::{is_nothing, replace};
use crate::scalar::{bare_word, has_form, scalar};
use crate::schema::{Attribute, Pattern, Reference, Symbol, Tag, Type};
use crate::value::Value;

type Scope = Option<EntityId>;

impl Evaluator<'_, '_> {
    /// The checked value, or nothing after a report.
    pub(crate) fn value(&mut self, value: &ast::Value, ty: &Type, scope: Scope) -> Option<Value> {
        // The parser has said what is wrong with it.
        if value.kind == ValueKind::Invalid {
            return None;
        }
        match ty {
            Type::Union(types) => self.union(value, ty, types, scope),
            Type::Text(pattern) => self.text(value, ty, pattern, scope),
            Type::Template(template) => self.template(value, ty, template, scope),
            Type::Host(pattern) => {
                let ValueKind::Literal(Literal::Ip(address)) = &value.kind else {
                    return self.text(value, ty, pattern, scope);
                };
                Some(Value::Ip(*address))
            }
            Type::Symbol(symbols) => self.symbol(value, ty, symbols),
            Type::Reference(reference) => self.named(value, ty, reference, scope).map(Value::Reference),
            Type::List { of, min, max } => self.list(value, ty, of, (*min, *max), scope),
            Type::Map { key, of } => self.map(value, ty, key, of, scope),
            Type::Record(attributes) => {
                let ValueKind::Record(written) = &value.kind else { return self.mismatch(value, ty) };
                self.record(attributes, "this record", written, value.span, scope).map(Value::Record)
            }
            Type::Tagged(tags) => self.tagged(value, ty, tags, scope),
            Type::Call(reference, place) => self.call(value, ty, (reference, place), scope),
            Type::Instance(of, place) => self.instance(value, ty, (of, place), scope),
            Type::Condition => Some(Value::Condition(Box::new(value.clone()))),
            Type::Boolean => {
                let ValueKind::Boolean(truth) = value.kind else { return self.mismatch(value, ty) };
                Some(Value::Boolean(truth))
            }
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
                let ValueKind::Literal(literal) = &value.kind else { return self.mismatch(value, ty) };
                match scalar(literal, ty) {
                    Some(checked) => self.in_range(checked, value.span, ty, &[]),
                    None => self.mismatch(value, ty),
                }
            }
        }
    }

    /// The first member whose form fits; a value that fits none is one mistake and not one per member.
    fn union(
        &mut self,
        value: &ast::Value,
        ty: &Type,
        types: &'static [Type],
        scope: Scope,
    ) -> Option<Value> {
        let mut words: Vec<Symbol> = Vec::new();
        for member in types {
            if let (Type::Symbol(symbols), Some(word)) = (member, bare_word(value)) {
                if symbols.iter().any(|symbol| symbol.word == word) {
                    self.also_a_name(value, word, types, scope)?;
                    return self.symbol(value, member, symbols);
                }
                words.extend_from_slice(symbols);
            } else if let ValueKind::Literal(literal) = &value.kind
                && let Some(checked) = scalar(literal, member)
            {
                return self.in_range(checked, value.span, member, types);
            } else if has_form(value, member) {
                return self.value(value, member, scope);
            }
        }
        match bare_word(value) {
            Some(word) if !words.is_empty() => {
                self.unknown_word(word, value.span, &words, Some(ty));
                None
            }
            Some(_) | None => self.mismatch(value, ty),
        }
    }

    /// Reports a word of a union that is the name of something as well.
    fn also_a_name(
        &mut self,
        value: &ast::Value,
        word: &str,
        types: &'static [Type],
        scope: Scope,
    ) -> Option<()> {
        let ValueKind::Path(path) = &value.kind else { return Some(()) };
        let entity = types.iter().find_map(|ty| {
            let Type::Reference(reference) = ty else { return None };
            self.names.resolve(&path.segments, scope, reference).pop()
        });
        let Some(target) = entity else { return Some(()) };
        let Some(place) = self.names.span(target.entity) else { return Some(()) };
        let name = self.names.qualified(target.entity);
        let message = format!("`{word}` may mean two things");
        let help = format!("write `{name}` for what is declared, or give it another name to use the word");
        self.sink.push(
            Diagnostic::error(codes::AMBIGUOUS_NAME, value.span, message)
                .label("a word of this attribute, and a name")
                .also(place, format!("`{name}` is declared here"))
                .help(help),
        );
        None
    }

    fn text(&mut self, value: &ast::Value, ty: &Type, pattern: &Pattern, scope: Scope) -> Option<Value> {
        let ValueKind::String(parts) = &value.kind else { return self.mismatch(value, ty) };
        let text = self.interpolate(parts, scope)?;
        if let Some(wrong) = (pattern.check)(&text) {
            let message = format!("`{}` is not {}", describe::visible(&text), pattern.name);
            let wrong = describe::visible(&wrong);
            self.sink.push(Diagnostic::error(codes::WRONG_FORM, value.span, message).label(wrong));
            return None;
        }
        Some(Value::Text(text))
    }

    fn symbol(&mut self, value: &ast::Value, ty: &Type, symbols: &[Symbol]) -> Option<Value> {
        let Some(word) = bare_word(value) else {
            // The right word in quotes is a mistake of form only.
            if let ValueKind::String(parts) = &value.kind
                && let [ast::StringPart::Text(text)] = parts.as_slice()
                && symbols.iter().any(|symbol| symbol.word == text)
            {
                self.sink.push(
                    Diagnostic::error(
                        codes::WRONG_TYPE,
                        value.span,
                        format!("`{text}` is a word and not a string"),
                    )
                    .label("without quotes")
                    .fix(replace(
                        value.span,
                        "remove the quotes",
                        text.clone(),
                        Applicability::Safe,
                    )),
                );
                return None;
            }
            return self.mismatch(value, ty);
        };
        match symbols.iter().find(|symbol| symbol.word == word) {
            Some(symbol) => Some(Value::Symbol(symbol.word)),
            None => {
                self.unknown_word(word, value.span, symbols, None);
                None
            }
        }
    }

    fn list(
        &mut self,
        value: &ast::Value,
        ty: &Type,
        of: &Type,
        (min, max): (usize, usize),
        scope: Scope,
    ) -> Option<Value> {
        let ValueKind::List(entries) = &value.kind else {
            if has_form(value, of) && !is_nothing(value) {
                self.sink.push(
                    Diagnostic::error(
                        codes::WRONG_TYPE,
                        value.span,
                        format!("expected a list, found {}", describe::value(value)),
                    )
                    .label("a list of one has brackets too")
                    .fix(Fix {
                        title: String::from("put brackets around it"),
                        applicability: Applicability::Safe,
                        edits: vec![
                            Edit {
                                span: Span { end: value.span.start, ..value.span },
                                text: String::from("["),
                            },
                            Edit { span: value.span.after(), text: String::from("]") },
                        ],
                    }),
                );
                return None;
            }
            return self.mismatch(value, ty);
        };
        if entries.len() < min || entries.len() > max {
            let wanted = if min == max { format!("exactly {min}") } else { format!("at least {min}") };
            let plural = if min == 1 { "entry" } else { "entries" };
            self.sink.push(
                Diagnostic::error(
                    codes::OUT_OF_RANGE,
                    value.span,
                    format!("this list has {} and needs {wanted}", counted(entries.len())),
                )
                .label(format!("{wanted} {plural}")),
            );
            return None;
        }
        let checked: Vec<_> = entries
            .iter()
            .map(|entry| Some(Spanned::new(self.value(entry, of, scope)?, entry.span)))
            .collect();
        checked.into_iter().collect::<Option<_>>().map(Value::List)
    }

    fn map(
        &mut self,
        value: &ast::Value,
        ty: &Type,
        key: &Pattern,
        of: &Type,
        scope: Scope,
    ) -> Option<Value> {
        let ValueKind::Record(written) = &value.kind else { return self.mismatch(value, ty) };
        let mut entries: Vec<(Spanned<String>, Spanned<Value>)> = Vec::with_capacity(written.len());
        // Maps may be large, so that looking through all entries for each one would take minutes.
        let mut seen: HashMap<&str, Span> = HashMap::with_capacity(written.len());
        let mut complete = true;
        for attribute in written {
            let name = &attribute.name;
            if let Some(first) = seen.insert(&name.value, name.span) {
                self.sink.push(
                    Diagnostic::error(
                        codes::DUPLICATE_ATTRIBUTE,
                        name.span,
                        format!("`{}` is given twice in one record", name.value),
                    )
                    .label("set again here")
                    .also(first, "first set here")
                    .help("keep one of the two"),
                );
                complete = false;
                continue;
            }
            if let Some(wrong) = (key.check)(&name.value) {
                let message = format!("`{}` is not {}", name.value, key.name);
                self.sink.push(Diagnostic::error(codes::WRONG_FORM, name.span, message).label(wrong));
                complete = false;
            }
            match self.value(&attribute.value, of, scope) {
                Some(checked) => entries.push((name.clone(), Spanned::new(checked, attribute.value.span))),
                None => complete = false,
            }
        }
        complete.then_some(Value::Record(entries))
    }

    fn record(
        &mut self,
        attributes: &'static [Attribute],
        place: &str,
        written: &[ast::Attribute],
        span: Span,
        scope: Scope,
    ) -> Option<Vec<(Spanned<String>, Spanned<Value>)>> {
        let written: Vec<_> = written.iter().collect();
        let errors_before = self.sink.diagnostics().len();
        // What is missing was probably meant by a name that the record does not have.
        let unknown = |name: &str| attributes.iter().all(|schema| schema.name != name);
        let attempted = |_: &str| written.iter().any(|attribute| unknown(&attribute.name.value));
        let known = Known { kind: None, attributes, blocks: &[], place: &place, attempted: &attempted };
        let evaluated = self.assignments(&known, &written, scope, span);
        if self.sink.diagnostics().len() > errors_before {
            return None;
        }
        evaluated
            .into_iter()
            .map(|entry| Some((Spanned::new(entry.name.to_owned(), entry.span), entry.value?)))
            .collect()
    }

    fn tagged(&mut self, value: &ast::Value, ty: &Type, tags: &'static [Tag], scope: Scope) -> Option<Value> {
        let (word, written, span): (&str, &[ast::Attribute], Span) = match (&value.kind, bare_word(value)) {
            (ValueKind::Tagged(word, written), _) => (&word.value, written, word.span),
            (_, Some(word)) => (word, &[], value.span),
            (_, None) => return self.mismatch(value, ty),
        };
        let Some(tag) = tags.iter().find(|tag| tag.word == word) else {
            let symbols: Vec<_> = tags.iter().map(|tag| Symbol::new(tag.word, tag.documentation)).collect();
            self.unknown_word(word, span, &symbols, None);
            return None;
        };
        let place = format!("`{}`", tag.word);
        let record = self.record(tag.attributes, &place, written, span, scope)?;
        Some(Value::Tagged(tag.word, record))
    }

    fn call(
        &mut self,
        value: &ast::Value,
        ty: &Type,
        ends: (&'static Reference, &'static Reference),
        scope: Scope,
    ) -> Option<Value> {
        let ValueKind::Arrow(from, to) = &value.kind else { return self.mismatch(value, ty) };
        let mut end = |side: &ast::Value| {
            let checked = if matches!(side.kind, ValueKind::In(..)) {
                self.instance(side, ty, ends, scope)?
            } else {
                Value::Reference(self.named(side, ty, ends.0, scope)?)
            };
            Some(Box::new(Spanned::new(checked, side.span)))
        };
        let (from, to) = (end(from), end(to));
        Some(Value::Call(from?, to?))
    }

    fn instance(
        &mut self,
        value: &ast::Value,
        ty: &Type,
        (of, place): (&'static Reference, &'static Reference),
        scope: Scope,
    ) -> Option<Value> {
        let ValueKind::In(left, right) = &value.kind else { return self.mismatch(value, ty) };
        let target = self.named(left, ty, of, scope);
        let place = self.named(right, ty, place, scope);
        Some(Value::Instance(target?, place?))
    }
}

/// A number of entries of a list.
fn counted(entries: usize) -> String {
    match entries {
        0 => String::from("no entries"),
        1 => String::from("one entry"),
        more => format!("{more} entries"),
    }
}
