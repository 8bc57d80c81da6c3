//! Arguments: which parameter of a template takes which value.

use std::rc::Rc;

use lang_diagnostics::{Diagnostic, Span, Spanned, suggest};
use lang_syntax::ast;

use crate::codes;
use crate::items::Expander;
use crate::modules::list;
use crate::scope::{Named, Scope};

/// An argument of a parameter.
struct Given<'a> {
    argument: &'a ast::Argument,
    /// Its name, or the whole of it.
    place: Span,
}

impl<'a> Expander<'a, '_> {
    /// Enters the parameters of a template. Says whether all have a value.
    pub(crate) fn arguments(
        &mut self,
        template: &'a ast::Template,
        apply: &'a ast::Apply,
        outer: &Rc<Scope<'a>>,
        inner: &Rc<Scope<'a>>,
    ) -> bool {
        let (given, unknown) = self.sorted(template, apply, outer);
        let mut complete = !unknown;
        let mut missing = Vec::new();
        for (index, (parameter, given)) in template.parameters.iter().zip(&given).enumerate() {
            let name = &parameter.name;
            let mut before = template.parameters.iter().take(index);
            if let Some(first) = before.find(|other| other.name.value == name.value) {
                self.sink.push(
                    Diagnostic::error(
                        codes::CLASH,
                        name.span,
                        format!("`{}` is declared twice in one place", name.value),
                    )
                    .label("declared again")
                    .also(first.name.span, "declared here")
                    .help("give one of them another name"),
                );
                continue;
            }
            let value = match (given, &parameter.default) {
                (Some(given), _) => self.value(&given.argument.value, outer),
                (None, Some(default)) => self.value(default, inner),
                // What is given in no place that is right was probably meant for it.
                (None, None) if unknown => continue,
                (None, None) => {
                    missing.push(name);
                    continue;
                }
            };
            let Some(value) = self.taken(&value, &parameter.ty, (&name.value, name.span), inner) else {
                complete = false;
                continue;
            };
            // The scope is new, and no other parameter has the name.
            let _ = inner.declare(&name.value, Named::Value(Rc::new(value)), name.span);
        }
        if !missing.is_empty() {
            self.missing_arguments(template, outer.place(apply.place), &missing);
            complete = false;
        }
        complete
    }

    /// Parameters without a default that get no value: one report, however many they are.
    fn missing_arguments(&mut self, template: &ast::Template, place: Span, missing: &[&Spanned<String>]) {
        let names: Vec<&str> = missing.iter().map(|name| name.value.as_str()).collect();
        let names = list(&names);
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let message = format!("template `{}` needs {names}", template.name.value);
        let diagnostic = Diagnostic::error(codes::ARGUMENT, place, message)
            .label(format!("{names} {verb} missing"))
            .help(format!("add {}", missing_form(missing)));
        self.sink.push(
            missing.iter().fold(diagnostic, |diagnostic, name| diagnostic.also(name.span, "declared here")),
        );
    }

    /// The argument of each parameter, and whether some were no parameter's.
    fn sorted(
        &mut self,
        template: &'a ast::Template,
        apply: &'a ast::Apply,
        outer: &Rc<Scope<'a>>,
    ) -> (Vec<Option<Given<'a>>>, bool) {
        let mut sorted: Vec<Option<Given<'a>>> = template.parameters.iter().map(|_| None).collect();
        let mut unknown = false;
        let mut named: Option<&Spanned<String>> = None;
        for (position, argument) in apply.arguments.iter().enumerate() {
            let place = outer.place(argument.name.as_ref().map_or(argument.span, |name| name.span));
            let index = match (&argument.name, named) {
                (Some(name), _) => {
                    named = named.or(Some(name));
                    let found = template.parameters.iter().position(|one| one.name.value == name.value);
                    if found.is_none() {
                        self.unknown_argument(template, name, outer);
                    }
                    found
                }
                (None, Some(first)) => {
                    self.behind_named(template, apply, place, outer.place(first.span));
                    None
                }
                (None, None) if position < template.parameters.len() => Some(position),
                (None, None) => {
                    self.too_many(template, position, place);
                    None
                }
            };
            let Some((parameter, slot)) =
                index.and_then(|index| template.parameters.get(index).zip(sorted.get_mut(index)))
            else {
                unknown = true;
                continue;
            };
            match slot {
                Some(first) => {
                    let message = format!("`{}` is given twice", parameter.name.value);
                    self.sink.push(
                        Diagnostic::error(codes::ARGUMENT, place, message)
                            .label("given again")
                            .also(first.place, "given here")
                            .help("keep one of the two"),
                    );
                }
                None => *slot = Some(Given { argument, place }),
            }
        }
        (sorted, unknown)
    }

    fn too_many(&mut self, template: &ast::Template, position: usize, place: Span) {
        // Those behind it are too many as well.
        let most = template.parameters.len();
        if position > most {
            return;
        }
        let message = match most {
            0 => format!("template `{}` takes no parameters", template.name.value),
            1 => format!("template `{}` takes one argument", template.name.value),
            most => format!("template `{}` takes {most} arguments", template.name.value),
        };
        let names: Vec<&str> = template.parameters.iter().map(|one| one.name.value.as_str()).collect();
        let diagnostic = Diagnostic::error(codes::ARGUMENT, place, message)
            .label("this one is too many")
            .also(template.name.span, "declared here");
        self.sink.push(if names.is_empty() {
            diagnostic.help("remove it")
        } else {
            diagnostic.help(format!("it takes {}", list(&names)))
        });
    }

    fn behind_named(&mut self, template: &ast::Template, apply: &ast::Apply, place: Span, first: Span) {
        let diagnostic =
            Diagnostic::error(codes::ARGUMENT, place, "a value without a name is behind one with a name")
                .label("which parameter takes it?")
                .also(first, "the first one with a name");
        let in_place = apply.arguments.iter().take_while(|argument| argument.name.is_none()).count();
        let named = |name: &str| {
            apply.arguments.iter().filter_map(|argument| argument.name.as_ref()).any(|one| one.value == name)
        };
        let mut free = template.parameters.iter().skip(in_place);
        self.sink.push(match free.find(|parameter| !named(&parameter.name.value)) {
            Some(parameter) => diagnostic.help(format!("write `{} = …`", parameter.name.value)),
            None => diagnostic.help("remove it: each parameter has its argument"),
        });
    }

    fn unknown_argument(&mut self, template: &ast::Template, name: &Spanned<String>, scope: &Rc<Scope<'a>>) {
        let message = format!("template `{}` does not accept `{}`", template.name.value, name.value);
        let diagnostic = Diagnostic::error(codes::ARGUMENT, scope.place(name.span), message)
            .label("not a parameter")
            .also(template.name.span, "declared here");
        let names: Vec<&str> = template.parameters.iter().map(|one| one.name.value.as_str()).collect();
        self.sink.push(match suggest(&name.value, names.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => diagnostic.help("it takes no parameters"),
            None => diagnostic.help(format!("it takes {}", list(&names))),
        });
    }
}

/// How missing arguments are written.
fn missing_form(missing: &[&Spanned<String>]) -> String {
    let each: Vec<String> = missing.iter().map(|name| format!("{} = …", name.value)).collect();
    format!("`{}`", each.join(", "))
}
