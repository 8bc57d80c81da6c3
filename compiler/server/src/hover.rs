//! `textDocument/hover`: what a word is, what it takes, what it comes to and where that comes from.

use std::collections::BTreeSet;
use std::fmt::Write;

use lang_diagnostics::Span;
use lang_evaluate::schema::{Attribute, Kind, Label, Symbol as Word, Type};
use lang_syntax::ast::{Item, ValueKind};
use ls_types::{Hover, HoverContents, MarkupContent, MarkupKind};
use meshc_driver::{Answer, describe, written};

use crate::cursor::Expected;
use crate::kinds::{self, Around};
use crate::names::{self, Symbol};
use crate::view::View;

/// So many lines of values are shown.
const MOST_PARTS: usize = 24;

/// What is to be said about a place.
pub(crate) fn hover(view: &View<'_>, offset: usize) -> Option<Hover> {
    let named = names::at(view, offset);
    let (span, text) = match named {
        Some((span, symbol)) => (span, symbol_text(view, &symbol)?),
        None => word(view, offset)?,
    };
    Some(Hover { contents: contents(text), range: Some(view.range(span)) })
}

pub(crate) fn contents(value: String) -> HoverContents {
    HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value })
}

/// What a name stands for, in Markdown.
pub(crate) fn symbol_text(view: &View<'_>, symbol: &Symbol) -> Option<String> {
    match symbol {
        Symbol::Entities(entities) => {
            let declarations = view.declarations()?;
            let mut text = String::new();
            for entity in entities {
                let name = declarations.qualified(*entity);
                let kind = declarations.entity(*entity).kind;
                let answers =
                    describe(view.analysis()?, &name.split('.').map(str::to_owned).collect::<Vec<_>>());
                let own =
                    answers.into_iter().find(|answer| answer.subject.split(' ').next() == Some(kind.word));
                if !text.is_empty() {
                    text.push_str("\n---\n");
                }
                let _ = writeln!(text, "```mesh\n{} {name}\n```", kind.word);
                if let Some(said) = documentation(view, *entity) {
                    let _ = writeln!(text, "\n{said}");
                }
                own.iter().for_each(|answer| parts(answer, &mut text));
            }
            Some(text)
        }
        Symbol::Binding(file, span) => {
            let (binding, there) = names::binding(view, *file, *span)?;
            let whole = there.at(binding.item);
            let shown: Vec<&str> = whole.lines().take(MOST_PARTS).collect();
            let mut text = format!("```mesh\n{}\n```\n", shown.join("\n"));
            if let Some(said) = &binding.documentation {
                let _ = writeln!(text, "\n{said}");
            }
            Some(text)
        }
        Symbol::Module(file) => {
            let source = view.sources()?.get(*file)?;
            Some(format!("```mesh\nuse \"{}\"\n```\n{}", source.name(), module_documentation(source.text())))
        }
    }
}

/// The comment at the head of a module.
pub(crate) fn module_documentation(text: &str) -> String {
    let comment = text.lines().take_while(|line| line.starts_with("//"));
    comment.map(|line| line.trim_start_matches('/').trim()).collect::<Vec<_>>().join("\n")
}

/// The `///` text of something declared.
fn documentation(view: &View<'_>, entity: lang_evaluate::EntityId) -> Option<String> {
    fn find(blocks: &[lang_evaluate::Block], entity: lang_evaluate::EntityId) -> Option<String> {
        blocks.iter().find_map(|block| {
            let own = (block.entity == Some(entity)).then_some(block.documentation.as_ref()).flatten();
            own.map(|text| text.value.clone()).or_else(|| find(block.inner(), entity))
        })
    }
    find(&view.declarations()?.blocks, entity)
}

/// What something comes to, as a table.
fn parts(answer: &Answer, text: &mut String) {
    if answer.parts.is_empty() {
        return;
    }
    text.push_str("\n| | | from |\n|---|---|---|\n");
    for part in answer.parts.iter().take(MOST_PARTS) {
        let from = match (part.from.as_str(), part.place.as_str()) {
            (from, "") => from.to_owned(),
            (from, place) => format!("{from}, {}", last_names(place)),
        };
        let _ = writeln!(text, "| {} | `{}` | {from} |", part.name, part.value.replace('|', "\\|"));
    }
    if let Some(more) = answer.parts.len().checked_sub(MOST_PARTS).filter(|more| *more > 0) {
        let _ = writeln!(text, "\n{more} more: `meshc query`");
    }
}

/// The file's name and line of a place whose path is long.
fn last_names(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or(place)
}

/// What a word of the language means where it stands.
fn word(view: &View<'_>, offset: usize) -> Option<(Span, String)> {
    let cursor = view.cursor(offset);
    if cursor.in_text || cursor.start == cursor.end {
        return None;
    }
    let span = Span::new(crate::text::ALONE, cursor.start, cursor.end);
    let word = view.text.at(span);
    let around = view.around(&cursor);
    let text = match &cursor.expected {
        Expected::Item => match around {
            Around::Kind(kind) => kind
                .attribute(word)
                .map(|attribute| attribute_text(view, attribute, span))
                .or_else(|| kind.block(word).map(|nested| block_text(view, nested.kind, span)))
                .map(|text| text + &relations(kind, word))?,
            Around::Record(_) => attribute_text(view, kinds::attribute(around, word)?, span),
            Around::Anywhere => kinds::attribute(around, word)
                .map(|attribute| attribute_text(view, attribute, span))
                .or_else(|| {
                    let mut all = kinds::all().into_iter();
                    all.find(|nested| nested.kind.word == word)
                        .map(|nested| block_text(view, nested.kind, span))
                })?,
            Around::Map(_) | Around::Nowhere => return None,
        },
        Expected::Label(kind) => match around {
            Around::Kind(outer) => label_word(&outer.block(kind)?.kind.label, word)?,
            Around::Record(_) | Around::Map(_) | Around::Anywhere | Around::Nowhere => return None,
        },
        Expected::Value(name) => {
            let ty = kinds::attribute_type(around, name)?;
            let symbol = symbol_of(ty, word)?;
            format!("`{}`: {}", symbol.0, symbol.1)
        }
        Expected::Type | Expected::Module | Expected::Applied | Expected::Over | Expected::Nothing => {
            return None;
        }
    };
    Some((span, text))
}

/// What must hold between an attribute or block and others of the block around it.
fn relations(kind: &Kind, word: &str) -> String {
    let about = kind.relations.iter().filter(|relation| relation.rule.is_about(word));
    let lines = about.map(|relation| format!("- {}: {}\n", relation.rule.describe(), relation.reason));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n\n{lines}") }
}

fn label_word(label: &Label, word: &str) -> Option<String> {
    match label {
        Label::Symbol(symbols) => find(symbols, word).map(|(word, said)| format!("`{word}`: {said}")),
        Label::None | Label::Required(_) | Label::Optional(_) | Label::Reference(_) => None,
    }
}

fn find(symbols: &'static [Word], word: &str) -> Option<(&'static str, &'static str)> {
    symbols.iter().find(|symbol| symbol.word == word).map(|symbol| (symbol.word, symbol.documentation))
}

/// The word of a type, with what it means.
#[expect(clippy::wildcard_enum_match_arm, reason = "only two types have words")]
fn symbol_of(ty: &'static Type, word: &str) -> Option<(&'static str, &'static str)> {
    ty.parts().into_iter().find_map(|ty| match ty {
        Type::Symbol(symbols) => find(symbols, word),
        Type::Tagged(tags) => {
            tags.iter().find(|tag| tag.word == word).map(|tag| (tag.word, tag.documentation))
        }
        _ => None,
    })
}

pub(crate) fn kind_text(kind: &'static Kind) -> String {
    let label = kind.label.describe().map(|label| format!(" ({label})")).unwrap_or_default();
    let short = kind.principal.map(|principal| {
        let name = if label.is_empty() { "" } else { " name" };
        let word = kind.word;
        format!("\n\n`{word}{name} = value` is short for `{word}{name} {{ {principal} = value }}`.")
    });
    format!("**{}**{label}\n\n{}{}", kind.word, kind.documentation, short.unwrap_or_default())
}

/// What an attribute takes and means.
pub(crate) fn attribute_documentation(attribute: &Attribute) -> String {
    format!(
        "**{}**: {}\n\n{}\n\n{}",
        attribute.name,
        attribute.ty.describe(),
        kinds::presence(attribute),
        attribute.documentation
    )
}

/// What a block is, and its principal attribute with what that comes to where it is written by its value.
fn block_text(view: &View<'_>, kind: &'static Kind, word: Span) -> String {
    match kind.principal_attribute().filter(|_| !values_at(view, word).is_empty()) {
        Some(attribute) => format!("{}\n\n{}", kind_text(kind), attribute_text(view, attribute, word)),
        None => kind_text(kind),
    }
}

fn attribute_text(view: &View<'_>, attribute: &'static Attribute, name: Span) -> String {
    let mut text = attribute_documentation(attribute);
    let values = values_at(view, name);
    if !values.is_empty() {
        text.push('\n');
    }
    for (value, from) in values.iter().take(MOST_PARTS) {
        let _ = writeln!(text, "\n`{} = {value}` ({from})", attribute.name);
    }
    text
}

/// What an attribute comes to whose name is at a place: several values where it is made several times.
fn values_at(view: &View<'_>, name: Span) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let (Some(analysis), Some(file)) = (view.analysis(), view.file()) else { return found };
    let mut open: Vec<&Item> = analysis.trees.iter().flat_map(|tree| &tree.items).collect();
    while let Some(item) = open.pop() {
        match item {
            Item::Block(block) => open.extend(&block.body),
            Item::Attribute(attribute) => {
                let place = analysis.sources.original(attribute.name.span);
                let here = place.file == file && (place.start, place.end) == (name.start, name.end);
                if here && attribute.value.kind != ValueKind::Invalid {
                    let made: Vec<String> = analysis
                        .sources
                        .origins(attribute.name.span)
                        .map(|copied| copied.name.to_string())
                        .collect();
                    let from = if made.is_empty() { String::from("declared") } else { made.join(", in ") };
                    found.insert((written(&attribute.value), from));
                }
            }
            Item::Form(_) => {}
        }
    }
    found
}
