//! The example of each kind and of each template: the first one with documentation in `examples.mesh`.

use std::collections::BTreeMap;

use lang_diagnostics::{FileId, Sink, Span};
use lang_evaluate::schema::{Kind, assertion};
use lang_syntax::ast::{FormKind, Item};
use meshc_vocabulary::SCHEMA;

use crate::EXAMPLES;

/// A block as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    /// What it shows; sentences.
    pub(crate) caption: String,
    /// Its text, from the margin.
    pub(crate) text: String,
}

/// All examples.
#[derive(Debug, Default)]
pub(crate) struct Examples {
    kinds: BTreeMap<usize, Example>,
    templates: BTreeMap<String, String>,
}

impl Examples {
    /// Those of `examples.mesh`.
    pub(crate) fn read() -> Self {
        let file = lang_syntax::parse(FileId(0), EXAMPLES, &mut Sink::default());
        let mut examples = Self::default();
        examples.collect(SCHEMA.file, &file.items);
        examples
    }

    /// The example of a kind.
    pub(crate) fn of_kind(&self, kind: &'static Kind) -> Option<&Example> {
        self.kinds.get(&key(kind))
    }

    /// The first application of a template, such as `clusters.front`.
    pub(crate) fn of_template(&self, name: &str) -> Option<&str> {
        self.templates.get(name).map(String::as_str)
    }

    fn collect(&mut self, around: &'static Kind, items: &[Item]) {
        for item in items {
            match item {
                Item::Block(block) => {
                    let Some(nested) = around.block(&block.kind.value) else { continue };
                    if let Some(documentation) = &block.documentation {
                        let caption = documentation.value.clone();
                        let example = || Example { caption, text: source(block.span) };
                        self.kinds.entry(key(nested.kind)).or_insert_with(example);
                    }
                    self.collect(nested.kind, &block.body);
                }
                Item::Form(form) => {
                    if let FormKind::Apply(apply) = &form.kind {
                        let names = apply.template.segments.iter().map(|segment| segment.value.as_str());
                        self.templates
                            .entry(names.collect::<Vec<_>>().join("."))
                            .or_insert_with(|| source(form.span));
                    }
                    if let FormKind::For(repetition) = &form.kind {
                        self.collect(around, &repetition.body);
                    }
                    // An assertion is written as a form and is a kind of the schema.
                    if let (FormKind::Assert(_), Some(documentation)) = (&form.kind, &form.documentation)
                        && let Some(nested) = around.block(assertion::KIND)
                    {
                        let caption = documentation.value.clone();
                        let example = || Example { caption, text: source(form.span) };
                        self.kinds.entry(key(nested.kind)).or_insert_with(example);
                    }
                }
                Item::Attribute(_) => {}
            }
        }
    }
}

/// A kind is itself, wherever it stands.
fn key(kind: &'static Kind) -> usize {
    std::ptr::from_ref(kind).addr()
}

/// The text of a place, moved to the margin.
fn source(span: Span) -> String {
    cut(EXAMPLES, span)
}

/// The text of a place in another one, moved to the margin.
pub(crate) fn cut(whole: &str, span: Span) -> String {
    let (start, end) = (span.start as usize, span.end as usize);
    let before = whole.get(..start).unwrap_or_default();
    let margin = before.rsplit('\n').next().unwrap_or_default();
    let indentation = margin.len() - margin.trim_start().len();
    let lines = whole.get(start..end).unwrap_or_default().lines();
    let moved = lines.enumerate().map(|(number, line)| match number {
        0 => line,
        _ => line.get(indentation..).unwrap_or_else(|| line.trim_start()),
    });
    moved.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(kind: &'static Kind, found: &mut Vec<&'static Kind>) {
        for nested in kind.blocks {
            if !found.iter().any(|other| std::ptr::eq(*other, nested.kind)) {
                found.push(nested.kind);
                kinds(nested.kind, found);
            }
        }
    }

    #[test]
    fn every_kind_has_an_example_with_a_caption() {
        let examples = Examples::read();
        let mut all = Vec::new();
        kinds(SCHEMA.file, &mut all);
        assert!(all.len() > 50, "{}", all.len());
        let without: Vec<_> =
            all.iter().filter(|kind| examples.of_kind(kind).is_none()).map(|kind| kind.word).collect();
        assert!(without.is_empty(), "in examples.mesh no block with `///` of {without:?}");
    }
}
