//! `port http = 80`: blocks that are written by the value of the attribute that their kind is about.
//!
//! It works on plain trees, before defaults and overrides, which go by blocks. What is left as it was written is a mistake,
//! and evaluation reports it: a kind without such an attribute, or a record, which would be the body of the block.

use std::mem;
use std::sync::Arc;

use lang_diagnostics::Spanned;
use lang_evaluate::schema::{Kind, Label, Schema, Type};
use lang_syntax::ast::{self, Attribute, Block, FormKind, Item, Value, ValueKind};

use crate::items::DEFAULTS;

/// Makes a block with its attribute of each that is written by its value. A file without any is what it was.
pub(crate) fn apply(files: &mut [Arc<ast::File>], schema: Schema) {
    let around = Around::Kind(schema.file);
    for file in files {
        if file.items.iter().any(|item| is_short(item, &around, schema.file)) {
            items(&mut Arc::make_mut(file).items, &around, schema.file);
        }
    }
}

/// What the items of a body stand in.
#[derive(Clone, Debug)]
pub(crate) enum Around {
    /// A block of this kind, or a file.
    Kind(&'static Kind),
    /// `defaults` in one: blocks of any kind below it.
    Defaults(&'static Kind),
    /// A block in those, which is of any of these kinds.
    Any(Vec<&'static Kind>),
}

impl Around {
    /// The kinds that a word stands for.
    fn blocks(&self, word: &str) -> Vec<&'static Kind> {
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

    /// What an attribute takes: one of that name, or the one that a block of that word is about, or the block around it where
    /// only its value is written.
    pub(crate) fn types(&self, name: &str) -> Vec<&'static Type> {
        let of = |kinds: &[&'static Kind], name: &str| {
            kinds.iter().filter_map(|kind| kind.attribute(name)).map(|schema| &schema.ty).collect::<Vec<_>>()
        };
        let about = |kinds: &[&'static Kind]| {
            kinds
                .iter()
                .filter_map(|kind| kind.principal_attribute())
                .map(|schema| &schema.ty)
                .collect::<Vec<_>>()
        };
        let own: &[&'static Kind] = match self {
            Self::Kind(kind) => std::slice::from_ref(kind),
            Self::Defaults(_) => &[],
            Self::Any(kinds) => kinds,
        };
        if name.is_empty() {
            about(own)
        } else if self.has_attribute(name) {
            of(own, name)
        } else {
            about(&self.blocks(name))
        }
    }

    /// Whether a word is an attribute.
    fn has_attribute(&self, name: &str) -> bool {
        match self {
            Self::Kind(kind) => kind.attribute(name).is_some(),
            Self::Defaults(_) => false,
            Self::Any(kinds) => kinds.iter().any(|kind| kind.attribute(name).is_some()),
        }
    }

    /// What the items of a block here stand in; nothing if its kind is not known.
    pub(crate) fn inside(&self, word: &str, file: &'static Kind) -> Option<Self> {
        match self {
            Self::Kind(kind) if word == DEFAULTS && kind.block(DEFAULTS).is_none() => {
                // Those in a kind without blocks, as `mesh`, are about the whole mesh.
                Some(Self::Defaults(if kind.blocks.is_empty() { file } else { kind }))
            }
            Self::Kind(kind) => kind.block(word).map(|nested| Self::Kind(nested.kind)),
            Self::Defaults(_) | Self::Any(_) => Some(Self::Any(self.blocks(word))),
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

/// Whether an item or something in it is written by its value.
fn is_short(item: &Item, around: &Around, file: &'static Kind) -> bool {
    match item {
        Item::Block(block) => {
            block.short
                || around
                    .inside(&block.kind.value, file)
                    .is_some_and(|inside| block.body.iter().any(|item| is_short(item, &inside, file)))
        }
        Item::Attribute(attribute) => means_block(attribute, around).is_some(),
        Item::Form(form) => overridden(&form.kind).is_some_and(|item| is_short(item, around, file)),
    }
}

/// What is overridden, if that is the form. No other is left at this point.
fn overridden(form: &FormKind) -> Option<&Item> {
    match form {
        FormKind::Override(item) => Some(item),
        FormKind::Use(_)
        | FormKind::Let(_)
        | FormKind::Input(_)
        | FormKind::For(_)
        | FormKind::Template(_)
        | FormKind::Apply(_)
        | FormKind::Assert(_) => None,
    }
}

fn items(items: &mut [Item], around: &Around, file: &'static Kind) {
    for place in items {
        item(place, around, file);
    }
}

fn item(place: &mut Item, around: &Around, file: &'static Kind) {
    match place {
        Item::Block(block) => {
            if block.short {
                name_principal(block, &around.blocks(&block.kind.value));
            }
            if let Some(inside) = around.inside(&block.kind.value, file) {
                items(&mut block.body, &inside, file);
            }
        }
        Item::Attribute(attribute) => {
            if let Some(name) = means_block(attribute, around) {
                *place = Item::Block(made(attribute, name));
            }
        }
        Item::Form(form) => {
            if let FormKind::Override(inner) = &mut form.kind {
                item(inner, around, file);
            }
        }
    }
}

/// Names the attribute of `kind label = value`.
fn name_principal(block: &mut Block, kinds: &[&'static Kind]) {
    if let [Item::Attribute(attribute)] = block.body.as_mut_slice()
        && let Some(name) = principal(kinds, &attribute.value)
    {
        name.clone_into(&mut attribute.name.value);
        block.short = false;
    }
}

/// The attribute that is meant where an attribute is written that is none and could be a block without a label.
fn means_block(attribute: &Attribute, around: &Around) -> Option<&'static str> {
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

/// The attribute that the kinds of a word are about, if those that are about one agree and it may take the value.
fn principal(kinds: &[&'static Kind], value: &Value) -> Option<&'static str> {
    let mut names = kinds.iter().filter_map(|kind| kind.principal);
    let name = names.next()?;
    if names.any(|other| other != name) {
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
