//! What names stand for, by place: the names of a file, and inside it those of bodies.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use lang_diagnostics::{FileId, Span};
use lang_syntax::ast;

use crate::entities::Declared;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Named<'a> {
    /// A value as written, which is made when it is first asked for.
    Written(&'a ast::Value, Rc<Made>),
    /// A value.
    Value(Rc<ast::Value>),
    /// Something that is declared.
    Entity(Rc<Declared>),
    /// A template.
    Template(&'a ast::Template),
    /// A module, by its index, and whether it was used.
    Module(usize, Rc<Cell<bool>>),
    /// A name of another module.
    Imported(usize, &'a str, Rc<Cell<bool>>),
}

/// How far a written value was made, and how many values are behind it.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) state: RefCell<State>,
}

#[derive(Debug, Default)]
pub(crate) enum State {
    #[default]
    NotYet,
    /// It is being made, for the place.
    Making(Span),
    Done(Rc<ast::Value>),
}

/// The names of a file or of a body in it.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) parent: Option<Rc<Scope<'a>>>,
    /// The module that the text belongs to.
    pub(crate) module: usize,
    /// The copy of the file that this text counts as, if it is one.
    pub(crate) copy: Option<FileId>,
    names: RefCell<BTreeMap<&'a str, (Named<'a>, Span)>>,
}

impl<'a> Scope<'a> {
    /// The names of a file.
    pub(crate) fn of_file(module: usize) -> Rc<Self> {
        Rc::new(Self { parent: None, module, copy: None, names: RefCell::default() })
    }

    /// The names of a body inside of another scope, in a copy of its own if one is given.
    pub(crate) fn inside(outer: &Rc<Self>, copy: Option<FileId>) -> Rc<Self> {
        let copy = copy.or(outer.copy);
        Rc::new(Self {
            parent: Some(Rc::clone(outer)),
            module: outer.module,
            copy,
            names: RefCell::default(),
        })
    }

    /// Adds a name. If it is there already, returns where.
    pub(crate) fn declare(&self, name: &'a str, named: Named<'a>, span: Span) -> Result<(), Span> {
        let mut names = self.names.borrow_mut();
        if let Some((_, first)) = names.get(name) {
            return Err(*first);
        }
        names.insert(name, (named, span));
        Ok(())
    }

    /// Gives a name that is there another meaning: its value as its type takes it.
    pub(crate) fn replace(&self, name: &str, named: Named<'a>) {
        if let Some(entry) = self.names.borrow_mut().get_mut(name) {
            entry.0 = named;
        }
    }

    /// What a name stands for right here.
    pub(crate) fn own(&self, name: &str) -> Option<(Named<'a>, Span)> {
        self.names.borrow().get(name).cloned()
    }

    /// What a name stands for, and the scope that says so.
    pub(crate) fn find(self: &Rc<Self>, name: &str) -> Option<(Named<'a>, Span, Rc<Self>)> {
        let mut here = Some(Rc::clone(self));
        while let Some(scope) = here {
            if let Some((named, span)) = scope.own(name) {
                return Some((named, span, scope));
            }
            here = scope.parent.clone();
        }
        None
    }

    /// Every name that can be used here.
    pub(crate) fn names(self: &Rc<Self>) -> Vec<(&'a str, Named<'a>)> {
        let mut all = Vec::new();
        let mut here = Some(Rc::clone(self));
        while let Some(scope) = here {
            all.extend(scope.names.borrow().iter().map(|(name, (named, _))| (*name, named.clone())));
            here = scope.parent.clone();
        }
        all
    }

    /// A place of this text.
    pub(crate) fn place(&self, span: Span) -> Span {
        self.copy.map_or(span, |file| Span { file, ..span })
    }
}
