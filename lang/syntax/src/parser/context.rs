//! What is shared while one file is parsed: its text, its documentation, and the mistakes found so far.

use std::cell::{Cell, RefCell};

use lang_diagnostics::{Diagnostic, FileId, Span, Spanned};

use super::collector::Collector;
use super::tokens::Lexeme;
use crate::ast::{Comment, Item, Value};
use crate::codes;
use crate::token::{Token, TokenKind};

/// If more closing brackets than this are missing, the file is no mesh with a mistake, and its indentation says nothing.
const MOST_MISSING: i64 = 8;

/// The shared part of the parser's state.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    file: FileId,
    text: &'a str,
    /// `///` lines in source order, with whether each stands on a line of its own.
    documentation: Vec<(Token, bool)>,
    diagnostics: RefCell<Vec<Diagnostic>>,
    /// Where the parser was stuck when it last reported: a second report from the same place is a consequence.
    stuck_at: Cell<Option<u32>>,
    /// Where the lexeme ends that was last reported.
    stuck_end: Cell<u32>,
    /// How many mistakes were reported that may have made a later closing bracket stray.
    forgiven_strays: Cell<u32>,
    /// How many closing brackets were swallowed by a string whose quotes were forgotten.
    forgiven_closings: Cell<u32>,
    /// How many `{` more than `}` are still to come. While there are more, and not too many, indentation tells where
    /// they should have been closed; a file without such a mistake may be indented as it likes.
    missing_braces: Cell<i64>,
    /// The same for `[` and `]`.
    missing_brackets: Cell<i64>,
    /// The same for `(` and `)`.
    missing_parentheses: Cell<i64>,
    /// Where lexemes begin that go on with a mistake that was reported: further lines of a list with dashes.
    continued: RefCell<Vec<u32>>,
    /// Whether anything was read that stands for something else.
    pub(crate) expands: Cell<bool>,
    /// Ranges whose documentation was used, or that were skipped and therefore say nothing.
    accounted: RefCell<Vec<(u32, u32)>>,
    /// The items of the bodies that are being parsed.
    pub(crate) items: Collector<Item>,
    /// The elements of the lists that are being parsed.
    pub(crate) elements: Collector<Value>,
}

/// The significant tokens of a text, the comments, and the context to parse them in.
pub(crate) struct Prepared<'a> {
    pub(crate) lexemes: Vec<Lexeme>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) context: Context<'a>,
}

/// Sorts the tokens of a file: lexemes for the parser, comments and documentation for the tree.
pub(crate) fn prepare<'a>(file: FileId, text: &'a str, tokens: &[Token]) -> Prepared<'a> {
    let mut lexemes = Vec::with_capacity(tokens.len() / 2 + 1);
    let mut comments = Vec::new();
    let mut documentation = Vec::new();
    let slice = |token: Token| text.get(token.start as usize..token.end as usize).unwrap_or_default();
    // Since the last lexeme: was there a line feed, and documentation?
    let mut on_new_line = true;
    let mut documented = false;
    let mut missing_braces = 0;
    let mut missing_brackets = 0;
    let mut missing_parentheses = 0;
    // Since the last token that is not white space.
    let mut own_line = true;
    for token in tokens.iter().copied() {
        match token.kind {
            TokenKind::Whitespace => {}
            TokenKind::Newline => {
                on_new_line = true;
                own_line = true;
            }
            TokenKind::Comment => {
                let line = slice(token);
                let text = line.strip_prefix("//").unwrap_or(line).trim_end().to_owned();
                let span = Span { file, start: token.start, end: token.end };
                comments.push(Comment { text, span, own_line });
            }
            TokenKind::Documentation => {
                documentation.push((token, own_line));
                documented = true;
            }
            kind => {
                match kind {
                    TokenKind::OpenBrace => missing_braces += 1,
                    TokenKind::CloseBrace => missing_braces -= 1,
                    TokenKind::OpenBracket => missing_brackets += 1,
                    TokenKind::CloseBracket => missing_brackets -= 1,
                    TokenKind::OpenParenthesis => missing_parentheses += 1,
                    TokenKind::CloseParenthesis => missing_parentheses -= 1,
                    _ => {}
                }
                lexemes.push(Lexeme { kind, on_new_line, documented, start: token.start, end: token.end });
                on_new_line = false;
                documented = false;
                own_line = false;
            }
        }
    }
    let context = Context {
        file,
        text,
        documentation,
        diagnostics: RefCell::new(Vec::new()),
        stuck_at: Cell::new(None),
        stuck_end: Cell::new(0),
        forgiven_strays: Cell::new(0),
        forgiven_closings: Cell::new(0),
        missing_braces: Cell::new(missing_braces),
        missing_brackets: Cell::new(missing_brackets),
        missing_parentheses: Cell::new(missing_parentheses),
        continued: RefCell::new(Vec::new()),
        expands: Cell::new(false),
        accounted: RefCell::new(Vec::new()),
        items: Collector::default(),
        elements: Collector::default(),
    };
    Prepared { lexemes, comments, context }
}

impl<'a> Context<'a> {
    /// Whether there are as many opening brackets as closing ones of each kind.
    pub(crate) fn is_balanced(&self) -> bool {
        [&self.missing_braces, &self.missing_brackets, &self.missing_parentheses]
            .iter()
            .all(|missing| missing.get() == 0)
    }

    /// The lexeme that stands behind the last one, as often as it is looked at.
    pub(crate) fn end_lexeme(&self) -> Lexeme {
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        Lexeme { kind: TokenKind::End, on_new_line: true, documented: false, start: end, end }
    }

    /// The text of a range of bytes.
    pub(crate) fn slice(&self, start: u32, end: u32) -> &'a str {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The text behind an offset.
    pub(crate) fn behind(&self, start: u32) -> &'a str {
        self.text.get(start as usize..).unwrap_or_default()
    }

    /// A place in this file.
    pub(crate) fn span(&self, start: u32, end: u32) -> Span {
        Span { file: self.file, start, end }
    }

    /// Reports a mistake found while looking at `at`, unless one was already reported from there.
    pub(crate) fn report(&self, at: Lexeme, diagnostic: Diagnostic) {
        if self.continued.borrow().contains(&at.start) {
            return self.quiet(at);
        }
        if self.stuck_at.replace(Some(at.start)) != Some(at.start) {
            self.diagnostics.borrow_mut().push(diagnostic);
            self.stuck_end.set(at.end);
            self.forgiven_strays.update(|count| count.saturating_add(1));
        }
    }

    /// Reports a closing bracket without an opening one, unless it can be a consequence of a mistake before it.
    pub(crate) fn report_stray(&self, at: Lexeme, diagnostic: Diagnostic) {
        self.stuck_end.set(at.end);
        let forgiven = self.forgiven_strays.get();
        if forgiven > 0 {
            self.forgiven_strays.set(forgiven - 1);
            self.quiet(at);
        } else if self.stuck_at.replace(Some(at.start)) != Some(at.start) {
            self.diagnostics.borrow_mut().push(diagnostic);
        }
    }

    /// Notes that an unclosed string swallowed this text.
    pub(crate) fn swallowed(&self, text: &str) {
        let count = |brackets: [u8; 2]| {
            let brackets = text.bytes().filter(|byte| brackets.contains(byte)).count();
            u32::try_from(brackets).unwrap_or(u32::MAX)
        };
        self.forgiven_closings.update(|forgiven| forgiven.saturating_add(count([b'}', b']'])));
        self.forgiven_strays.update(|forgiven| forgiven.saturating_add(count([b'{', b'['])));
    }

    /// Whether a bracket that is not closed after `last_end` goes unreported, because what stands there instead was
    /// reported, or because a string swallowed what closed it.
    pub(crate) fn forgives_closing(&self, last_end: u32) -> bool {
        if self.stuck_end.get() == last_end {
            return true;
        }
        let forgiven = self.forgiven_closings.get();
        self.forgiven_closings.set(forgiven.saturating_sub(1));
        forgiven > 0
    }

    /// Whether indentation shows that a bracket was to be closed before `next`, which begins a line: it stands further
    /// left than the line of the bracket, or as far left without closing anything.
    pub(crate) fn shows_closing(&self, opening: Lexeme, next: Lexeme) -> bool {
        let trusted = 1..=MOST_MISSING;
        if !trusted.contains(&self.missing(opening.kind).get())
            || !next.on_new_line
            || next.kind == TokenKind::End
        {
            return false;
        }
        let (column, indentation) = (self.column(next.start), self.indentation(opening.start));
        column < indentation || (column == indentation && next.kind.opening().is_none())
    }

    fn missing(&self, opening: TokenKind) -> &Cell<i64> {
        match opening {
            TokenKind::OpenBracket => &self.missing_brackets,
            TokenKind::OpenParenthesis => &self.missing_parentheses,
            _ => &self.missing_braces,
        }
    }

    /// Whether there are more opening brackets of this kind than closing ones from here on.
    pub(crate) fn lacks_closing(&self, opening: TokenKind) -> bool {
        self.missing(opening).get() > 0
    }

    /// Whether there are more closing brackets of this kind than opening ones from here on.
    pub(crate) fn lacks_opening(&self, opening: TokenKind) -> bool {
        self.missing(opening).get() < 0
    }

    /// Notes that the closing bracket of an opening one was found to be missing.
    pub(crate) fn missing_closing(&self, opening: TokenKind) {
        self.missing(opening).update(|count| count.saturating_sub(1));
    }

    /// Notes that an opening bracket was found to be missing: one more closing bracket is accounted for.
    pub(crate) fn missing_opening(&self, opening: TokenKind) {
        self.missing(opening).update(|count| count.saturating_add(1));
    }

    /// The line of an offset, up to there.
    fn line_before(&self, offset: u32) -> &'a str {
        self.slice(0, offset).rsplit('\n').next().unwrap_or_default()
    }

    /// How many bytes stand before an offset on its line.
    pub(crate) fn column(&self, offset: u32) -> usize {
        self.line_before(offset).len()
    }

    /// How many blanks and tabs the line of an offset begins with.
    pub(crate) fn indentation(&self, offset: u32) -> usize {
        let line = self.line_before(offset);
        line.len() - line.trim_start_matches([' ', '\t']).len()
    }

    /// Reports a mistake inside one token, which never hides another one.
    pub(crate) fn report_inside(&self, diagnostic: Diagnostic) {
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    /// Makes the next report from `at` silent: it would be a consequence of what was reported.
    pub(crate) fn quiet(&self, at: Lexeme) {
        self.stuck_at.set(Some(at.start));
    }

    /// Notes that the mistake before it goes on at this lexeme.
    pub(crate) fn continues(&self, at: Lexeme) {
        self.continued.borrow_mut().push(at.start);
    }

    /// Notes that recovery jumped over a range.
    pub(crate) fn skipped(&self, start: u32, end: u32) {
        self.accounted.borrow_mut().push((start, end));
    }

    /// The documentation lines between `after` (where the previous lexeme ends) and `item`, joined.
    pub(crate) fn documentation(&self, after: u32, item: Lexeme) -> Option<Box<Spanned<String>>> {
        if !item.documented {
            return None;
        }
        let first = self.documentation.partition_point(|(token, _)| token.start < after);
        let mut joined: Option<Spanned<String>> = None;
        for (token, own_line) in self.documentation.get(first..).unwrap_or_default() {
            if token.start >= item.start {
                break;
            }
            if !own_line {
                continue;
            }
            self.accounted.borrow_mut().push((token.start, token.end));
            let line = self.slice(token.start, token.end);
            let line = line.strip_prefix("///").unwrap_or(line);
            let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
            let span = self.span(token.start, token.end);
            match &mut joined {
                Some(joined) => {
                    joined.value.push('\n');
                    joined.value.push_str(line);
                    joined.span = joined.span.to(span);
                }
                None => joined = Some(Spanned::new(line.to_owned(), span)),
            }
        }
        joined.map(Box::new)
    }

    /// Reports the documentation that no item took, once for each run of lines, and returns all reports.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut accounted = self.accounted.into_inner();
        accounted.sort_unstable();
        let mut diagnostics = self.diagnostics.into_inner();
        // A bracket too many ends what the documentation was about.
        let cut_off = |end: u32| {
            let rest = self.text.get(end as usize..).unwrap_or_default();
            let mut lines =
                rest.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
            lines.next().is_some_and(|line| line.starts_with(['}', ']']))
        };
        let mistaken = !diagnostics.is_empty();
        // One past the last byte that a range beginning at or before the current token accounts for.
        let mut covered = 0;
        let mut ranges = accounted.into_iter().peekable();
        let mut previous_end: Option<u32> = None;
        for (token, own_line) in self.documentation {
            while let Some((_, end)) = ranges.next_if(|(start, _)| *start <= token.start) {
                covered = covered.max(end);
            }
            if token.start < covered {
                previous_end = None;
                continue;
            }
            let gap = previous_end.and_then(|end| self.text.get(end as usize..token.start as usize));
            let continues = own_line && gap.is_some_and(|gap| gap.trim().is_empty());
            previous_end = Some(token.end);
            if continues {
                continue;
            }
            if own_line && mistaken && cut_off(token.end) {
                continue;
            }
            let span = Span { file: self.file, start: token.start, end: token.end };
            let message = if own_line {
                "this documentation is not followed by an item"
            } else {
                "documentation has lines of its own, before the item it is about"
            };
            let help = "write `//` for a comment";
            diagnostics.push(Diagnostic::error(codes::STRAY_DOCUMENTATION, span, message).help(help));
        }
        diagnostics
    }
}
