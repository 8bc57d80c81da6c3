//! Stable codes of diagnostics and what `meshc explain` says about them.

use std::fmt;

/// A stable code such as `E0301` (an error) or `W0102` (a warning).
///
/// Ranges: `E00xx` text and grammar, `E01xx` names and types, `E02xx` the model, `E03xx` topology and whole-mesh
/// checks, `E04xx` lowering and data-plane capabilities, `E05xx` trust, `E06xx` Kubernetes, `E07xx` files and
/// builds, `E09xx` mistakes of the compiler itself. Warnings use the same ranges with `W`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// What is known about one code. Each crate that raises codes lists its own in `codes.rs`, and the driver joins
/// the lists; a test proves that every code is unique, explained, and raised by a fixture.
#[derive(Clone, Copy, Debug)]
pub struct CodeInfo {
    /// The code itself.
    pub code: Code,
    /// One line, lower case, without a final period.
    pub title: &'static str,
    /// What it means, why it matters, and how to get out of it; Markdown with at least one example.
    pub explanation: &'static str,
}
