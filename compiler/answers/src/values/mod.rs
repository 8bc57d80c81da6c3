//! Values of the resolved mesh: what a path in an assertion comes to.

mod lookup;
mod plain;
mod settings;

pub(crate) use lookup::{Lookup, REACHED_BY};
pub(crate) use plain::Plain;

use lang_diagnostics::Span;

/// A value, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) value: Plain,
    /// Where it is written, if it is.
    pub(crate) place: Option<Span>,
}
