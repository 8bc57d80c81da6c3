//! Variables that hide a word: where an attribute takes a word, a variable of that name would be taken instead.
#![expect(clippy::wildcard_enum_match_arm, reason = "only values that contain others are looked into")]

use std::rc::Rc;

use lang_diagnostics::{Diagnostic, Span, Spanned};
use lang_evaluate::schema::Type;
use lang_syntax::ast::{Attribute, Value, ValueKind};

use crate::codes;
use crate::items::Expander;
use crate::scope::{Named, Scope};

impl<'a> Expander<'a, '_> {
    /// Reports words of an attribute in whose place a variable is taken. Says whether there was one.
    pub(crate) fn hides_a_word(&mut self, attribute: &'a Attribute, scope: &Rc<Scope<'a>>) -> bool {
        let Some(around) = &self.around else { return false };
        let types = around.types(&attribute.name.value);
        let mut found = Vec::new();
        types.iter().for_each(|ty| words(&attribute.value, ty, &mut found));
        let mut hidden = false;
        for word in found {
            let Some(declared) = self.variable(&word.value, scope) else { continue };
            let (name, place) = (&word.value, scope.place(word.span));
            let message = match attribute.name.value.as_str() {
                // A block that is written by its value.
                "" => format!("`{name}` is a word that belongs here, and a variable hides it"),
                written => format!("`{name}` is a word of `{written}`, and a variable hides it"),
            };
            let known = |it: &Diagnostic| it.code == codes::HIDDEN_WORD && it.primary.span == place;
            if !self.sink.diagnostics().iter().any(known) {
                self.sink.push(
                    Diagnostic::error(codes::HIDDEN_WORD, place, message)
                        .label("the value of the variable would be taken")
                        .also(declared, "the variable is declared here")
                        .help(format!("give the variable another name: then `{name}` is the word here")),
                );
            }
            hidden = true;
        }
        hidden
    }

    /// Where the variable of that name is declared, if there is one: what a path of this one name would be replaced by.
    fn variable(&self, name: &str, scope: &Rc<Scope<'a>>) -> Option<Span> {
        let (named, declared, _) = scope.find(name)?;
        match named {
            Named::Value(_) | Named::Written(..) | Named::Entity(_) => Some(declared),
            Named::Imported(module, name, _) => match self.scopes.get(module)?.own(name)?.0 {
                Named::Value(_) | Named::Written(..) | Named::Entity(_) => Some(declared),
                Named::Template(_) | Named::Module(..) | Named::Imported(..) => None,
            },
            Named::Template(_) | Named::Module(..) => None,
        }
    }
}

/// The names in a value that are words of its type.
fn words<'v>(value: &'v Value, ty: &'static Type, found: &mut Vec<&'v Spanned<String>>) {
    match &value.kind {
        ValueKind::Path(path) => {
            if let [word] = path.segments.as_slice()
                && is_word(&word.value, ty)
            {
                found.push(word);
            }
        }
        ValueKind::Group(inner) => words(inner, ty, found),
        ValueKind::If(choice) => {
            words(&choice.then, ty, found);
            words(&choice.otherwise, ty, found);
        }
        ValueKind::List(elements) => {
            for of in entries(ty) {
                elements.iter().for_each(|element| words(element, of, found));
            }
        }
        ValueKind::Record(fields) | ValueKind::Tagged(_, fields) => {
            for field in fields {
                members(ty, &field.name.value).into_iter().for_each(|of| words(&field.value, of, found));
            }
        }
        _ => {}
    }
}

fn is_word(word: &str, ty: &'static Type) -> bool {
    ty.alternatives().into_iter().any(|ty| match ty {
        Type::Symbol(symbols) => symbols.iter().any(|symbol| symbol.word == word),
        Type::Tagged(tags) => tags.iter().any(|tag| tag.word == word),
        _ => false,
    })
}

/// What the entries of a list are.
fn entries(ty: &'static Type) -> Vec<&'static Type> {
    let of = |ty: &'static Type| if let Type::List { of, .. } = ty { Some(*of) } else { None };
    ty.alternatives().into_iter().filter_map(of).collect()
}

/// What the entry of that name takes in a record.
fn members(ty: &'static Type, name: &str) -> Vec<&'static Type> {
    let of = |attributes: &'static [lang_evaluate::schema::Attribute]| {
        attributes.iter().filter(|it| it.name == name).map(|it| &it.ty).collect::<Vec<_>>()
    };
    let within = |ty: &'static Type| match ty {
        Type::Record(attributes) => of(attributes),
        Type::Map { of, .. } => vec![*of],
        Type::Tagged(tags) => tags.iter().flat_map(|tag| of(tag.attributes)).collect(),
        _ => Vec::new(),
    };
    ty.alternatives().into_iter().flat_map(within).collect()
}
