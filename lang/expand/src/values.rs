//! Values: each variable is replaced by what it stands for, each choice by what is chosen.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each place asks for one or two forms of a value, and all others are one case"
)]

use std::collections::BTreeSet;
use std::rc::Rc;

use lang_diagnostics::{Diagnostic, Span, Spanned, suggest};
use lang_syntax::ast::{self, Attribute, Literal, Path, StringPart, Value, ValueKind};

use crate::bounds::{DEEPEST, LONGEST_TEXT};
use crate::codes;
use crate::entities::Declared;
use crate::items::Expander;
use crate::modules::list;
use crate::scope::{Made, Named, Scope, State};
use crate::types::form;

/// What a path comes to.
enum Resolved {
    /// It is no variable: a symbol, or the name of something declared.
    Name,
    /// The value of a variable, or of a part of it.
    Value(Value),
    /// A name, made longer by what stands behind the variable.
    Longer(Value),
}

impl<'a> Expander<'a, '_> {
    /// The value with everything filled in.
    pub(crate) fn value(&mut self, value: &'a Value, scope: &Rc<Scope<'a>>) -> Value {
        let span = scope.place(value.span);
        if !self.spend(1, span) {
            return Value { kind: ValueKind::Invalid, span };
        }
        let kind = match &value.kind {
            ValueKind::Boolean(truth) => ValueKind::Boolean(*truth),
            ValueKind::Literal(literal) => ValueKind::Literal(literal.clone()),
            ValueKind::Invalid => ValueKind::Invalid,
            ValueKind::String(parts) => self.string(parts, scope, span),
            ValueKind::Path(path) => match self.path(path, scope, span) {
                Resolved::Value(value) | Resolved::Longer(value) => return value,
                Resolved::Name => ValueKind::Path(Path {
                    segments: path
                        .segments
                        .iter()
                        .map(|segment| Spanned::new(segment.value.clone(), scope.place(segment.span)))
                        .collect(),
                }),
            },
            ValueKind::List(elements) => ValueKind::List(self.list(elements, scope)),
            ValueKind::Record(entries) => ValueKind::Record(self.record(entries, scope)),
            ValueKind::Tagged(tag, entries) => {
                let tag = Spanned::new(tag.value.clone(), scope.place(tag.span));
                ValueKind::Tagged(Box::new(tag), self.record(entries, scope))
            }
            ValueKind::In(left, right) => {
                let (left, right) = (self.value(left, scope), self.value(right, scope));
                ValueKind::In(Box::new(left), Box::new(right))
            }
            ValueKind::Arrow(left, right) => {
                let (left, right) = (self.value(left, scope), self.value(right, scope));
                ValueKind::Arrow(Box::new(left), Box::new(right))
            }
            ValueKind::Group(inner) => return self.value(inner, scope),
            ValueKind::If(choice) => match self.truth(&choice.condition, scope) {
                Some(true) => return self.value(&choice.then, scope),
                Some(false) => return self.value(&choice.otherwise, scope),
                None => ValueKind::Invalid,
            },
            ValueKind::Logic(..) | ValueKind::Not(_) | ValueKind::Compare(..) => {
                self.condition(value, scope).map_or(ValueKind::Invalid, ValueKind::Boolean)
            }
            // Only lists and records have them, and they are read there.
            ValueKind::Spread(_) => ValueKind::Invalid,
        };
        Value { kind, span }
    }

    fn list(&mut self, elements: &'a [Value], scope: &Rc<Scope<'a>>) -> Vec<Value> {
        let mut made = Vec::with_capacity(elements.len());
        for element in elements {
            let ValueKind::Spread(inner) = &element.kind else {
                made.push(self.value(element, scope));
                continue;
            };
            let value = self.value(inner, scope);
            match value.kind {
                ValueKind::List(inner) => made.extend(inner),
                ValueKind::Invalid => made.push(value),
                _ => self.not_a_list(&value, scope.place(inner.span)),
            }
        }
        made
    }

    fn record(&mut self, entries: &'a [Attribute], scope: &Rc<Scope<'a>>) -> Vec<Attribute> {
        let explicit: BTreeSet<&str> = entries.iter().map(|entry| entry.name.value.as_str()).collect();
        let mut made = Vec::with_capacity(entries.len());
        for entry in entries {
            if let ValueKind::Spread(inner) = &entry.value.kind {
                let others = self.spread_record(inner, scope).into_iter();
                made.extend(others.filter(|entry| !explicit.contains(entry.name.value.as_str())));
            } else {
                made.push(self.entry(entry, scope));
            }
        }
        made
    }

    /// The entries of a record that is put into another one, or into a block.
    pub(crate) fn spread_record(&mut self, inner: &'a Value, scope: &Rc<Scope<'a>>) -> Vec<Attribute> {
        let value = self.value(inner, scope);
        match value.kind {
            ValueKind::Record(entries) => entries,
            ValueKind::Invalid => Vec::new(),
            _ => {
                let place = scope.place(inner.span);
                let message = format!("a record is needed here, and this is {}", form(&value));
                let mut diagnostic =
                    Diagnostic::error(codes::NOT_A_LIST, place, message).label("expected a record");
                if value.span != place {
                    diagnostic = diagnostic.also(value.span, "the value is written here");
                }
                self.sink.push(diagnostic);
                Vec::new()
            }
        }
    }

    fn string(&mut self, parts: &'a [StringPart], scope: &Rc<Scope<'a>>, span: Span) -> ValueKind {
        let mut made: Vec<StringPart> = Vec::with_capacity(parts.len());
        let mut length = 0;
        for part in parts {
            match part {
                StringPart::Text(text) => push(&mut made, text),
                StringPart::Interpolation(inner) => {
                    let Some(pieces) = self.interpolated(inner, scope) else { return ValueKind::Invalid };
                    for piece in pieces {
                        match piece {
                            StringPart::Text(text) => {
                                length += text.len();
                                push(&mut made, &text);
                            }
                            StringPart::Interpolation(value) => made.push(StringPart::Interpolation(value)),
                        }
                    }
                }
            }
        }
        let cost = u64::try_from(length / 16).unwrap_or(u64::MAX);
        if length > LONGEST_TEXT {
            self.too_large(span, &format!("a text of more than {LONGEST_TEXT} bytes is made"));
            return ValueKind::Invalid;
        }
        if self.spend(cost, span) { ValueKind::String(made) } else { ValueKind::Invalid }
    }

    /// What stands for `${value}`: text, or what only evaluation can fill in. Nothing after a report.
    fn interpolated(&mut self, inner: &'a Value, scope: &Rc<Scope<'a>>) -> Option<Vec<StringPart>> {
        let text = |text: String| Some(vec![StringPart::Text(text)]);
        let whole = match &inner.kind {
            ValueKind::Path(path) => match self.path(path, scope, scope.place(inner.span)) {
                Resolved::Value(Value { kind: ValueKind::Path(path), .. }) => {
                    // A name that a variable stands for: its own name, as `${west}` is `west`.
                    return text(path.segments.last().map(|last| last.value.clone()).unwrap_or_default());
                }
                Resolved::Value(value) | Resolved::Longer(value) => value,
                Resolved::Name => self.value(inner, scope),
            },
            _ => self.value(inner, scope),
        };
        match whole.kind {
            ValueKind::String(parts) => Some(parts),
            ValueKind::Invalid => None,
            _ => Some(vec![StringPart::Interpolation(whole)]),
        }
    }

    /// The text of a label with interpolations.
    pub(crate) fn label(&mut self, value: &'a Value, scope: &Rc<Scope<'a>>) -> Option<Spanned<String>> {
        let made = self.value(value, scope);
        let ValueKind::String(parts) = &made.kind else { return None };
        let mut label = String::new();
        for part in parts {
            match part {
                StringPart::Text(text) => label.push_str(text),
                StringPart::Interpolation(inner) => match text_of(inner) {
                    Some(text) => label.push_str(&text),
                    None => {
                        let message = format!("{} cannot be part of a name", form(inner));
                        self.sink.push(
                            Diagnostic::error(codes::NOT_A_LABEL, inner.span, message)
                                .label("not a text")
                                .help("a name is put together from strings, whole numbers and names"),
                        );
                        return None;
                    }
                },
            }
        }
        Some(Spanned::new(label, made.span))
    }

    /// What a path stands for, if it begins with a variable.
    fn path(&mut self, path: &'a Path, scope: &Rc<Scope<'a>>, span: Span) -> Resolved {
        let Some((first, rest)) = path.segments.split_first() else { return Resolved::Name };
        let Some((named, _, home)) = scope.find(&first.value) else { return Resolved::Name };
        match named {
            Named::Value(value) => self.part(&value, rest, scope, span),
            Named::Written(value, made) => {
                let value = self.written(&first.value, value, &made, &home, span);
                self.part(&value, rest, scope, span)
            }
            Named::Entity(entity) => self.part_of_entity(&entity, rest, scope, span),
            Named::Template(_) => Resolved::Name,
            Named::Imported(module, name, needed) => {
                needed.set(true);
                self.member(module, name, rest, scope, span).unwrap_or(Resolved::Name)
            }
            Named::Module(module, needed) => {
                // A module and something declared may have one name.
                let Some((name, rest)) = rest.split_first() else { return Resolved::Name };
                let found = self.member(module, &name.value, rest, scope, span);
                needed.set(needed.get() || found.is_some());
                found.unwrap_or(Resolved::Name)
            }
        }
    }

    fn member(
        &mut self,
        module: usize,
        name: &str,
        rest: &'a [Spanned<String>],
        scope: &Rc<Scope<'a>>,
        span: Span,
    ) -> Option<Resolved> {
        let home = self.scopes.get(module)?.clone();
        let value = match home.own(name)?.0 {
            Named::Value(value) => value,
            Named::Written(value, made) => self.written(name, value, &made, &home, span),
            Named::Entity(_) | Named::Template(_) | Named::Module(..) | Named::Imported(..) => return None,
        };
        Some(self.part(&value, rest, scope, span))
    }

    /// The value of a `let`, made once.
    pub(crate) fn written(
        &mut self,
        name: &str,
        value: &'a Value,
        made: &Rc<Made>,
        home: &Rc<Scope<'a>>,
        span: Span,
    ) -> Rc<Value> {
        let invalid = || Rc::new(Value { kind: ValueKind::Invalid, span: value.span });
        let first = match &*made.state.borrow() {
            State::Done(value) => return Rc::clone(value),
            State::Making(first) => Some(*first),
            State::NotYet => None,
        };
        if let Some(first) = first {
            let message = format!("the value of `{name}` needs itself");
            self.sink.push(
                Diagnostic::error(codes::CIRCLE, value.span, message)
                    .label("refers to itself")
                    .also(first, "this needs it")
                    .also(span, "and needs it again here")
                    .help("write one of these values out"),
            );
            return invalid();
        }
        if self.waiting >= DEEPEST {
            self.too_large(span, &format!("more than {DEEPEST} values are put into each other"));
            return invalid();
        }
        made.state.replace(State::Making(span));
        self.waiting += 1;
        let result = self.value(value, home);
        self.waiting -= 1;
        let result = if depth(&result) > DEEPEST {
            self.too_large(value.span, &format!("a value is nested more than {DEEPEST} deep"));
            invalid()
        } else {
            Rc::new(result)
        };
        made.state.replace(State::Done(Rc::clone(&result)));
        result
    }

    /// What is behind the points: an entry of a record, or more of a name.
    fn part(
        &mut self,
        value: &Value,
        rest: &'a [Spanned<String>],
        scope: &Rc<Scope<'a>>,
        span: Span,
    ) -> Resolved {
        let mut here = value;
        let mut rest = rest;
        while let Some((name, behind)) = rest.split_first() {
            match &here.kind {
                ValueKind::Record(entries) | ValueKind::Tagged(_, entries) => {
                    let Some(entry) = entries.iter().find(|entry| entry.name.value == name.value) else {
                        let names: Vec<&str> =
                            entries.iter().map(|entry| entry.name.value.as_str()).collect();
                        let message = format!("this record has no `{}`", name.value);
                        let diagnostic =
                            Diagnostic::error(codes::UNKNOWN_MEMBER, scope.place(name.span), message)
                                .label("not an entry of it")
                                .also(here.span, "the record is written here");
                        self.sink.push(match suggest(&name.value, names.iter().copied()) {
                            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                            None => diagnostic.help(format!("it has {}", list(&names))),
                        });
                        return Resolved::Value(Value { kind: ValueKind::Invalid, span });
                    };
                    here = &entry.value;
                    rest = behind;
                }
                ValueKind::Path(path) => return Resolved::Longer(longer(path, rest, scope, here.span)),
                ValueKind::Invalid => return Resolved::Value(Value { kind: ValueKind::Invalid, span }),
                _ => {
                    let message = format!("{} has no parts", form(here));
                    self.sink.push(
                        Diagnostic::error(codes::UNKNOWN_MEMBER, scope.place(name.span), message)
                            .label("nothing has this name")
                            .also(here.span, "the value is written here"),
                    );
                    return Resolved::Value(Value { kind: ValueKind::Invalid, span });
                }
            }
        }
        if self.spend(size(here), span) {
            Resolved::Value(here.clone())
        } else {
            Resolved::Value(Value { kind: ValueKind::Invalid, span })
        }
    }

    /// Something declared, one of its attributes as it is written there, or something in it.
    fn part_of_entity(
        &mut self,
        entity: &Declared,
        rest: &'a [Spanned<String>],
        scope: &Rc<Scope<'a>>,
        span: Span,
    ) -> Resolved {
        if let Some((name, behind)) = rest.split_first()
            && let Some(value) = entity.attributes.get(&name.value)
        {
            return self.part(value, behind, scope, span);
        }
        let segments = entity.path.iter().map(|name| Spanned::new(name.clone(), span)).collect();
        let path = Path { segments };
        if rest.is_empty() {
            return Resolved::Value(Value { kind: ValueKind::Path(path), span });
        }
        Resolved::Longer(longer(&path, rest, scope, span))
    }
}

/// A name with more behind it.
fn longer(path: &Path, rest: &[Spanned<String>], scope: &Rc<Scope<'_>>, span: Span) -> Value {
    let more = rest.iter().map(|name| Spanned::new(name.value.clone(), scope.place(name.span)));
    let segments = path.segments.iter().cloned().chain(more).collect();
    Value { kind: ValueKind::Path(Path { segments }), span }
}

/// Adds text to the parts of a string, of which no two texts follow each other.
fn push(parts: &mut Vec<StringPart>, text: &str) {
    match parts.last_mut() {
        Some(StringPart::Text(last)) => last.push_str(text),
        Some(StringPart::Interpolation(_)) | None if text.is_empty() => {}
        Some(StringPart::Interpolation(_)) | None => parts.push(StringPart::Text(text.to_owned())),
    }
}

/// The text that a value stands for in a name.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match &value.kind {
        ValueKind::String(parts) => parts.iter().try_fold(String::new(), |mut whole, part| match part {
            StringPart::Text(text) => {
                whole.push_str(text);
                Some(whole)
            }
            StringPart::Interpolation(_) => None,
        }),
        ValueKind::Boolean(truth) => Some(truth.to_string()),
        ValueKind::Literal(Literal::Integer(number)) => Some(number.to_string()),
        ValueKind::Path(path) => match path.segments.as_slice() {
            [only] => Some(only.value.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// A short text of a value for messages.
pub(crate) fn shown(value: &Value) -> String {
    let attribute = Attribute {
        name: Spanned::new(String::from("x"), value.span),
        value: value.clone(),
        documentation: None,
        span: value.span,
    };
    let file = ast::File {
        language: None,
        items: vec![ast::Item::Attribute(attribute)],
        comments: Vec::new(),
        expands: false,
        span: value.span,
    };
    let printed = lang_syntax::print(&file);
    let text = printed.trim_start_matches("x =").split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// How many values a value consists of.
fn size(value: &Value) -> u64 {
    let mut count = 0;
    walk(value, 1, &mut |_| count += 1);
    count
}

/// How deep a value is nested.
fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    walk(value, 1, &mut |depth| deepest = deepest.max(depth));
    deepest
}

/// Visits a value and what is in it, each with its depth.
fn walk(value: &Value, depth: usize, visit: &mut dyn FnMut(usize)) {
    visit(depth);
    match &value.kind {
        ValueKind::Boolean(_) | ValueKind::Literal(_) | ValueKind::Path(_) | ValueKind::Invalid => {}
        ValueKind::String(parts) => {
            for part in parts {
                match part {
                    StringPart::Text(_) => {}
                    StringPart::Interpolation(inner) => walk(inner, depth + 1, visit),
                }
            }
        }
        ValueKind::List(elements) | ValueKind::Logic(_, elements) => {
            elements.iter().for_each(|element| walk(element, depth + 1, visit));
        }
        ValueKind::Record(entries) | ValueKind::Tagged(_, entries) => {
            entries.iter().for_each(|entry| walk(&entry.value, depth + 1, visit));
        }
        ValueKind::In(left, right) | ValueKind::Arrow(left, right) => {
            walk(left, depth + 1, visit);
            walk(right, depth + 1, visit);
        }
        ValueKind::Group(inner) | ValueKind::Not(inner) | ValueKind::Spread(inner) => {
            walk(inner, depth + 1, visit);
        }
        ValueKind::If(choice) => {
            for part in [&choice.condition, &choice.then, &choice.otherwise] {
                walk(part, depth + 1, visit);
            }
        }
        ValueKind::Compare(_, sides) => {
            walk(&sides.0, depth + 1, visit);
            walk(&sides.1, depth + 1, visit);
        }
    }
}
