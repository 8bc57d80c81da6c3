//! One mistake is one report: ACME's mesh with any single token left out, and with any single word misspelt.
#![expect(clippy::disallowed_methods, clippy::expect_used, reason = "a test reads the example from the disk")]

use std::path::Path;

use lang_diagnostics::{Diagnostic, Sink, SourceMap};
use lang_syntax::{TokenKind, lex};

fn acme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/acme.mesh");
    std::fs::read_to_string(path).expect("the example is there")
}

/// What is said about a text. There is a model exactly if there is no error.
fn report(text: &str) -> Vec<Diagnostic> {
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let file = lang_syntax::parse(sources.add("mesh.mesh", text), text, &mut sink);
    let model = meshc_vocabulary::evaluate(&[file], &mut sources, &mut sink);
    assert_eq!(model.is_none(), sink.has_errors(), "{text}");
    sink.into_sorted()
}

/// Whether the parser said it.
fn of_the_text(diagnostic: &Diagnostic) -> bool {
    diagnostic.code.0.starts_with("E00")
}

/// Each text with what `change` makes of one token.
fn changed(take: fn(TokenKind) -> bool, change: fn(&str) -> String) -> Vec<(String, String)> {
    let text = acme();
    let tokens = lex(&text).into_iter().filter(|token| take(token.kind));
    tokens
        .map(|token| {
            let (start, end) = (token.start as usize, token.end as usize);
            let word = &text[start..end];
            let line = text[..start].lines().count();
            let changed = format!("{}{}{}", &text[..start], change(word), &text[end..]);
            (format!("`{word}` in line {line}"), changed)
        })
        .collect()
}

#[test]
fn a_missing_token_is_one_mistake() {
    let says_something = |kind| !matches!(kind, TokenKind::Whitespace | TokenKind::Newline);
    for (what, text) in changed(says_something, |_| String::new()) {
        let diagnostics = report(&text);
        let meaning = diagnostics.iter().filter(|it| !of_the_text(it)).count();
        let broken = diagnostics.iter().any(of_the_text);
        assert!(meaning <= usize::from(!broken), "without {what}: {diagnostics:#?}");
    }
}

#[test]
fn a_misspelt_word_is_one_mistake() {
    let texts = changed(|kind| kind == TokenKind::Name, |word| format!("{word}x"));
    assert!(texts.len() > 100);
    for (what, text) in texts {
        let diagnostics = report(&text);
        assert!(diagnostics.len() <= 1, "{what} misspelt: {diagnostics:#?}");
    }
}
