//! The names that a question may be about.

use lang_syntax::ast::Item;
use lang_syntax::{Token, TokenKind, lex};

use crate::Compilation;

/// A block with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeclaredName {
    /// The whole name, such as `shop.web`.
    pub name: String,
    /// The word of its kind.
    pub kind: String,
}

/// The names of a mesh in their order, as far as it could be read: each block that others can name, with the names around it.
/// A label that a question could only give as a text, such as most names of tests, is not among them.
#[must_use]
pub fn declared_names(compilation: &Compilation) -> Vec<DeclaredName> {
    let mut names = Vec::new();
    for tree in &compilation.trees {
        collect(&tree.items, meshc_vocabulary::SCHEMA.file, "", &mut names);
    }
    names.sort();
    names.dedup();
    names
}

fn collect(
    items: &[Item],
    around: &'static lang_evaluate::schema::Kind,
    prefix: &str,
    names: &mut Vec<DeclaredName>,
) {
    for item in items {
        let Item::Block(block) = item else { continue };
        let Some(nested) = around.block(&block.kind.value) else { continue };
        let (Some(label), Some(_)) = (&block.label, nested.kind.space) else { continue };
        if !is_name(&label.value) {
            continue;
        }
        let name = if prefix.is_empty() { label.value.clone() } else { format!("{prefix}.{}", label.value) };
        collect(&block.body, nested.kind, &name, names);
        names.push(DeclaredName { name, kind: block.kind.value.clone() });
    }
}

/// Whether a label can be written without quotes.
fn is_name(label: &str) -> bool {
    matches!(lex(label).as_slice(), [Token { kind: TokenKind::Name, .. }, Token { kind: TokenKind::End, .. }])
}
