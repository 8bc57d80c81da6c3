//! A value of a setting, and whether somebody wrote it.

use lang_diagnostics::Span;

/// A value, and where it was written: a value that equals the default may have been declared all the same, and a declared
/// one must not be ignored where it has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrDefault<T> {
    /// The value that applies.
    pub value: T,
    /// Where it is declared; `None` for the default.
    pub declared: Option<Span>,
}

impl<T> OrDefault<T> {
    /// The same provenance with what the value stands for.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> OrDefault<U> {
        OrDefault { value: convert(self.value), declared: self.declared }
    }
}
