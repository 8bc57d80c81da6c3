//! Copies of items for a block that takes them over: with places of their own, and with the names of what is around.
#![expect(clippy::wildcard_enum_match_arm, reason = "values without parts are copied as they are")]

use lang_diagnostics::{FileId, Span, Spanned};
use lang_syntax::ast::{Attribute, Block, Item, StringPart, Value, ValueKind};

use super::Name;

/// What makes copies of one text for one block.
pub(super) struct Copier<'a> {
    /// The file of the text.
    pub(super) of: FileId,
    /// What its copy counts as.
    pub(super) file: FileId,
    /// The block that takes it over, behind those around it.
    pub(super) around: &'a [Name],
}

impl Copier<'_> {
    fn place(&self, span: Span) -> Span {
        if span.file == self.of { Span { file: self.file, ..span } } else { span }
    }

    fn name(&self, name: &Spanned<String>) -> Spanned<String> {
        Spanned::new(name.value.clone(), self.place(name.span))
    }

    pub(super) fn attribute(&self, attribute: &Attribute) -> Attribute {
        Attribute {
            name: self.name(&attribute.name),
            value: self.value(&attribute.value),
            documentation: None,
            span: self.place(attribute.span),
        }
    }

    pub(super) fn block(&self, block: &Block) -> Block {
        let body = block.body.iter().filter_map(|item| match item {
            Item::Attribute(attribute) => Some(Item::Attribute(self.attribute(attribute))),
            Item::Block(block) => Some(Item::Block(self.block(block))),
            Item::Form(_) => None,
        });
        Block {
            kind: self.name(&block.kind),
            label: block.label.as_ref().map(|label| self.name(label)),
            interpolated: None,
            body: body.collect(),
            short: block.short,
            documentation: None,
            span: self.place(block.span),
        }
    }

    fn value(&self, value: &Value) -> Value {
        let boxed = |value: &Value| Box::new(self.value(value));
        let entries = |entries: &[Attribute]| entries.iter().map(|entry| self.attribute(entry)).collect();
        let kind = match &value.kind {
            ValueKind::String(parts) => ValueKind::String(parts.iter().map(|part| self.part(part)).collect()),
            ValueKind::List(values) => {
                ValueKind::List(values.iter().map(|value| self.value(value)).collect())
            }
            ValueKind::Record(fields) => ValueKind::Record(entries(fields)),
            ValueKind::Tagged(tag, fields) => ValueKind::Tagged(Box::new(self.name(tag)), entries(fields)),
            ValueKind::In(left, right) => ValueKind::In(boxed(left), boxed(right)),
            ValueKind::Arrow(left, right) => ValueKind::Arrow(boxed(left), boxed(right)),
            other => other.clone(),
        };
        Value { kind, span: self.place(value.span) }
    }

    /// A part of a string; `${service}` is the name of the service that takes it over.
    fn part(&self, part: &StringPart) -> StringPart {
        let StringPart::Interpolation(value) = part else { return part.clone() };
        if let ValueKind::Path(path) = &value.kind
            && let [word] = path.segments.as_slice()
            && let Some(name) = self.around.iter().rev().find(|name| name.kind == word.value)
            && let Some(label) = &name.label
        {
            return StringPart::Text(label.clone());
        }
        StringPart::Interpolation(self.value(value))
    }
}
