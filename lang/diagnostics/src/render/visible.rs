//! Makes control characters harmless, so that a source file cannot write to the terminal it is shown on.

use std::borrow::Cow;

/// The same text with every control and text-direction character (except line feed and tab) replaced by one that is
/// visible and takes as many bytes, so that offsets stay true.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
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

/// The same on one line: what ends a line is a space.
pub(super) fn one_line(text: &str) -> String {
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
    use super::visible;

    #[test]
    fn offsets_stay_true() {
        let nasty = "a\u{1b}[2Jb\u{85}c\u{202e}d\te\r\nf\rg\r";
        assert_eq!(visible(nasty), "a?[2Jb¿c\u{fffd}d\te\r\nf?g?");
        assert_eq!(visible(nasty).len(), nasty.len());
    }
}
