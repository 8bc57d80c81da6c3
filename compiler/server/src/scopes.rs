//! What `let`, `input`, `template`, `for` and `use` give names to in one file, and where these names stand. Names of what is
//! declared (services, clusters and so on) are not here: evaluation resolves those.

use std::collections::BTreeMap;

use lang_diagnostics::{Span, Spanned};
use lang_syntax::ast::{self, FormKind, Item, Source, StringPart, TypeKind, Value, ValueKind};

/// What gives something its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Binder {
    Let,
    Input,
    Parameter,
    Variable,
    Template,
    Module,
    Imported,
}

impl Binder {
    /// How hover and completion call it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Let => "let",
            Self::Input => "input",
            Self::Parameter => "parameter",
            Self::Variable => "for",
            Self::Template => "template",
            Self::Module => "use",
            Self::Imported => "imported",
        }
    }
}

/// A name that a file declares.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) binder: Binder,
    pub(crate) name: String,
    /// The name; for a module without `as`, what names its source.
    pub(crate) span: Span,
    /// The whole item, whose text says what it is.
    pub(crate) item: Span,
    pub(crate) documentation: Option<String>,
    /// Where it can be used.
    pub(crate) visible: Span,
    /// What a module or an imported name is taken from, and its name there.
    pub(crate) from: Option<(Source, Option<String>)>,
    /// The parameters of a template, by their place among all names.
    pub(crate) parameters: Vec<usize>,
    /// What a parameter or an input takes.
    pub(crate) ty: Option<ast::Type>,
}

/// What a name in the text stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A name of this file, by its place among them.
    Own(usize),
    /// A name of a module that one of this file's names stands for: that, the name, and perhaps a parameter of it.
    Member(usize, String, Option<String>),
    /// The module that one of this file's names is taken from.
    Source(usize),
}

/// The names of a file and their uses.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    pub(crate) bindings: Vec<Binding>,
    /// In the order of the text.
    pub(crate) uses: Vec<(Span, Meaning)>,
}

impl Scopes {
    /// What stands for a name at a place.
    pub(crate) fn visible(&self, offset: usize) -> impl Iterator<Item = (usize, &Binding)> {
        let here = move |binding: &&Binding| {
            (binding.visible.start as usize..=binding.visible.end as usize).contains(&offset)
        };
        self.bindings.iter().enumerate().filter(move |(_, binding)| here(binding))
    }

    /// The name that stands for something at a place, the innermost first.
    pub(crate) fn named(&self, name: &str, offset: usize) -> Option<(usize, &Binding)> {
        let fitting = self.visible(offset).filter(|(_, binding)| binding.name == name);
        fitting.max_by_key(|(_, binding)| binding.visible.start)
    }

    /// What is named or declared at a place.
    pub(crate) fn at(&self, offset: usize) -> Option<(Span, Meaning)> {
        let here = |span: &Span| crate::text::touches(*span, offset);
        let used = self.uses.iter().find(|(span, _)| here(span)).cloned();
        used.or_else(|| {
            let own = self.bindings.iter().position(|binding| here(&binding.span))?;
            Some((self.bindings.get(own)?.span, Meaning::Own(own)))
        })
    }
}

/// Finds the names of a file.
pub(crate) fn of(tree: &ast::File) -> Scopes {
    let mut walk = Walk { found: Scopes::default(), scopes: Vec::new() };
    walk.body(&tree.items, tree.span, true);
    walk.found.uses.sort_by_key(|(span, _)| *span);
    walk.found
}

struct Walk<'t> {
    found: Scopes,
    scopes: Vec<BTreeMap<&'t str, usize>>,
}

impl<'t> Walk<'t> {
    fn declare(&mut self, name: &'t Spanned<String>, binder: Binder, item: Span, visible: Span) -> usize {
        let index = self.found.bindings.len();
        self.found.bindings.push(Binding {
            binder,
            name: name.value.clone(),
            span: name.span,
            item,
            documentation: None,
            visible,
            from: None,
            parameters: Vec::new(),
            ty: None,
        });
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(&name.value, index);
        }
        index
    }

    fn binding(&mut self, index: usize, change: impl FnOnce(&mut Binding)) {
        if let Some(binding) = self.found.bindings.get_mut(index) {
            change(binding);
        }
    }

    fn body(&mut self, items: &'t [Item], visible: Span, top: bool) {
        self.scopes.push(BTreeMap::new());
        for form in items.iter().filter_map(as_form) {
            let documentation = form.documentation.as_ref().map(|text| text.value.clone());
            match &form.kind {
                FormKind::Let(binding) => {
                    let index = self.declare(&binding.name, Binder::Let, form.span, visible);
                    self.binding(index, |binding| binding.documentation = documentation);
                }
                FormKind::Input(parameter) if top => {
                    let index = self.declare(&parameter.name, Binder::Input, form.span, visible);
                    self.binding(index, |binding| {
                        binding.documentation = documentation;
                        binding.ty = Some(parameter.ty.clone());
                    });
                }
                FormKind::Template(template) if top => self.template(template, form, visible, documentation),
                FormKind::Use(import) if top => self.import(import, form.span, visible),
                FormKind::Input(_)
                | FormKind::Template(_)
                | FormKind::Use(_)
                | FormKind::For(_)
                | FormKind::Apply(_)
                | FormKind::Assert(_)
                | FormKind::Override(_) => {}
            }
        }
        items.iter().for_each(|item| self.item(item));
        self.scopes.pop();
    }

    fn template(
        &mut self,
        template: &'t ast::Template,
        form: &'t ast::Form,
        visible: Span,
        documentation: Option<String>,
    ) {
        let index = self.declare(&template.name, Binder::Template, form.span, visible);
        // Parameters are names of the body only.
        self.scopes.push(BTreeMap::new());
        let parameters: Vec<usize> = template
            .parameters
            .iter()
            .map(|parameter| {
                let end = parameter.default.as_ref().map_or(parameter.ty.span, |value| value.span);
                let whole = parameter.name.span.to(end);
                let own = self.declare(&parameter.name, Binder::Parameter, whole, form.span);
                self.binding(own, |binding| binding.ty = Some(parameter.ty.clone()));
                own
            })
            .collect();
        self.scopes.pop();
        self.binding(index, |binding| {
            binding.documentation = documentation;
            binding.parameters = parameters;
        });
    }

    fn import(&mut self, import: &'t ast::Use, item: Span, visible: Span) {
        let from = |name: Option<String>| Some((import.from.clone(), name));
        let source = match &import.from {
            Source::File(file) => Some(file.span),
            Source::Module(path) => path.segments.last().map(|last| last.span),
        };
        if import.alias.is_some() || import.selected.is_some() {
            let next = self.found.bindings.len();
            self.found.uses.extend(source.map(|span| (span, Meaning::Source(next))));
        }
        let Some(selected) = &import.selected else {
            let (name, span) = match (&import.alias, &import.from) {
                (Some(alias), _) => (alias.value.as_str(), alias.span),
                (None, Source::File(file)) => {
                    let last = file.value.rsplit('/').next().unwrap_or_default();
                    (last.strip_suffix(".mesh").unwrap_or(last), file.span)
                }
                (None, Source::Module(path)) => match path.segments.last() {
                    Some(last) => (last.value.as_str(), last.span),
                    None => return,
                },
            };
            let index = self.found.bindings.len();
            self.found.bindings.push(Binding {
                binder: Binder::Module,
                name: name.to_owned(),
                span,
                item,
                documentation: None,
                visible,
                from: from(None),
                parameters: Vec::new(),
                ty: None,
            });
            if let Some(scope) = self.scopes.last_mut() {
                scope.insert(name, index);
            }
            return;
        };
        for one in selected {
            let name = one.alias.as_ref().unwrap_or(&one.name);
            let index = self.declare(name, Binder::Imported, item, visible);
            self.binding(index, |binding| binding.from = from(Some(one.name.value.clone())));
            self.found.uses.push((one.name.span, Meaning::Member(index, one.name.value.clone(), None)));
        }
    }

    fn item(&mut self, item: &'t Item) {
        match item {
            Item::Block(block) => {
                block.interpolated.iter().for_each(|value| self.value(value));
                self.body(&block.body, block.span, false);
            }
            Item::Attribute(attribute) => self.value(&attribute.value),
            Item::Form(form) => self.form(form),
        }
    }

    fn form(&mut self, form: &'t ast::Form) {
        match &form.kind {
            FormKind::Use(_) => {}
            FormKind::Let(binding) => self.value(&binding.value),
            FormKind::Input(parameter) => self.parameter(parameter),
            FormKind::For(repetition) => {
                self.value(&repetition.over);
                self.scopes.push(BTreeMap::new());
                self.declare(&repetition.variable, Binder::Variable, form.span, form.span);
                self.body(&repetition.body, form.span, false);
                self.scopes.pop();
            }
            FormKind::Template(template) => {
                let own = self.found.bindings.iter().find(|binding| binding.span == template.name.span);
                let parameters = own.map(|own| own.parameters.clone()).unwrap_or_default();
                let names = template.parameters.iter().map(|parameter| parameter.name.value.as_str());
                self.scopes.push(names.zip(parameters).collect());
                template.parameters.iter().for_each(|parameter| self.parameter(parameter));
                self.body(&template.body, form.span, false);
                self.scopes.pop();
            }
            FormKind::Apply(apply) => {
                let meaning = self.path(&apply.template);
                for argument in &apply.arguments {
                    self.value(&argument.value);
                    if let Some(name) = &argument.name {
                        let parameter = self.parameter_of(meaning.as_ref(), &name.value);
                        self.found.uses.extend(parameter.map(|meaning| (name.span, meaning)));
                    }
                }
            }
            FormKind::Assert(assert) => {
                self.value(&assert.condition);
                assert.message.iter().for_each(|message| self.value(message));
            }
            FormKind::Override(item) => self.item(item),
        }
    }

    fn parameter(&mut self, parameter: &'t ast::Parameter) {
        self.ty(&parameter.ty);
        parameter.default.iter().for_each(|value| self.value(value));
    }

    fn ty(&mut self, ty: &'t ast::Type) {
        match &ty.kind {
            TypeKind::Named(_, values) => values.iter().for_each(|value| self.value(value)),
            TypeKind::List(inner) => self.ty(inner),
            TypeKind::Invalid => {}
        }
    }

    /// What the parameter of a template is.
    fn parameter_of(&self, template: Option<&Meaning>, name: &str) -> Option<Meaning> {
        match template? {
            Meaning::Own(index) => {
                let template = self.found.bindings.get(*index)?;
                let own = template
                    .parameters
                    .iter()
                    .find(|own| self.found.bindings.get(**own).is_some_and(|binding| binding.name == name))?;
                Some(Meaning::Own(*own))
            }
            Meaning::Member(module, template, _) => {
                Some(Meaning::Member(*module, template.clone(), Some(name.to_owned())))
            }
            Meaning::Source(_) => None,
        }
    }

    /// The uses in a path, and what its last name stands for, as far as this file says so.
    fn path(&mut self, path: &'t ast::Path) -> Option<Meaning> {
        let (first, rest) = path.segments.split_first()?;
        let index = self.scopes.iter().rev().find_map(|scope| scope.get(first.value.as_str()).copied())?;
        let binding = self.found.bindings.get(index)?;
        let (binder, renamed) = (binding.binder, binding.name.clone());
        let from = binding.from.as_ref().and_then(|(_, name)| name.clone());
        let meaning = match (binder, from) {
            // Without `as`, the name here and the one there are the same.
            (Binder::Imported, Some(name)) if name == renamed => Meaning::Member(index, name, None),
            _ => Meaning::Own(index),
        };
        match (binder, rest.first()) {
            (Binder::Module, Some(member)) => {
                let inner = Meaning::Member(index, member.value.clone(), None);
                self.found.uses.push((first.span, meaning));
                self.found.uses.push((member.span, inner.clone()));
                Some(inner)
            }
            // A module and something declared may have one name, which is what is meant then.
            (Binder::Module, None) => None,
            _ => {
                self.found.uses.push((first.span, meaning.clone()));
                match (binder, &meaning) {
                    (Binder::Imported, Meaning::Own(_)) => {
                        let name = self.found.bindings.get(index)?.from.as_ref()?.1.clone()?;
                        Some(Meaning::Member(index, name, None))
                    }
                    _ => Some(meaning),
                }
            }
        }
    }

    fn value(&mut self, value: &'t Value) {
        match &value.kind {
            ValueKind::Boolean(_) | ValueKind::Literal(_) | ValueKind::Invalid => {}
            ValueKind::String(parts) => parts.iter().for_each(|part| match part {
                StringPart::Text(_) => {}
                StringPart::Interpolation(inner) => self.value(inner),
            }),
            ValueKind::Path(path) => {
                self.path(path);
            }
            ValueKind::List(values) | ValueKind::Logic(_, values) => {
                values.iter().for_each(|value| self.value(value));
            }
            ValueKind::Record(entries) | ValueKind::Tagged(_, entries) => {
                entries.iter().for_each(|entry| self.value(&entry.value));
            }
            ValueKind::In(left, right) | ValueKind::Arrow(left, right) => {
                self.value(left);
                self.value(right);
            }
            ValueKind::Group(inner) | ValueKind::Not(inner) | ValueKind::Spread(inner) => self.value(inner),
            ValueKind::If(choice) => {
                self.value(&choice.condition);
                self.value(&choice.then);
                self.value(&choice.otherwise);
            }
            ValueKind::Compare(_, sides) => {
                self.value(&sides.0);
                self.value(&sides.1);
            }
        }
    }
}

fn as_form(item: &Item) -> Option<&ast::Form> {
    match item {
        Item::Form(form) => Some(form),
        Item::Block(_) | Item::Attribute(_) => None,
    }
}
