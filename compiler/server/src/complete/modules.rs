//! What has a name in a file: variables, templates, modules and what is in them.

use std::collections::BTreeSet;
use std::path::Path;

use lang_diagnostics::{Span, Spanned};
use lang_evaluate::schema::{Reference, Type};
use lang_syntax::ast::{self, TypeKind};
use ls_types::{CompletionItem, CompletionItemKind};
use meshc_driver::FileSystem;

use super::{Completer, DEEPEST, MOST, documentation};
use crate::scopes::{Binder, Binding};
use crate::text::{ALONE, Text};
use crate::{hover, kinds, names};

impl Completer<'_, '_> {
    /// What has a value and a name at the place.
    pub(super) fn variables(&mut self) {
        if let Some(module) = self.cursor.before.first().cloned() {
            if self.cursor.before.len() == 1 {
                self.members(&module, &[Binder::Let, Binder::Input]);
            }
            return;
        }
        let visible: Vec<Binding> = self
            .view
            .text
            .scopes()
            .visible(self.offset)
            .filter(|(_, binding)| binding.binder != Binder::Template)
            .map(|(_, binding)| binding.clone())
            .collect();
        for binding in visible {
            self.binding(&binding, self.view.text);
        }
    }

    fn binding(&mut self, binding: &Binding, text: &Text) {
        let kind = match binding.binder {
            Binder::Let | Binder::Input | Binder::Variable | Binder::Parameter => {
                CompletionItemKind::VARIABLE
            }
            Binder::Template => CompletionItemKind::FUNCTION,
            Binder::Module => CompletionItemKind::MODULE,
            Binder::Imported => CompletionItemKind::FUNCTION,
        };
        let first = text.at(binding.item).lines().next().unwrap_or_default().to_owned();
        let said = binding.documentation.clone().unwrap_or_default();
        let item = CompletionItem {
            label: binding.name.clone(),
            kind: Some(kind),
            detail: Some(format!("{}: {first}", binding.binder.word())),
            documentation: documentation(said),
            ..CompletionItem::default()
        };
        let snippet = match binding.binder {
            Binder::Template => format!("{}($0)", binding.name),
            Binder::Let
            | Binder::Input
            | Binder::Variable
            | Binder::Parameter
            | Binder::Module
            | Binder::Imported => binding.name.clone(),
        };
        self.add(item, &snippet);
    }

    /// The file that a module's name stands for at the place.
    fn module_text(&self, name: &str) -> Option<Text> {
        let (_, binding) = self.view.text.scopes().named(name, self.offset)?;
        let (source, _) = binding.from.as_ref()?;
        self.text_of(source)
    }

    fn text_of(&self, source: &ast::Source) -> Option<Text> {
        match names::module(self.view, self.view.path, source) {
            Some(file) => Some(Text::new(self.view.sources()?.get(file)?.text())),
            None => match source {
                ast::Source::Module(path) => {
                    let name = &path.segments.get(1)?.value;
                    Some(Text::new(crate::world::standard_text(&format!("{name}.mesh"))?))
                }
                ast::Source::File(file) => self.view.world.text(&self.view.path.parent()?.join(&file.value)),
            },
        }
    }

    fn members(&mut self, module: &str, binders: &[Binder]) {
        let Some(text) = self.module_text(module) else { return };
        let members: Vec<Binding> = text.scopes().bindings.clone();
        for binding in members.iter().filter(|binding| binders.contains(&binding.binder)) {
            self.binding(binding, &text);
        }
    }

    /// The names that can be taken from a module: `use std.access { … }`.
    pub(super) fn members_of(&mut self, module: &[String]) {
        let span = Span::new(ALONE, 0, 0);
        let source = match module {
            [file] => ast::Source::File(Spanned::new(file.clone(), span)),
            names => ast::Source::Module(ast::Path {
                segments: names.iter().map(|name| Spanned::new(name.clone(), span)).collect(),
            }),
        };
        let Some(text) = self.text_of(&source) else { return };
        let members: Vec<Binding> = text.scopes().bindings.clone();
        for binding in &members {
            if matches!(binding.binder, Binder::Let | Binder::Input | Binder::Template) {
                let said = binding.documentation.clone().unwrap_or_default();
                self.word(&binding.name, CompletionItemKind::FUNCTION, binding.binder.word(), said);
            }
        }
    }

    pub(super) fn templates(&mut self) {
        if let [module] = self.cursor.before.as_slice() {
            let module = module.clone();
            return self.members(&module, &[Binder::Template]);
        }
        let visible: Vec<Binding> = self
            .view
            .text
            .scopes()
            .visible(self.offset)
            .filter(|(_, binding)| {
                matches!(binding.binder, Binder::Template | Binder::Module | Binder::Imported)
            })
            .map(|(_, binding)| binding.clone())
            .collect();
        for binding in visible {
            self.binding(&binding, self.view.text);
        }
    }

    /// A template and the text that it is in.
    fn template(&self, path: &[String]) -> Option<(Binding, Text)> {
        let here = self.view.text.scopes();
        let (name, text) = match path {
            [name] => match here.named(name, self.offset)?.1 {
                Binding { binder: Binder::Template, .. } => (name, Text::new(self.view.text.text.as_str())),
                Binding { from: Some((source, Some(there))), .. } => {
                    let text = self.text_of(source)?;
                    let found = text.scopes().bindings.iter().find(|own| own.name == *there)?.clone();
                    return Some((found, text));
                }
                Binding { .. } => return None,
            },
            [module, name] => (name, self.module_text(module)?),
            _ => return None,
        };
        let templates = text.scopes().bindings.iter().filter(|own| own.binder == Binder::Template);
        let found = templates.into_iter().find(|own| own.name == *name)?.clone();
        Some((found, text))
    }

    pub(super) fn arguments(&mut self, template: &[String]) {
        let Some((template, text)) = self.template(template) else { return };
        for parameter in &template.parameters {
            let Some(parameter) = text.scopes().bindings.get(*parameter) else { continue };
            let item = CompletionItem {
                label: parameter.name.clone(),
                kind: Some(CompletionItemKind::PROPERTY),
                detail: Some(text.at(parameter.item).to_owned()),
                ..CompletionItem::default()
            };
            let has_value = self.is_followed_by_equals();
            let snippet = if has_value { parameter.name.clone() } else { format!("{} = $0", parameter.name) };
            self.add(item, &snippet);
        }
    }

    /// What the parameter in a place takes, for a value without a name.
    pub(super) fn argument_in_place(&mut self, template: &[String], position: usize) {
        let Some((template, text)) = self.template(template) else { return };
        let own = template.parameters.get(position).and_then(|own| text.scopes().bindings.get(*own));
        if let Some(ty) = own.and_then(|parameter| parameter.ty.clone()) {
            self.typed(&ty);
            self.variables();
        }
    }

    pub(super) fn parameter_type(&self, template: &[String], name: &str) -> Option<ast::Type> {
        let (template, text) = self.template(template)?;
        let mut all = template.parameters.iter().filter_map(|own| text.scopes().bindings.get(*own));
        all.find(|parameter| parameter.name == name)?.ty.clone()
    }

    /// What the type of a parameter takes.
    pub(super) fn typed(&mut self, ty: &ast::Type) {
        match &ty.kind {
            TypeKind::List(inner) => self.typed(inner),
            TypeKind::Named(word, values) => match word.value.as_str() {
                "boolean" => self.of_type(&Type::Boolean),
                "duration" => self.of_type(&Type::Duration),
                "rate" => self.of_type(&Type::Rate),
                "size" => self.of_type(&Type::Size),
                "percentage" => self.of_type(&Type::Percentage),
                "one_of" => {
                    for value in values {
                        let text = meshc_driver::written(value);
                        self.word(&text, CompletionItemKind::ENUM_MEMBER, "", "");
                    }
                }
                "integer" | "decimal" | "string" | "address" | "address_range" | "record" => {}
                word => {
                    match kinds::all().into_iter().map(|nested| nested.kind).find(|kind| kind.word == word) {
                        Some(kind) => self.references(&Reference::to(std::slice::from_ref(&kind.word))),
                        None => self.any_reference(),
                    }
                }
            },
            TypeKind::Invalid => {}
        }
    }

    pub(super) fn types(&mut self) {
        let words = [
            ("boolean", "`true` or `false`"),
            ("integer", "a whole number; `integer(1, 10)` with bounds"),
            ("decimal", "a number with decimals"),
            ("duration", "a duration such as `20s`"),
            ("rate", "a rate such as `10/min`"),
            ("size", "a size such as `64KiB`"),
            ("percentage", "a percentage such as `5%`"),
            ("string", "a string; `string(\"[a-z]+\")` of the form of a regular expression"),
            ("address", "an IP address"),
            ("address_range", "an address range such as `192.0.2.0/24`"),
            ("one_of", "one of these words: `one_of(a, b)`"),
            ("name", "a name, or a string that is one"),
            ("record", "a record"),
            ("any", "any value"),
        ];
        for (word, said) in words {
            self.word(word, CompletionItemKind::TYPE_PARAMETER, "", said);
        }
        for nested in kinds::all().into_iter().filter(|nested| nested.kind.space.is_some()) {
            self.word(nested.kind.word, CompletionItemKind::TYPE_PARAMETER, "the name of one", "");
        }
    }

    /// What a loop goes over: lists that have names, and everything declared of a kind.
    pub(super) fn over(&mut self) {
        self.variables();
        let words: BTreeSet<&str> = kinds::all()
            .into_iter()
            .filter(|nested| nested.kind.space.is_some())
            .map(|nested| nested.kind.word)
            .collect();
        for word in words {
            let plural = match word.strip_suffix('y') {
                Some(stem) => format!("{stem}ies"),
                None => format!("{word}s"),
            };
            self.word(&plural, CompletionItemKind::KEYWORD, &format!("every {word}"), "");
        }
    }

    /// What can be taken in: modules of the standard library, and files beside this one.
    pub(super) fn modules(&mut self) {
        match self.cursor.before.as_slice() {
            [] => {
                if !self.cursor.in_text {
                    for (name, text) in meshc_stdlib::MODULES {
                        let said = hover::module_documentation(text);
                        self.word(&format!("std.{name}"), CompletionItemKind::MODULE, "", said);
                    }
                }
                let Some(directory) = self.view.path.parent() else { return };
                let mut files = Vec::new();
                below(self.view.world, directory, "", DEEPEST, &mut files);
                for file in files {
                    if self.view.path != directory.join(&file) {
                        self.word(&format!("\"{file}\""), CompletionItemKind::FILE, "", "");
                    }
                }
            }
            [std] if std == "std" => {
                for (name, text) in meshc_stdlib::MODULES {
                    let said = hover::module_documentation(text);
                    self.word(name, CompletionItemKind::MODULE, "", said);
                }
            }
            _ => {}
        }
    }
}

/// The meshes in a directory and below.
fn below(files: &dyn FileSystem, directory: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) {
    for name in files.list(directory).unwrap_or_default() {
        if name.starts_with('.') || found.len() >= MOST {
            continue;
        }
        let path = directory.join(&name);
        match files.kind(&path) {
            Ok(Some(meshc_driver::FileKind::Directory)) if depth > 0 => {
                below(files, &path, &format!("{prefix}{name}/"), depth - 1, found);
            }
            Ok(Some(meshc_driver::FileKind::File)) if name.ends_with(".mesh") => {
                found.push(format!("{prefix}{name}"));
            }
            Ok(_) | Err(_) => {}
        }
    }
}
