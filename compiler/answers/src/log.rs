//! What is tried on the way to an answer, for those who want to read it: the functions that decide write it down
//! themselves, so that no second reading of the rules can differ from the first.

use std::cell::RefCell;

use lang_diagnostics::Span;

use crate::truth::Truth;

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How far inside of others it is.
    pub depth: usize,
    /// What.
    pub text: String,
    /// What came of it; `None` for what is only a heading.
    pub truth: Option<Truth>,
    /// Where it is declared.
    pub place: Option<Span>,
}

/// Where steps are written down, if anywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log<'l> {
    steps: Option<&'l RefCell<Vec<Step>>>,
    depth: usize,
}

/// A step of which is not known yet what comes of it.
pub(crate) struct Open(Option<usize>);

impl<'l> Log<'l> {
    /// Nowhere.
    pub(crate) const NONE: Self = Self { steps: None, depth: 0 };

    pub(crate) const fn new(steps: &'l RefCell<Vec<Step>>) -> Self {
        Self { steps: Some(steps), depth: 0 }
    }

    /// For what is inside of the step before.
    pub(crate) const fn inside(self) -> Self {
        Self { steps: self.steps, depth: self.depth + 1 }
    }

    /// Begins a step.
    pub(crate) fn open(self, text: impl FnOnce() -> String, place: Option<Span>) -> Open {
        let Some(steps) = self.steps else { return Open(None) };
        let mut steps = steps.borrow_mut();
        steps.push(Step { depth: self.depth, text: text(), truth: None, place });
        Open(steps.len().checked_sub(1))
    }

    /// Ends it.
    pub(crate) fn close(self, open: &Open, truth: Truth) {
        let (Some(steps), Some(at)) = (self.steps, open.0) else { return };
        if let Some(step) = steps.borrow_mut().get_mut(at) {
            step.truth = Some(truth);
        }
    }

    /// Writes down what came of one condition, and passes it on.
    pub(crate) fn told(self, truth: Truth, text: impl FnOnce() -> String) -> Truth {
        let open = self.open(text, None);
        self.close(&open, truth);
        truth
    }
}
