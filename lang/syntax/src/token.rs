//! Tokens: kinds and places. Their text stays in the source.

/// A token: what it is and which bytes of the file it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// The kinds of tokens. The lexer never fails: what fits nowhere is [`TokenKind::Unknown`] or one of the unclosed
/// kinds, and the parser reports it where it stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// Spaces, tabs and carriage returns on one line; a byte order mark at the very beginning.
    Whitespace,
    /// White space with at least one line feed.
    Newline,
    /// `// …`, without the line feed.
    Comment,
    /// `/// …`, without the line feed. Four slashes and more are a plain comment.
    Documentation,

    /// A name that is none of the words below.
    Name,
    /// A word with letters outside ASCII; it has to be quoted.
    ForeignName,
    /// `true`
    True,
    /// `false`
    False,
    /// `in`
    In,
    /// `if`
    If,
    /// `for`
    For,
    /// `use`
    Use,
    /// `let`
    Let,
    /// `input`
    Input,
    /// `template`
    Template,
    /// `apply`
    Apply,
    /// `override`
    Override,
    /// `assert`
    Assert,

    /// A token that begins with a digit, or an IPv6 address.
    Literal,
    /// `"…"` without interpolation.
    String,
    /// `"""…"""`
    RawString,
    /// `"…${`
    TemplateHead,
    /// `}…${`
    TemplateMiddle,
    /// `}…"`
    TemplateTail,
    /// `"…` up to the end of the line.
    UnclosedString,
    /// `}…` up to the end of the line.
    UnclosedTail,
    /// `"""…` up to the end of the file.
    UnclosedRaw,

    /// `=`
    Equals,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `:`
    Colon,
    /// `->`
    Arrow,
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`
    Comparison,
    /// `...`
    Spread,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `(`
    OpenParenthesis,
    /// `)`
    CloseParenthesis,

    /// A character, or a run of text such as `'…'`, that begins no token.
    Unknown,
    /// The end of the file; empty.
    End,
}

impl TokenKind {
    /// The kind of a bare ASCII word.
    pub(crate) fn of_word(word: &str) -> Self {
        match word {
            "true" => Self::True,
            "false" => Self::False,
            "in" => Self::In,
            "if" => Self::If,
            "for" => Self::For,
            "use" => Self::Use,
            "let" => Self::Let,
            "input" => Self::Input,
            "template" => Self::Template,
            "apply" => Self::Apply,
            "override" => Self::Override,
            "assert" => Self::Assert,
            _ => Self::Name,
        }
    }

    /// Whether it separates tokens only.
    #[must_use]
    pub fn is_trivia(self) -> bool {
        matches!(self, Self::Whitespace | Self::Newline | Self::Comment | Self::Documentation)
    }

    /// Whether it is a bare word: a name, or a word that is special in some positions.
    pub(crate) fn is_word(self) -> bool {
        matches!(self, Self::Name | Self::ForeignName | Self::True | Self::False | Self::In | Self::If)
            || self.is_reserved()
    }

    /// Whether the word begins an item of its own form, so that no attribute and no block can begin with it.
    pub(crate) fn is_reserved(self) -> bool {
        matches!(
            self,
            Self::For
                | Self::Use
                | Self::Let
                | Self::Input
                | Self::Template
                | Self::Apply
                | Self::Override
                | Self::Assert
        )
    }

    /// Whether the word may begin a path: all but those that are special in value position.
    pub(crate) fn begins_path(self) -> bool {
        self.is_word() && !matches!(self, Self::True | Self::False | Self::In | Self::If | Self::For)
    }

    /// Whether it opens something that must be closed.
    pub(crate) fn is_opening(self) -> bool {
        matches!(self, Self::OpenBrace | Self::OpenBracket | Self::OpenParenthesis | Self::TemplateHead)
    }

    /// What it closes.
    pub(crate) fn opening(self) -> Option<Self> {
        const PAIRS: [(TokenKind, TokenKind); 6] = [
            (TokenKind::CloseBrace, TokenKind::OpenBrace),
            (TokenKind::CloseBracket, TokenKind::OpenBracket),
            (TokenKind::CloseParenthesis, TokenKind::OpenParenthesis),
            (TokenKind::TemplateTail, TokenKind::TemplateHead),
            (TokenKind::TemplateMiddle, TokenKind::TemplateHead),
            (TokenKind::UnclosedTail, TokenKind::TemplateHead),
        ];
        PAIRS.into_iter().find(|(closing, _)| *closing == self).map(|(_, opening)| opening)
    }
}
