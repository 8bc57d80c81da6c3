//! `textDocument/completion`: what may be written at a place, each with what it means.

use std::collections::BTreeSet;

use lang_evaluate::schema::{Attribute, Count, Kind, Label, Presence, Type};
use lang_syntax::ast;
use ls_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Documentation, InsertTextFormat, MarkupContent,
    MarkupKind, TextEdit,
};

use crate::cursor::{Cursor, Expected, Frame};
use crate::hover;
use crate::kinds::{self, Around};
use crate::text::ALONE;
use crate::view::View;

/// So many names are offered; a client asks again as more is typed.
const MOST: usize = 2000;

/// How deep below a file others are searched that it could use, and how many are offered.
const DEEPEST: usize = 4;

/// Whether the client takes snippets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Snippets {
    Taken,
    Plain,
}

mod modules;
mod values;

struct Completer<'v, 'w> {
    view: &'v View<'w>,
    cursor: Cursor,
    offset: usize,
    snippets: Snippets,
    items: Vec<CompletionItem>,
}

/// What may be written at a place.
pub(crate) fn complete(view: &View<'_>, offset: usize, snippets: Snippets) -> Vec<CompletionItem> {
    let cursor = view.cursor(offset);
    if cursor.in_text && !matches!(cursor.expected, Expected::Module) {
        return Vec::new();
    }
    let mut completer = Completer { view, cursor, offset, snippets, items: Vec::new() };
    completer.all();
    let mut items = completer.items;
    items.truncate(MOST);
    items
}

fn documentation(text: impl Into<String>) -> Option<Documentation> {
    let value = text.into();
    (!value.is_empty())
        .then_some(Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value }))
}

impl Completer<'_, '_> {
    fn all(&mut self) {
        let around = self.view.around(&self.cursor);
        match self.cursor.expected.clone() {
            Expected::Item => match self.cursor.frames.last().cloned() {
                Some(Frame::Arguments(template)) => {
                    if self.cursor.before.is_empty() {
                        self.arguments(&template);
                    }
                    if let Some(position) = self.cursor.position {
                        self.argument_in_place(&template, position);
                    }
                }
                Some(Frame::Imports(module)) => self.members_of(&module),
                Some(_) | None => self.item(around),
            },
            Expected::Label(word) => self.label(around, &word),
            Expected::Value(name) => self.value(around, &name),
            Expected::Type => self.types(),
            Expected::Module => self.modules(),
            Expected::Applied => self.templates(),
            Expected::Over => self.over(),
            Expected::Nothing => {}
        }
    }

    /// Adds an item that replaces the word at the place. `snippet` has `$0` and the like.
    fn add(&mut self, mut item: CompletionItem, snippet: &str) {
        let range = self.view.range(lang_diagnostics::Span::new(ALONE, self.cursor.start, self.offset));
        let new_text = match self.snippets {
            Snippets::Taken if snippet.contains('$') => {
                item.insert_text_format = Some(InsertTextFormat::SNIPPET);
                snippet.to_owned()
            }
            Snippets::Taken | Snippets::Plain => plain(snippet),
        };
        item.text_edit = Some(CompletionTextEdit::Edit(TextEdit { range, new_text }));
        self.items.push(item);
    }

    fn word(&mut self, word: &str, kind: CompletionItemKind, detail: &str, said: impl Into<String>) {
        let item = CompletionItem {
            label: word.to_owned(),
            kind: Some(kind),
            detail: (!detail.is_empty()).then(|| detail.to_owned()),
            documentation: documentation(said),
            ..CompletionItem::default()
        };
        self.add(item, word);
    }

    /// What may begin an item.
    fn item(&mut self, around: Around) {
        let written = self.written();
        match around {
            Around::Kind(kind) => {
                self.attributes(kind.attributes, &written);
                for nested in kind.blocks {
                    let once = matches!(nested.count, Count::One | Count::Optional | Count::Defaulted);
                    if !(once && written.contains(nested.kind.word)) {
                        self.block(nested.kind);
                    }
                }
            }
            Around::Record(attributes) => return self.attributes(attributes, &written),
            Around::Anywhere => {
                for nested in kinds::all() {
                    self.block(nested.kind);
                    self.attributes(nested.kind.attributes, &written);
                }
                let mut seen = BTreeSet::new();
                self.items.retain(|item| seen.insert(item.label.clone()));
            }
            Around::Map(_) | Around::Nowhere => return,
        }
        self.forms();
    }

    /// The items that stand for others.
    fn forms(&mut self) {
        let top = self.cursor.frames.is_empty();
        let forms: &[(&str, &str, &str, bool)] = &[
            ("let", "let ${1:name} = $0", "Gives a value a name.", false),
            (
                "for",
                "for ${1:name} in ${2:list} {\n  $0\n}",
                "Makes items for each element of a list.",
                false,
            ),
            ("apply", "apply ${1:template}($0)", "Makes the items of a template here.", false),
            (
                "defaults",
                "defaults {\n  $0\n}",
                "What the blocks below have that do not give it themselves.",
                false,
            ),
            ("use", "use $0", "Takes in another file, or a module of the standard library.", true),
            ("input", "input ${1:name}: ${2:type}", "A value that is set from outside.", true),
            ("template", "template ${1:name}($2) {\n  $0\n}", "Items that can be made several times.", true),
            ("override", "override $0", "Changes what is declared elsewhere.", true),
        ];
        for (word, snippet, said, only_top) in forms {
            if top || !only_top {
                let item = CompletionItem {
                    label: (*word).to_owned(),
                    kind: Some(CompletionItemKind::KEYWORD),
                    documentation: documentation(*said),
                    // Behind what the block takes.
                    sort_text: Some(format!("~{word}")),
                    ..CompletionItem::default()
                };
                self.add(item, snippet);
            }
        }
    }

    /// The names of attributes and blocks that are there already, in the block around the place.
    fn written(&self) -> BTreeSet<String> {
        let mut items: &[ast::Item] = &self.view.text.tree().items;
        loop {
            let inner = items.iter().find_map(|item| {
                let (span, body) = match item {
                    ast::Item::Block(block) => (block.span, &block.body),
                    ast::Item::Form(form) => (form.span, body_of(form)?),
                    ast::Item::Attribute(_) => return None,
                };
                let inside = (span.start as usize) < self.offset && self.offset < span.end as usize;
                // A record is no block, and its entries are looked for below.
                inside.then_some(body)
            });
            match inner {
                Some(body) => items = body,
                None => break,
            }
        }
        items
            .iter()
            .filter_map(|item| match item {
                ast::Item::Attribute(attribute) => Some((&attribute.name.value, attribute.span)),
                ast::Item::Block(block) => Some((&block.kind.value, block.span)),
                ast::Item::Form(_) => None,
            })
            // The one that is being written is offered.
            .filter(|(_, span)| span.start as usize != self.cursor.start)
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn attributes(&mut self, attributes: &'static [Attribute], written: &BTreeSet<String>) {
        let has_value = self.is_followed_by_equals();
        for attribute in attributes.iter().filter(|attribute| !written.contains(attribute.name)) {
            let item = CompletionItem {
                label: attribute.name.to_owned(),
                kind: Some(CompletionItemKind::PROPERTY),
                detail: Some(attribute.ty.describe()),
                documentation: documentation(hover::attribute_documentation(attribute)),
                sort_text: matches!(attribute.presence, Presence::Required)
                    .then(|| format!(" {}", attribute.name)),
                ..CompletionItem::default()
            };
            let snippet = if has_value {
                attribute.name.to_owned()
            } else {
                format!("{} = {}", attribute.name, hole(&attribute.ty))
            };
            self.add(item, &snippet);
        }
    }

    fn is_followed_by_equals(&self) -> bool {
        let rest = self.view.text.text.get(self.cursor.end..).unwrap_or_default();
        rest.trim_start_matches([' ', '\t']).starts_with('=')
    }

    fn block(&mut self, kind: &'static Kind) {
        let item = CompletionItem {
            label: kind.word.to_owned(),
            kind: Some(CompletionItemKind::STRUCT),
            detail: kind.label.describe(),
            documentation: documentation(hover::kind_text(kind)),
            ..CompletionItem::default()
        };
        let snippet = match kind.label {
            Label::None => format!("{} {{\n  $0\n}}", kind.word),
            Label::Required(_) | Label::Optional(_) | Label::Symbol(_) | Label::Reference(_) => {
                format!("{} ${{1:name}} {{\n  $0\n}}", kind.word)
            }
        };
        self.add(item, &snippet);
    }

    fn label(&mut self, around: Around, word: &str) {
        let kind = match around {
            Around::Kind(kind) => kind.block(word).map(|nested| nested.kind),
            Around::Anywhere => {
                kinds::all().into_iter().map(|nested| nested.kind).find(|kind| kind.word == word)
            }
            Around::Record(_) | Around::Map(_) | Around::Nowhere => None,
        };
        let Some(kind) = kind else { return };
        match &kind.label {
            Label::Symbol(symbols) => {
                for symbol in *symbols {
                    self.word(symbol.word, CompletionItemKind::ENUM_MEMBER, "", symbol.documentation);
                }
            }
            Label::Reference(reference) => self.references(reference),
            // What is opened again, or overridden, is there already.
            Label::Required(_) | Label::Optional(_) => {
                let again = kind.reopen || self.is_override();
                if let (true, Some(declarations)) = (again, self.view.declarations()) {
                    let entities = declarations.entities().filter(|(_, entity)| entity.kind.word == word);
                    let names: BTreeSet<String> = entities.map(|(_, entity)| entity.name.clone()).collect();
                    for name in names {
                        self.word(&name, CompletionItemKind::REFERENCE, word, "");
                    }
                }
            }
            Label::None => {}
        }
    }

    fn is_override(&self) -> bool {
        let before = self.view.text.text.get(..self.offset).unwrap_or_default();
        before.lines().last().is_some_and(|line| line.trim_start().starts_with("override"))
    }
}

/// The body of an item that has one.
fn body_of(form: &ast::Form) -> Option<&Vec<ast::Item>> {
    match &form.kind {
        ast::FormKind::For(repetition) => Some(&repetition.body),
        ast::FormKind::Template(template) => Some(&template.body),
        ast::FormKind::Override(ast::Item::Block(block)) => Some(&block.body),
        ast::FormKind::Override(_)
        | ast::FormKind::Use(_)
        | ast::FormKind::Let(_)
        | ast::FormKind::Input(_)
        | ast::FormKind::Assert(_)
        | ast::FormKind::Apply(_) => None,
    }
}

/// What a value begins with, with the place of the cursor in it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other types begin with what they take")]
fn hole(ty: &Type) -> &'static str {
    match ty {
        Type::List { .. } => "[$0]",
        Type::Text(_) | Type::Template(_) => "\"$0\"",
        Type::Record(_) | Type::Map { .. } => "{ $0 }",
        _ => "$0",
    }
}

/// A snippet without its holes.
fn plain(snippet: &str) -> String {
    let mut text = String::new();
    let mut rest = snippet;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        rest = match after.strip_prefix('{') {
            Some(named) => {
                let (hole, after) = named.split_once('}').unwrap_or((named, ""));
                text.push_str(hole.split_once(':').map_or("", |(_, name)| name));
                after
            }
            None => after.trim_start_matches(|c: char| c.is_ascii_digit()),
        };
    }
    text.push_str(rest);
    text
}

/// A name as it is written.
fn quoted(name: &str) -> String {
    let special = ["true", "false", "in", "if", "for"].contains(&name);
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && !name.ends_with('-')
        && !name.contains("--")
        && !special;
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_without_holes_are_plain() {
        assert_eq!(plain("for ${1:name} in ${2:list} {\n  $0\n}"), "for name in list {\n  \n}");
        assert_eq!(plain("a = [$0]"), "a = []");
    }
}
