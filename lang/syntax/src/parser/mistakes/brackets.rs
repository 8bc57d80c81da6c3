//! Mistakes with brackets and with what separates things inside them.

use lang_diagnostics::{Applicability, Diagnostic};

use super::super::tokens::{DEPTH_LIMIT, Lexeme, Tokens};
use super::values::unexpected;
use super::{error, fix, found, insertion, report};
use crate::codes;
use crate::lexer::lex;
use crate::token::{Token, TokenKind};

/// Too many brackets inside each other.
pub(in crate::parser) fn too_deep(input: Tokens<'_>) {
    let message = format!("brackets are nested more than {DEPTH_LIMIT} deep");
    input.context.report_inside(error(input, codes::TOO_DEEP, message).help("everything inside is skipped"));
}

/// A closing bracket that closes nothing.
pub(in crate::parser) fn stray_bracket(input: Tokens<'_>) {
    let message = format!("this {} closes nothing", found(input));
    let removal = fix("remove it", Applicability::Suggested, input.span(input.peek(0)), "");
    report(input, error(input, codes::STRAY_BRACKET, message).fix(removal));
}

/// A bracket that is not closed before `input`.
pub(in crate::parser) fn unclosed_bracket(input: Tokens<'_>, opening: Lexeme) {
    let bracket = input.text(opening);
    let next = input.peek(0);
    if input.context.is_quiet(next) {
        return;
    }
    if next.kind == TokenKind::End
        && bracket == "{"
        && let Some((suspect, closing)) = misindented(input.context.text())
    {
        let place = |token: Token| input.context.span(token.start, token.end);
        let diagnostic = Diagnostic::error(codes::UNCLOSED_BRACKET, place(suspect), "this `{` is not closed")
            .also(place(closing), "this `}` closes it, but is indented like one further out");
        return report(input, diagnostic);
    }
    let closing = if bracket == "[" { "]" } else { "}" };
    let here = match next.kind {
        TokenKind::End => input.context.span(input.last_end, input.last_end),
        _ => input.span(next),
    };
    let message = format!("this `{bracket}` is not closed");
    let diagnostic = Diagnostic::error(codes::UNCLOSED_BRACKET, input.span(opening), message)
        .also(here, format!("expected `{closing}` before this"));
    report(input, diagnostic);
}

/// The first `{` whose `}` begins a line with less indentation than the line of the `{`: when a `}` is missing
/// somewhere, it is most likely missing there.
fn misindented(text: &str) -> Option<(Token, Token)> {
    let mut open: Vec<(Token, usize)> = Vec::new();
    let mut indentation = 0;
    let mut begins_line = true;
    for token in lex(text) {
        match token.kind {
            TokenKind::Newline => {
                let space = text.get(token.start as usize..token.end as usize).unwrap_or_default();
                indentation = space.rsplit('\n').next().map_or(0, str::len);
                begins_line = true;
                continue;
            }
            TokenKind::OpenBrace => open.push((token, indentation)),
            TokenKind::CloseBrace => {
                if let Some((opening, expected)) = open.pop()
                    && begins_line
                    && indentation < expected
                {
                    return Some((opening, token));
                }
            }
            _ => {}
        }
        begins_line = false;
    }
    None
}

/// Two elements of a list without a comma between them.
pub(in crate::parser) fn missing_comma(input: Tokens<'_>) {
    let next = input.peek(0);
    if super::super::values::begins_value(next.kind) {
        let diagnostic =
            error(input, codes::MISSING_SEPARATOR, format!("expected `,` before {}", found(input)))
                .help("the elements of a list are separated by commas, also on lines of their own")
                .fix(insertion("insert a comma", input, ","));
        report(input, diagnostic);
    } else {
        unexpected(input, "expected `,` or `]`");
    }
}
