//! Items: each form becomes the blocks and attributes that it stands for.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use lang_diagnostics::{Copied, CopyKind, Diagnostic, Sink, SourceMap, Span, Spanned};
use lang_evaluate::schema::Schema;
use lang_syntax::ast::{self, Attribute, Block, Form, FormKind, Item, ValueKind};

use crate::bounds::{DEEPEST, INSTANCE, MOST_MADE};
use crate::codes;
use crate::entities::Entities;
use crate::inputs::Given;
use crate::modules::{Module, imports};
use crate::principal::Around;
use crate::scope::{Made, Named, Scope};

/// The word of the block that has defaults.
pub(crate) const DEFAULTS: &str = "defaults";

/// What makes items of forms.
pub(crate) struct Expander<'a, 's> {
    pub(crate) modules: &'a [Module],
    /// The names of each module.
    pub(crate) scopes: Vec<Rc<Scope<'a>>>,
    pub(crate) schema: Schema,
    pub(crate) entities: Entities,
    pub(crate) sources: &'s mut SourceMap,
    pub(crate) sink: &'s mut Sink,
    /// Where the items are that are being made; nothing in a block of an unknown kind.
    pub(crate) around: Option<Around>,
    /// Whether anything goes over declared entities.
    pub(crate) asked: bool,
    /// Whether there are defaults or overrides.
    pub(crate) layered: bool,
    /// How much was made.
    made: u64,
    /// How deep values are that wait for others.
    pub(crate) waiting: usize,
    /// The templates that are being made: each with the place that applies it.
    pub(crate) applying: Vec<(&'a ast::Template, Span)>,
}

impl<'a, 's> Expander<'a, 's> {
    pub(crate) fn new(
        modules: &'a [Module],
        given: &[Given],
        schema: Schema,
        entities: Entities,
        sources: &'s mut SourceMap,
        sink: &'s mut Sink,
    ) -> Self {
        let scopes = (0..modules.len()).map(Scope::of_file).collect();
        let mut expander = Self {
            modules,
            scopes,
            schema,
            entities,
            sources,
            sink,
            around: Some(Around::Kind(schema.file)),
            asked: false,
            layered: false,
            made: 0,
            waiting: 0,
            applying: Vec::new(),
        };
        expander.declare(given);
        expander
    }

    /// Enters the names of every module.
    fn declare(&mut self, given: &[Given]) {
        let modules = self.modules;
        for (index, module) in modules.iter().enumerate() {
            let Some(scope) = self.scopes.get(index).cloned() else { continue };
            self.bindings(&module.tree.items, &scope);
            for item in &module.tree.items {
                let Item::Form(form) = item else { continue };
                match &form.kind {
                    FormKind::Template(template) => {
                        self.name(&scope, &template.name, Named::Template(template));
                    }
                    FormKind::Input(_)
                    | FormKind::Let(_)
                    | FormKind::Use(_)
                    | FormKind::For(_)
                    | FormKind::Apply(_)
                    | FormKind::Override(_)
                    | FormKind::Assert(_) => {}
                }
            }
        }
        self.enter_inputs(given);
        for (index, module) in modules.iter().enumerate() {
            let Some(scope) = self.scopes.get(index).cloned() else { continue };
            for ((import, span), used) in imports(&module.tree).zip(&module.used) {
                if let Some(used) = used {
                    self.import(&scope, import, span, *used);
                }
            }
        }
        self.check_inputs();
    }

    fn import(&mut self, scope: &Rc<Scope<'a>>, import: &'a ast::Use, span: Span, used: usize) {
        let modules = self.modules;
        let Some(module) = modules.get(used) else { return };
        let Some(names) = &import.selected else {
            let (name, place) = match (&import.alias, &import.from) {
                (Some(alias), _) => (alias.value.as_str(), alias.span),
                (None, ast::Source::File(file)) => (module.name.as_str(), file.span),
                (None, ast::Source::Module(_)) => (module.name.as_str(), span),
            };
            // A file that is used for its blocks needs no name, so two of one name clash only if one is named.
            let named = Named::Module(used, Rc::new(Cell::new(false)));
            if import.alias.is_some() || module.standard || scope.own(name).is_none() {
                self.enter(scope, name, place, named);
            }
            return;
        };
        for selected in names {
            let there = self.scopes.get(used).and_then(|scope| scope.own(&selected.name.value));
            if !matches!(there, Some((Named::Template(_) | Named::Written(..) | Named::Value(_), _))) {
                self.no_member(used, &selected.name);
                // What names it is no further mistake.
                let name = selected.alias.as_ref().unwrap_or(&selected.name);
                let nothing = ast::Value { kind: ValueKind::Invalid, span: name.span };
                self.name(scope, name, Named::Value(Rc::new(nothing)));
                continue;
            }
            let name = selected.alias.as_ref().unwrap_or(&selected.name);
            self.name(scope, name, Named::Imported(used, &selected.name.value, Rc::new(Cell::new(false))));
        }
    }

    pub(crate) fn no_member(&mut self, module: usize, name: &Spanned<String>) {
        let Some(called) = self.modules.get(module).map(|module| module.name.clone()) else { return };
        let names: Vec<&str> = self
            .scopes
            .get(module)
            .map(|scope| scope.names())
            .unwrap_or_default()
            .into_iter()
            .filter(|(_, named)| matches!(named, Named::Template(_) | Named::Written(..) | Named::Value(_)))
            .map(|(name, _)| name)
            .collect();
        let message = format!("`{called}` has no `{}`", name.value);
        let diagnostic =
            Diagnostic::error(codes::UNKNOWN_MEMBER, name.span, message).label("not declared there");
        self.sink.push(match lang_diagnostics::suggest(&name.value, names.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => {
                diagnostic.help("the module declares no `let`, `input` or `template`")
            }
            None => diagnostic.help(format!("it has {}", crate::modules::list(&names))),
        });
    }

    fn name(&mut self, scope: &Rc<Scope<'a>>, name: &'a Spanned<String>, named: Named<'a>) {
        self.enter(scope, &name.value, name.span, named);
    }

    pub(crate) fn enter(&mut self, scope: &Rc<Scope<'a>>, name: &'a str, span: Span, named: Named<'a>) {
        let span = scope.place(span);
        if let Err(first) = scope.declare(name, named, span) {
            self.sink.push(
                Diagnostic::error(codes::CLASH, span, format!("`{name}` is declared twice in one place"))
                    .label("declared again")
                    .also(first, "declared here")
                    .help("give one of them another name; what `use` takes in is renamed by `as`"),
            );
        }
    }

    /// Enters the `let` items among others.
    pub(crate) fn bindings(&mut self, items: &'a [Item], scope: &Rc<Scope<'a>>) {
        for item in items {
            if let Item::Form(form) = item
                && let FormKind::Let(binding) = &form.kind
            {
                self.name(scope, &binding.name, Named::Written(&binding.value, Rc::new(Made::default())));
            }
        }
    }

    /// Makes the items of every module.
    pub(crate) fn files(&mut self) -> Vec<Arc<ast::File>> {
        let modules = self.modules;
        let mut files = Vec::new();
        for (index, module) in modules.iter().enumerate() {
            if !module.tree.expands {
                files.push(Arc::clone(&module.tree));
                continue;
            }
            let Some(scope) = self.scopes.get(index).cloned() else { continue };
            let mut items = Vec::new();
            self.items(&module.tree.items, &scope, true, &mut items);
            let ast::File { language, span, .. } = &*module.tree;
            let file =
                ast::File { language: *language, items, comments: Vec::new(), expands: false, span: *span };
            files.push(Arc::new(file));
        }
        self.unused();
        files
    }

    /// Warns of what is used and then not needed.
    fn unused(&mut self) {
        for (scope, module) in self.scopes.iter().zip(self.modules) {
            if module.standard {
                continue;
            }
            for (name, named) in scope.names() {
                let (needed, from) = match &named {
                    // A file is also used for its blocks.
                    Named::Module(from, needed) | Named::Imported(from, _, needed) => (needed.get(), *from),
                    Named::Written(..) | Named::Value(_) | Named::Entity(_) | Named::Template(_) => continue,
                };
                let standard = self.modules.get(from).is_some_and(|module| module.standard);
                let Some((_, span)) = scope.own(name).filter(|_| !needed) else { continue };
                if standard || matches!(named, Named::Imported(..)) {
                    let message = format!("`{name}` is not needed");
                    self.sink.push(
                        Diagnostic::warning(codes::UNUSED, span, message)
                            .label("nothing in this file names it")
                            .help("remove it"),
                    );
                }
            }
        }
    }

    /// Makes items. `top` says whether they are a file's own.
    pub(crate) fn items(&mut self, items: &'a [Item], scope: &Rc<Scope<'a>>, top: bool, out: &mut Vec<Item>) {
        let explicit: BTreeSet<&str> = items
            .iter()
            .filter_map(|item| match item {
                Item::Attribute(attribute) => Some(attribute.name.value.as_str()),
                Item::Block(_) | Item::Form(_) => None,
            })
            .collect();
        for item in items {
            if !self.spend(1, item_span(item)) {
                return;
            }
            match item {
                Item::Attribute(attribute) => self.attribute(attribute, scope, &explicit, out),
                Item::Block(block) => out.extend(self.block(block, scope).map(Item::Block)),
                Item::Form(form) => self.form(form, scope, top, out),
            }
        }
    }

    fn attribute(
        &mut self,
        attribute: &'a Attribute,
        scope: &Rc<Scope<'a>>,
        explicit: &BTreeSet<&str>,
        out: &mut Vec<Item>,
    ) {
        if let ValueKind::Spread(inner) = &attribute.value.kind {
            let entries = self.spread_record(inner, scope);
            let others = entries.into_iter().filter(|entry| !explicit.contains(entry.name.value.as_str()));
            out.extend(others.map(Item::Attribute));
            return;
        }
        if self.hides_a_word(attribute, scope) {
            // What comes of the variable is no further mistake.
            let value = ast::Value { kind: ValueKind::Invalid, span: scope.place(attribute.value.span) };
            let name = Spanned::new(attribute.name.value.clone(), scope.place(attribute.name.span));
            let span = scope.place(attribute.span);
            out.push(Item::Attribute(Attribute { name, value, documentation: None, span }));
            return;
        }
        out.push(Item::Attribute(self.entry(attribute, scope)));
    }

    /// An attribute with its value made.
    pub(crate) fn entry(&mut self, attribute: &'a Attribute, scope: &Rc<Scope<'a>>) -> Attribute {
        Attribute {
            name: Spanned::new(attribute.name.value.clone(), scope.place(attribute.name.span)),
            value: self.value(&attribute.value, scope),
            documentation: attribute.documentation.clone(),
            span: scope.place(attribute.span),
        }
    }

    fn block(&mut self, block: &'a Block, scope: &Rc<Scope<'a>>) -> Option<Block> {
        let label = match (&block.interpolated, &block.label) {
            (Some(value), _) => Some(self.label(value, scope)?),
            (None, Some(label)) => Some(Spanned::new(label.value.clone(), scope.place(label.span))),
            (None, None) => None,
        };
        if block.kind.value == DEFAULTS {
            self.layered = true;
        }
        let file = self.schema.file;
        let inside = self.around.as_ref().and_then(|around| around.inside(&block.kind.value, file));
        let around = std::mem::replace(&mut self.around, inside);
        let body = self.body(&block.body, scope, block.kind.span);
        self.around = around;
        Some(Block {
            kind: Spanned::new(block.kind.value.clone(), scope.place(block.kind.span)),
            label,
            interpolated: None,
            body,
            short: block.short,
            documentation: block.documentation.clone(),
            span: scope.place(block.span),
        })
    }

    /// The items of a block, with names of their own.
    pub(crate) fn body(&mut self, items: &'a [Item], scope: &Rc<Scope<'a>>, span: Span) -> Vec<Item> {
        let mut made = Vec::with_capacity(items.len());
        if let Some(scope) = self.deeper(scope, None, span) {
            self.bindings(items, &scope);
            self.items(items, &scope, false, &mut made);
        }
        made
    }

    /// A scope inside of another, unless that is nested too deeply.
    pub(crate) fn deeper(
        &mut self,
        scope: &Rc<Scope<'a>>,
        copied: Option<Copied>,
        span: Span,
    ) -> Option<Rc<Scope<'a>>> {
        let mut depth = 0;
        let mut here = Some(scope);
        while let Some(outer) = here {
            depth += 1;
            here = outer.parent.as_ref();
        }
        if depth + self.applying.len() > DEEPEST * 2 {
            self.too_large(span, &format!("templates, loops and blocks are nested more than {DEEPEST} deep"));
            return None;
        }
        if copied.is_some() && !self.spend(INSTANCE, span) {
            return None;
        }
        let copy = copied.map(|copied| self.sources.copy(copied));
        Some(Scope::inside(scope, copy))
    }

    fn form(&mut self, form: &'a Form, scope: &Rc<Scope<'a>>, top: bool, out: &mut Vec<Item>) {
        let misplaced = |word: &str| {
            Diagnostic::error(
                codes::MISPLACED,
                scope.place(form.span),
                format!("`{word}` is an item of a file"),
            )
            .label("not possible in a block")
            .help("write it before or behind all blocks")
        };
        match &form.kind {
            FormKind::Let(_) => {}
            FormKind::Use(_) if !top => self.sink.push(misplaced("use")),
            FormKind::Input(_) if !top => self.sink.push(misplaced("input")),
            FormKind::Template(_) if !top => self.sink.push(misplaced("template")),
            FormKind::Use(_) | FormKind::Input(_) | FormKind::Template(_) => {}
            FormKind::For(repetition) => self.repeat(repetition, form.span, scope, out),
            FormKind::Apply(apply) => self.apply(apply, form.span, scope, out),
            FormKind::Override(item) => self.overriding(item, form, scope, out),
            FormKind::Assert(assert) => out.push(Item::Block(self.assertion(assert, form.span, scope))),
        }
    }

    fn overriding(&mut self, item: &'a Item, form: &'a Form, scope: &Rc<Scope<'a>>, out: &mut Vec<Item>) {
        self.layered = true;
        let span = scope.place(form.span);
        let copied = Copied { of: span.file, kind: CopyKind::Override, name: "an override".into(), at: span };
        let Some(inner) = self.deeper(scope, Some(copied), form.span) else { return };
        let mut made = Vec::new();
        self.items(std::slice::from_ref(item), &inner, false, &mut made);
        for item in made {
            let kind = FormKind::Override(item);
            out.push(Item::Form(Box::new(Form { kind, documentation: None, span })));
        }
    }

    /// Counts what is made. When it is too much, says so once, and `false` from then on.
    pub(crate) fn spend(&mut self, cost: u64, span: Span) -> bool {
        if self.made > MOST_MADE {
            return false;
        }
        self.made = self.made.saturating_add(cost);
        if self.made > MOST_MADE {
            self.too_large(span, &format!("more than {MOST_MADE} values and items are made"));
            return false;
        }
        true
    }

    pub(crate) fn too_large(&mut self, span: Span, message: &str) {
        self.sink.push(
            Diagnostic::error(codes::TOO_LARGE, span, message)
                .label("this would make more")
                .help("what is written comes to more than a mesh needs: write it out, or make it smaller"),
        );
    }
}

fn item_span(item: &Item) -> Span {
    match item {
        Item::Block(block) => block.kind.span,
        Item::Attribute(attribute) => attribute.span,
        Item::Form(form) => form.span,
    }
}
