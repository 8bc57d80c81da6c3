//! Pieces: the tokens that are written, with what the layout has to know of each.

use crate::token::{Token, TokenKind};

/// A token that is written, or a whole string with its interpolations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) kind: TokenKind,
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    /// Line feeds before it: none, one, or more.
    pub(super) lines: Lines,
    /// Whether a space stands before it where everything is on one line.
    pub(super) spaced: bool,
    /// Of an opening bracket: the piece that closes it. Of anything else: itself.
    pub(super) mate: usize,
    /// The columns of all pieces before it, all on one line.
    pub(super) column: usize,
    /// How many of the pieces before it cannot stand on one line with others.
    pub(super) breaks: usize,
}

/// Line feeds before a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lines {
    /// It goes on with the line.
    None,
    /// It begins a line.
    One,
    /// An empty line stands before it.
    Empty,
}

impl Piece {
    /// Whether it is a comment or documentation, after which a line ends.
    pub(super) fn is_comment(&self) -> bool {
        matches!(self.kind, TokenKind::Comment | TokenKind::Documentation)
    }
}

/// Whether it is a bracket that closes another one.
fn closes(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::CloseBrace | TokenKind::CloseBracket | TokenKind::CloseParenthesis)
}

/// All pieces of a text; the last is the empty end of the file. Commas before a closing bracket are left out.
pub(super) fn of(text: &str, tokens: &[Token]) -> Vec<Piece> {
    let mut collected = Collected::new(tokens.len());
    let mut tokens = tokens.iter();
    while let Some(token) = tokens.next() {
        match token.kind {
            TokenKind::Whitespace => collected.spaced = true,
            TokenKind::Newline => {
                let feeds = text.get(token.start as usize..token.end as usize).unwrap_or_default();
                let feeds = feeds.bytes().filter(|byte| *byte == b'\n').take(2).count();
                collected.lines = collected.lines.max(if feeds > 1 { Lines::Empty } else { Lines::One });
            }
            TokenKind::TemplateHead => {
                let end = end_of_string(&mut tokens).unwrap_or(token.end);
                collected.add(TokenKind::String, token.start, end);
            }
            kind => collected.add(kind, token.start, token.end),
        }
    }
    measure(text, &mut collected.pieces, &collected.broken);
    collected.pieces
}

/// Runs over a string with interpolations to its end: such a string is one piece, since it is on one line and its text
/// says where spaces are.
fn end_of_string<'t>(tokens: &mut impl Iterator<Item = &'t Token>) -> Option<u32> {
    let mut open = 1;
    for token in tokens {
        match token.kind {
            TokenKind::TemplateHead => open += 1,
            TokenKind::TemplateTail | TokenKind::UnclosedTail => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(token.end);
        }
    }
    None
}

/// What was collected so far.
struct Collected {
    pieces: Vec<Piece>,
    /// For each piece, whether it is an opening brace whose items stand on lines of their own.
    broken: Vec<bool>,
    /// The brackets that are open.
    open: Vec<usize>,
    /// What stands between the last piece and the next.
    lines: Lines,
    spaced: bool,
}

impl Collected {
    fn new(tokens: usize) -> Self {
        Self {
            // About every other token is white space.
            pieces: Vec::with_capacity(tokens / 2 + 1),
            broken: Vec::with_capacity(tokens / 2 + 1),
            open: Vec::new(),
            lines: Lines::One,
            spaced: false,
        }
    }

    fn add(&mut self, kind: TokenKind, start: u32, end: u32) {
        if closes(kind) {
            self.drop_comma();
        }
        let here = self.pieces.len();
        let before = self.pieces.last().map(|piece| piece.kind);
        if self.lines > Lines::None && !before.is_some_and(goes_on) {
            self.break_innermost(closes(kind).then_some(here));
        }
        if closes(kind)
            && let Some(opening) = self.open.pop()
            && let Some(opening) = self.pieces.get_mut(opening)
        {
            opening.mate = here;
        }
        if opens(kind) {
            self.open.push(here);
        }
        let spaced =
            before.is_some_and(|before| spaced(before, kind, self.spaced || self.lines > Lines::None));
        self.pieces.push(Piece {
            kind,
            start: start as usize,
            end: end as usize,
            lines: self.lines,
            spaced,
            mate: here,
            column: 0,
            breaks: 0,
        });
        self.broken.push(false);
        self.lines = Lines::None;
        self.spaced = false;
    }

    /// Takes back a comma before a closing bracket, and before comments in front of that.
    fn drop_comma(&mut self) {
        let Some(last) = self.pieces.iter().rposition(|piece| !piece.is_comment()) else { return };
        let Some(comma) = self.pieces.get(last).copied().filter(|piece| piece.kind == TokenKind::Comma)
        else {
            return;
        };
        self.pieces.remove(last);
        self.broken.remove(last);
        match self.pieces.get_mut(last) {
            // A comment behind the comma stands behind what was before it.
            Some(comment) => {
                comment.lines = comment.lines.max(comma.lines);
                comment.mate = last;
            }
            None => self.lines = self.lines.max(comma.lines),
        }
        for (at, piece) in self.pieces.iter_mut().enumerate().skip(last) {
            piece.mate = at;
        }
    }

    /// Items of the innermost braces stand on lines of their own; `closing` is the piece that closes them, if that is
    /// what begins the line: empty braces have no items.
    fn break_innermost(&mut self, closing: Option<usize>) {
        let Some(opening) = self.open.last().copied() else { return };
        let braces = self.pieces.get(opening).is_some_and(|piece| piece.kind == TokenKind::OpenBrace);
        let empty = closing.is_some_and(|closing| closing == opening + 1);
        if braces
            && !empty
            && let Some(broken) = self.broken.get_mut(opening)
        {
            *broken = true;
        }
    }
}

fn opens(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::OpenBrace | TokenKind::OpenBracket | TokenKind::OpenParenthesis)
}

/// Whether an item goes on behind a line feed after this.
pub(super) fn goes_on(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Equals | TokenKind::Arrow)
}

/// Whether a space stands between two pieces on one line. `written` is whether there is white space in the source, which
/// decides about pairs that have no rule: joining them may change what they are.
fn spaced(before: TokenKind, next: TokenKind, written: bool) -> bool {
    use TokenKind::{
        Arrow, CloseBrace, CloseBracket, CloseParenthesis, Colon, Comma, Dot, Equals, OpenBrace, OpenBracket,
        OpenParenthesis,
    };
    match (before, next) {
        (_, Comma | Colon | CloseBracket | CloseParenthesis) | (OpenBracket | OpenParenthesis, _) => false,
        (OpenBrace, CloseBrace) => false,
        (OpenBrace | Comma | Colon | Equals | Arrow, _) => true,
        (_, OpenBrace | CloseBrace | Equals | Arrow) => true,
        (Dot, _) | (_, Dot) => false,
        _ => written,
    }
}

/// Gives each piece its column and the breaks before it.
fn measure(text: &str, pieces: &mut [Piece], broken: &[bool]) {
    let (mut column, mut breaks) = (0, 0);
    for (piece, broken) in pieces.iter_mut().zip(broken) {
        piece.column = column;
        piece.breaks = breaks;
        let source = text.get(piece.start..piece.end).unwrap_or_default();
        let alone = match piece.kind {
            TokenKind::Comment | TokenKind::Documentation => true,
            TokenKind::RawString => source.contains('\n'),
            _ => *broken,
        };
        breaks += usize::from(alone);
        column += usize::from(piece.spaced) + columns(source);
    }
}

/// The columns of a text: one for each character.
pub(super) fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}
