//! What an answer consists of.

use lang_diagnostics::Span;

use crate::log::Step;
use crate::truth::Truth;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Yes, no, or that it depends; of a list, whether there is anything in it.
    pub verdict: Truth,
    /// What becomes of each call or request.
    pub lines: Vec<Line>,
    /// What was tried, in order; empty unless it was asked for.
    pub steps: Vec<Step>,
}

/// One part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Whether it is so here.
    pub verdict: Truth,
    /// Whom it is about: `shop.web in west`.
    pub who: String,
    /// What becomes of it.
    pub text: String,
    /// The pods that answer, as `shop.catalog in west`.
    pub answered_by: Vec<String>,
    /// What decides it.
    pub facts: Vec<Fact>,
}

/// Something that decides an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub text: String,
    /// Where it is written.
    pub place: Place,
    /// Whether it is said only where somebody asks why.
    pub further: bool,
}

/// Where something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    Nowhere,
    /// In the mesh.
    At(Span),
    /// In the standard library's table of defaults, at this setting.
    Standard(&'static str),
}

impl Fact {
    pub(super) fn at(span: Span, text: impl Into<String>) -> Self {
        Self { text: text.into(), place: Place::At(span), further: false }
    }

    pub(super) fn further(text: impl Into<String>, place: Place) -> Self {
        Self { text: text.into(), place, further: true }
    }
}
