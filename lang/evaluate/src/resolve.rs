//! Names in value position: what they refer to, or why they refer to nothing.

use lang_diagnostics::{Applicability, Diagnostic, Fix, Label, Span, Spanned, suggest};
use lang_syntax::ast::{self, ValueKind};

use crate::codes;
use crate::declarations::{EntityId, Mention};
use crate::describe;
use crate::evaluator::{Evaluator, Unknown};
use crate::mismatch::replace;
use crate::schema::{Reference, Type};
use crate::suggestion::{did_you_mean, is_plain, meant};
use crate::value::Target;

/// For how many unknown names others are searched that may have been meant.
const MOST_SEARCHED: usize = 100;

/// In how many further places an unknown name is shown.
const MOST_PLACES: usize = 4;

/// How many names are offered for an unknown one.
const MOST_SHOWN: usize = 3;

/// What an unknown name may have been meant to be.
enum Nearest {
    /// This name, of this entity.
    SpelledAlike(String, EntityId),
    /// One of these, which end alike.
    Elsewhere(Vec<String>),
}

impl Evaluator<'_, '_> {
    /// A value that must be a name.
    pub(crate) fn named(
        &mut self,
        value: &ast::Value,
        ty: &Type,
        reference: &Reference,
        scope: Option<EntityId>,
    ) -> Option<Target> {
        let ValueKind::Path(path) = &value.kind else { return self.mismatch(value, ty) };
        self.reference(path, value.span, scope, reference)
    }

    /// The one target of a path.
    pub(crate) fn reference(
        &mut self,
        path: &ast::Path,
        span: Span,
        scope: Option<EntityId>,
        reference: &Reference,
    ) -> Option<Target> {
        let mut targets = self.names.resolve(&path.segments, scope, reference);
        if targets.len() > 1 {
            self.ambiguous(path, span, &targets);
            return None;
        }
        let target = targets.pop();
        if let Some(target) = &target {
            self.mention(path, self.names.last(target));
        }
        let explained = self.names.is_broken(&path.segments) || self.names.may_be_nameless(reference);
        if target.is_none() && !explained {
            match self.names.find(&path.segments, scope).last().copied() {
                Some(other) => self.wrong_kind(path, span, scope, other, reference),
                None => self.unknown(path, span, scope, reference),
            }
        }
        target
    }

    /// Remembers where a path names an entity, and what that is in.
    pub(crate) fn mention(&mut self, path: &ast::Path, last: EntityId) {
        let mut here = Some(last);
        for segment in path.segments.iter().rev() {
            let Some(entity) = here else { return };
            self.mentions.push(Mention { span: segment.span, entity });
            here = self.names.get(entity).and_then(|entity| entity.parent);
        }
    }

    fn ambiguous(&mut self, path: &ast::Path, span: Span, targets: &[Target]) {
        let mut diagnostic =
            Diagnostic::error(codes::AMBIGUOUS_NAME, span, format!("`{}` may mean two things", text(path)))
                .label("which one?")
                .help("write the longer name of the one that is meant, or rename one of them");
        for target in targets {
            if let (Some(place), Some(entity)) =
                (self.names.span(target.entity), self.names.get(target.entity))
            {
                let name = self.names.qualified(target.entity);
                let part =
                    target.part.as_ref().map(|part| format!(", its `{}`", part.value)).unwrap_or_default();
                diagnostic = diagnostic.also(place, format!("the {} `{name}`{part}", entity.kind.word));
            }
        }
        self.sink.push(diagnostic);
    }

    fn wrong_kind(
        &mut self,
        path: &ast::Path,
        span: Span,
        scope: Option<EntityId>,
        other: EntityId,
        reference: &Reference,
    ) {
        let Some(entity) = self.names.get(other) else { return };
        let found = describe::with_article(entity.kind.word);
        let wanted = describe::kinds(reference.kinds);
        let mut diagnostic = Diagnostic::error(
            codes::WRONG_KIND,
            span,
            format!("`{}` is {found}, and {wanted} is needed here", text(path)),
        )
        .label(format!("this is {found}"))
        .also(entity.span, "declared here");
        let refused = reference.refused.iter().find(|(word, _)| *word == entity.kind.word);
        let mut renaming = None;
        diagnostic = match (refused, self.nearest(path, scope, reference)) {
            // What it is in may be spelled alike and fit, and is still not what was meant.
            (Some((_, why)), Some(Nearest::SpelledAlike(_, id))) if entity.parent == Some(id) => {
                diagnostic.help(*why)
            }
            (_, Some(Nearest::SpelledAlike(near, id))) => {
                renaming = self.renaming(id, path);
                meant(diagnostic, span, &near)
            }
            (Some((_, why)), _) => diagnostic.help(*why),
            (None, Some(Nearest::Elsewhere(names))) => called(diagnostic, span, &names),
            (None, None) => self.what_is_meant(diagnostic, path, span, scope, reference),
        };
        self.once(self.root(path, scope), Unknown { diagnostic, renaming });
    }

    /// Advice for a name of another kind that resembles none of the right kind: what it belongs to, as in `catalog.http`
    /// for `catalog`, or what there is.
    fn what_is_meant(
        &self,
        diagnostic: Diagnostic,
        path: &ast::Path,
        span: Span,
        scope: Option<EntityId>,
        reference: &Reference,
    ) -> Diagnostic {
        if let Some((_, owner @ [_, ..])) = path.segments.split_last()
            && self.names.resolve(owner, scope, reference).len() == 1
        {
            return meant(diagnostic, span, &text(&ast::Path { segments: owner.to_vec() }));
        }
        let wanted = describe::kinds(reference.kinds);
        // Each once, by its shorter name.
        let mut names = self.names.candidates(scope, reference);
        names.sort_by_key(|(name, id)| (*id, name.len()));
        names.dedup_by_key(|(_, id)| *id);
        names.sort();
        let listed: Vec<_> = names.iter().take(MOST_SHOWN).map(|(name, _)| format!("`{name}`")).collect();
        if listed.is_empty() {
            diagnostic.help(format!("declare {wanted}, and name it here"))
        } else {
            diagnostic.help(format!("name {wanted}, such as {}", describe::alternatives(&listed)))
        }
    }

    fn unknown(&mut self, path: &ast::Path, span: Span, scope: Option<EntityId>, reference: &Reference) {
        let wanted = describe::kinds(reference.kinds);
        let name = text(path);
        // If all but the last segment names something, only the part is unknown.
        if let (Some(part), Some((last, before))) = (reference.part, path.segments.split_last())
            && let [owner] = self.names.resolve(before, scope, reference).as_slice()
            && let Some(entity) = self.names.get(owner.entity)
        {
            let owner_name = self.names.qualified(owner.entity);
            // What has the parts of the block around it is looked up there.
            let inner = reference.inner.contains(&entity.kind.word);
            let around = if inner { entity.parent.unwrap_or(owner.entity) } else { owner.entity };
            let within = |word: &&str| !inner && entity.kind.block(word).is_some();
            let words: Vec<&str> =
                std::iter::once(part).chain(reference.kinds.iter().copied().filter(within)).collect();
            let parts: Vec<_> = self
                .names
                .entities
                .iter()
                .filter(|other| words.contains(&other.kind.word) && other.parent == Some(around))
                .map(|other| other.name.as_str())
                .collect();
            let listed: Vec<_> = parts.iter().take(MOST_SHOWN).map(|part| format!("`{part}`")).collect();
            let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            let declare = format!("declare a {} of that name", describe::alternatives(&quoted));
            let advice = if listed.is_empty() {
                declare
            } else {
                format!("{declare}, or name {}", describe::alternatives(&listed))
            };
            let diagnostic = Diagnostic::error(
                codes::UNKNOWN_NAME,
                last.span,
                format!("the {} `{owner_name}` has no {} `{}`", entity.kind.word, or(&words), last.value),
            )
            .label("not declared")
            .also(entity.span, "declared here");
            let diagnostic = did_you_mean(diagnostic, last.span, &last.value, parts, &advice);
            self.once(format!("{owner_name}.{}", last.value), Unknown { diagnostic, renaming: None });
            return;
        }
        let diagnostic = Diagnostic::error(
            codes::UNKNOWN_NAME,
            span,
            format!("there is no {} `{name}`", or(reference.kinds)),
        )
        .label("not declared");
        let mut renaming = None;
        let diagnostic = match self.nearest(path, scope, reference) {
            Some(Nearest::SpelledAlike(near, id)) => {
                renaming = self.renaming(id, path);
                meant(diagnostic, span, &near)
            }
            Some(Nearest::Elsewhere(names)) => called(diagnostic, span, &names),
            None => diagnostic.help(format!("declare it, or name {wanted} that is declared")),
        };
        self.once(self.root(path, scope), Unknown { diagnostic, renaming });
    }

    /// The change that gives a declaration the name by which it is referred to.
    fn renaming(&self, id: EntityId, path: &ast::Path) -> Option<Fix> {
        let (entity, last) = (self.names.get(id)?, path.segments.last()?);
        if entity.name == last.value || !is_plain(&last.value) {
            return None;
        }
        let title = format!("rename {} `{}` to `{}`", entity.kind.word, entity.name, last.value);
        Some(replace(entity.span, &title, last.value.clone(), Applicability::Suggested))
    }

    /// What an unknown name was probably meant to be: one that is spelled alike, or that ends alike in another scope.
    fn nearest(&self, path: &ast::Path, scope: Option<EntityId>, reference: &Reference) -> Option<Nearest> {
        // Nobody reads on to there, and each search looks at all names.
        if self.unknown.len() > MOST_SEARCHED {
            return None;
        }
        let candidates = self.names.candidates(scope, reference);
        let near = suggest(&text(path), candidates.iter().map(|(name, _)| name.as_str()));
        if let Some((name, id)) = candidates.iter().find(|(name, _)| Some(name.as_str()) == near) {
            return Some(Nearest::SpelledAlike(name.clone(), *id));
        }
        // `catalog.shop`, as a DNS name has it: what is around a name stands before it.
        if let [name, around, ..] = path.segments.as_slice() {
            let turned = format!("{}.{}", around.value, name.value);
            if candidates.iter().any(|(name, _)| *name == turned) {
                return Some(Nearest::Elsewhere(vec![turned]));
            }
        }
        let last = path.segments.last()?;
        let elsewhere = self.names.elsewhere(&last.value, reference);
        let shown: Vec<_> = elsewhere.into_iter().take(MOST_SHOWN).collect();
        (!shown.is_empty()).then_some(Nearest::Elsewhere(shown))
    }

    /// Keeps a report about a name that leads nowhere, or to something of another kind. If a declaration is misspelt or was
    /// renamed, everything that refers to it fails, which is one mistake and one report with many places.
    pub(crate) fn unknown_once(&mut self, path: &ast::Path, scope: Option<EntityId>, diagnostic: Diagnostic) {
        self.once(self.root(path, scope), Unknown { diagnostic, renaming: None });
    }

    fn once(&mut self, name: String, unknown: Unknown) {
        let Some(Unknown { diagnostic: first, renaming }) = self.unknown.get_mut(&name) else {
            self.unknown.insert(name, unknown);
            return;
        };
        // The name that several places agree on is likelier right than that of the one declaration.
        if let Some(renaming) = renaming.take() {
            first.fix = Some(renaming);
        }
        // The first few show what there is to know.
        if first.secondary.len() < MOST_PLACES {
            let span = unknown.diagnostic.primary.span;
            first.secondary.push(Label { span, text: String::from("named here too") });
        }
    }

    /// The segment of a path at which it fails: the first that names nothing where it stands. If what is before it can
    /// contain nothing with a name, that is not what was meant either.
    fn root(&self, path: &ast::Path, scope: Option<EntityId>) -> String {
        let segments = path.segments.as_slice();
        let prefixes = (1..=segments.len()).filter_map(|length| segments.get(..length));
        let named = prefixes.take_while(|prefix| !self.names.find(prefix, scope).is_empty()).count();
        let mut at = named.min(segments.len().saturating_sub(1));
        let holds_names = |id: &EntityId| {
            let entity = self.names.get(*id);
            entity.is_some_and(|entity| entity.kind.blocks.iter().any(|nested| nested.kind.space.is_some()))
        };
        while at > 0
            && !self.names.find(segments.get(..at).unwrap_or_default(), scope).iter().any(holds_names)
        {
            at -= 1;
        }
        segments.get(at).map(|segment| segment.value.clone()).unwrap_or_default()
    }
}

/// Advice that gives the longer name, or names, of what has that name in another scope.
fn called(diagnostic: Diagnostic, span: Span, names: &[String]) -> Diagnostic {
    let shown: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let diagnostic = diagnostic.help(format!("from here it is called {}", describe::alternatives(&shown)));
    match names {
        [only] if only.split('.').all(is_plain) => {
            let title = format!("write `{only}`");
            diagnostic.fix(replace(span, &title, only.clone(), Applicability::Suggested))
        }
        _ => diagnostic,
    }
}

/// A path as it is written.
pub(crate) fn text(path: &ast::Path) -> String {
    let segments: Vec<_> =
        path.segments.iter().map(|segment: &Spanned<String>| segment.value.as_str()).collect();
    segments.join(".")
}

/// `service, client or gateway`
fn or(kinds: &[&str]) -> String {
    match kinds {
        [] => String::from("thing"),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
