//! `${…}` in strings.
//!
//! What may stand there is a name or a literal: a declared entity gives its own name, and an attribute of one
//! (`${west.region}`, `${mesh.trust_domain}`) gives its value if that is a string, a number, an address or a word.
//! Anything else is refused with a diagnostic and never turned into some text.

use lang_diagnostics::{Diagnostic, Span, Spanned};
use lang_syntax::ast::{self, Literal, StringPart, ValueKind};

use crate::codes;
use crate::declarations::{Entity, EntityId};
use crate::describe;
use crate::evaluator::Evaluator;
use crate::resolve::text;
use crate::schema::{Constant, Presence, Symbol, Template, Type};
use crate::suggestion::did_you_mean;
use crate::value::{Piece, Value};

impl Evaluator<'_, '_> {
    /// The string with everything filled in, or nothing after a report.
    pub(crate) fn interpolate(&mut self, parts: &[StringPart], scope: Option<EntityId>) -> Option<String> {
        let mut whole = String::new();
        let mut complete = true;
        for part in parts {
            match part {
                StringPart::Text(text) => whole.push_str(text),
                StringPart::Interpolation(value) => match self.fill_in(value, scope) {
                    Some(text) => whole.push_str(&text),
                    None => complete = false,
                },
            }
        }
        complete.then_some(whole)
    }

    /// A string in which `${…}` may stand for what is known only later.
    pub(crate) fn template(
        &mut self,
        value: &ast::Value,
        ty: &Type,
        template: &Template,
        scope: Option<EntityId>,
    ) -> Option<Value> {
        let ValueKind::String(parts) = &value.kind else { return self.mismatch(value, ty) };
        let Template { pattern, root, properties } = template;
        let (mut pieces, mut fixed, mut complete) = (Vec::new(), String::new(), true);
        // A letter stands for what is not known yet.
        let mut sample = String::new();
        for part in parts {
            let text = match part {
                StringPart::Text(text) => Some(text.clone()),
                StringPart::Interpolation(inner) => match property(inner, root) {
                    None => self.fill_in(inner, scope),
                    Some(name) => {
                        match properties.iter().find(|symbol| symbol.word == name.value) {
                            Some(symbol) => {
                                pieces.extend(piece(&mut fixed));
                                pieces.push(Piece::Property(symbol.word));
                                sample.push('x');
                            }
                            None => {
                                self.sink.push(no_property(&name, root, properties));
                                complete = false;
                            }
                        }
                        continue;
                    }
                },
            };
            match text {
                Some(text) => {
                    sample.push_str(&text);
                    fixed.push_str(&text);
                }
                None => complete = false,
            }
        }
        pieces.extend(piece(&mut fixed));
        if !complete {
            return None;
        }
        if let Some(wrong) = (pattern.check)(&sample) {
            let message = format!("this is not {}", pattern.name);
            let wrong = describe::visible(&wrong).to_string();
            self.sink.push(Diagnostic::error(codes::WRONG_FORM, value.span, message).label(wrong));
            return None;
        }
        Some(Value::Template(pieces))
    }

    fn fill_in(&mut self, value: &ast::Value, scope: Option<EntityId>) -> Option<String> {
        if let ValueKind::Path(path) = &value.kind {
            return self.fill_in_path(path, value.span, scope);
        }
        self.plain(value, scope)
    }

    fn fill_in_path(&mut self, path: &ast::Path, span: Span, scope: Option<EntityId>) -> Option<String> {
        let whole = self.names.find(&path.segments, scope);
        let before = match path.segments.split_last() {
            Some((_, before)) if !before.is_empty() => self.owner(before, scope),
            Some(_) | None => Vec::new(),
        };
        // Two entities of one path (a route and a service) have the same name, which is all that is asked here.
        if let Some(entity) = whole.first() {
            self.mention(path, *entity);
            return self.names.get(*entity).map(|entity| entity.name.clone());
        }
        match (before.as_slice(), path.segments.last()) {
            ([owner], Some(attribute)) => {
                if let Some((_, before)) = path.segments.split_last()
                    && self.names.get(*owner).is_some_and(|entity| is_called(entity, before))
                {
                    self.mention(&ast::Path { segments: before.to_vec() }, *owner);
                }
                self.attribute_text(*owner, attribute, span)
            }
            (_, _) if self.names.is_broken(&path.segments) => None,
            ([], _) | (_, None) => {
                let names = self.all_names();
                let diagnostic =
                    Diagnostic::error(codes::UNKNOWN_NAME, span, format!("there is no `{}`", text(path)))
                        .label("not declared");
                let diagnostic = did_you_mean(
                    diagnostic,
                    span,
                    &text(path),
                    names.iter().map(String::as_str),
                    "name something that is declared, and one of its attributes",
                );
                self.unknown_once(path, scope, diagnostic);
                None
            }
            ([first, second, ..], Some(_)) => {
                let mut diagnostic = Diagnostic::error(
                    codes::AMBIGUOUS_NAME,
                    span,
                    format!("`{}` may mean two things", text(path)),
                )
                .label("which one?")
                .help("write the longer name of the one that is meant, or rename one of them");
                for id in [*first, *second] {
                    if let Some(entity) = self.names.get(id) {
                        let name = self.names.qualified(id);
                        diagnostic =
                            diagnostic.also(entity.span, format!("the {} `{name}`", entity.kind.word));
                    }
                }
                self.sink.push(diagnostic);
                None
            }
        }
    }

    /// The entities that a path names, or the only one of a kind: `mesh` in `mesh.trust_domain`.
    fn owner(&self, path: &[Spanned<String>], scope: Option<EntityId>) -> Vec<EntityId> {
        let found = self.names.find(path, scope);
        let [word] = path else { return found };
        if !found.is_empty() {
            return found;
        }
        let of_kind = |(index, entity): (usize, &Entity)| {
            let id = EntityId(u32::try_from(index).ok()?);
            (entity.parent.is_none() && entity.kind.word == word.value).then_some(id)
        };
        self.names.entities.iter().enumerate().filter_map(of_kind).collect()
    }

    fn attribute_text(&mut self, owner: EntityId, name: &Spanned<String>, span: Span) -> Option<String> {
        let entity = self.names.get(owner)?.clone();
        let Some(schema) = entity.kind.attribute(&name.value) else {
            let names = entity.kind.attributes.iter().map(|attribute| attribute.name);
            let diagnostic = Diagnostic::error(
                codes::UNKNOWN_ATTRIBUTE,
                name.span,
                format!("{} `{}` has no attribute `{}`", entity.kind.word, entity.name, name.value),
            )
            .label("no such attribute")
            .also(entity.span, "declared here");
            let advice = "name one of its attributes";
            self.sink.push(did_you_mean(diagnostic, name.span, &name.value, names, advice));
            return None;
        };
        self.looked = true;
        let first = self.sources.partition_point(|(entity, _)| *entity < owner);
        let blocks = self.sources.iter().skip(first).take_while(|(entity, _)| *entity == owner);
        let written = blocks.flat_map(|(_, block)| &block.body).find_map(|item| match item {
            ast::Item::Attribute(attribute) if attribute.name.value == schema.name => Some(attribute),
            ast::Item::Attribute(_) | ast::Item::Block(_) | ast::Item::Form(_) => None,
        });
        if let Some(attribute) = written {
            return self.composed(owner, attribute, span);
        }
        match &schema.presence {
            Presence::Default(Constant::Text(text) | Constant::Symbol(text)) => Some((*text).to_owned()),
            Presence::Default(Constant::Integer(number)) => Some(number.to_string()),
            Presence::Default(Constant::Boolean(truth)) => Some(truth.to_string()),
            Presence::Default(Constant::Milliseconds(_) | Constant::Symbols(_))
            | Presence::Optional
            | Presence::Derived(_)
            | Presence::Inherited
            | Presence::Required => {
                self.sink.push(
                    Diagnostic::error(
                        codes::NOT_TEXT,
                        span,
                        format!("{} `{}` does not say its `{}`", entity.kind.word, entity.name, schema.name),
                    )
                    .label("it has no value")
                    .also(entity.span, "declared here")
                    .help(format!("set `{}` there, or write the text out", schema.name)),
                );
                None
            }
        }
    }

    /// The text of a value that is written out.
    pub(crate) fn plain(&mut self, value: &ast::Value, scope: Option<EntityId>) -> Option<String> {
        match &value.kind {
            ValueKind::String(parts) => self.interpolate(parts, scope),
            ValueKind::Boolean(truth) => Some(truth.to_string()),
            ValueKind::Literal(Literal::Integer(number)) => Some(number.to_string()),
            ValueKind::Literal(Literal::Ip(address)) => Some(address.to_string()),
            ValueKind::Literal(Literal::Cidr(address, bits)) => Some(format!("{address}/{bits}")),
            ValueKind::Literal(Literal::SocketAddress(address)) => Some(address.to_string()),
            ValueKind::Path(path) => Some(text(path)),
            ValueKind::Invalid => None,
            ValueKind::Literal(_)
            | ValueKind::List(_)
            | ValueKind::Record(_)
            | ValueKind::Tagged(..)
            | ValueKind::In(..)
            | ValueKind::Arrow(..)
            | ValueKind::Group(_)
            | ValueKind::If(_)
            | ValueKind::Logic(..)
            | ValueKind::Not(_)
            | ValueKind::Compare(..)
            | ValueKind::Spread(_) => {
                let found = describe::value(value);
                self.sink.push(
                    Diagnostic::error(
                        codes::NOT_TEXT,
                        value.span,
                        format!("{found} cannot stand inside a string"),
                    )
                    .label(found)
                    .help("only strings, whole numbers, addresses and names can"),
                );
                None
            }
        }
    }

    fn all_names(&self) -> Vec<String> {
        let ids = 0..u32::try_from(self.names.entities.len()).unwrap_or(u32::MAX);
        ids.map(|id| self.names.qualified(EntityId(id))).collect()
    }
}

/// Whether a path ends with an entity's own name, and not with its kind, as `mesh` in `mesh.trust_domain`.
fn is_called(entity: &Entity, path: &[Spanned<String>]) -> bool {
    path.last().is_some_and(|last| last.value == entity.name)
}

/// The text so far as a piece, unless there is none.
fn piece(text: &mut String) -> Option<Piece> {
    (!text.is_empty()).then(|| Piece::Text(std::mem::take(text)))
}

/// What is behind the root, if a value begins with that.
fn property(value: &ast::Value, root: &str) -> Option<Spanned<String>> {
    let ValueKind::Path(path) = &value.kind else { return None };
    let (first, rest) = path.segments.split_first()?;
    if first.value != root {
        return None;
    }
    let words: Vec<_> = rest.iter().map(|segment| segment.value.as_str()).collect();
    Some(Spanned::new(words.join("."), value.span))
}

fn no_property(name: &Spanned<String>, root: &str, properties: &[Symbol]) -> Diagnostic {
    let words: Vec<_> = properties.iter().map(|symbol| symbol.word).collect();
    let all: Vec<_> = words.iter().map(|word| format!("`{root}.{word}`")).collect();
    let message = match name.value.as_str() {
        "" => format!("`{root}` is no text by itself"),
        other => format!("a {root} has no property `{other}`"),
    };
    Diagnostic::error(codes::UNKNOWN_WORD, name.span, message)
        .label("no such property")
        .help(format!("one of {}; a literal `${{` is written `$${{`", all.join(", ")))
}
