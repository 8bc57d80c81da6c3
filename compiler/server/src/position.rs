//! Places as editors count them: lines, and columns in units of UTF-16 or UTF-8.

use ls_types::{Position, Range};

/// The unit of columns, as agreed on with the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// What every client can.
    #[default]
    Utf16,
    /// Bytes, which cost no counting.
    Utf8,
}

/// Where the lines of a text begin. A line ends with `\n`, `\r\n` or a `\r` alone.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let ends = match byte {
                b'\n' => true,
                b'\r' => bytes.get(at + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends {
                starts.push(at + 1);
            }
        }
        Self { starts }
    }

    /// The position of a byte; one beyond the end is the end.
    pub(crate) fn position(&self, text: &str, offset: usize, encoding: Encoding) -> Position {
        let offset = floor(text, offset);
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or_default();
        let before = text.get(start..offset).unwrap_or_default();
        let column = match encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.chars().map(char::len_utf16).sum(),
        };
        Position { line: number(line), character: number(column) }
    }

    /// The byte of a position. A column beyond the line is its end, a line beyond the text the end of that.
    pub(crate) fn offset(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else { return text.len() };
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let whole = text.get(start..end).unwrap_or_default();
        let content = whole.trim_end_matches(['\n', '\r']);
        let column = position.character as usize;
        match encoding {
            Encoding::Utf8 => start + floor(content, column),
            Encoding::Utf16 => {
                let mut units = 0;
                for (at, c) in content.char_indices() {
                    if units >= column {
                        return start + at;
                    }
                    units += c.len_utf16();
                }
                start + content.len()
            }
        }
    }

    pub(crate) fn range(&self, text: &str, start: usize, end: usize, encoding: Encoding) -> Range {
        Range { start: self.position(text, start, encoding), end: self.position(text, end, encoding) }
    }
}

/// The nearest boundary of characters that is not behind an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_there_and_back_whatever_the_text_has() {
        let text = "a = \"é😀\"\r\nb\n\n// 😀 c\rend";
        let lines = Lines::new(text);
        for encoding in [Encoding::Utf16, Encoding::Utf8] {
            let mut ends = vec![text.len()];
            ends.extend(text.char_indices().map(|(at, _)| at));
            for at in ends {
                // The end of a line has one position, before its `\r\n`.
                if text[..at].ends_with('\r') && text[at..].starts_with('\n') {
                    continue;
                }
                let position = lines.position(text, at, encoding);
                assert_eq!(lines.offset(text, position, encoding), at, "{position:?} in {encoding:?}");
            }
        }
        assert_eq!(lines.position(text, 11, Encoding::Utf16), Position { line: 0, character: 8 });
        assert_eq!(lines.position(text, 11, Encoding::Utf8), Position { line: 0, character: 11 });
        assert_eq!(lines.position(text, 7, Encoding::Utf8), Position { line: 0, character: 7 });
    }

    #[test]
    fn positions_beyond_a_line_or_the_text_are_their_ends() {
        let lines = Lines::new("ab\r\ncd");
        let at = |line, character| lines.offset("ab\r\ncd", Position { line, character }, Encoding::Utf16);
        assert_eq!((at(0, 99), at(1, 99), at(7, 0)), (2, 6, 6));
        // In the middle of a character beyond 16 bits.
        let lines = Lines::new("😀x");
        assert_eq!(lines.offset("😀x", Position { line: 0, character: 1 }, Encoding::Utf16), 4);
        assert_eq!(lines.offset("😀x", Position { line: 0, character: 1 }, Encoding::Utf8), 0);
    }
}
