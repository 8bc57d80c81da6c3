//! A value of a setting, and whether somebody wrote it.

use lang_diagnostics::Span;

/// A value with its provenance: a value that equals the default may have been declared all the same, and a declared one
/// must not be ignored where it has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value that applies.
    pub value: T,
    /// Where it is declared; `None` for the default.
    pub declared: Option<Span>,
}
