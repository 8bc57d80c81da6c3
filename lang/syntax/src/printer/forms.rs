//! Items that begin with a word of the language.

use super::writer::Writer;
use super::{attribute, block, braced, inline, scalars, values};
use crate::ast::{
    Apply, Argument, Form, FormKind, Item, Parameter, Selected, Source, Type, TypeKind, Use, ValueKind,
};

/// Writes a form behind its documentation.
pub(super) fn form(writer: &mut Writer<'_>, form: &Form) {
    writer.documentation(form.documentation.as_deref());
    writer.comments_before(form.span.start);
    match &form.kind {
        FormKind::Use(import) => writer.write(&use_line(import)),
        FormKind::Let(binding) => {
            writer.write(&format!("let {} = ", binding.name.value));
            values::value(writer, &binding.value);
        }
        FormKind::Input(input) => writer.write(&format!("input {}", parameter(input))),
        FormKind::For(repetition) => {
            writer.write(&format!("for {} in ", repetition.variable.value));
            values::value(writer, &repetition.over);
            braced(writer, &repetition.body, form.span.end);
        }
        FormKind::Template(template) => {
            writer.write(&format!("template {}", template.name.value));
            if !template.parameters.is_empty() {
                let parameters: Vec<_> = template.parameters.iter().map(parameter).collect();
                let commented =
                    template.parameters.iter().any(|parameter| writer.has_comment(parameter.ty.span));
                list(writer, parameters, commented);
            }
            braced(writer, &template.body, form.span.end);
        }
        FormKind::Apply(apply) => application(writer, apply),
        FormKind::Assert(assert) => {
            writer.write("assert ");
            values::value(writer, &assert.condition);
            if let Some(message) = &assert.message {
                writer.write(" else ");
                values::value(writer, message);
            }
        }
        FormKind::Override(item) => {
            writer.write("override ");
            match item {
                Item::Block(inner) => block(writer, inner, false),
                Item::Attribute(inner) => attribute(writer, inner),
                Item::Form(_) => {}
            }
        }
    }
}

fn use_line(import: &Use) -> String {
    let mut line = match &import.from {
        Source::File(file) => format!("use {}", scalars::quoted(&file.value)),
        Source::Module(path) => format!("use {}", scalars::path(path)),
    };
    if let Some(alias) = &import.alias {
        line.push_str(&format!(" as {}", alias.value));
    }
    if let Some(names) = &import.selected {
        let names: Vec<_> = names.iter().map(selected).collect();
        line.push_str(&if names.is_empty() {
            String::from(" {}")
        } else {
            format!(" {{ {} }}", names.join(", "))
        });
    }
    line
}

fn selected(selected: &Selected) -> String {
    match &selected.alias {
        Some(alias) => format!("{} as {}", selected.name.value, alias.value),
        None => selected.name.value.clone(),
    }
}

fn parameter(parameter: &Parameter) -> String {
    let mut text = format!("{}: {}", parameter.name.value, ty(&parameter.ty));
    if let Some(default) = &parameter.default {
        // A string of several lines is written with escapes here, where everything is on one line.
        text.push_str(&format!(" = {}", inline::escaped(default).unwrap_or_default()));
    }
    text
}

fn ty(ty: &Type) -> String {
    match &ty.kind {
        TypeKind::Named(name, arguments) if arguments.is_empty() => name.value.clone(),
        TypeKind::Named(name, arguments) => {
            let arguments: Vec<_> = arguments.iter().filter_map(inline::escaped).collect();
            format!("{}({})", name.value, arguments.join(", "))
        }
        TypeKind::List(inner) => format!("[{}]", self::ty(inner)),
        TypeKind::Invalid => String::new(),
    }
}

/// Parts in parentheses, on one line if they fit.
fn list(writer: &mut Writer<'_>, parts: Vec<String>, commented: bool) {
    let line = format!("({})", parts.join(", "));
    if !commented && writer.fits(&line) {
        return writer.write(&line);
    }
    writer.write("(");
    writer.indented(|writer| {
        for part in parts {
            writer.gap(super::writer::Gap::Line);
            writer.write(&format!("{part},"));
        }
    });
    writer.write(")");
}

fn application(writer: &mut Writer<'_>, apply: &Apply) {
    writer.write(&format!("apply {}", scalars::path(&apply.template)));
    if apply.arguments.is_empty() {
        return;
    }
    let whole: Option<Vec<String>> = apply.arguments.iter().map(inline_argument).collect();
    let commented = apply.arguments.iter().any(|argument| writer.has_comment(argument.span));
    let line = whole.map(|arguments| format!("({})", arguments.join(", ")));
    if let Some(line) = line.filter(|line| !commented && writer.fits(line)) {
        return writer.write(&line);
    }
    writer.write("(");
    writer.indented(|writer| {
        for argument in apply.arguments.iter().filter(|argument| inline::is_printable(&argument.value)) {
            writer.gap(super::writer::Gap::Line);
            writer.comments_before(argument.span.start);
            if let Some(name) = &argument.name {
                writer.write(&format!("{} = ", name.value));
            }
            values::value(writer, &argument.value);
            writer.write(",");
        }
    });
    writer.write(")");
}

/// `name = value` or `value`, unless the value needs several lines.
fn inline_argument(argument: &Argument) -> Option<String> {
    let value = inline::value(&argument.value)?;
    Some(match &argument.name {
        Some(name) => format!("{} = {value}", name.value),
        None => value,
    })
}

/// Whether the tree has everything that the form says.
pub(super) fn is_printable(form: &Form) -> bool {
    match &form.kind {
        FormKind::Use(_) => true,
        FormKind::Let(binding) => inline::is_printable(&binding.value),
        FormKind::Input(parameter) => is_parameter(parameter),
        FormKind::For(repetition) => inline::is_printable(&repetition.over),
        FormKind::Template(template) => template.parameters.iter().all(is_parameter),
        FormKind::Apply(apply) => apply.arguments.iter().all(argument),
        FormKind::Override(item) => super::is_printable(item),
        FormKind::Assert(assert) => {
            inline::is_printable(&assert.condition)
                && assert.message.as_ref().is_none_or(inline::is_printable)
        }
    }
}

fn argument(argument: &Argument) -> bool {
    !matches!(argument.value.kind, ValueKind::Invalid)
}

fn is_parameter(parameter: &Parameter) -> bool {
    parameter.default.as_ref().is_none_or(|default| inline::escaped(default).is_some())
        && is_type(&parameter.ty)
}

fn is_type(ty: &Type) -> bool {
    match &ty.kind {
        TypeKind::Named(_, arguments) => arguments.iter().all(|argument| inline::escaped(argument).is_some()),
        TypeKind::List(inner) => is_type(inner),
        TypeKind::Invalid => false,
    }
}
