//! Tables of entities and the typed ids into them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// The place of a `T` in its [`Table`]. Ids of one table order like the entities in it.
pub struct Id<T> {
    index: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The zero-based position in the table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.index.cmp(&other.index)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{}", self.index)
    }
}

/// Entities of one kind. Only [`Table::push`] makes ids, so an id of this table always has its entity.
#[derive(Clone, Debug)]
pub struct Table<T> {
    entries: Vec<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T> Table<T> {
    /// An empty table with room for so many entities.
    #[must_use]
    pub fn with_capacity(count: usize) -> Self {
        Self { entries: Vec::with_capacity(count) }
    }

    /// Adds an entity at the end.
    pub fn push(&mut self, entry: T) -> Id<T> {
        let id = self.next_id();
        self.entries.push(entry);
        id
    }

    /// The id that the next [`Table::push`] will return.
    #[must_use]
    pub fn next_id(&self) -> Id<T> {
        Self::id(self.entries.len())
    }

    /// All entities with their ids, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Id<T>, &T)> + ExactSizeIterator {
        self.entries.iter().enumerate().map(|(index, entry)| (Self::id(index), entry))
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Id<T>> + use<T> {
        (0..self.entries.len()).map(Self::id)
    }

    /// The entity of an id of this table.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "only this table makes ids of its entries")]
    pub fn at(&self, id: Id<T>) -> &T {
        &self.entries[id.index()]
    }

    /// The entity of an id, if the table has it.
    #[must_use]
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.entries.get(id.index())
    }

    /// The entity of an id, to be changed.
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.entries.get_mut(id.index())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn id(index: usize) -> Id<T> {
        Id { index: u32::try_from(index).unwrap_or(u32::MAX), kind: PhantomData }
    }
}
