//! Inputs: values that the user gives, with `-D name=value` or in a file.

use std::rc::Rc;

use lang_diagnostics::{Diagnostic, Sink, SourceMap, Spanned, suggest};
use lang_syntax::ast::{self, FormKind, Item, Parameter, StringPart, TypeKind, Value, ValueKind};

use crate::codes;
use crate::items::Expander;
use crate::modules::{Module, list};
use crate::scope::{Made, Named, Scope};

/// The value of an input.
#[derive(Clone, Debug)]
pub struct Given {
    name: Spanned<String>,
    value: Value,
    /// What was written, for an input that takes a string.
    text: Option<String>,
}

impl Given {
    /// Reads `name=value` from a command line. A value that is none of the language is a string.
    pub fn on_command_line(written: &str, sources: &mut SourceMap, sink: &mut Sink) -> Option<Self> {
        let (name, value) = written.split_once('=').unwrap_or((written, ""));
        let prefix = format!("{} = ", name.trim());
        let text = format!("{prefix}{value}");
        let file = sources.add("-D", text.as_str());
        let mut found = Sink::default();
        let tree = lang_syntax::parse(file, &text, &mut found);
        if let ([Item::Attribute(attribute)], false) = (tree.items.as_slice(), found.has_errors())
            && written.contains('=')
        {
            let (name, read) = (attribute.name.clone(), attribute.value.clone());
            return Some(Self { name, value: read, text: Some(value.to_owned()) });
        }
        let place = |start: usize, end: usize| lang_diagnostics::Span::new(file, start, end);
        if written.contains('=') && is_name(name.trim()) {
            let span = place(prefix.len(), text.len());
            let value_text = ValueKind::String(vec![StringPart::Text(value.to_owned())]);
            let name = Spanned::new(name.trim().to_owned(), place(0, name.trim().len()));
            return Some(Self {
                name,
                value: Value { kind: value_text, span },
                text: Some(value.to_owned()),
            });
        }
        let message = format!("`{written}` gives no input a value");
        sink.push(
            Diagnostic::error(codes::INPUT, place(0, text.len()), message)
                .label("not of the form `name=value`")
                .help("write `-D name=value`"),
        );
        None
    }

    /// The attributes of a file of values.
    pub fn in_file(tree: &ast::File, sink: &mut Sink) -> Vec<Self> {
        let mut given = Vec::new();
        for item in &tree.items {
            match item {
                Item::Attribute(attribute) if !matches!(attribute.value.kind, ValueKind::Spread(_)) => {
                    let (name, value) = (attribute.name.clone(), attribute.value.clone());
                    given.push(Self { name, value, text: None });
                }
                Item::Attribute(ast::Attribute { span, .. }) | Item::Block(ast::Block { span, .. }) => {
                    sink.push(only_values(*span));
                }
                Item::Form(form) => sink.push(only_values(form.span)),
            }
        }
        given
    }
}

fn only_values(span: lang_diagnostics::Span) -> Diagnostic {
    Diagnostic::error(codes::INPUT, span, "a file of values has `name = value` only")
        .label("not the value of an input")
        .help("declare it in a file of the mesh")
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The inputs of a module.
fn inputs(module: &Module) -> impl Iterator<Item = &Parameter> {
    module.tree.items.iter().filter_map(|item| match item {
        Item::Form(form) => match &form.kind {
            FormKind::Input(parameter) => Some(parameter),
            FormKind::Use(_)
            | FormKind::Let(_)
            | FormKind::For(_)
            | FormKind::Template(_)
            | FormKind::Apply(_)
            | FormKind::Override(_)
            | FormKind::Assert(_) => None,
        },
        Item::Block(_) | Item::Attribute(_) => None,
    })
}

impl<'a> Expander<'a, '_> {
    /// Enters the inputs of all modules, with the values that are given for them.
    pub(crate) fn enter_inputs(&mut self, given: &[Given]) {
        let modules = self.modules;
        let mut declared: Vec<&'a Parameter> = Vec::new();
        for (index, module) in modules.iter().enumerate() {
            let Some(scope) = self.scopes.get(index).cloned() else { continue };
            for parameter in inputs(module) {
                let name = &parameter.name;
                if let Some(first) = declared.iter().find(|other| other.name.value == name.value) {
                    self.sink.push(
                        Diagnostic::error(
                            codes::CLASH,
                            name.span,
                            format!("there are two inputs `{}`", name.value),
                        )
                        .label("declared again")
                        .also(first.name.span, "declared here")
                        .help("declare it in one file, and use it from there"),
                    );
                }
                declared.push(parameter);
                let named = self.input(parameter, given);
                self.enter(&scope, &name.value, name.span, named);
            }
        }
        for (position, one) in given.iter().enumerate() {
            let name = &one.name;
            if declared.iter().all(|parameter| parameter.name.value != name.value) {
                let names: Vec<&str> =
                    declared.iter().map(|parameter| parameter.name.value.as_str()).collect();
                let message = format!("there is no input `{}`", name.value);
                let diagnostic = Diagnostic::error(codes::INPUT, name.span, message).label("not declared");
                self.sink.push(match suggest(&name.value, names.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None if names.is_empty() => diagnostic.help("the mesh declares no `input`"),
                    None => diagnostic.help(format!("the inputs are {}", list(&names))),
                });
            }
            let before = given.iter().take(position).find(|other| other.name.value == name.value);
            if let Some(first) = before {
                self.sink.push(
                    Diagnostic::error(codes::INPUT, name.span, format!("`{}` is given twice", name.value))
                        .label("given again")
                        .also(first.name.span, "given here")
                        .help("keep one of the two"),
                );
            }
        }
    }

    fn input(&mut self, parameter: &'a Parameter, given: &[Given]) -> Named<'a> {
        let name = &parameter.name;
        if let Some(given) = given.iter().find(|given| given.name.value == name.value) {
            let takes_text = matches!(&parameter.ty.kind, TypeKind::Named(word, _) if word.value == "string");
            let mut value = given.value.clone();
            if let (true, Some(text)) =
                (takes_text && !matches!(value.kind, ValueKind::String(_)), &given.text)
            {
                value.kind = ValueKind::String(vec![StringPart::Text(text.clone())]);
            }
            return Named::Value(Rc::new(value));
        }
        if let Some(default) = &parameter.default {
            return Named::Written(default, Rc::new(Made::default()));
        }
        self.sink.push(
            Diagnostic::error(codes::INPUT, name.span, format!("the input `{}` has no value", name.value))
                .label("not given, and without a default")
                .help(format!(
                    "give it one, by `-D {}=…` or a file of values, or a default by `= …`",
                    name.value
                )),
        );
        Named::Value(Rc::new(Value { kind: ValueKind::Invalid, span: name.span }))
    }

    /// Checks the values of all inputs against their types.
    pub(crate) fn check_inputs(&mut self) {
        let modules = self.modules;
        for (index, module) in modules.iter().enumerate() {
            let Some(scope) = self.scopes.get(index).cloned() else { continue };
            for parameter in inputs(module) {
                let value = self.input_value(parameter, &scope);
                let name = (parameter.name.value.as_str(), parameter.name.span);
                if let Some(value) = value
                    && let Some(taken) = self.taken(&value, &parameter.ty, name, &scope)
                {
                    scope.replace(&parameter.name.value, Named::Value(Rc::new(taken)));
                }
            }
        }
    }

    fn input_value(&mut self, parameter: &'a Parameter, scope: &Rc<Scope<'a>>) -> Option<Rc<Value>> {
        match scope.own(&parameter.name.value)?.0 {
            Named::Value(value) => Some(value),
            Named::Written(value, made) => {
                Some(self.written(&parameter.name.value, value, &made, scope, parameter.name.span))
            }
            Named::Entity(_) | Named::Template(_) | Named::Module(..) | Named::Imported(..) => None,
        }
    }
}
