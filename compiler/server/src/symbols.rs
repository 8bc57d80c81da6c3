//! Document and workspace symbols: the blocks with names, and what is used again.

use std::path::Path;

use lang_diagnostics::{Span, Spanned};
use lang_syntax::ast::{self, FormKind, Item};
use ls_types::{DocumentSymbol, Location, SymbolInformation, SymbolKind, WorkspaceSymbol};

use crate::position::Encoding;
use crate::text::Text;
use crate::world::World;

/// So many symbols of a workspace are shown.
const MOST: usize = 500;

/// The symbols of a document, as a tree.
pub(crate) fn of_document(text: &Text, encoding: Encoding) -> Vec<DocumentSymbol> {
    symbols(&text.tree().items, text, encoding)
}

fn symbols(items: &[Item], text: &Text, encoding: Encoding) -> Vec<DocumentSymbol> {
    let mut found = Vec::new();
    for item in items {
        match item {
            Item::Block(block) => found.push(block_symbol(block, text, encoding)),
            Item::Attribute(_) => {}
            Item::Form(form) => match &form.kind {
                FormKind::Let(binding) => {
                    found.push(symbol("let", &binding.name, SymbolKind::VARIABLE, form.span, text, encoding));
                }
                FormKind::Input(input) => {
                    found.push(symbol("input", &input.name, SymbolKind::CONSTANT, form.span, text, encoding));
                }
                FormKind::Template(template) => {
                    let kind = SymbolKind::FUNCTION;
                    let mut own = symbol("template", &template.name, kind, form.span, text, encoding);
                    own.children = Some(symbols(&template.body, text, encoding));
                    found.push(own);
                }
                FormKind::For(repetition) => found.extend(symbols(&repetition.body, text, encoding)),
                FormKind::Override(Item::Block(block)) => {
                    let mut own = block_symbol(block, text, encoding);
                    own.detail = Some(format!("override {}", block.kind.value));
                    found.push(own);
                }
                FormKind::Use(_) | FormKind::Apply(_) | FormKind::Assert(_) | FormKind::Override(_) => {}
            },
        }
    }
    found
}

fn block_symbol(block: &ast::Block, text: &Text, encoding: Encoding) -> DocumentSymbol {
    let word = block.kind.value.as_str();
    let name = match (&block.interpolated, &block.label) {
        (Some(value), _) => Spanned::new(text.at(value.span).trim_matches('"').to_owned(), value.span),
        (None, Some(label)) => label.clone(),
        (None, None) => block.kind.clone(),
    };
    let mut own = symbol(word, &name, kind(word), block.span, text, encoding);
    own.children = Some(symbols(&block.body, text, encoding));
    own
}

#[expect(deprecated, reason = "the field has to be there, and is empty")]
fn symbol(
    detail: &str,
    name: &Spanned<String>,
    kind: SymbolKind,
    span: Span,
    text: &Text,
    encoding: Encoding,
) -> DocumentSymbol {
    // The name must lie in the whole, and be no empty text.
    let whole = span.to(name.span);
    DocumentSymbol {
        name: if name.value.is_empty() { detail.to_owned() } else { name.value.clone() },
        detail: Some(detail.to_owned()),
        kind,
        tags: None,
        deprecated: None,
        range: text.range(whole, encoding),
        selection_range: text.range(name.span, encoding),
        children: None,
    }
}

/// The kind of symbol that an editor shows for a kind of block.
pub(crate) fn kind(word: &str) -> SymbolKind {
    match word {
        "mesh" => SymbolKind::PACKAGE,
        "namespace" => SymbolKind::NAMESPACE,
        "cluster" | "network" => SymbolKind::MODULE,
        "service" | "subset" | "client" => SymbolKind::CLASS,
        "external" | "link" => SymbolKind::INTERFACE,
        "gateway" => SymbolKind::OBJECT,
        "port" => SymbolKind::FIELD,
        "route" => SymbolKind::METHOD,
        "policy" => SymbolKind::PROPERTY,
        _ => SymbolKind::STRUCT,
    }
}

/// What is declared in all meshes that are looked at and whose name has the letters of a question, in their order.
pub(crate) fn of_workspace(world: &World, question: &str) -> Vec<WorkspaceSymbol> {
    let mut found: Vec<(String, WorkspaceSymbol)> = Vec::new();
    for mesh in world.meshes.values() {
        let Some(analysis) = &mesh.analysis else { continue };
        let declarations = &analysis.declared.declarations;
        for (id, entity) in declarations.entities() {
            let name = declarations.qualified(id);
            if !has_letters(&name, question) {
                continue;
            }
            let Some(location) = world.location(&analysis.sources, entity.span) else { continue };
            let container = name.rsplit_once('.').map(|(around, _)| around.to_owned());
            let symbol = WorkspaceSymbol {
                name: entity.name.clone(),
                kind: kind(entity.kind.word),
                tags: None,
                container_name: container,
                location: ls_types::OneOf::Left(location),
                data: None,
            };
            found.push((name, symbol));
        }
        for (id, name) in crate::world::files_of(&analysis.sources) {
            let is_own = analysis.files.iter().any(|file| file == Path::new(name));
            let Some(file) = analysis.sources.get(id).filter(|_| is_own) else { continue };
            let text = Text::new(file.text());
            for binding in &text.scopes().bindings {
                let shown = match binding.binder {
                    crate::scopes::Binder::Template => SymbolKind::FUNCTION,
                    crate::scopes::Binder::Input => SymbolKind::CONSTANT,
                    crate::scopes::Binder::Let
                    | crate::scopes::Binder::Parameter
                    | crate::scopes::Binder::Variable
                    | crate::scopes::Binder::Module
                    | crate::scopes::Binder::Imported => continue,
                };
                if let (true, Some(uri)) = (has_letters(&binding.name, question), world.uri(name)) {
                    let range = text.range(binding.span, world.encoding);
                    let symbol = WorkspaceSymbol {
                        name: binding.name.clone(),
                        kind: shown,
                        tags: None,
                        container_name: None,
                        location: ls_types::OneOf::Left(Location { uri, range }),
                        data: None,
                    };
                    found.push((binding.name.clone(), symbol));
                }
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
    found.dedup_by(|(_, a), (_, b)| a == b);
    found.into_iter().take(MOST).map(|(_, symbol)| symbol).collect()
}

/// The same in the form of clients that are older than version 3.17 of the protocol.
#[expect(deprecated, reason = "the field has to be there, and is empty")]
pub(crate) fn flat(symbol: WorkspaceSymbol) -> Option<SymbolInformation> {
    let ls_types::OneOf::Left(location) = symbol.location else { return None };
    Some(SymbolInformation {
        name: symbol.name,
        kind: symbol.kind,
        tags: None,
        deprecated: None,
        location,
        container_name: symbol.container_name,
    })
}

fn has_letters(name: &str, question: &str) -> bool {
    let mut letters = name.chars().flat_map(char::to_lowercase);
    question
        .chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .all(|wanted| letters.any(|letter| letter == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_letters_of_the_name_in_order() {
        assert!(
            has_letters("shop.Catalog", "sca") && has_letters("shop.web", "") && has_letters("a.b", "A B")
        );
        assert!(!has_letters("shop.web", "ws"));
    }

    #[test]
    fn symbols_lie_in_each_other() {
        let text = Text::new(
            "namespace shop {\n  service web {\n    port http { number = 80 }\n  }\n}\nlet a = 1\n",
        );
        let found = of_document(&text, Encoding::Utf16);
        let names: Vec<_> = found.iter().map(|symbol| symbol.name.as_str()).collect();
        assert_eq!(names, ["shop", "a"]);
        let service = &found[0].children.as_ref().unwrap()[0];
        assert_eq!((service.name.as_str(), service.detail.as_deref()), ("web", Some("service")));
        assert_eq!(service.children.as_ref().unwrap()[0].name, "http");
    }
}
