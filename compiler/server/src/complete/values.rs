//! What values may be: words, names of what is declared, numbers with units.

use std::collections::BTreeSet;

use lang_diagnostics::{Span, Spanned};
use lang_evaluate::schema::{Kind, Presence, Reference, Type};
use ls_types::{CompletionItem, CompletionItemKind};

use super::{Completer, documentation, quoted};
use crate::cursor::Frame;
use crate::kinds::{self, Around};
use crate::text::ALONE;

impl Completer<'_, '_> {
    /// What an attribute takes.
    pub(super) fn value(&mut self, around: Around, name: &str) {
        if let Some(Frame::Arguments(template)) = self.cursor.frames.last().cloned() {
            if let Some(ty) = self.parameter_type(&template, name) {
                self.typed(&ty);
            }
        } else if let Some(ty) = kinds::attribute_type(around, name) {
            for part in ty.parts() {
                self.of_type(part);
            }
            if let (Some(attribute), true) = (kinds::assigned(around, name), self.cursor.before.is_empty())
                && let Presence::Default(constant) = attribute.presence
            {
                let text = kinds::constant_text(constant);
                if self.items.iter().all(|item| item.label != text) {
                    self.word(&text, CompletionItemKind::VALUE, "default", "");
                }
            }
        } else {
            self.any_reference();
        }
        self.variables();
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other types take what cannot be listed")]
    pub(super) fn of_type(&mut self, ty: &'static Type) {
        let alone = self.cursor.before.is_empty();
        match ty {
            Type::Boolean if alone => {
                for word in ["true", "false"] {
                    self.word(word, CompletionItemKind::KEYWORD, "", "");
                }
            }
            Type::Symbol(symbols) if alone => {
                for symbol in *symbols {
                    self.word(symbol.word, CompletionItemKind::ENUM_MEMBER, "", symbol.documentation);
                }
            }
            Type::Tagged(tags) if alone => {
                for tag in *tags {
                    let item = CompletionItem {
                        label: tag.word.to_owned(),
                        kind: Some(CompletionItemKind::ENUM_MEMBER),
                        documentation: documentation(tag.documentation),
                        ..CompletionItem::default()
                    };
                    let snippet = if tag.attributes.is_empty() {
                        tag.word.to_owned()
                    } else {
                        format!("{} {{ $0 }}", tag.word)
                    };
                    self.add(item, &snippet);
                }
            }
            Type::Reference(reference) | Type::Call(reference, _) => self.references(reference),
            Type::Instance(of, place) => {
                self.references(of);
                self.references(place);
            }
            Type::Duration => self.units(&[
                ("ms", "milliseconds"),
                ("s", "seconds"),
                ("m", "minutes"),
                ("h", "hours"),
                ("d", "days"),
                ("y", "years of 365 days"),
            ]),
            Type::Rate => self.units(&[
                ("/s", "a second"),
                ("/min", "a minute"),
                ("/h", "an hour"),
                ("/d", "a day"),
                ("/w", "a week"),
                ("/mo", "a month of 30 days"),
                ("/y", "a year of 365 days"),
            ]),
            Type::Size => self.units(&[
                ("B", "bytes"),
                ("KiB", "1024 bytes"),
                ("MiB", "1024 KiB"),
                ("GiB", "1024 MiB"),
                ("TiB", "1024 GiB"),
                ("kB", "1000 bytes"),
                ("MB", "1000 kB"),
                ("GB", "1000 MB"),
                ("TB", "1000 GB"),
            ]),
            Type::Percentage | Type::WholePercentage => self.units(&[("%", "percent")]),
            _ => {}
        }
    }

    /// The number before the place with each unit.
    fn units(&mut self, units: &[(&str, &str)]) {
        let text = self.view.text.text.get(self.cursor.start..self.offset).unwrap_or_default();
        let digits: String =
            text.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | '_')).collect();
        if digits.is_empty() {
            return;
        }
        for (unit, said) in units {
            self.word(&format!("{digits}{unit}"), CompletionItemKind::UNIT, said, "");
        }
    }

    /// The names of what fits a reference, behind the names that are written already.
    pub(super) fn references(&mut self, reference: &Reference) {
        let Some(declarations) = self.view.declarations() else { return };
        let before = self.path_before();
        if before.is_empty() {
            let scope = self.view.scope(self.offset);
            let mut names = declarations.candidates(scope, reference);
            // The shortest name of each.
            names.sort_by_key(|(name, id)| (*id, name.len()));
            names.dedup_by_key(|(_, id)| *id);
            for (name, id) in names {
                let kind = declarations.entity(id).kind.word;
                self.reference(&name, kind, &declarations.qualified(id));
            }
            return;
        }
        self.inside(&before, Some(reference));
    }

    fn reference(&mut self, name: &str, kind: &str, qualified: &str) {
        let written: Vec<String> = name.split('.').map(quoted).collect();
        let item = CompletionItem {
            label: name.to_owned(),
            kind: Some(CompletionItemKind::REFERENCE),
            detail: Some(format!("{kind} {qualified}")),
            ..CompletionItem::default()
        };
        self.add(item, &written.join("."));
    }

    /// What is declared in what the names before the place lead to.
    fn inside(&mut self, before: &[Spanned<String>], reference: Option<&Reference>) {
        let Some(declarations) = self.view.declarations() else { return };
        let owners = declarations.find(before, self.view.scope(self.offset));
        let fits = |kind: &Kind| match reference {
            None => true,
            Some(reference) => {
                let leads = kind.blocks.iter().any(|nested| reference.kinds.contains(&nested.kind.word));
                reference.kinds.contains(&kind.word) || reference.part == Some(kind.word) || leads
            }
        };
        let inner: BTreeSet<(String, &str, String)> = declarations
            .entities()
            .filter(|(_, entity)| {
                entity.parent.is_some_and(|parent| owners.contains(&parent)) && fits(entity.kind)
            })
            .map(|(id, entity)| (entity.name.clone(), entity.kind.word, declarations.qualified(id)))
            .collect();
        for (name, kind, qualified) in inner {
            self.reference(&name, kind, &qualified);
        }
    }

    fn path_before(&self) -> Vec<Spanned<String>> {
        let span = Span::new(ALONE, self.cursor.start, self.cursor.start);
        self.cursor.before.iter().map(|name| Spanned::new(name.clone(), span)).collect()
    }

    pub(super) fn any_reference(&mut self) {
        let before = self.path_before();
        if !before.is_empty() {
            return self.inside(&before, None);
        }
        let Some(declarations) = self.view.declarations() else { return };
        let top: Vec<(String, &str)> = declarations
            .entities()
            .filter(|(_, entity)| entity.parent.is_none())
            .map(|(_, entity)| (entity.name.clone(), entity.kind.word))
            .collect();
        for (name, kind) in top {
            self.reference(&name, kind, &name.clone());
        }
    }
}
