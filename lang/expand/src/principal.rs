//! `port http = 80`: blocks that are written by the value of the attribute that their kind is about.
//!
//! It works on plain trees, before defaults and overrides, which go by blocks. What is left as it was written is a mistake,
//! and evaluation reports it: a kind without such an attribute, or a record, which would be the body of the block.

use std::mem;

use lang_diagnostics::Spanned;
use lang_evaluate::schema::{Kind, Label, Schema, Type};
use lang_syntax::ast::{self, Attribute, Block, FormKind, Item, Value, ValueKind};

use crate::items::DEFAULTS;

/// Makes a block with its attribute of each that is written by its value.
pub(crate) fn apply(files: &mut [ast::File], schema: Schema) {
    for file in files {
        items(&mut file.items, Around::Kind(schema.file), schema.file);
    }
}

/// What the items of a body stand in.
#[derive(Clone, Copy)]
enum Around<'a> {
    /// A block of this kind, or a file.
    Kind(&'static Kind),
    /// `defaults` in one: blocks of any kind below it.
    Defaults(&'static Kind),
    /// A block in those, which is of any of these kinds.
    Any(&'a [&'static Kind]),
}

impl Around<'_> {
    /// The kinds that a word stands for.
    fn blocks(self, word: &str) -> Vec<&'static Kind> {
        match self {
            Self::Kind(kind) => kind.block(word).map(|nested| nested.kind).into_iter().collect(),
            Self::Defaults(kind) => {
                let mut found = Vec::new();
                below(kind, word, &mut found);
                found
            }
            Self::Any(kinds) => {
                kinds.iter().filter_map(|kind| kind.block(word)).map(|nested| nested.kind).collect()
            }
        }
    }

    /// Whether a word is an attribute.
    fn has_attribute(self, name: &str) -> bool {
        match self {
            Self::Kind(kind) => kind.attribute(name).is_some(),
            Self::Defaults(_) => false,
            Self::Any(kinds) => kinds.iter().any(|kind| kind.attribute(name).is_some()),
        }
    }
}

/// The kinds of a word at any depth.
pub(crate) fn below(kind: &'static Kind, word: &str, found: &mut Vec<&'static Kind>) {
    for nested in kind.blocks {
        if nested.kind.word == word && !found.iter().any(|known| std::ptr::eq(*known, nested.kind)) {
            found.push(nested.kind);
        }
        below(nested.kind, word, found);
    }
}

fn items(items: &mut [Item], around: Around<'_>, file: &'static Kind) {
    for place in items {
        item(place, around, file);
    }
}

fn item(place: &mut Item, around: Around<'_>, file: &'static Kind) {
    match place {
        Item::Block(block) => self::block(block, around, file),
        Item::Attribute(attribute) => {
            if let Some(name) = means_block(attribute, around) {
                *place = Item::Block(made(attribute, name));
            }
        }
        Item::Form(form) => match &mut form.kind {
            FormKind::Override(inner) => item(inner, around, file),
            FormKind::Use(_)
            | FormKind::Let(_)
            | FormKind::Input(_)
            | FormKind::For(_)
            | FormKind::Template(_)
            | FormKind::Apply(_)
            | FormKind::Assert(_) => {}
        },
    }
}

fn block(block: &mut Block, around: Around<'_>, file: &'static Kind) {
    let word = block.kind.value.as_str();
    if let Around::Kind(kind) = around {
        if word == DEFAULTS && kind.block(DEFAULTS).is_none() {
            // Those in a kind without blocks, as `mesh`, are about the whole mesh.
            let level = if kind.blocks.is_empty() { file } else { kind };
            return items(&mut block.body, Around::Defaults(level), file);
        }
        if let Some(nested) = kind.block(word) {
            name_principal(block, &[nested.kind]);
            items(&mut block.body, Around::Kind(nested.kind), file);
        }
        return;
    }
    let kinds = around.blocks(word);
    name_principal(block, &kinds);
    items(&mut block.body, Around::Any(&kinds), file);
}

/// Names the attribute of `kind label = value`.
fn name_principal(block: &mut Block, kinds: &[&'static Kind]) {
    if !block.short {
        return;
    }
    if let [Item::Attribute(attribute)] = block.body.as_mut_slice()
        && let Some(name) = principal(kinds, &attribute.value)
    {
        name.clone_into(&mut attribute.name.value);
        block.short = false;
    }
}

/// The attribute that is meant where an attribute is written that is none and could be a block without a label.
fn means_block(attribute: &Attribute, around: Around<'_>) -> Option<&'static str> {
    let word = attribute.name.value.as_str();
    let kinds = around.blocks(word);
    if kinds.is_empty() || around.has_attribute(word) {
        return None;
    }
    let unlabelled = |kind: &&Kind| match kind.label {
        Label::None | Label::Optional(_) => true,
        // In `defaults` a block without the label of its kind is about all of them.
        Label::Required(_) | Label::Symbol(_) | Label::Reference(_) => !matches!(around, Around::Kind(_)),
    };
    if kinds.iter().all(unlabelled) { principal(&kinds, &attribute.value) } else { None }
}

/// The attribute that the kinds of a word are about, if they agree and it may take the value.
fn principal(kinds: &[&'static Kind], value: &Value) -> Option<&'static str> {
    let (first, others) = kinds.split_first()?;
    let name = first.principal?;
    if others.iter().any(|kind| kind.principal != Some(name)) {
        return None;
    }
    let fits = kinds
        .iter()
        .filter_map(|kind| kind.attribute(name.text()))
        .any(|attribute| takes(&attribute.ty, value));
    fits.then_some(name.text())
}

/// Whether a value may be meant for an attribute: braces are those of the block otherwise.
fn takes(ty: &Type, value: &Value) -> bool {
    #[expect(clippy::wildcard_enum_match_arm, reason = "only two values have braces")]
    match &value.kind {
        ValueKind::Record(_) => false,
        ValueKind::Tagged(..) => ty.is_tagged(),
        _ => true,
    }
}

/// The block of `kind = value`.
fn made(attribute: &mut Attribute, name: &str) -> Block {
    let kind = mem::replace(&mut attribute.name, Spanned::new(String::new(), attribute.span));
    let value = Value { kind: ValueKind::Invalid, span: attribute.value.span };
    let value = mem::replace(&mut attribute.value, value);
    let principal = Attribute {
        name: Spanned::new(name.to_owned(), kind.span),
        value,
        documentation: None,
        span: attribute.span,
    };
    Block {
        kind,
        label: None,
        interpolated: None,
        body: vec![Item::Attribute(principal)],
        short: false,
        documentation: attribute.documentation.take(),
        span: attribute.span,
    }
}
