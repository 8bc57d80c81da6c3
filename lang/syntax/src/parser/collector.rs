//! Collects the parts of nested sequences in one place, so that each sequence is allocated once, in its final size.

use std::cell::RefCell;

/// A stack of parts. Sequences nest: the inner one ends before the outer one goes on.
#[derive(Debug)]
pub(crate) struct Collector<T> {
    parts: RefCell<Vec<T>>,
}

/// Where a sequence began.
#[derive(Debug)]
pub(crate) struct Beginning(usize);

impl<T> Default for Collector<T> {
    fn default() -> Self {
        Self { parts: RefCell::new(Vec::new()) }
    }
}

impl<T> Collector<T> {
    /// Begins a sequence.
    pub(crate) fn begin(&self) -> Beginning {
        Beginning(self.parts.borrow().len())
    }

    /// Adds a part to the innermost sequence.
    pub(crate) fn push(&self, part: T) {
        self.parts.borrow_mut().push(part);
    }

    /// Ends the innermost sequence, which is the one that began there.
    pub(crate) fn end(&self, beginning: Beginning) -> Vec<T> {
        let mut parts = self.parts.borrow_mut();
        let start = beginning.0.min(parts.len());
        parts.drain(start..).collect()
    }
}
