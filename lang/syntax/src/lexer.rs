//! The lexer: characters → tokens that cover the text without gap or overlap.

use nom::bytes::complete::{tag, take_till, take_while};
use nom::character::complete::{char, satisfy};
use nom::combinator::{not, peek};
use nom::multi::many0_count;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::token::{Token, TokenKind};

/// Splits a text into tokens. Every byte belongs to exactly one token; the last one is the empty
/// [`TokenKind::End`].
#[must_use]
pub fn lex(text: &str) -> Vec<Token> {
    lex_from(text, 0)
}

/// As [`lex`], from a byte on at which a token begins, outside of any string.
pub(crate) fn lex_from(text: &str, start: usize) -> Vec<Token> {
    let mut rest = text.get(start..).unwrap_or_default();
    // One token for about three bytes of text, white space included, is what real files have.
    let mut tokens = Vec::with_capacity(rest.len() / 3 + 2);
    let mut lexer = Lexer { open_templates: Vec::new() };
    while !rest.is_empty() {
        let (kind, after) = lexer.next(rest, rest.len() == text.len());
        let start = offset(text, rest);
        tokens.push(Token { kind, start, end: offset(text, after) });
        rest = after;
    }
    let end = offset(text, rest);
    tokens.push(Token { kind: TokenKind::End, start: end, end });
    tokens
}

/// Offset of `rest`, a tail of `text`.
fn offset(text: &str, rest: &str) -> u32 {
    u32::try_from(text.len() - rest.len()).unwrap_or(u32::MAX)
}

/// Inside `"… ${`, a `}` may go on with the string: for every string that is open, how many braces are open in its
/// interpolation.
struct Lexer {
    open_templates: Vec<u32>,
}

impl Lexer {
    /// The next token of a text that is not empty, and what comes after it.
    fn next<'a>(&mut self, text: &'a str, at_beginning: bool) -> (TokenKind, &'a str) {
        let first = text.as_bytes().first().copied().unwrap_or(b' ');
        let lexed = match first {
            b' ' | b'\t' | b'\n' => return self.white_space(text),
            b'\r' if text.starts_with("\r\n") => return self.white_space(text),
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => word(text),
            b'0'..=b'9' => literal(text),
            b'"' => return self.string(text),
            b'{' => {
                if let Some(braces) = self.open_templates.last_mut() {
                    *braces += 1;
                }
                symbol(TokenKind::OpenBrace, text)
            }
            b'}' => return self.closing_brace(text),
            b'=' | b'<' | b'>' | b'!' => comparison(text),
            b',' => symbol(TokenKind::Comma, text),
            b'.' if text.starts_with("...") => tag("...").map(|_| TokenKind::Spread).parse(text),
            b'.' => symbol(TokenKind::Dot, text),
            b'[' => symbol(TokenKind::OpenBracket, text),
            b']' => symbol(TokenKind::CloseBracket, text),
            b'(' => symbol(TokenKind::OpenParenthesis, text),
            b')' => symbol(TokenKind::CloseParenthesis, text),
            b'-' => tag("->").map(|_| TokenKind::Arrow).parse(text),
            b':' => address(text).or_else(|_| symbol(TokenKind::Colon, text)),
            b'/' => comment(text).or_else(|_| comment_of_other_languages(text)),
            b'\'' => single_quoted(text),
            0x80.. => foreign(text, at_beginning),
            _ => unknown(text),
        };
        match lexed.or_else(|_| unknown(text)) {
            Ok((rest, kind)) => (kind, rest),
            // `unknown` takes any character, and the text is not empty.
            Err(_) => (TokenKind::Unknown, ""),
        }
    }

    /// White space. A line feed also ends every string that is still open, so that a forgotten quote costs one
    /// line and not the rest of the file.
    fn white_space<'a>(&mut self, text: &'a str) -> (TokenKind, &'a str) {
        let mut kind = TokenKind::Whitespace;
        let mut length = 0;
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b' ' | b'\t' => {}
                b'\r' if bytes.peek() == Some(&b'\n') => {}
                b'\n' => kind = TokenKind::Newline,
                _ => break,
            }
            length += 1;
        }
        if kind == TokenKind::Newline {
            self.open_templates.clear();
        }
        (kind, text.get(length..).unwrap_or_default())
    }

    fn string<'a>(&mut self, text: &'a str) -> (TokenKind, &'a str) {
        if let Some(content) = text.strip_prefix("\"\"\"") {
            return match content.split_once("\"\"\"") {
                Some((_, rest)) => (TokenKind::RawString, rest),
                None => (TokenKind::UnclosedRaw, ""),
            };
        }
        match string_text(text.strip_prefix('"').unwrap_or(text)) {
            (TextEnd::Quote, rest) => (TokenKind::String, rest),
            (TextEnd::Line, rest) => (TokenKind::UnclosedString, rest),
            (TextEnd::Interpolation, rest) => {
                self.open_templates.push(0);
                (TokenKind::TemplateHead, rest)
            }
        }
    }

    fn closing_brace<'a>(&mut self, text: &'a str) -> (TokenKind, &'a str) {
        let rest = text.strip_prefix('}').unwrap_or(text);
        match self.open_templates.last_mut() {
            None => (TokenKind::CloseBrace, rest),
            Some(0) => match string_text(rest) {
                (TextEnd::Interpolation, rest) => (TokenKind::TemplateMiddle, rest),
                (TextEnd::Quote, rest) => {
                    self.open_templates.pop();
                    (TokenKind::TemplateTail, rest)
                }
                (TextEnd::Line, rest) => {
                    self.open_templates.pop();
                    (TokenKind::UnclosedTail, rest)
                }
            },
            Some(braces) => {
                *braces -= 1;
                (TokenKind::CloseBrace, rest)
            }
        }
    }
}

/// What ends a stretch of literal text in a string.
enum TextEnd {
    Quote,
    Interpolation,
    Line,
}

/// Runs to the end of literal text in a string: over escapes and `$${`, which is a literal `${`.
fn string_text(text: &str) -> (TextEnd, &str) {
    let mut rest = text;
    loop {
        let plain = rest.bytes().take_while(|byte| !matches!(byte, b'"' | b'\\' | b'$' | b'\n')).count();
        rest = rest.get(plain..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('"') {
            return (TextEnd::Quote, after);
        }
        if let Some(after) = rest.strip_prefix("${") {
            return (TextEnd::Interpolation, after);
        }
        if let Some(after) = rest.strip_prefix("$${") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if let Some(after) = rest.strip_prefix('\\') {
            // The escaped character, whatever it is, ends nothing; only the end of the line does.
            let mut characters = after.chars();
            rest = match characters.next() {
                Some('\n') | None => after,
                Some(_) => characters.as_str(),
            };
        } else {
            return (TextEnd::Line, rest);
        }
    }
}

type Lexed<'a> = IResult<&'a str, TokenKind>;

/// A token of one ASCII character, which the caller has seen.
fn symbol(kind: TokenKind, text: &str) -> Lexed<'_> {
    Ok((text.get(1..).unwrap_or_default(), kind))
}

/// `=`, or how two values are compared.
fn comparison(text: &str) -> Lexed<'_> {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.get(1)) {
        (Some(b'=' | b'<' | b'>' | b'!'), Some(b'=')) => {
            Ok((text.get(2..).unwrap_or_default(), TokenKind::Comparison))
        }
        (Some(b'='), _) => symbol(TokenKind::Equals, text),
        (Some(b'<' | b'>'), _) => symbol(TokenKind::Comparison, text),
        _ => fail(text),
    }
}

/// A letter or `_`, then letters, digits, `_`, and `-` before a letter or digit. A word of hexadecimal digits that
/// runs on with colons is an IPv6 address.
fn word(text: &str) -> Lexed<'_> {
    let (rest, word) = hyphenated(|byte| byte == b'_').parse(text)?;
    if rest.starts_with(':')
        && let Ok(lexed) = address(text)
    {
        return Ok(lexed);
    }
    Ok((rest, if word.is_ascii() { TokenKind::of_word(word) } else { TokenKind::ForeignName }))
}

/// A token that begins with a digit: it runs over everything a literal can be made of, and is classified later.
fn literal(text: &str) -> Lexed<'_> {
    let run = || hyphenated(|byte| matches!(byte, b'_' | b'.' | b'%' | b':'));
    let slash = || (char('/'), not(char('/')));
    (run(), many0_count((slash(), run()))).map(|_| TokenKind::Literal).parse(text)
}

/// Letters and digits of any script, some symbols, and `-` before a letter or digit, so that `a->b` is three tokens.
/// May be empty. Most bytes of a file pass through here, so this goes by bytes; nom's parsers decode characters.
fn hyphenated<'a>(
    symbol: impl Fn(u8) -> bool,
) -> impl Parser<&'a str, Output = &'a str, Error = nom::error::Error<&'a str>> {
    move |text: &'a str| {
        let bytes = text.as_bytes();
        let letter_or_digit = |at: usize| match bytes.get(at) {
            Some(byte) if byte.is_ascii() => usize::from(byte.is_ascii_alphanumeric()),
            Some(_) => {
                let character = text.get(at..).and_then(|rest| rest.chars().next());
                character.filter(|character| character.is_alphanumeric()).map_or(0, char::len_utf8)
            }
            None => 0,
        };
        let mut length = 0;
        while let Some(byte) = bytes.get(length) {
            length += match byte {
                byte if byte.is_ascii_alphanumeric() || symbol(*byte) => 1,
                b'-' if letter_or_digit(length + 1) > 0 => 1,
                _ => match letter_or_digit(length) {
                    0 => break,
                    width => width,
                },
            };
        }
        match text.split_at_checked(length) {
            Some((run, rest)) => Ok((rest, run)),
            None => fail(text),
        }
    }
}

/// An IPv6 address, which may begin with a letter or a colon: hexadecimal digits and at least two colons.
fn address(text: &str) -> Lexed<'_> {
    let (_, run) = take_while(|c: char| c.is_ascii_hexdigit() || c == ':').parse(text)?;
    if run.bytes().filter(|byte| *byte == b':').count() < 2 {
        return fail(text);
    }
    literal(text)
}

/// `//` to the end of the line; exactly three slashes are documentation. A carriage return alone ends it too, and is
/// a mistake then: some editors show what follows on a line of its own, as if it were no part of the comment.
fn comment(text: &str) -> Lexed<'_> {
    let (text, _) = tag("//").parse(text)?;
    let line = text.split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').filter(|_| line.len() < text.len()).unwrap_or(line);
    let line = line.split('\r').next().unwrap_or_default();
    let rest = text.get(line.len()..).unwrap_or_default();
    let documentation = line.starts_with('/') && !line.starts_with("//");
    Ok((rest, if documentation { TokenKind::Documentation } else { TokenKind::Comment }))
}

/// `/* … */` is one mistake, whatever is in it.
fn comment_of_other_languages(text: &str) -> Lexed<'_> {
    let end = text.strip_prefix("/*").and_then(|inside| inside.find("*/"));
    match end.and_then(|end| text.get(end + 4..)) {
        Some(rest) => Ok((rest, TokenKind::Unknown)),
        None => fail(text),
    }
}

/// `'…'` on one line is one mistake, not three.
fn single_quoted(text: &str) -> Lexed<'_> {
    (char('\''), take_till(|c| c == '\'' || c == '\n'), char('\'')).map(|_| TokenKind::Unknown).parse(text)
}

/// Letters outside ASCII make a word that has to be quoted; a byte order mark at the beginning is white space.
fn foreign(text: &str, at_beginning: bool) -> Lexed<'_> {
    if at_beginning && let Some(rest) = text.strip_prefix('\u{feff}') {
        return Ok((rest, TokenKind::Whitespace));
    }
    preceded(peek(satisfy(char::is_alphabetic)), word).parse(text)
}

/// Any character that begins no token.
fn unknown(text: &str) -> Lexed<'_> {
    satisfy(|_| true).map(|_| TokenKind::Unknown).parse(text)
}

fn fail<T>(text: &str) -> IResult<&str, T> {
    Err(nom::Err::Error(nom::error::Error::new(text, nom::error::ErrorKind::Verify)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(TokenKind, &str)> {
        lex(text)
            .into_iter()
            .filter(|token| !matches!(token.kind, TokenKind::Whitespace | TokenKind::End))
            .map(|token| (token.kind, &text[token.start as usize..token.end as usize]))
            .collect()
    }

    #[test]
    fn hyphens_belong_to_names_only_before_a_letter_or_digit() {
        use TokenKind::{Arrow, Name, Unknown};
        assert_eq!(shown("a->b"), [(Name, "a"), (Arrow, "->"), (Name, "b")]);
        assert_eq!(shown("west-net x-1"), [(Name, "west-net"), (Name, "x-1")]);
        assert_eq!(shown("a--b"), [(Name, "a"), (Unknown, "-"), (Unknown, "-"), (Name, "b")]);
    }

    #[test]
    fn literals_run_on_but_stop_before_comments_and_arrows() {
        use TokenKind::{Arrow, Comment, Literal, Name};
        assert_eq!(shown("10/min//x"), [(Literal, "10/min"), (Comment, "//x")]);
        assert_eq!(shown("8000-8080->b"), [(Literal, "8000-8080"), (Arrow, "->"), (Name, "b")]);
        assert_eq!(shown("10.0.0.0/16"), [(Literal, "10.0.0.0/16")]);
        assert_eq!(shown("fd00::1/64 ::1"), [(Literal, "fd00::1/64"), (Literal, "::1")]);
        assert_eq!(shown("5xx 99.9%"), [(Literal, "5xx"), (Literal, "99.9%")]);
    }

    #[test]
    fn strings_nest_through_interpolation() {
        use TokenKind::{
            CloseBrace, Equals, Name, OpenBrace, String, TemplateHead, TemplateMiddle, TemplateTail,
        };
        assert_eq!(shown(r#""a\"b" "$${x}""#), [(String, r#""a\"b""#), (String, r#""$${x}""#)]);
        assert_eq!(
            shown(r#""a${b}c${"d${e}"}f""#),
            [
                (TemplateHead, "\"a${"),
                (Name, "b"),
                (TemplateMiddle, "}c${"),
                (TemplateHead, "\"d${"),
                (Name, "e"),
                (TemplateTail, "}\""),
                (TemplateTail, "}f\""),
            ]
        );
        assert_eq!(
            shown(r#""${{a=b}}""#),
            [
                (TemplateHead, "\"${"),
                (OpenBrace, "{"),
                (Name, "a"),
                (Equals, "="),
                (Name, "b"),
                (CloseBrace, "}"),
                (TemplateTail, "}\""),
            ]
        );
    }

    #[test]
    fn a_forgotten_quote_costs_one_line() {
        use TokenKind::{CloseBrace, Name, Newline, UnclosedString};
        assert_eq!(
            shown("\"abc\n} x"),
            [(UnclosedString, "\"abc"), (Newline, "\n"), (CloseBrace, "}"), (Name, "x")]
        );
    }

    #[test]
    fn comments_and_documentation() {
        use TokenKind::{Comment, Documentation, Newline};
        assert_eq!(
            shown("/// a\n//// b\n// c"),
            [
                (Documentation, "/// a"),
                (Newline, "\n"),
                (Comment, "//// b"),
                (Newline, "\n"),
                (Comment, "// c")
            ]
        );
    }

    #[test]
    fn a_carriage_return_belongs_to_the_end_of_a_line_or_is_a_mistake() {
        use TokenKind::{Comment, Name, Newline, Unknown};
        assert_eq!(shown("a\r\n \r\nb"), [(Name, "a"), (Newline, "\r\n \r\n"), (Name, "b")]);
        assert_eq!(shown("a \rb"), [(Name, "a"), (Unknown, "\r"), (Name, "b")]);
        assert_eq!(shown("// a\r\nb"), [(Comment, "// a"), (Newline, "\r\n"), (Name, "b")]);
        assert_eq!(
            shown("// a\rb\r\n"),
            [(Comment, "// a"), (Unknown, "\r"), (Name, "b"), (Newline, "\r\n")]
        );
        assert_eq!(shown("// a\r"), [(Comment, "// a"), (Unknown, "\r")]);
    }
}
