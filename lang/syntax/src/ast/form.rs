//! Items by which a text says something once: they are gone after expansion, which makes blocks and attributes of them.

use lang_diagnostics::{Span, Spanned};

use super::{Item, Path, Value};

/// An item that is no declaration itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// What it is.
    pub kind: FormKind,
    /// `///` lines right before.
    pub documentation: Option<Box<Spanned<String>>>,
    /// From its word to its end.
    pub span: Span,
}

/// The forms.
#[derive(Clone, Debug, PartialEq)]
pub enum FormKind {
    /// `use …`
    Use(Use),
    /// `let name = value`
    Let(Let),
    /// `input name: type = value`
    Input(Parameter),
    /// `for name in value { … }`
    For(For),
    /// `template name(…) { … }`
    Template(Template),
    /// `apply name(…)`
    Apply(Apply),
    /// `override` before a block or an attribute.
    Override(Item),
    /// `assert condition else message`
    Assert(Assert),
}

/// `use "file.mesh" as name`, `use std.module { one, other as name }`
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// What is used.
    pub from: Source,
    /// What the module is called here, if not by its own name.
    pub alias: Option<Spanned<String>>,
    /// The names that are taken from it, if only some are.
    pub selected: Option<Vec<Selected>>,
}

/// Where a module is.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A file, relative to the one that says so.
    File(Spanned<String>),
    /// A module of the standard library.
    Module(Path),
}

/// One name of a module.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// Its name in the module.
    pub name: Spanned<String>,
    /// Its name here, if another.
    pub alias: Option<Spanned<String>>,
}

/// `let name = value`
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// The name.
    pub name: Spanned<String>,
    /// The value.
    pub value: Value,
}

/// `assert condition else message`
#[derive(Clone, Debug, PartialEq)]
pub struct Assert {
    /// What has to be true.
    pub condition: Value,
    /// What is said if it is not.
    pub message: Option<Value>,
}

/// `name: type = default`
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name.
    pub name: Spanned<String>,
    /// What it takes.
    pub ty: Type,
    /// Its value if none is given.
    pub default: Option<Value>,
}

/// What a parameter takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// What it is.
    pub kind: TypeKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `integer`, `integer(1, 10)`
    Named(Spanned<String>, Vec<Value>),
    /// `[type]`
    List(Box<Type>),
    /// Something that could not be parsed, which was reported.
    Invalid,
}

/// `for name in value { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct For {
    /// What stands for each element.
    pub variable: Spanned<String>,
    /// The list.
    pub over: Value,
    /// What is made of each element.
    pub body: Vec<Item>,
}

/// `template name(a: type, b: type = value) { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The name.
    pub name: Spanned<String>,
    /// The parameters.
    pub parameters: Vec<Parameter>,
    /// What is made.
    pub body: Vec<Item>,
}

/// `apply name(value, a = value)`
#[derive(Clone, Debug, PartialEq)]
pub struct Apply {
    /// The template's name.
    pub template: Path,
    /// Where the name stands.
    pub place: Span,
    /// The arguments.
    pub arguments: Vec<Argument>,
}

/// `name = value`, or a value for the parameter in the same place.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The name of the parameter, if written.
    pub name: Option<Spanned<String>>,
    /// The value.
    pub value: Value,
    /// The whole argument.
    pub span: Span,
}
