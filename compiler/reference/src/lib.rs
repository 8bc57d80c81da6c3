//! The reference of the language, from the schema, the standard library and the list of codes: as Markdown, and as one
//! page of HTML.
//!
//! Invariants: contains no fact about a kind or an attribute that the schema has; whatever it shows as an example is in
//! `examples.mesh`, which is compiled by a test. Reads nothing at run time.

mod anchor;
mod codes;
mod examples;
mod kinds;
mod modules;
mod page;
mod text;
mod values;

use lang_diagnostics::CodeInfo;

pub use page::PageError;

/// What it is about and how names and units are written. Its links are those of `lang/REFERENCE.md`, so it is no `.md` here.
const INTRODUCTION: &str = include_str!("prose/introduction.markdown");

/// What holds for each request and is declared nowhere, and where the two data planes differ.
const PLANES: &str = include_str!("prose/planes.markdown");

/// The meshes that the examples are taken from.
pub const EXAMPLES: &str = include_str!("examples.mesh");

/// The reference as Markdown, with the titles of these codes.
#[must_use]
pub fn markdown(codes: &[&CodeInfo]) -> String {
    whole(&codes::titles(codes))
}

/// The reference as one page of HTML that needs nothing else, with the explanations of these codes.
///
/// # Errors
/// If the page's template is broken.
pub fn page(codes: &[&CodeInfo], version: &str) -> Result<String, PageError> {
    page::render(&whole(&codes::explanations(codes)), version)
}

fn whole(codes: &str) -> String {
    let mut text = String::from(INTRODUCTION);
    kinds::write(&mut text);
    modules::write(&mut text);
    for part in [PLANES, codes] {
        text.push('\n');
        text.push_str(part);
    }
    // Each part ends with an empty line and each heading begins with one.
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    format!("{}\n", text.trim_end())
}
