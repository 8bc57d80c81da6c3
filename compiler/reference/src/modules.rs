//! The modules of the standard library, from their `///`.

use lang_diagnostics::{FileId, Sink, Span};
use lang_syntax::ast::{File, FormKind, Item, Parameter};

use crate::examples::{Examples, cut};
use crate::text::{code, head, line, row};

const INTRODUCTION: &str = "
## Standard library

Modules that a mesh takes in with `use std.NAME`, and what each of them has. How that works is in
[REUSE.md](REUSE.md).
";

const DEFAULTS: &str = "
### `std/defaults.mesh`

What applies where no policy sets it: the outermost scope of every policy.
";

/// All of them.
pub(crate) fn write(text: &mut String) {
    text.push_str(INTRODUCTION);
    let examples = Examples::read();
    for (name, source) in meshc_stdlib::MODULES {
        module(name, source, &examples, text);
    }
    text.push_str(DEFAULTS);
    text.push('\n');
    code("mesh", meshc_stdlib::DEFAULTS, text);
}

fn module(name: &str, source: &str, examples: &Examples, text: &mut String) {
    let file = lang_syntax::parse(FileId(0), source, &mut Sink::default());
    line(text, format_args!("\n### `std.{name}`\n\n{}\n", introduction(&file)));
    for item in &file.items {
        let Item::Form(form) = item else { continue };
        let documentation = form.documentation.as_ref().map(|it| it.value.as_str()).unwrap_or_default();
        match &form.kind {
            FormKind::Template(template) => {
                let word = &template.name.value;
                line(text, format_args!("#### `std.{name}.{word}`\n\n{documentation}\n"));
                parameters(&template.parameters, source, text);
                if let Some(example) = examples.of_template(&format!("{name}.{word}")) {
                    code("mesh", &format!("use std.{name}\n\n{example}"), text);
                }
            }
            FormKind::Let(variable) => {
                line(text, format_args!("#### `std.{name}.{}`\n\n{documentation}\n", variable.name.value));
                code("mesh", &cut(source, form.span), text);
            }
            FormKind::Use(_)
            | FormKind::Input(_)
            | FormKind::For(_)
            | FormKind::Apply(_)
            | FormKind::Assert(_)
            | FormKind::Override(_) => {}
        }
    }
}

/// The comment that a module begins with.
fn introduction(file: &File) -> String {
    let first = file.items.first().map_or(u32::MAX, start);
    let comments = file.comments.iter().filter(|comment| comment.own_line && comment.span.start < first);
    comments.map(|comment| comment.text.trim()).collect::<Vec<_>>().join("\n")
}

fn start(item: &Item) -> u32 {
    let (span, documentation): (Span, Option<Span>) = match item {
        Item::Block(block) => (block.span, block.documentation.as_ref().map(|it| it.span)),
        Item::Attribute(attribute) => (attribute.span, attribute.documentation.as_ref().map(|it| it.span)),
        Item::Form(form) => (form.span, form.documentation.as_ref().map(|it| it.span)),
    };
    documentation.unwrap_or(span).start
}

fn parameters(parameters: &[Parameter], source: &str, text: &mut String) {
    if parameters.is_empty() {
        text.push_str("It takes no arguments.\n\n");
        return;
    }
    let written = |span: Span| source.get(span.start as usize..span.end as usize).unwrap_or_default();
    head(&["parameter", "type", "default"], text);
    for parameter in parameters {
        let default = match &parameter.default {
            Some(value) => format!("`{}`", written(value.span)),
            None => String::from("**required**"),
        };
        row(
            &[&format!("`{}`", parameter.name.value), &format!("`{}`", written(parameter.ty.span)), &default],
            text,
        );
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_documented_and_shown() {
        let examples = Examples::read();
        let mut shown = 0;
        for (name, source) in meshc_stdlib::MODULES {
            let file = lang_syntax::parse(FileId(0), source, &mut Sink::default());
            assert!(!introduction(&file).is_empty(), "std.{name} begins with a comment that introduces it");
            for item in &file.items {
                let Item::Form(form) = item else { continue };
                let FormKind::Template(template) = &form.kind else { continue };
                let word = format!("{name}.{}", template.name.value);
                let documentation = form.documentation.as_ref().map(|it| it.value.as_str());
                assert!(documentation.is_some(), "std.{word} has no documentation");
                let own = documentation.is_some_and(|text| text.contains("```mesh"));
                assert!(own || examples.of_template(&word).is_some(), "examples.mesh does not apply {word}");
                shown += 1;
            }
        }
        assert!(shown > 10, "{shown} templates");
    }
}
