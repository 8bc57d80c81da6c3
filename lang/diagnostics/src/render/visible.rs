//! Makes control characters harmless, so that a source file cannot write to the terminal it is shown on.

use std::borrow::Cow;

/// The same text with every control and text-direction character (except line feed and tab) replaced by one that is
/// visible and takes as many bytes, so that offsets stay true.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut characters = text.chars().peekable();
    let mut replaced = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        // As a part of a line's end a carriage return does no harm.
        let ends_line = character == '\r' && characters.peek() == Some(&'\n');
        replaced.push(match (is_hidden(character) && !ends_line, character.len_utf8()) {
            (false, _) => character,
            (true, 1) => '?',
            (true, 2) => '¿',
            (true, _) => '\u{fffd}',
        });
    }
    Cow::Owned(replaced)
}

/// Whether a text is of printable ASCII, line feeds and tabs, as most files are: found many bytes at a time.
fn is_plain(text: &str) -> bool {
    let odd = |byte: u8| !matches!(byte, b'\n' | b'\t' | b' '..=b'~');
    text.as_bytes().chunks(64).all(|chunk| !chunk.iter().fold(false, |found, byte| found | odd(*byte)))
}

/// A text on one line, that shows each of its characters: what ends a line is a space, control and text-direction characters are
/// replaced by visible ones.
#[must_use]
pub fn one_line(text: &str) -> String {
    visible(text).replace(['\n', '\t', '\r'], " ")
}

/// Control characters, and the characters that turn the direction of the text after them (Unicode Standard Annex 9,
/// explicit directional formatting), with which a line can be made to look like another one.
fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_hidden, visible};

    #[test]
    fn every_character_is_hidden_or_not_alone_and_in_a_long_text() {
        let long = "all of it is plain\n\tand has more than one chunk of bytes, in which nothing is odd\n";
        for character in (0..=0x2100).filter_map(char::from_u32) {
            let text = format!("{long}{character}{long}");
            let shown = visible(&text);
            assert_eq!(shown == text, !is_hidden(character), "{character:?}");
            assert_eq!(shown.len(), text.len());
        }
    }

    #[test]
    fn offsets_stay_true() {
        let nasty = "a\u{1b}[2Jb\u{85}c\u{202e}d\te\r\nf\rg\r";
        assert_eq!(visible(nasty), "a?[2Jb¿c\u{fffd}d\te\r\nf?g?");
        assert_eq!(visible(nasty).len(), nasty.len());
    }
}
