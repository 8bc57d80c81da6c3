//! Loops and templates: text that is made several times.
#![expect(clippy::wildcard_enum_match_arm, reason = "what is no list is one case, whatever it is")]

use std::rc::Rc;

use lang_diagnostics::{Copied, CopyKind, Diagnostic, Span, Spanned, suggest};
use lang_syntax::ast::{self, Item, Value, ValueKind};

use crate::codes;
use crate::entities::plural_of;
use crate::items::Expander;
use crate::modules::list;
use crate::scope::{Named, Scope};
use crate::values::shown;

impl<'a> Expander<'a, '_> {
    /// `for name in list { … }`
    pub(crate) fn repeat(
        &mut self,
        repetition: &'a ast::For,
        span: Span,
        scope: &Rc<Scope<'a>>,
        out: &mut Vec<Item>,
    ) {
        let at = scope.place(span);
        for named in self.elements(&repetition.over, scope) {
            let value = match &named {
                Named::Value(value) => shown(value),
                Named::Entity(entity) => entity.path.join("."),
                Named::Written(..) | Named::Template(_) | Named::Module(..) | Named::Imported(..) => continue,
            };
            let name = format!("`{} = {value}`", repetition.variable.value);
            let header = repetition.variable.span.to(repetition.over.span);
            let at = Span { end: header.end, ..at };
            let copied = Copied { of: at.file, kind: CopyKind::Element, name: name.into(), at };
            let Some(inner) = self.deeper(scope, Some(copied), span) else { return };
            // The scope is new, so that nothing is there yet.
            let _ = inner.declare(&repetition.variable.value, named, inner.place(repetition.variable.span));
            let Some(inner) = self.deeper(&inner, None, span) else { return };
            self.bindings(&repetition.body, &inner);
            self.items(&repetition.body, &inner, false, out);
        }
    }

    /// What a loop goes over: the elements of a list, or what is declared of a kind.
    fn elements(&mut self, over: &'a Value, scope: &Rc<Scope<'a>>) -> Vec<Named<'a>> {
        if let ValueKind::Path(path) = &over.kind
            && let [word] = path.segments.as_slice()
            // A module or template is no list, so that `use std.clusters` hides no kind.
            && !matches!(
                scope.find(&word.value),
                Some((Named::Value(_) | Named::Written(..) | Named::Entity(_) | Named::Imported(..), ..))
            )
        {
            if let Some(kind) = plural_of(self.schema, &word.value) {
                self.asked = true;
                let declared = self.entities.get(kind).cloned().unwrap_or_default();
                return declared.into_iter().map(Named::Entity).collect();
            }
            let kinds = crate::entities::plurals(self.schema);
            let message = format!("there is no list `{}`", word.value);
            let diagnostic = Diagnostic::error(codes::NOT_A_LIST, scope.place(word.span), message)
                .label("neither a variable nor a kind");
            let kinds: Vec<&str> = kinds.iter().map(|(plural, _)| plural.as_str()).collect();
            let names: Vec<&str> = scope.names().into_iter().map(|(name, _)| name).collect();
            self.sink.push(match suggest(&word.value, names.into_iter().chain(kinds.iter().copied())) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!("write a list, the name of one, or one of {}", list(&kinds))),
            });
            return Vec::new();
        }
        let value = self.value(over, scope);
        match value.kind {
            ValueKind::List(elements) => {
                elements.into_iter().map(|element| Named::Value(Rc::new(element))).collect()
            }
            ValueKind::Invalid => Vec::new(),
            _ => {
                let place = scope.place(over.span);
                self.not_a_list(&value, place);
                Vec::new()
            }
        }
    }

    pub(crate) fn not_a_list(&mut self, value: &Value, place: Span) {
        let message = format!("a list is needed here, and this is {}", crate::types::form(value));
        let mut diagnostic = Diagnostic::error(codes::NOT_A_LIST, place, message).label("expected a list");
        if value.span != place {
            diagnostic = diagnostic.also(value.span, "the value is written here");
        }
        self.sink.push(diagnostic);
    }

    /// `apply name(…)`
    pub(crate) fn apply(
        &mut self,
        apply: &'a ast::Apply,
        span: Span,
        scope: &Rc<Scope<'a>>,
        out: &mut Vec<Item>,
    ) {
        let Some((template, home)) = self.template(apply, scope) else { return };
        let at = scope.place(span);
        if let Some(first) = self.applying.iter().position(|(other, _)| std::ptr::eq(*other, template)) {
            return self.template_circle(first, template, at);
        }
        let name = format!("template `{}`", template.name.value);
        let of = template.name.span.file;
        let copied = Copied { of, kind: CopyKind::Template, name: name.into(), at };
        let Some(inner) = self.deeper(&home, Some(copied), span) else { return };
        if !self.arguments(template, apply, scope, &inner) {
            return;
        }
        let Some(body) = self.deeper(&inner, None, span) else { return };
        self.bindings(&template.body, &body);
        self.applying.push((template, at));
        self.items(&template.body, &body, false, out);
        self.applying.pop();
    }

    /// The template of a name, and the scope around it.
    fn template(
        &mut self,
        apply: &'a ast::Apply,
        scope: &Rc<Scope<'a>>,
    ) -> Option<(&'a ast::Template, Rc<Scope<'a>>)> {
        let (first, rest) = apply.template.segments.split_first()?;
        let found = scope.find(&first.value);
        match (found, rest) {
            (Some((Named::Template(template), _, home)), []) => return Some((template, home)),
            (Some((Named::Imported(module, name, needed), ..)), []) => {
                needed.set(true);
                let home = self.scopes.get(module)?.clone();
                if let Some((Named::Template(template), _)) = home.own(name) {
                    return Some((template, home));
                }
            }
            (Some((Named::Module(module, needed), ..)), [name]) => {
                needed.set(true);
                let home = self.scopes.get(module)?.clone();
                match home.own(&name.value) {
                    Some((Named::Template(template), _)) => return Some((template, home)),
                    Some(_) => {}
                    None => {
                        let name = Spanned::new(name.value.clone(), scope.place(name.span));
                        self.no_member(module, &name);
                        return None;
                    }
                }
            }
            // It was to come from a module that does not have it.
            (Some((Named::Value(value), ..)), []) if value.kind == ValueKind::Invalid => return None,
            _ => {}
        }
        let name: Vec<_> = apply.template.segments.iter().map(|segment| segment.value.as_str()).collect();
        let name = name.join(".");
        let templates: Vec<String> = self.templates(scope);
        let message = format!("there is no template `{name}`");
        let place = scope.place(apply.place);
        let diagnostic = Diagnostic::error(codes::UNKNOWN_TEMPLATE, place, message).label("not declared");
        self.sink.push(match suggest(&name, templates.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("declare it by `template`, or take it in by `use`"),
        });
        None
    }

    /// Every template that can be applied here, by its name.
    fn templates(&self, scope: &Rc<Scope<'a>>) -> Vec<String> {
        let mut found = Vec::new();
        for (name, named) in scope.names() {
            match named {
                Named::Template(_) | Named::Imported(..) => found.push(name.to_owned()),
                Named::Module(module, _) => {
                    let inner = self.scopes.get(module).map(|scope| scope.names()).unwrap_or_default();
                    let inner = inner.into_iter().filter(|(_, named)| matches!(named, Named::Template(_)));
                    found.extend(inner.map(|(inner, _)| format!("{name}.{inner}")));
                }
                Named::Written(..) | Named::Value(_) | Named::Entity(_) => {}
            }
        }
        found
    }

    fn template_circle(&mut self, first: usize, template: &ast::Template, at: Span) {
        let message = format!("template `{}` applies itself", template.name.value);
        let mut diagnostic = Diagnostic::error(codes::CIRCLE, at, message).label("this closes the circle");
        for (inner, place) in self.applying.iter().skip(first + 1) {
            diagnostic = diagnostic.also(*place, format!("applies `{}`", inner.name.value));
        }
        self.sink.push(
            diagnostic
                .also(template.name.span, "declared here")
                .help("there is no recursion: go over a list by `for`"),
        );
    }
}
