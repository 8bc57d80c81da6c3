//! Colours of mesh texts, from the tokens of the lexer.

use lang_syntax::{Token, TokenKind, lex};

use super::escape;

/// A mesh text as HTML.
pub(crate) fn mesh(source: &str) -> String {
    let tokens = lex(source);
    let mut html = String::with_capacity(source.len() * 2);
    for (index, token) in tokens.iter().enumerate() {
        let text = source.get(token.start as usize..token.end as usize).unwrap_or_default();
        let rest = tokens.get(index + 1..).unwrap_or_default();
        match class(token.kind, rest) {
            Some(class) => {
                html.push_str("<span class=\"");
                html.push_str(class);
                html.push_str("\">");
                html.push_str(&escape(text));
                html.push_str("</span>");
            }
            None => html.push_str(&escape(text)),
        }
    }
    html
}

fn class(kind: TokenKind, rest: &[Token]) -> Option<&'static str> {
    match kind {
        TokenKind::Comment | TokenKind::Documentation => Some("comment"),
        TokenKind::Literal | TokenKind::True | TokenKind::False => Some("number"),
        TokenKind::String
        | TokenKind::RawString
        | TokenKind::TemplateHead
        | TokenKind::TemplateMiddle
        | TokenKind::TemplateTail
        | TokenKind::UnclosedString
        | TokenKind::UnclosedTail
        | TokenKind::UnclosedRaw => Some("string"),
        TokenKind::For
        | TokenKind::Use
        | TokenKind::Let
        | TokenKind::Input
        | TokenKind::Template
        | TokenKind::Apply
        | TokenKind::Override
        | TokenKind::Assert => Some("word"),
        TokenKind::Name | TokenKind::ForeignName | TokenKind::In | TokenKind::If => name(rest),
        TokenKind::Whitespace
        | TokenKind::Newline
        | TokenKind::Equals
        | TokenKind::Comma
        | TokenKind::Dot
        | TokenKind::Colon
        | TokenKind::Arrow
        | TokenKind::Comparison
        | TokenKind::Spread
        | TokenKind::OpenBrace
        | TokenKind::CloseBrace
        | TokenKind::OpenBracket
        | TokenKind::CloseBracket
        | TokenKind::OpenParenthesis
        | TokenKind::CloseParenthesis
        | TokenKind::Unknown
        | TokenKind::End => None,
    }
}

/// What a name is, by what is behind it: `kind {`, `kind label {`, `attribute =`.
fn name(rest: &[Token]) -> Option<&'static str> {
    let mut behind = rest.iter().map(|token| token.kind).filter(|kind| *kind != TokenKind::Whitespace);
    match (behind.next(), behind.next()) {
        (Some(TokenKind::Equals), _) => Some("attribute"),
        (Some(TokenKind::OpenBrace), _)
        | (
            Some(
                TokenKind::Name | TokenKind::String | TokenKind::Template | TokenKind::Use | TokenKind::Input,
            ),
            Some(TokenKind::OpenBrace),
        ) => Some("kind"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::mesh;

    #[test]
    fn every_byte_is_shown_and_kinds_are_told_from_attributes() {
        let html = mesh("port http { number = 80 } // a < b\n");
        assert_eq!(
            html,
            "<span class=\"kind\">port</span> <span class=\"kind\">http</span> { <span class=\"attribute\">number</span> = \
             <span class=\"number\">80</span> } <span class=\"comment\">// a &lt; b</span>\n"
        );
    }
}
