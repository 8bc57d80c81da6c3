//! A long text in pieces, each of which is parsed on its own: on several cores, and with few tokens at a time.
//!
//! Text is cut where a line that is nothing but `}` ends, before a line that begins with a word. A cut may be wrong, in a string
//! or in a block whose braces are not indented. Then a piece has a mistake; so as soon as one has, the text is parsed
//! as a whole, and mistakes are found in no other way than in a short text.

use lang_diagnostics::{FileId, Span, Spanned};

use super::context::{Prepared, prepare};
use super::items;
use super::tokens::{INFIX, Tokens};
use crate::ast::{Comment, File, Item};
use crate::lexer::lex_from;

/// How many bytes a piece has at least, but for the last one.
const PIECE: usize = 32 << 10;

/// What a cut comes after: the end of a block at the top level.
const END: &str = "\n}\n";

/// What a piece has.
struct Piece {
    language: Option<Spanned<u32>>,
    items: Vec<Item>,
    comments: Vec<Comment>,
    expands: bool,
}

/// The tree of a text that is long enough and without any mistake.
pub(super) fn parse(file: FileId, text: &str) -> Option<File> {
    parse_by(file, text, PIECE)
}

/// As [`parse`], in pieces of at least so many bytes.
pub(super) fn parse_by(file: FileId, text: &str, least: usize) -> Option<File> {
    let cuts = cuts(text, least);
    let ends = cuts.iter().skip(1).copied().chain([text.len()]);
    let places: Vec<(usize, usize)> = cuts.iter().copied().zip(ends).collect();
    if places.len() < 2 {
        return None;
    }
    let pieces = lang_parallel::map(&places, 2, |(start, end)| piece(file, text.get(..*end)?, *start));
    let mut whole = File {
        language: None,
        items: Vec::new(),
        comments: Vec::new(),
        expands: false,
        span: Span::new(file, 0, text.len()),
    };
    for piece in pieces {
        let Piece { language, items, comments, expands } = piece?;
        whole.language = whole.language.or(language);
        whole.items.extend(items);
        whole.comments.extend(comments);
        whole.expands |= expands;
    }
    Some(whole)
}

/// Where pieces begin.
fn cuts(text: &str, least: usize) -> Vec<usize> {
    let mut cuts = vec![0];
    let mut from = least;
    while let Some(behind) = text.as_bytes().get(from..).and_then(|behind| find(behind, END.as_bytes())) {
        let end = from + behind + END.len();
        let rest = text.get(end..).unwrap_or_default();
        let next = rest.trim_start_matches('\n');
        let word = next.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if next.starts_with(|c: char| c.is_ascii_lowercase()) && !INFIX.contains(&word) {
            let start = text.len() - next.len();
            cuts.push(start);
            from = start + least;
        } else {
            from = end - 1;
        }
    }
    cuts
}

/// Where something begins among bytes.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// What stands from `start` to the end of the text, unless there is a mistake in it.
fn piece(file: FileId, text: &str, start: usize) -> Option<Piece> {
    let Prepared { lexemes, comments, context } = prepare(file, text, &lex_from(text, start));
    if !context.is_balanced() {
        return None;
    }
    let (language, items) = {
        let input = Tokens::new(&lexemes, &context);
        let (input, language) = if start == 0 { super::language(input) } else { (input, None) };
        let (_, items) = items::items(input, None);
        (language, items)
    };
    let expands = context.expands.get();
    context.finish().is_empty().then_some(Piece { language, items, comments, expands })
}

#[cfg(test)]
mod tests {
    use lang_diagnostics::Sink;
    use proptest::prelude::*;

    use super::*;

    const ACME: &str = include_str!("../../../../tests/fixtures/acme.mesh");

    /// What is put into a text: ends of blocks where there are none, openings, words that go on with something, half strings.
    const ODD: &[&str] = &[
        "\n}\n",
        "\n}\nthen",
        "\n}\n\nelse",
        "\n}\nservice a {\n",
        "{",
        "}",
        "[",
        "\"\"\"",
        "\"",
        "${",
        "// ",
        "/// what\n",
        "language 1\n",
        "\nx = [\n}\n]\n",
        ",",
        "\n}\n\u{feff}let a = 1\n",
        "\n}\n-> b\n",
        "\n}\nlet a = if b\n}\nthen c else d\n",
    ];

    fn whole(text: &str) -> Option<File> {
        let mut sink = Sink::default();
        let file = super::super::parse_at_once(FileId(0), text, &mut sink);
        sink.diagnostics().is_empty().then_some(file)
    }

    #[test]
    fn a_long_text_is_cut_and_its_tree_is_the_same() {
        let text = ["language 1\n", &ACME.replace("language 1\n", "").repeat(40)].concat();
        let cuts = cuts(&text, PIECE);
        assert!(cuts.len() > 2, "{cuts:?}");
        assert_eq!(parse(FileId(0), &text), whole(&text));
        assert!(whole(&text).is_some());
        assert_eq!(parse(FileId(0), ACME), None, "this is short");
    }

    proptest! {
        /// Whatever the text, its pieces have the tree of the whole, or there is a mistake in one of them.
        #[test]
        fn pieces_have_the_tree_of_the_whole_or_a_mistake(
            odd in prop::collection::vec((0..ACME.len(), prop::sample::select(ODD)), 0..4),
            least in 1..400_usize,
        ) {
            let mut text = ACME.to_owned();
            for (at, odd) in odd {
                if text.is_char_boundary(at) {
                    text.insert_str(at, odd);
                }
            }
            if let Some(file) = parse_by(FileId(0), &text, least) {
                prop_assert_eq!(Some(file), whole(&text));
            }
        }
    }
}
