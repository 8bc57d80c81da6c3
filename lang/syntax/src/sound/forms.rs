//! Items that begin with a word of the language.

use super::{Reader, is_word};
use crate::token::TokenKind;

impl Reader<'_> {
    /// The item that begins with this word.
    pub(super) fn form(&mut self, word: TokenKind) -> Option<()> {
        self.advance()?;
        match word {
            TokenKind::Use => self.import(),
            TokenKind::Let => {
                self.plain()?;
                self.expect(TokenKind::Equals)?;
                self.value()
            }
            TokenKind::Input => self.parameter(),
            TokenKind::For => self.repetition(),
            TokenKind::Template => {
                self.plain()?;
                self.parenthesized(Self::parameter)?;
                self.body()
            }
            TokenKind::Apply => {
                self.path()?;
                self.parenthesized(Self::argument)
            }
            TokenKind::Assert => {
                self.value()?;
                if self.goes_on_with("else") {
                    self.advance()?;
                    self.value()?;
                }
                Some(())
            }
            TokenKind::Override => {
                self.continuation()?;
                self.declaration(false)
            }
            _ => None,
        }
    }

    /// A name that is declared or taken.
    fn plain(&mut self) -> Option<()> {
        let named = self.continuation() == Some(TokenKind::Name) && self.source() != "not";
        if named { self.advance() } else { None }
    }

    /// `name.segment`
    fn path(&mut self) -> Option<()> {
        self.plain()?;
        self.segments()
    }

    fn import(&mut self) -> Option<()> {
        match self.continuation()? {
            TokenKind::String => self.string()?,
            _ => self.path()?,
        }
        if self.goes_on_with("as") {
            self.advance()?;
            return self.plain();
        }
        if self.continuation() != Some(TokenKind::OpenBrace) {
            return Some(());
        }
        self.inside(true, TokenKind::CloseBrace, |reader| {
            while reader.now.kind == TokenKind::Name && reader.source() != "not" {
                reader.advance()?;
                if reader.goes_on_with("as") {
                    reader.advance()?;
                    reader.plain()?;
                }
                reader.end_of_item()?;
            }
            Some(())
        })
    }

    /// `name: type = value`
    fn parameter(&mut self) -> Option<()> {
        self.plain()?;
        self.expect(TokenKind::Colon)?;
        self.type_of()?;
        if self.continuation() != Some(TokenKind::Equals) {
            return Some(());
        }
        self.advance()?;
        self.value()
    }

    fn type_of(&mut self) -> Option<()> {
        if self.continuation() == Some(TokenKind::OpenBracket) {
            return self.inside(false, TokenKind::CloseBracket, Self::type_of);
        }
        self.plain()?;
        self.parenthesized(Self::value)
    }

    /// `name = value`, or `value`
    fn argument(&mut self) -> Option<()> {
        if self.next() == Some(TokenKind::Equals) {
            self.plain()?;
            self.expect(TokenKind::Equals)?;
        }
        self.value()
    }

    /// `( part, part )`, or nothing.
    fn parenthesized(&mut self, part: fn(&mut Self) -> Option<()>) -> Option<()> {
        if self.continuation() != Some(TokenKind::OpenParenthesis) {
            return Some(());
        }
        self.inside(false, TokenKind::CloseParenthesis, |reader| {
            while reader.now.kind != TokenKind::CloseParenthesis {
                part(reader)?;
                match reader.now.kind {
                    TokenKind::Comma => reader.advance()?,
                    _ => break,
                }
            }
            Some(())
        })
    }

    /// `name in list { … }`
    fn repetition(&mut self) -> Option<()> {
        self.plain()?;
        self.expect(TokenKind::In)?;
        match self.continuation()? {
            TokenKind::OpenBracket => self.list()?,
            TokenKind::OpenParenthesis => self.group()?,
            TokenKind::String => {
                self.string()?;
                (self.continuation() == Some(TokenKind::Dot)).then_some(())?;
                self.segments()?;
            }
            kind if is_word(kind) && kind.begins_path() && self.source() != "not" => {
                self.advance()?;
                self.segments()?;
            }
            _ => return None,
        }
        self.body()
    }
}
