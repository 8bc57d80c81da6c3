//! The parser's input: a slice of significant tokens with the position inside brackets, as nom understands it.

use std::iter::{Copied, Enumerate};
use std::slice::Iter;

use lang_diagnostics::{Code, Diagnostic, Span};
use nom::error::{ErrorKind, ParseError};
use nom::{Err, IResult, Needed};

use super::context::Context;
use crate::token::TokenKind;

/// Brackets may nest this deep. The limit bounds the recursion of the parser and of everything that walks the
/// tree, so that no input can overflow a stack.
pub(crate) const DEPTH_LIMIT: u8 = 64;

/// Names that mean something between values.
pub(crate) const INFIX: [&str; 5] = ["and", "or", "then", "else", "as"];

/// A token that is not trivia, with what the trivia before it mean to the parser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexeme {
    pub(crate) kind: TokenKind,
    /// Whether a line feed stands between the previous lexeme and this one.
    pub(crate) on_new_line: bool,
    /// Whether documentation stands between the previous lexeme and this one.
    pub(crate) documented: bool,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// What a bracket encloses, as far as it decides how lines end and what an odd closing bracket means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bracket {
    /// `{ … }` of a block or record: a line feed ends an item.
    Brace,
    /// `[ … ]`: a line feed means nothing.
    List,
    /// `( … )`: a line feed means nothing.
    Parenthesis,
    /// An operator before its operand, such as `not`: it counts as a bracket does, so that nothing nests without bound.
    Operator,
    /// `${ … }`: a line feed has ended the string.
    Interpolation,
}

/// What is left to parse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens<'a> {
    rest: &'a [Lexeme],
    pub(crate) context: &'a Context<'a>,
    /// Where the last consumed lexeme ends.
    pub(crate) last_end: u32,
    /// How many brackets are open, by kind.
    pub(crate) braces: u8,
    pub(crate) lists: u8,
    pub(crate) interpolations: u8,
    pub(crate) parentheses: u8,
    /// How many operators stand before their operand.
    pub(crate) operators: u8,
    /// Whether a line feed ends an item in the innermost bracket.
    pub(crate) lines: bool,
}

impl<'a> Tokens<'a> {
    /// `rest` ends with [`TokenKind::End`].
    pub(crate) fn new(rest: &'a [Lexeme], context: &'a Context<'a>) -> Self {
        Self {
            rest,
            context,
            last_end: 0,
            braces: 0,
            lists: 0,
            interpolations: 0,
            parentheses: 0,
            operators: 0,
            lines: true,
        }
    }

    /// The lexeme after `ahead` others; beyond the end always the end.
    pub(crate) fn peek(&self, ahead: usize) -> Lexeme {
        match self.rest.get(ahead) {
            Some(lexeme) => *lexeme,
            None => self.context.end_lexeme(),
        }
    }

    /// The kind of the next lexeme, if the current item can go on with it.
    pub(crate) fn continuation(&self) -> Option<TokenKind> {
        let next = self.peek(0);
        if self.lines && next.on_new_line { None } else { Some(next.kind) }
    }

    /// Whether the current item can go on with this name.
    pub(crate) fn goes_on_with(&self, word: &str) -> bool {
        self.continuation() == Some(TokenKind::Name) && self.text(self.peek(0)) == word
    }

    /// Consumes one lexeme; the end is never consumed.
    pub(crate) fn advance(self) -> Self {
        match self.rest.split_first() {
            Some((first, rest)) if first.kind != TokenKind::End => Self { rest, last_end: first.end, ..self },
            _ => self,
        }
    }

    /// How many brackets are open.
    pub(crate) fn depth(&self) -> u8 {
        [self.lists, self.interpolations, self.parentheses, self.operators]
            .into_iter()
            .fold(self.braces, u8::saturating_add)
    }

    /// The position inside a bracket that was just opened.
    pub(crate) fn inside(mut self, bracket: Bracket) -> Self {
        match bracket {
            Bracket::Brace | Bracket::Interpolation => self.lines = true,
            Bracket::List | Bracket::Parenthesis => self.lines = false,
            Bracket::Operator => {}
        }
        let count = match bracket {
            Bracket::Brace => &mut self.braces,
            Bracket::List => &mut self.lists,
            Bracket::Parenthesis => &mut self.parentheses,
            Bracket::Operator => &mut self.operators,
            Bracket::Interpolation => &mut self.interpolations,
        };
        *count = count.saturating_add(1);
        self
    }

    /// The same place in the text, in the brackets that `outer` is in.
    pub(crate) fn outside(self, outer: Self) -> Self {
        Self { rest: self.rest, last_end: self.last_end, ..outer }
    }

    /// Whether a closing bracket closes something that is open, perhaps further out.
    pub(crate) fn closes_outer(&self, kind: TokenKind) -> bool {
        match kind.opening() {
            Some(TokenKind::OpenBrace) => self.braces > 0,
            Some(TokenKind::OpenBracket) => self.lists > 0,
            Some(TokenKind::TemplateHead) => self.interpolations > 0,
            Some(TokenKind::OpenParenthesis) => self.parentheses > 0,
            Some(_) | None => false,
        }
    }

    /// The source text of a lexeme.
    pub(crate) fn text(&self, lexeme: Lexeme) -> &'a str {
        self.context.slice(lexeme.start, lexeme.end)
    }

    /// The place of a lexeme.
    pub(crate) fn span(&self, lexeme: Lexeme) -> Span {
        self.context.span(lexeme.start, lexeme.end)
    }

    /// The place from `start` to the end of what was consumed.
    pub(crate) fn span_from(&self, start: u32) -> Span {
        self.context.span(start, self.last_end.max(start))
    }

    /// Whether both have the same lexemes before them.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        self.rest.len() == other.rest.len()
    }

    /// Whether a line begins here that can only be the beginning of an item: `name =`, `name label {` or `name label =`.
    pub(crate) fn at_item_line(&self) -> bool {
        self.peek(0).on_new_line && self.at_item()
    }

    /// [`Self::at_item_line`], or `name {`, which could also be a tagged record: a sure sign only where no value
    /// may begin.
    pub(crate) fn at_item_or_block_line(&self) -> bool {
        let header = self.peek(0).kind.is_word() && self.peek(1).kind == TokenKind::OpenBrace;
        self.at_item_line() || (self.peek(0).on_new_line && header && !self.peek(1).on_new_line)
    }

    /// Whether `name =`, `name label {` or `name label =` stands here, which no value begins with.
    pub(crate) fn at_item(&self) -> bool {
        let [first, second, third] = [self.peek(0), self.peek(1), self.peek(2)];
        if second.on_new_line || !(first.kind.is_word() || first.kind == TokenKind::String) {
            return false;
        }
        // `for c in …`, `use std.…`: a word of the language with a name behind it; `input and …` may be a value.
        let names = second.kind == TokenKind::Name && !INFIX.contains(&self.text(second));
        if first.kind.is_reserved() && (names || second.kind == TokenKind::String) {
            return true;
        }
        // `a in { … }` is a value.
        let word =
            second.kind.is_word() && second.kind != TokenKind::In && !INFIX.contains(&self.text(second));
        let label = word || second.kind == TokenKind::String;
        // `if a { … } then …` and `not a { … }` are values.
        let operator = first.kind == TokenKind::If || self.text(first) == "not";
        second.kind == TokenKind::Equals
            || (first.kind.is_word()
                && !operator
                && label
                && matches!(third.kind, TokenKind::OpenBrace | TokenKind::Equals)
                && !third.on_new_line)
    }
}

/// Why a parser gives up: what it wants to say, and where reading can go on. Recovery reports it.
#[derive(Debug)]
pub(crate) struct Mistake<'a> {
    pub(crate) at: Tokens<'a>,
    pub(crate) diagnostic: Option<Box<Diagnostic>>,
}

/// The result of a parser over tokens. `Err::Error` means "not this form, nothing consumed", `Err::Failure` is a
/// mistake in the text.
pub(crate) type Parsed<'a, T> = IResult<Tokens<'a>, T, Mistake<'a>>;

impl<'a> Mistake<'a> {
    /// A mistake, found at `at`.
    pub(crate) fn failure(at: Tokens<'a>, diagnostic: Diagnostic) -> Err<Self> {
        Err::Failure(Self { at, diagnostic: Some(Box::new(diagnostic)) })
    }

    /// A mistake at the next lexeme.
    pub(crate) fn here(at: Tokens<'a>, code: Code, message: impl Into<String>) -> Err<Self> {
        Self::failure(at, Diagnostic::error(code, at.span(at.peek(0)), message))
    }
}

impl<'a> ParseError<Tokens<'a>> for Mistake<'a> {
    fn from_error_kind(at: Tokens<'a>, _: ErrorKind) -> Self {
        Self { at, diagnostic: None }
    }

    fn append(_: Tokens<'a>, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// A parser of one token that the current item can go on with.
pub(crate) fn token<'a>(kind: TokenKind) -> impl FnMut(Tokens<'a>) -> Parsed<'a, Lexeme> {
    move |input| {
        if input.continuation() == Some(kind) {
            return Ok((input.advance(), input.peek(0)));
        }
        Err(Err::Error(Mistake { at: input, diagnostic: None }))
    }
}

impl<'a> nom::Input for Tokens<'a> {
    type Item = Lexeme;
    type Iter = Copied<Iter<'a, Lexeme>>;
    type IterIndices = Enumerate<Self::Iter>;

    fn input_len(&self) -> usize {
        self.rest.len()
    }

    fn take(&self, index: usize) -> Self {
        Self { rest: self.rest.get(..index).unwrap_or(self.rest), ..*self }
    }

    fn take_from(&self, index: usize) -> Self {
        let last = index.checked_sub(1).and_then(|last| self.rest.get(last));
        let last_end = last.map_or(self.last_end, |lexeme| lexeme.end);
        Self { rest: self.rest.get(index..).unwrap_or_default(), last_end, ..*self }
    }

    fn take_split(&self, index: usize) -> (Self, Self) {
        (self.take_from(index), self.take(index))
    }

    fn position<P: Fn(Self::Item) -> bool>(&self, predicate: P) -> Option<usize> {
        self.rest.iter().position(|lexeme| predicate(*lexeme))
    }

    fn iter_elements(&self) -> Self::Iter {
        self.rest.iter().copied()
    }

    fn iter_indices(&self) -> Self::IterIndices {
        self.iter_elements().enumerate()
    }

    fn slice_index(&self, count: usize) -> Result<usize, Needed> {
        match count.checked_sub(self.rest.len()) {
            None | Some(0) => Ok(count),
            Some(missing) => Err(Needed::new(missing)),
        }
    }
}
