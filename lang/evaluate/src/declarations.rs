//! The result of evaluation: blocks whose attributes are typed values and whose references are resolved.

use std::sync::Arc;

use lang_diagnostics::{Origin, Span, Spanned};

use crate::names::Names;
use crate::schema::{Kind, Name, Reference};
use crate::value::{FromValue, Value};

/// Everything that the files declare.
#[derive(Debug)]
pub struct Declarations {
    /// The blocks at the top level, in the order of the files and of their text.
    pub blocks: Vec<Block>,
    /// Everything that has a name, in the order of declaration.
    pub(crate) names: Names,
    /// Where it is named.
    mentions: Vec<Mention>,
}

/// A segment of a name in the source, and the entity that it names. One that stands for a variable covers what is written
/// instead of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// Where it stands.
    pub span: Span,
    /// What it names.
    pub entity: EntityId,
}

impl Declarations {
    pub(crate) fn new(blocks: Vec<Block>, names: Names, mentions: Vec<Mention>) -> Self {
        Self { blocks, names, mentions }
    }

    /// The entity of an id of these declarations.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "only these declarations make ids of their entities")]
    pub fn entity(&self, id: EntityId) -> &Entity {
        &self.names.entities[id.0 as usize]
    }

    /// Everything that has a name, in the order of declaration.
    pub fn entities(&self) -> impl Iterator<Item = (EntityId, &Entity)> {
        (0_u32..).map(EntityId).zip(&self.names.entities)
    }

    /// Every place that names something by its path. Places of declarations are those of the blocks.
    #[must_use]
    pub fn mentions(&self) -> &[Mention] {
        &self.mentions
    }

    /// The name by which anybody may call an entity: `istioinaction.catalog`.
    #[must_use]
    pub fn qualified(&self, id: EntityId) -> String {
        self.names.qualified(id)
    }

    /// The names that a reference may have inside of an entity, as one would write them there, and whose they are.
    #[must_use]
    pub fn candidates(&self, scope: Option<EntityId>, reference: &Reference) -> Vec<(String, EntityId)> {
        self.names.candidates(scope, reference)
    }

    /// All entities that a path may mean inside of an entity, those found from the outermost scope first.
    #[must_use]
    pub fn find(&self, path: &[Spanned<String>], scope: Option<EntityId>) -> Vec<EntityId> {
        self.names.find(path, scope)
    }
}

/// Names an entity of one [`Declarations`]. Ids order like the places of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(pub(crate) u32);

/// Something with a name.
#[derive(Clone, Debug)]
pub struct Entity {
    /// What it is.
    pub kind: &'static Kind,
    /// Its own name.
    pub name: String,
    /// The entity in whose scope it is named; `None` at the top level.
    pub parent: Option<EntityId>,
    /// Its label where it was first declared.
    pub span: Span,
}

/// A checked block.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its entry in the schema.
    pub kind: &'static Kind,
    /// Its word in the source.
    pub kind_span: Span,
    /// Its label, if it has one.
    pub label: Option<Spanned<String>>,
    /// What the label refers to, if the schema says that it refers to something.
    pub subject: Option<EntityId>,
    /// The entity that it declares, if its kind makes one.
    pub entity: Option<EntityId>,
    /// Its `///` text.
    pub documentation: Option<Spanned<String>>,
    /// The whole block.
    pub span: Span,
    pub(crate) attributes: Vec<Evaluated>,
    /// Shared, because most blocks are those of the last evaluation.
    pub(crate) blocks: Arc<Vec<Block>>,
}

/// An attribute with its value.
#[derive(Clone, Debug)]
pub(crate) struct Evaluated {
    pub(crate) name: &'static str,
    /// The name in the source, or the block's name for a default.
    pub(crate) span: Span,
    /// Whether the user wrote it.
    pub(crate) written: bool,
    /// Absent if it was wrong, which has been reported.
    pub(crate) value: Option<Spanned<Value>>,
}

impl Block {
    /// The value of an attribute, or its constant default. The span of a default is the block's name.
    #[must_use]
    pub fn get<T: FromValue>(&self, name: Name) -> Option<Spanned<T>> {
        let value = self.attributes.iter().find(|attribute| attribute.name == name.text())?.value.as_ref()?;
        Some(Spanned::new(T::from_value(&value.value)?, value.span))
    }

    /// The value of an attribute or its constant default, by name; nothing if it has neither.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Spanned<Value>> {
        self.attributes.iter().find(|attribute| attribute.name == name)?.value.as_ref()
    }

    /// The blocks in it, in source order.
    #[must_use]
    pub fn inner(&self) -> &[Self] {
        &self.blocks
    }

    /// Where an attribute's name stands, if the user wrote it.
    #[must_use]
    pub fn written(&self, name: Name) -> Option<Span> {
        let attribute = self.attributes.iter().find(|attribute| attribute.name == name.text())?;
        attribute.written.then_some(attribute.span)
    }

    /// The nested blocks of a kind, in source order.
    pub fn blocks<'a>(&'a self, kind: &'a Kind) -> impl Iterator<Item = &'a Self> + 'a {
        self.blocks.iter().filter(move |block| block.kind.word == kind.word)
    }

    /// The nested block of a kind that stands at most once.
    #[must_use]
    pub fn block(&self, kind: &Kind) -> Option<&Self> {
        self.blocks.iter().find(|block| block.kind.word == kind.word)
    }

    /// The label's text; empty without one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.label.as_ref().map_or("", |label| label.value.as_str())
    }

    /// Where a message points when it speaks of the block: its label, or its word.
    #[must_use]
    pub fn name_span(&self) -> Span {
        self.label.as_ref().map_or(self.kind_span, |label| label.span)
    }

    /// The place and what a message calls the block: ``service `catalog` ``.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let name = match &self.label {
            Some(label) => [self.kind.word, " `", label.value.as_str(), "`"].concat(),
            None => format!("`{}`", self.kind.word),
        };
        Origin::new(self.name_span(), name)
    }
}
