//! Advice that names the nearest word.

use lang_diagnostics::{Applicability, Diagnostic, Span, suggest};

use crate::mismatch::replace;

/// Adds "did you mean `x`?", and the fix that writes it, if one of `candidates` is near `word`, which stands at `span`;
/// otherwise `advice`.
pub(crate) fn did_you_mean<'a>(
    diagnostic: Diagnostic,
    span: Span,
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    advice: &str,
) -> Diagnostic {
    match suggest(word, candidates) {
        Some(near) => meant(diagnostic, span, near),
        None => diagnostic.help(advice),
    }
}

/// Adds "did you mean `near`?", and the fix that writes it at `span`.
pub(crate) fn meant(diagnostic: Diagnostic, span: Span, near: &str) -> Diagnostic {
    let diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
    // A name of another form would have to be quoted, segment by segment.
    if near.split('.').all(is_plain) {
        let title = format!("write `{near}`");
        diagnostic.fix(replace(span, &title, near.to_owned(), Applicability::Suggested))
    } else {
        diagnostic
    }
}

/// Whether a name is written without quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    !["true", "false", "in", "if", "for"].contains(&name)
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && !name.ends_with('-')
        && !name.contains("--")
}
