//! The codes of diagnostics: their titles, or what `meshc explain` prints.

use lang_diagnostics::CodeInfo;

use crate::text::{head, line, row};

const INTRODUCTION: &str = "\
## Diagnostics

Codes that begin with `E` are errors, those that begin with `W` are warnings, which can be allowed or made errors.
`meshc explain CODE` prints what a code means, with an example, and how to get out of it.

";

/// A table of their titles.
pub(crate) fn titles(codes: &[&CodeInfo]) -> String {
    let mut text = String::from(INTRODUCTION);
    head(&["code", "what"], &mut text);
    for info in codes {
        row(&[&format!("`{}`", info.code), info.title], &mut text);
    }
    text
}

/// A section for each.
pub(crate) fn explanations(codes: &[&CodeInfo]) -> String {
    let mut text = String::from(INTRODUCTION);
    for info in codes {
        line(&mut text, format_args!("### `{}` {}\n\n{}\n", info.code, info.title, info.explanation.trim()));
    }
    text
}
