//! Renderers: diagnostics and explanations as text for people and as JSON for programs.

mod explanation;
mod fix;
mod json;
mod source;
mod text;
mod visible;

pub use explanation::render_explanation;
pub use json::render_json;
pub use text::{RenderOptions, render_text};
