//! Entities and how a path finds them.
//!
//! A path is looked up from every enclosing scope, from the outermost to the innermost, and all that fits counts: an
//! inner name never hides an outer one in silence, because a mesh in which adding a service redirects somebody
//! else's reference is worse than one error that offers both.

use std::collections::{HashMap, HashSet};

use lang_diagnostics::{Span, Spanned};
use rustc_hash::FxBuildHasher;

use crate::declarations::{Entity, EntityId};
use crate::schema::{Kind, Reference};
use crate::value::Target;

/// All entities, and an index over their qualified names. The index is only for lookup; nothing iterates over it.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) entities: Vec<Entity>,
    /// The entities in each scope by their names; several may have one name if their kinds differ. First those at the top
    /// level, then those in each entity; scopes without any may be missing at the end.
    inside: Vec<HashMap<String, Vec<EntityId>, FxBuildHasher>>,
    hidden: HashSet<EntityId>,
    /// Names of blocks that were reported and could not be registered: a reference to one of them is not a second
    /// mistake.
    broken: HashSet<String>,
    /// Kinds of which a block has no name, which was reported: any unknown name may be the one that it lacks.
    nameless: HashSet<&'static str>,
}

/// Where the names in a scope are.
fn place(scope: Option<EntityId>) -> usize {
    scope.map_or(0, |id| (id.0 as usize).saturating_add(1))
}

impl Names {
    /// Adds an entity, or returns the one of the same space that already has its name.
    pub(crate) fn declare(
        &mut self,
        kind: &'static Kind,
        label: &Spanned<String>,
        parent: Option<EntityId>,
    ) -> Result<EntityId, EntityId> {
        if parent.is_some_and(|parent| self.hidden.contains(&parent)) {
            return Ok(self.hide(kind, label, parent));
        }
        let rivals = self.children(parent, &label.value);
        let clashes = |entity: &Entity| entity.kind.space == kind.space;
        if let Some(rival) = rivals.iter().find(|id| self.get(**id).is_some_and(clashes)) {
            return Err(*rival);
        }
        let id = self.add(kind, label, parent);
        let scope = place(parent);
        if self.inside.len() <= scope {
            self.inside.resize_with(scope + 1, HashMap::default);
        }
        if let Some(names) = self.inside.get_mut(scope) {
            names.entry(label.value.clone()).or_default().push(id);
        }
        Ok(id)
    }

    /// The entities of one name right in a scope.
    fn children(&self, scope: Option<EntityId>, name: &str) -> &[EntityId] {
        let names = self.inside.get(place(scope)).filter(|names| !names.is_empty());
        names.and_then(|names| names.get(name)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Adds an entity that nobody can name, for a block whose name is taken. What is in it is hidden too, so that it
    /// does not clash with what is in the block that has the name.
    pub(crate) fn hide(
        &mut self,
        kind: &'static Kind,
        label: &Spanned<String>,
        parent: Option<EntityId>,
    ) -> EntityId {
        let id = self.add(kind, label, parent);
        self.hidden.insert(id);
        id
    }

    fn add(&mut self, kind: &'static Kind, label: &Spanned<String>, parent: Option<EntityId>) -> EntityId {
        let id = EntityId(u32::try_from(self.entities.len()).unwrap_or(u32::MAX));
        self.entities.push(Entity { kind, name: label.value.clone(), parent, span: label.span });
        id
    }

    /// Whether each name was declared, once where it may be once.
    pub(crate) fn are_sound(&self) -> bool {
        self.hidden.is_empty() && self.broken.is_empty() && self.nameless.is_empty()
    }

    pub(crate) fn mark_broken(&mut self, name: &str) {
        self.broken.insert(name.to_owned());
    }

    /// Remembers that a block of a kind has no name: nobody can name what is in it either.
    pub(crate) fn mark_nameless(&mut self, kind: &'static Kind) {
        self.nameless.insert(kind.word);
        for nested in kind.blocks.iter().filter(|nested| nested.kind.space.is_some()) {
            self.mark_nameless(nested.kind);
        }
    }

    /// Whether a block without a name may be what a reference means.
    pub(crate) fn may_be_nameless(&self, reference: &Reference) -> bool {
        reference.kinds.iter().any(|word| self.nameless.contains(word))
    }

    /// Whether a path leads through a block that was reported.
    pub(crate) fn is_broken(&self, path: &[Spanned<String>]) -> bool {
        path.iter().any(|segment| self.broken.contains(&segment.value))
    }

    pub(crate) fn get(&self, id: EntityId) -> Option<&Entity> {
        self.entities.get(id.0 as usize)
    }

    /// All entities that a path may mean in a scope, those found from the outermost scope first.
    pub(crate) fn find(&self, path: &[Spanned<String>], scope: Option<EntityId>) -> Vec<EntityId> {
        let mut found = Vec::new();
        let mut here = Some(scope);
        while let Some(scope) = here {
            self.descend(scope, path, &mut found);
            here = scope.map(|id| self.get(id).and_then(|entity| entity.parent));
        }
        found.reverse();
        found
    }

    fn descend(&self, scope: Option<EntityId>, path: &[Spanned<String>], found: &mut Vec<EntityId>) {
        let Some((first, rest)) = path.split_first() else { return };
        for child in self.children(scope, &first.value) {
            if rest.is_empty() {
                found.push(*child);
            } else {
                self.descend(Some(*child), rest, found);
            }
        }
    }

    /// All targets that a path may mean in a scope.
    pub(crate) fn resolve(
        &self,
        path: &[Spanned<String>],
        scope: Option<EntityId>,
        reference: &Reference,
    ) -> Vec<Target> {
        let fits =
            |id: EntityId| self.get(id).is_some_and(|entity| reference.kinds.contains(&entity.kind.word));
        let mut targets = Vec::new();
        for id in self.find(path, scope) {
            let Some(entity) = self.get(id) else { continue };
            if fits(id) {
                targets.push(Target { entity: id, part: None });
            } else if reference.part == Some(entity.kind.word)
                && let (Some(parent), Some(last)) =
                    (entity.parent.filter(|parent| fits(*parent)), path.last())
            {
                targets.push(Target { entity: parent, part: Some(last.clone()) });
            }
        }
        targets.extend(self.inner_with_part(path, scope, reference));
        targets
    }

    /// The targets that a path means whose last segment is a part of the block around what the other segments name.
    fn inner_with_part(
        &self,
        path: &[Spanned<String>],
        scope: Option<EntityId>,
        reference: &Reference,
    ) -> Vec<Target> {
        let (Some(part), Some((last, owner))) = (reference.part, path.split_last()) else {
            return Vec::new();
        };
        if reference.inner.is_empty() {
            return Vec::new();
        }
        let has_part = |around: EntityId| {
            let named = self.children(Some(around), &last.value).iter();
            named.filter_map(|id| self.get(*id)).any(|entity| entity.kind.word == part)
        };
        let fits = |id: &EntityId| {
            let entity = self.get(*id).filter(|entity| reference.inner.contains(&entity.kind.word));
            entity.and_then(|entity| entity.parent).is_some_and(has_part)
        };
        let inner = self.find(owner, scope).into_iter().filter(fits);
        inner.map(|entity| Target { entity, part: Some(last.clone()) }).collect()
    }

    /// The entity that the last segment of a path to a target names: a part is one of its own.
    pub(crate) fn last(&self, target: &Target) -> EntityId {
        let Some(part) = &target.part else { return target.entity };
        // The part of what is around, where the target has the parts of that.
        let around = self.get(target.entity).and_then(|entity| entity.parent);
        self.children(Some(target.entity), &part.value)
            .first()
            .or_else(|| self.children(around, &part.value).first())
            .copied()
            .unwrap_or(target.entity)
    }

    /// The name by which anybody may call an entity: `istioinaction.catalog`.
    pub(crate) fn qualified(&self, id: EntityId) -> String {
        let mut names = Vec::new();
        let mut here = self.get(id);
        while let Some(entity) = here {
            names.push(entity.name.as_str());
            here = entity.parent.and_then(|parent| self.get(parent));
        }
        names.reverse();
        names.join(".")
    }

    /// The names that a reference could have had in a scope, as one would write them there, and whose they are.
    pub(crate) fn candidates(
        &self,
        scope: Option<EntityId>,
        reference: &Reference,
    ) -> Vec<(String, EntityId)> {
        let mut scopes = Vec::new();
        let mut here = scope;
        while let Some(id) = here {
            scopes.push(id);
            here = self.get(id).and_then(|entity| entity.parent);
        }
        let mut names = Vec::new();
        for (index, entity) in self.entities.iter().enumerate() {
            if !reference.kinds.contains(&entity.kind.word) {
                continue;
            }
            let id = EntityId(u32::try_from(index).unwrap_or(u32::MAX));
            let mut name = entity.name.clone();
            let mut parent = entity.parent;
            while let Some((id_of_parent, around)) = parent.and_then(|id| Some((id, self.get(id)?))) {
                if scopes.contains(&id_of_parent) {
                    names.push((name.clone(), id));
                }
                name = format!("{}.{name}", around.name);
                parent = around.parent;
            }
            names.push((name, id));
        }
        names
    }

    /// The qualified names of everything that fits a reference and has this name in some scope, in alphabetical order.
    pub(crate) fn elsewhere(&self, name: &str, reference: &Reference) -> Vec<String> {
        let mut found: Vec<_> = (0_u32..)
            .zip(&self.entities)
            .filter(|(_, entity)| entity.name == name && reference.kinds.contains(&entity.kind.word))
            .map(|(id, _)| self.qualified(EntityId(id)))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Where an entity is declared.
    pub(crate) fn span(&self, id: EntityId) -> Option<Span> {
        self.get(id).map(|entity| entity.span)
    }
}
