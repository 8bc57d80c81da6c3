//! What stands around a place in a text, from its tokens: blocks, records and lists that are open there, and how far the
//! item has come. It needs no tree, so that it is right while somebody types.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "it asks for a few kinds of tokens, and all others are one case: part of an item"
)]

use lang_syntax::{Token, TokenKind};

use crate::text::Text;

/// Something that is open at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A block of this kind, with its label.
    Block(String, Option<String>),
    /// A record that is the value of an attribute, or of an entry of one.
    Record(String),
    /// The same with a word before it.
    Tagged(String, String),
    /// A list; the attribute that it is the value of, or part of.
    List(String),
    /// Parentheses around a value of an attribute.
    Group(String),
    /// `${…}` in a string.
    Interpolation,
    /// The parameters of a template.
    Parameters,
    /// The arguments of this template.
    Arguments(Vec<String>),
    /// The body of a template.
    Template(String),
    /// The body of a loop.
    Loop,
    /// The names that are taken from a module.
    Imports(Vec<String>),
    /// Braces that belong to nothing known.
    Unknown,
}

/// What is expected at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The beginning of an item; `override` may be before it.
    Item,
    /// A label behind the word of a block.
    Label(String),
    /// A value of an attribute, behind what is written of it already: names with a point behind each, and the number of a
    /// literal that has no unit yet.
    Value(String),
    /// The type of a parameter or input.
    Type,
    /// What a `use` takes in.
    Module,
    /// The name of a template behind `apply`.
    Applied,
    /// What a loop goes over.
    Over,
    /// Nothing that could be listed, such as a new name.
    Nothing,
}

/// Where a place is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// From the outside in.
    pub(crate) frames: Vec<Frame>,
    pub(crate) expected: Expected,
    /// Names before the place, each with a point behind it: `shop` in `shop.we`.
    pub(crate) before: Vec<String>,
    /// Where the word at the place begins; the place itself if there is none.
    pub(crate) start: usize,
    /// Where that word ends.
    pub(crate) end: usize,
    /// Whether the place is in a comment, or in the text of a string.
    pub(crate) in_text: bool,
    /// How many arguments are before it, where none of them has a name.
    pub(crate) position: Option<usize>,
}

struct Open {
    frame: Frame,
    opening: TokenKind,
    /// The tokens of the item around it, to go on with.
    head: Vec<Token>,
    /// How many arguments are in it, if none of them has a name.
    position: Option<usize>,
}

/// Where an offset of a text is.
pub(crate) fn at(text: &Text, offset: usize) -> Cursor {
    let mut walk = Walk { text, open: Vec::new(), head: Vec::new() };
    let (mut start, mut end, mut in_text) = (offset, offset, false);
    for token in text.tokens() {
        let (from, to) = (token.start as usize, token.end as usize);
        if from >= offset {
            break;
        }
        let inside = to > offset || (to == offset && is_word(token.kind));
        if inside {
            match token.kind {
                TokenKind::Comment | TokenKind::Documentation => in_text = true,
                // Its lines end before the place, or behind it.
                TokenKind::Newline if text.text.get(from..offset).is_some_and(|part| part.contains('\n')) => {
                    walk.token(*token);
                }
                TokenKind::Whitespace | TokenKind::Newline => {}
                TokenKind::String
                | TokenKind::RawString
                | TokenKind::TemplateHead
                | TokenKind::TemplateMiddle
                | TokenKind::TemplateTail
                | TokenKind::UnclosedString
                | TokenKind::UnclosedTail
                | TokenKind::UnclosedRaw => (start, end, in_text) = (from, to, true),
                kind if is_word(kind) => (start, end) = (from, to),
                _ => {}
            }
            break;
        }
        // A comment ends with its line.
        if token.kind == TokenKind::Comment && to == offset {
            in_text = true;
        }
        walk.token(*token);
    }
    let (before, rest) = walk.path_before();
    let expected = walk.expected(rest);
    let innermost = walk.open.last().filter(|open| matches!(open.frame, Frame::Arguments(_)));
    let position = innermost.and_then(|open| open.position).filter(|_| rest == 0);
    Cursor {
        frames: walk.open.into_iter().map(|open| open.frame).collect(),
        expected,
        before,
        start,
        end,
        in_text,
        position,
    }
}

/// Whether a token is a word, or a literal, which one may be in the middle of.
fn is_word(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Name
            | TokenKind::ForeignName
            | TokenKind::True
            | TokenKind::False
            | TokenKind::In
            | TokenKind::If
            | TokenKind::For
            | TokenKind::Use
            | TokenKind::Let
            | TokenKind::Input
            | TokenKind::Template
            | TokenKind::Apply
            | TokenKind::Override
            | TokenKind::Assert
            | TokenKind::Literal
    )
}

/// Whether a token may be the word of a block.
fn begins_block(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Name | TokenKind::True | TokenKind::False | TokenKind::In | TokenKind::If)
}

/// Whether a token may be a label.
fn names(kind: TokenKind) -> bool {
    kind == TokenKind::String || is_word(kind)
}

struct Walk<'t> {
    text: &'t Text,
    open: Vec<Open>,
    /// The tokens of the item so far.
    head: Vec<Token>,
}

impl Walk<'_> {
    fn word(&self, token: Token) -> &str {
        let text = self.text.text.get(token.start as usize..token.end as usize).unwrap_or_default();
        text.trim_matches('"')
    }

    fn nth(&self, index: usize) -> Option<Token> {
        self.head.get(index).copied()
    }

    fn kind(&self, index: usize) -> Option<TokenKind> {
        self.nth(index).map(|token| token.kind)
    }

    fn last(&self) -> Option<TokenKind> {
        self.head.last().map(|token| token.kind)
    }

    fn token(&mut self, token: Token) {
        match token.kind {
            TokenKind::Whitespace | TokenKind::Comment | TokenKind::Documentation => {}
            TokenKind::Newline => {
                let continues =
                    matches!(self.last(), Some(TokenKind::Equals | TokenKind::Arrow | TokenKind::Comma));
                let in_brackets = self.open.last().is_some_and(|open| {
                    matches!(open.opening, TokenKind::OpenBracket | TokenKind::OpenParenthesis)
                });
                if !continues && !in_brackets {
                    self.head.clear();
                }
            }
            TokenKind::Comma => {
                let named = self.head.iter().any(|token| token.kind == TokenKind::Equals);
                if let Some(open) = self.open.last_mut() {
                    open.position = open.position.filter(|_| !named).map(|position| position + 1);
                }
                self.head.clear();
            }
            TokenKind::OpenBrace
            | TokenKind::OpenBracket
            | TokenKind::OpenParenthesis
            | TokenKind::TemplateHead => {
                let frame = self.frame(token.kind);
                let head = std::mem::take(&mut self.head);
                self.open.push(Open { frame, opening: token.kind, head, position: Some(0) });
            }
            TokenKind::CloseBrace => self.close(TokenKind::OpenBrace, token),
            TokenKind::CloseBracket => self.close(TokenKind::OpenBracket, token),
            TokenKind::CloseParenthesis => self.close(TokenKind::OpenParenthesis, token),
            TokenKind::TemplateTail | TokenKind::UnclosedTail => self.close(TokenKind::TemplateHead, token),
            TokenKind::TemplateMiddle => self.head.clear(),
            _ => self.head.push(token),
        }
    }

    fn close(&mut self, opening: TokenKind, token: Token) {
        let Some(at) = self.open.iter().rposition(|open| open.opening == opening) else { return };
        self.open.truncate(at + 1);
        if let Some(open) = self.open.pop() {
            self.head = open.head;
            self.head.push(token);
        }
    }

    /// What an opening bracket begins, from the item before it.
    fn frame(&self, opening: TokenKind) -> Frame {
        if opening == TokenKind::TemplateHead {
            return Frame::Interpolation;
        }
        let first = usize::from(self.kind(0) == Some(TokenKind::Override));
        let attribute = self.attribute();
        match (opening, self.kind(first)) {
            (TokenKind::OpenBrace, Some(TokenKind::Template)) => Frame::Template(
                self.nth(first + 1).map(|name| self.word(name).to_owned()).unwrap_or_default(),
            ),
            (TokenKind::OpenBrace, Some(TokenKind::For)) => Frame::Loop,
            (TokenKind::OpenBrace, Some(TokenKind::Use)) => Frame::Imports(self.path(first + 1)),
            (TokenKind::OpenParenthesis, Some(TokenKind::Template)) => Frame::Parameters,
            (TokenKind::OpenParenthesis, Some(TokenKind::Apply)) => Frame::Arguments(self.path(first + 1)),
            (TokenKind::OpenBrace, _) => match attribute {
                Some(name) => match self.head.as_slice() {
                    [.., equals, word] if equals.kind == TokenKind::Equals && is_word(word.kind) => {
                        Frame::Tagged(name, self.word(*word).to_owned())
                    }
                    [word] if is_word(word.kind) && self.in_value() => {
                        Frame::Tagged(name, self.word(*word).to_owned())
                    }
                    _ => Frame::Record(name),
                },
                None => match self.nth(first) {
                    Some(word) if is_word(word.kind) => {
                        let label = self.nth(first + 1).map(|label| self.word(label).to_owned());
                        Frame::Block(self.word(word).to_owned(), label)
                    }
                    _ => Frame::Unknown,
                },
            },
            (TokenKind::OpenBracket, _) => Frame::List(attribute.unwrap_or_default()),
            _ => Frame::Group(attribute.unwrap_or_default()),
        }
    }

    /// Whether what is open takes values, and no items.
    fn in_value(&self) -> bool {
        matches!(
            self.open.last().map(|open| &open.frame),
            Some(Frame::List(_) | Frame::Group(_) | Frame::Interpolation)
        )
    }

    /// The attribute whose value is being written.
    fn attribute(&self) -> Option<String> {
        let equals = self.head.iter().rposition(|token| token.kind == TokenKind::Equals);
        if let Some(equals) = equals {
            return self.assigned(&self.head, equals);
        }
        match self.open.last().map(|open| &open.frame) {
            Some(Frame::List(name) | Frame::Group(name)) => Some(name.clone()),
            _ => None,
        }
    }

    /// What stands before an equals sign: the name of an attribute, or the word of a block before its label.
    fn assigned(&self, tokens: &[Token], equals: usize) -> Option<String> {
        let before = tokens.get(..equals)?;
        let first = usize::from(before.first().is_some_and(|token| token.kind == TokenKind::Override));
        let name = match before.get(first..)? {
            [word, label] if begins_block(word.kind) && names(label.kind) => word,
            [.., name] => name,
            [] => return None,
        };
        Some(self.word(*name).to_owned())
    }

    /// The names of a dotted path that begins at a token.
    fn path(&self, first: usize) -> Vec<String> {
        let tokens = self.head.get(first..).unwrap_or_default().iter();
        let words = tokens.filter(|token| token.kind != TokenKind::Dot);
        words
            .take_while(|token| is_word(token.kind) || token.kind == TokenKind::String)
            .map(|token| self.word(*token).to_owned())
            .collect()
    }

    /// The names with points behind them right before the place, and how many tokens of the item are before those.
    fn path_before(&self) -> (Vec<String>, usize) {
        let mut names = Vec::new();
        let mut end = self.head.len();
        while end >= 2 {
            let (Some(name), Some(point)) = (self.nth(end - 2), self.nth(end - 1)) else { break };
            let is_name = is_word(name.kind) || name.kind == TokenKind::String;
            if point.kind != TokenKind::Dot || !is_name {
                break;
            }
            names.push(self.word(name).to_owned());
            end -= 2;
        }
        names.reverse();
        (names, end)
    }

    /// What may stand behind the first tokens of the item.
    fn expected(&self, rest: usize) -> Expected {
        let head = self.head.get(..rest).unwrap_or_default();
        let first = usize::from(head.first().is_some_and(|token| token.kind == TokenKind::Override));
        let frame = self.open.last().map(|open| &open.frame);
        let words = head.get(first..).unwrap_or_default();
        let equals = words.iter().rposition(|token| token.kind == TokenKind::Equals);
        if let Some(equals) = equals {
            let name = self.assigned(words, equals);
            let is_let = words.first().is_some_and(|token| token.kind == TokenKind::Let);
            return Expected::Value(if is_let { String::new() } else { name.unwrap_or_default() });
        }
        match frame {
            Some(Frame::List(name) | Frame::Group(name)) => return Expected::Value(name.clone()),
            Some(Frame::Interpolation) => return Expected::Value(String::new()),
            Some(Frame::Parameters) => {
                let typed = words.iter().any(|token| token.kind == TokenKind::Colon);
                return if typed { Expected::Type } else { Expected::Nothing };
            }
            Some(Frame::Arguments(_) | Frame::Imports(_) | Frame::Record(_) | Frame::Tagged(..)) => {
                return if words.is_empty() { Expected::Item } else { Expected::Nothing };
            }
            _ => {}
        }
        match words {
            [] => Expected::Item,
            [spread] if spread.kind == TokenKind::Spread => Expected::Value(String::new()),
            [word, rest @ ..] => match word.kind {
                TokenKind::Use if rest.is_empty() => Expected::Module,
                TokenKind::Apply if rest.is_empty() => Expected::Applied,
                TokenKind::Input if rest.iter().any(|token| token.kind == TokenKind::Colon) => Expected::Type,
                TokenKind::For if rest.iter().any(|token| token.kind == TokenKind::In) => Expected::Over,
                TokenKind::Use
                | TokenKind::Apply
                | TokenKind::Input
                | TokenKind::For
                | TokenKind::Let
                | TokenKind::Template => Expected::Nothing,
                kind if is_word(kind) && rest.is_empty() => Expected::Label(self.word(*word).to_owned()),
                _ => Expected::Nothing,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `|` is in a text.
    fn cursor(marked: &str) -> Cursor {
        let offset = marked.find('|').unwrap();
        at(&Text::new(marked.replacen('|', "", 1)), offset)
    }

    fn block(word: &str, label: Option<&str>) -> Frame {
        Frame::Block(word.to_owned(), label.map(str::to_owned))
    }

    #[test]
    fn items_labels_and_values_are_told_apart() {
        let around = vec![block("namespace", Some("shop")), block("service", Some("web"))];
        let found = cursor("namespace shop {\n  service web {\n    clusters = [we|");
        assert_eq!(found.expected, Expected::Value("clusters".to_owned()));
        assert_eq!(found.frames, [around.clone(), vec![Frame::List("clusters".to_owned())]].concat());
        let found = cursor("namespace shop {\n  service web {\n    calls = [a]\n    cl|ust");
        assert_eq!((found.expected, found.frames, found.end - found.start), (Expected::Item, around, 5));
        let found = cursor("mesh m {\n  a = [b]\n  |\n}\n");
        assert_eq!((found.expected, found.frames), (Expected::Item, vec![block("mesh", Some("m"))]));
        assert_eq!(cursor("cluster |").expected, Expected::Label("cluster".to_owned()));
        assert_eq!(cursor("override namespace |").expected, Expected::Label("namespace".to_owned()));
        assert_eq!(cursor("mesh m { a = 1, |").expected, Expected::Item);
        assert_eq!(cursor("mesh m { a =\n |").expected, Expected::Value("a".to_owned()));
        assert_eq!(cursor("service web { port http = |").expected, Expected::Value("port".to_owned()));
        let found = cursor("override allow \"a b\" = [|");
        assert_eq!(found.expected, Expected::Value("allow".to_owned()));
        assert_eq!(found.frames, [Frame::List("allow".to_owned())]);
        assert!(cursor("a = 1 // comm|ent").in_text);
        assert!(cursor("a = \"te|xt\"").in_text);
    }

    #[test]
    fn paths_records_and_forms_are_seen() {
        let found = cursor("policy p { targets = [shop.|");
        assert_eq!(
            (found.before, found.expected),
            (vec!["shop".to_owned()], Expected::Value("targets".to_owned()))
        );
        let found = cursor("mesh m { issuer = files { root = { cert|");
        assert_eq!(
            found.frames[1..],
            [Frame::Tagged("issuer".to_owned(), "files".to_owned()), Frame::Record("root".to_owned())]
        );
        assert_eq!(cursor("use |").expected, Expected::Module);
        assert_eq!(cursor("use std.|").before, ["std"]);
        assert_eq!(
            cursor("use std.access { o|").frames,
            [Frame::Imports(vec!["std".to_owned(), "access".to_owned()])]
        );
        assert_eq!(cursor("apply |").expected, Expected::Applied);
        let found = cursor("apply clusters.front(na|");
        assert_eq!(found.frames, [Frame::Arguments(vec!["clusters".to_owned(), "front".to_owned()])]);
        assert_eq!(found.expected, Expected::Item);
        assert_eq!(cursor("apply front(a, [b, c], d|").position, Some(2));
        assert_eq!(cursor("apply front(a, b = c, d|").position, None);
        assert_eq!(cursor("apply front(name = w|").expected, Expected::Value("name".to_owned()));
        assert_eq!(cursor("template t(a: |").expected, Expected::Type);
        assert_eq!(cursor("template t(a: string) {\n  se|").frames, [Frame::Template("t".to_owned())]);
        assert_eq!(cursor("for c in |").expected, Expected::Over);
        assert_eq!(cursor("x = \"${a.|").before, ["a"]);
    }
}
