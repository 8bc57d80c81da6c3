//! The compiler, from text to the plan of every proxy, the messages on the way, and the formatter.

use std::path::Path;

use lang_diagnostics::{Diagnostic, RenderOptions, Sink, SourceMap, Span, render_json, render_text};
use meshc_driver::{MemoryFileSystem, Options, check};

/// What holds for any source: parsing and checking end without a panic; there is a mesh or an error; every message can
/// be shown, points at characters that exist, and so do its edits; a source without mistakes in its syntax is printed
/// in a form that stays as it is; its layout stays as it is, too, and means the same.
///
/// # Panics
/// If one of these is broken.
pub fn source(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let files = MemoryFileSystem::with(&[("mesh.mesh", text)]);
    let compilation = check(&files, Path::new("mesh.mesh"), Options { data_plane: None })
        .expect("a file in memory can be read");
    assert_ne!(
        compilation.mesh.is_some(),
        compilation.has_errors(),
        "there is either a mesh or an error, never both and never neither"
    );
    for diagnostic in &compilation.diagnostics {
        for span in places(diagnostic) {
            let text = compilation.sources.text(span);
            assert!(text.is_some(), "{span:?} is no range of characters: {diagnostic:?}");
        }
    }
    let (diagnostics, sources) = (&compilation.diagnostics, &compilation.sources);
    let shown = [
        render_json(diagnostics, sources),
        render_text(diagnostics, sources, RenderOptions { color: false, width: 100 }),
    ];
    assert!(diagnostics.is_empty() || shown.iter().all(|text| !text.is_empty()), "messages have text");
    prints_what_it_parses(text);
    formats_what_it_parses(text);
}

fn places(diagnostic: &Diagnostic) -> impl Iterator<Item = Span> {
    let labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary).map(|label| label.span);
    let edits = diagnostic.fix.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span);
    labels.chain(edits)
}

/// The printed form of a text without mistakes in its syntax.
fn printed(text: &str) -> Option<String> {
    let file = SourceMap::default().add("mesh.mesh", text);
    let mut sink = Sink::default();
    let tree = lang_syntax::parse(file, text, &mut sink);
    (!sink.has_errors()).then(|| lang_syntax::print(&tree))
}

fn prints_what_it_parses(text: &str) {
    let Some(once) = printed(text) else { return };
    let twice = printed(&once).expect("what was printed has no mistake");
    assert_eq!(twice, once, "printing again changes nothing");
}

fn formats_what_it_parses(text: &str) {
    let format = |text: &str| {
        let file = SourceMap::default().add("mesh.mesh", text);
        lang_syntax::format(file, text, &mut Sink::default())
    };
    let Some(once) = format(text) else {
        assert!(!lang_syntax::is_sound(text), "what is sound can be formatted");
        return;
    };
    assert_eq!(format(&once).as_ref(), Some(&once), "formatting again changes nothing");
    // Comments are printed where they stand, so only what is declared is compared.
    let declared = |text: &str| printed(text).map(|printed| without_comments(&printed));
    assert_eq!(declared(&once), declared(text), "the layout changes no meaning");
}

/// The tokens of a text that are neither white space nor comments, with a space between them.
fn without_comments(text: &str) -> String {
    let tokens = lang_syntax::lex(text).into_iter().filter(|token| !token.kind.is_trivia());
    let written = tokens.filter_map(|token| text.get(token.start as usize..token.end as usize));
    written.collect::<Vec<_>>().join(" ")
}
