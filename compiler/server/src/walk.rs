//! Visits what is in a tree.

use lang_diagnostics::Span;
use lang_syntax::ast::{self, FormKind, Item, StringPart, TypeKind, Value, ValueKind};

/// What a visitor is shown.
pub(crate) trait Visitor {
    /// A value, before what is in it. `sure` is false where the text may never be made: in a template, or in a choice.
    fn value(&mut self, value: &Value, sure: bool);

    /// Something that has several lines, perhaps: an item, a list, a record.
    fn span(&mut self, _: Span) {}
}

/// Visits all items.
pub(crate) fn items(items: &[Item], sure: bool, visitor: &mut dyn Visitor) {
    for item in items {
        self::item(item, sure, visitor);
    }
}

fn item(item: &Item, sure: bool, visitor: &mut dyn Visitor) {
    match item {
        Item::Block(block) => {
            visitor.span(block.span);
            block.interpolated.iter().for_each(|inner| value(inner, sure, visitor));
            items(&block.body, sure, visitor);
        }
        Item::Attribute(attribute) => {
            visitor.span(attribute.span);
            value(&attribute.value, sure, visitor);
        }
        Item::Form(form) => {
            visitor.span(form.span);
            self::form(&form.kind, sure, visitor);
        }
    }
}

fn form(form: &FormKind, sure: bool, visitor: &mut dyn Visitor) {
    match form {
        FormKind::Use(_) => {}
        FormKind::Let(binding) => value(&binding.value, sure, visitor),
        FormKind::Input(input) => parameter(input, sure, visitor),
        FormKind::For(repetition) => {
            value(&repetition.over, sure, visitor);
            items(&repetition.body, false, visitor);
        }
        FormKind::Template(template) => {
            template.parameters.iter().for_each(|one| parameter(one, false, visitor));
            items(&template.body, false, visitor);
        }
        FormKind::Apply(apply) => {
            apply.arguments.iter().for_each(|argument| value(&argument.value, sure, visitor));
        }
        FormKind::Assert(assert) => {
            value(&assert.condition, sure, visitor);
            assert.message.iter().for_each(|message| value(message, sure, visitor));
        }
        FormKind::Override(item) => self::item(item, sure, visitor),
    }
}

fn parameter(parameter: &ast::Parameter, sure: bool, visitor: &mut dyn Visitor) {
    ty(&parameter.ty, sure, visitor);
    parameter.default.iter().for_each(|default| value(default, sure, visitor));
}

fn ty(ty: &ast::Type, sure: bool, visitor: &mut dyn Visitor) {
    match &ty.kind {
        TypeKind::Named(_, values) => values.iter().for_each(|one| value(one, sure, visitor)),
        TypeKind::List(inner) => self::ty(inner, sure, visitor),
        TypeKind::Invalid => {}
    }
}

fn value(value: &Value, sure: bool, visitor: &mut dyn Visitor) {
    visitor.span(value.span);
    visitor.value(value, sure);
    let mut each = |inner: &Value, sure: bool| self::value(inner, sure, visitor);
    match &value.kind {
        ValueKind::Boolean(_) | ValueKind::Literal(_) | ValueKind::Invalid | ValueKind::Path(_) => {}
        ValueKind::String(parts) => parts.iter().for_each(|part| match part {
            StringPart::Text(_) => {}
            StringPart::Interpolation(inner) => each(inner, sure),
        }),
        ValueKind::List(values) | ValueKind::Logic(_, values) => {
            values.iter().for_each(|inner| each(inner, sure));
        }
        ValueKind::Record(entries) | ValueKind::Tagged(_, entries) => {
            entries.iter().for_each(|entry| each(&entry.value, sure));
        }
        ValueKind::In(left, right) | ValueKind::Arrow(left, right) => {
            each(left, sure);
            each(right, sure);
        }
        ValueKind::Group(inner) | ValueKind::Not(inner) | ValueKind::Spread(inner) => each(inner, sure),
        ValueKind::If(choice) => {
            each(&choice.condition, sure);
            each(&choice.then, false);
            each(&choice.otherwise, false);
        }
        ValueKind::Compare(_, sides) => {
            each(&sides.0, sure);
            each(&sides.1, sure);
        }
    }
}
