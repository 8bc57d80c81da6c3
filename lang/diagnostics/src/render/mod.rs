//! Renderers: diagnostics and explanations as text for people, and in the formats that programs read.

mod explanation;
mod fix;
mod github;
mod json;
mod sarif;
mod short;
mod source;
mod text;
mod visible;

pub use explanation::render_explanation;
pub use github::{render_github, render_github_failure};
pub use json::render_json;
pub use sarif::SarifLog;
pub use short::render_short;
pub use text::{RenderOptions, render_text};
pub use visible::one_line;
