//! The formatter: one canonical layout of a text, over its tokens, so that nothing of it can get lost.
//!
//! Comments, literals and strings stay as they are written; what changes is white space, and commas where items or
//! elements stand on lines of their own. The layout depends on the tokens, and on three choices of the author: comments,
//! empty lines (one at most), and whether what stands between braces is on one line, where it fits.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a layout asks for a few kinds of tokens, and all others are written as they are, whichever there are"
)]

mod body;
mod pieces;
mod raw;
mod writer;

#[cfg(test)]
mod tests;

use lang_diagnostics::{FileId, Sink};

use crate::sound::certain;
use crate::{Token, lex, parse};

/// Columns that a line should not exceed.
const WIDTH: usize = 100;

/// Columns of one level of indentation.
const INDENTATION: usize = 2;

/// The canonical layout of a text: its lines end with a line feed, and the meaning is the same. Formatting that again
/// changes nothing. `None` if the text has mistakes of syntax, which are reported.
#[must_use]
pub fn format(file: FileId, text: &str, sink: &mut Sink) -> Option<String> {
    let tokens = lex(text);
    // Making a tree takes several times as long as the layout, and it is of no use here.
    if certain(text, &tokens) {
        return Some(laid_out(text, &tokens));
    }
    let mut found = Sink::default();
    let _ = parse(file, text, &mut found);
    let readable = !found.has_errors();
    found.into_sorted().into_iter().for_each(|diagnostic| sink.push(diagnostic));
    readable.then(|| laid_out(text, &tokens))
}

/// The layout of a text without mistakes of syntax.
fn laid_out(text: &str, tokens: &[Token]) -> String {
    let pieces = pieces::of(text, tokens);
    let mut writer = writer::Writer::new(text, &pieces);
    writer.file();
    writer.finish()
}
