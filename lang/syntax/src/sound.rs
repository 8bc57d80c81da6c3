//! Whether a text has no mistakes of syntax, found without a tree: for whoever needs the tokens only, as the formatter.
//!
//! INVARIANT: what is accepted here, the parser reads without a report. Nothing is said about the rest: there is no recovery
//! and there are no messages, so the parser has to read it. A form of the grammar that is missing here costs time only.
//! `tests/grammar.rs`, `tests/properties.rs` and `tests/format.rs` compare the two.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "as in the parser: a rule asks for a few kinds of tokens, and all others are one case"
)]

mod forms;

use crate::lexer::lex;
use crate::literal::classify;
use crate::parser::DEPTH_LIMIT;
use crate::strings::unescape;
use crate::token::{Token, TokenKind};

/// Whether a text certainly has no mistakes of syntax. Of a text where that is not certain only [`crate::parse`] can tell.
#[must_use]
pub fn is_sound(text: &str) -> bool {
    certain(text, &lex(text))
}

/// [`is_sound`], for a text whose tokens are there.
pub(crate) fn certain(text: &str, tokens: &[Token]) -> bool {
    let mut reader = Reader {
        text,
        tokens,
        now: Lexeme { kind: TokenKind::End, start: 0, end: 0, on_new_line: true, documented: false },
        own_line: true,
        lines: true,
        depth: 0,
    };
    reader.file().is_some()
}

/// The token that is looked at, with what stands before it.
#[derive(Clone, Copy)]
struct Lexeme {
    kind: TokenKind,
    start: u32,
    end: u32,
    on_new_line: bool,
    documented: bool,
}

/// Reads tokens by the rules of the grammar. Each rule is a method; `None` is "perhaps a mistake".
struct Reader<'t> {
    text: &'t str,
    /// Behind the current one.
    tokens: &'t [Token],
    now: Lexeme,
    /// Whether nothing but white space and comments stands between the beginning of the line and what comes next.
    own_line: bool,
    /// Whether a line feed ends an item in the innermost bracket.
    lines: bool,
    /// How many brackets and operators are open.
    depth: u8,
}

impl<'t> Reader<'t> {
    fn file(&mut self) -> Option<()> {
        self.move_on()?;
        if self.now.kind == TokenKind::Name && self.source() == "language" {
            self.language()?;
        }
        self.items(false)?;
        (self.now.kind == TokenKind::End && !self.now.documented).then_some(())
    }

    /// `language 1`, or an item that begins with that word.
    fn language(&mut self) -> Option<()> {
        let documented = self.now.documented;
        self.now.documented = false;
        self.advance()?;
        if self.continuation() == Some(TokenKind::Literal) {
            let version = self.source() == "1" && !documented;
            version.then_some(())?;
            self.advance()?;
        } else {
            self.declared(false)?;
        }
        self.end_of_item()
    }

    /// The text of the current token.
    fn source(&self) -> &'t str {
        self.text.get(self.now.start as usize..self.now.end as usize).unwrap_or_default()
    }

    /// Consumes the current token, which no documentation may stand before.
    fn advance(&mut self) -> Option<()> {
        if self.now.documented { None } else { self.move_on() }
    }

    fn move_on(&mut self) -> Option<()> {
        let (mut on_new_line, mut documented) = (false, false);
        while let Some((token, rest)) = self.tokens.split_first() {
            self.tokens = rest;
            match token.kind {
                TokenKind::Whitespace | TokenKind::Comment => {}
                TokenKind::Newline => {
                    on_new_line = true;
                    self.own_line = true;
                }
                TokenKind::Documentation if self.own_line => documented = true,
                TokenKind::Documentation => return None,
                kind => {
                    self.own_line = false;
                    self.now = Lexeme { kind, start: token.start, end: token.end, on_new_line, documented };
                    return Some(());
                }
            }
        }
        None
    }

    /// The kind of the token behind the current one.
    fn next(&self) -> Option<TokenKind> {
        let space = |kind| matches!(kind, TokenKind::Whitespace | TokenKind::Newline | TokenKind::Comment);
        self.tokens.iter().map(|token| token.kind).find(|kind| !space(*kind))
    }

    /// The kind of the current token, if the item can go on with it.
    fn continuation(&self) -> Option<TokenKind> {
        (!(self.lines && self.now.on_new_line)).then_some(self.now.kind)
    }

    /// Whether the item goes on with this name.
    fn goes_on_with(&self, word: &str) -> bool {
        self.continuation() == Some(TokenKind::Name) && self.source() == word
    }

    /// Consumes a token of this kind that the item goes on with.
    fn expect(&mut self, kind: TokenKind) -> Option<()> {
        if self.continuation() == Some(kind) { self.advance() } else { None }
    }

    /// Reads what is in a bracket, from the opening to behind the closing one.
    fn inside(
        &mut self,
        lines: bool,
        closing: TokenKind,
        content: impl FnOnce(&mut Self) -> Option<()>,
    ) -> Option<()> {
        let outer = (self.lines, self.depth);
        if self.depth >= DEPTH_LIMIT {
            return None;
        }
        self.depth += 1;
        self.lines = lines;
        self.advance()?;
        content(self)?;
        (self.lines, self.depth) = outer;
        if self.now.kind == closing { self.advance() } else { None }
    }

    /// Items up to a closing brace or the end of the file; in a record, attributes only.
    fn items(&mut self, record: bool) -> Option<()> {
        while !matches!(self.now.kind, TokenKind::CloseBrace | TokenKind::End) {
            self.now.documented = false;
            match self.now.kind {
                TokenKind::Spread => self.spread()?,
                kind if kind.is_reserved() => {
                    (!record).then_some(())?;
                    self.form(kind)?;
                }
                _ => self.declaration(record)?,
            }
            self.end_of_item()?;
        }
        Some(())
    }

    /// What separates an item from the next one.
    fn end_of_item(&mut self) -> Option<()> {
        match self.now.kind {
            TokenKind::Comma if !self.now.on_new_line => self.advance(),
            TokenKind::CloseBrace | TokenKind::End => Some(()),
            _ => self.now.on_new_line.then_some(()),
        }
    }

    /// An attribute or a block.
    fn declaration(&mut self, record: bool) -> Option<()> {
        match self.now.kind {
            TokenKind::String => {
                self.string()?;
                self.expect(TokenKind::Equals)?;
                self.value()
            }
            TokenKind::Name | TokenKind::True | TokenKind::False | TokenKind::In | TokenKind::If => {
                self.advance()?;
                self.declared(record)
            }
            _ => None,
        }
    }

    /// What follows the first word of an attribute or a block.
    fn declared(&mut self, record: bool) -> Option<()> {
        match self.continuation()? {
            TokenKind::Equals => {
                self.advance()?;
                return self.value();
            }
            _ if record => return None,
            TokenKind::OpenBrace => return self.body(),
            TokenKind::String => self.string()?,
            TokenKind::TemplateHead => self.template()?,
            kind if is_word(kind) => self.advance()?,
            _ => return None,
        }
        if self.continuation() == Some(TokenKind::Equals) {
            self.advance()?;
            return self.value();
        }
        self.body()
    }

    /// `{ items }`
    fn body(&mut self) -> Option<()> {
        (self.continuation() == Some(TokenKind::OpenBrace)).then_some(())?;
        self.inside(true, TokenKind::CloseBrace, |reader| reader.items(false))
    }

    fn value(&mut self) -> Option<()> {
        if self.now.kind != TokenKind::If {
            return self.disjunction();
        }
        self.operator(|reader| {
            reader.operand(Self::value)?;
            for word in ["then", "else"] {
                reader.goes_on_with(word).then_some(())?;
                reader.advance()?;
                reader.operand(Self::value)?;
            }
            Some(())
        })
    }

    /// An operator before its operands, which counts as a bracket does.
    fn operator(&mut self, operands: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        if self.depth >= DEPTH_LIMIT {
            return None;
        }
        self.depth += 1;
        self.advance()?;
        operands(self)?;
        self.depth -= 1;
        Some(())
    }

    /// An operand, which begins before the item ends.
    fn operand(&mut self, rule: fn(&mut Self) -> Option<()>) -> Option<()> {
        self.continuation()?;
        rule(self)
    }

    fn disjunction(&mut self) -> Option<()> {
        self.conjunction()?;
        while self.goes_on_with("or") {
            self.advance()?;
            self.operand(Self::conjunction)?;
        }
        Some(())
    }

    fn conjunction(&mut self) -> Option<()> {
        self.negation()?;
        while self.goes_on_with("and") {
            self.advance()?;
            self.operand(Self::negation)?;
        }
        Some(())
    }

    fn negation(&mut self) -> Option<()> {
        if self.now.kind == TokenKind::Name && self.source() == "not" {
            return self.operator(|reader| reader.operand(Self::negation));
        }
        self.call()?;
        if self.continuation() == Some(TokenKind::Comparison) {
            self.advance()?;
            self.operand(Self::call)?;
        }
        Some(())
    }

    fn call(&mut self) -> Option<()> {
        self.instance()?;
        if self.continuation() == Some(TokenKind::Arrow) {
            self.advance()?;
            self.instance()?;
        }
        Some(())
    }

    fn instance(&mut self) -> Option<()> {
        self.primary()?;
        if self.continuation() == Some(TokenKind::In) {
            self.advance()?;
            self.operand(Self::primary)?;
        }
        Some(())
    }

    fn primary(&mut self) -> Option<()> {
        match self.now.kind {
            TokenKind::True | TokenKind::False => self.advance(),
            TokenKind::Literal => {
                classify(self.source()).ok()?;
                self.advance()
            }
            TokenKind::String => {
                self.string()?;
                self.segments()
            }
            TokenKind::RawString => {
                // Perhaps the marks of a conflict, one side of which ends the string.
                (!self.source().contains("<<<<<<<")).then_some(())?;
                self.advance()
            }
            TokenKind::TemplateHead => self.template(),
            TokenKind::OpenBracket => self.list(),
            TokenKind::OpenBrace => self.record(),
            TokenKind::OpenParenthesis => self.group(),
            TokenKind::Name if self.source() == "not" => None,
            kind if is_word(kind) && kind.begins_path() => {
                self.advance()?;
                match self.continuation() {
                    Some(TokenKind::OpenBrace) => self.record(),
                    _ => self.segments(),
                }
            }
            _ => None,
        }
    }

    /// `.segment`, any number of times.
    fn segments(&mut self) -> Option<()> {
        while self.continuation() == Some(TokenKind::Dot) {
            self.advance()?;
            match self.continuation()? {
                TokenKind::String => self.string()?,
                kind if is_word(kind) => self.advance()?,
                _ => return None,
            }
        }
        Some(())
    }

    fn list(&mut self) -> Option<()> {
        self.inside(false, TokenKind::CloseBracket, |reader| {
            while reader.now.kind != TokenKind::CloseBracket {
                if reader.now.kind == TokenKind::Spread {
                    reader.spread()?
                } else {
                    reader.value()?
                }
                match reader.now.kind {
                    TokenKind::Comma => reader.advance()?,
                    _ => break,
                }
            }
            Some(())
        })
    }

    fn record(&mut self) -> Option<()> {
        self.inside(true, TokenKind::CloseBrace, |reader| reader.items(true))
    }

    fn group(&mut self) -> Option<()> {
        self.inside(false, TokenKind::CloseParenthesis, Self::value)
    }

    fn spread(&mut self) -> Option<()> {
        self.advance()?;
        self.operand(Self::value)
    }

    /// A string without interpolation.
    fn string(&mut self) -> Option<()> {
        self.escapes()?;
        self.advance()
    }

    /// A string with interpolations.
    fn template(&mut self) -> Option<()> {
        self.escapes()?;
        self.inside(true, TokenKind::TemplateTail, |reader| {
            loop {
                reader.value()?;
                reader.escapes()?;
                match reader.continuation()? {
                    TokenKind::TemplateMiddle => reader.advance()?,
                    _ => return Some(()),
                }
            }
        })
    }

    /// Whether all escapes in the current token mean something.
    fn escapes(&self) -> Option<()> {
        let source = self.source();
        if !source.as_bytes().contains(&b'\\') {
            return Some(());
        }
        let mut bad = Vec::new();
        unescape(source, &mut bad);
        bad.is_empty().then_some(())
    }
}

/// A bare word that needs no quotes.
fn is_word(kind: TokenKind) -> bool {
    kind.is_word() && kind != TokenKind::ForeignName
}
