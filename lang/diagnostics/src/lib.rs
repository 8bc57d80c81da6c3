//! Source positions, diagnostics as plain data, and their renderers.
//!
//! Every stage reports user mistakes here and nowhere else: a stage takes `&mut Sink` and returns what it could
//! build. A [`Diagnostic`] knows codes, messages and spans, but no source text; text joins only when a renderer
//! is given a [`SourceMap`].
//!
//! Invariants: this crate knows nothing about the language's grammar, about proxies or about files on a disk.
//! It is the only user of miette.

mod code;
mod copies;
mod diagnostic;
mod fixture;
mod render;
mod sink;
mod span;
mod suggest;

pub use code::{Code, CodeInfo};
pub use copies::{Copied, CopyKind, settled};
pub use diagnostic::{Applicability, Diagnostic, Edit, Fix, Label, Severity};
pub use fixture::Fixture;
pub use render::{
    RenderOptions, SarifLog, one_line, render_explanation, render_github, render_github_failure, render_json,
    render_short, render_text,
};
pub use sink::Sink;
pub use span::{FileId, LineColumn, Origin, SourceFile, SourceMap, Span, Spanned};
pub use suggest::{suggest, suggest_word};
