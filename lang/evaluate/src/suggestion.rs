//! Advice that names the nearest word.

use lang_diagnostics::suggest;

/// "did you mean `x`?" if one of `candidates` is near `word`; otherwise `advice`.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    advice: &str,
) -> String {
    match suggest(word, candidates) {
        Some(near) => format!("did you mean `{near}`?"),
        None => advice.to_owned(),
    }
}
