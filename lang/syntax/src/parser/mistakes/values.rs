//! Mistakes in values, and tokens that fit nowhere.

use lang_diagnostics::{Applicability, Diagnostic};
use nom::Err;

use super::super::recovery::{self, Until};
use super::super::tokens::{DEPTH_LIMIT, Lexeme, Mistake, Tokens};
use super::{error, fix, found, one_word, report, shortened};
use crate::codes;
use crate::literal::Malformed;
use crate::token::TokenKind;

/// A lexeme that may not stand here: by itself (a stray character) or in this place.
pub(super) fn misplaced(input: Tokens<'_>, expected: &str) -> Diagnostic {
    let lexeme = input.peek(0);
    let text = input.text(lexeme);
    match lexeme.kind {
        TokenKind::Unknown | TokenKind::Colon => unknown_character(input, text),
        TokenKind::UnclosedString => unclosed(input, lexeme, "\""),
        TokenKind::UnclosedRaw => unclosed(input, lexeme, "\"\"\""),
        _ => error(input, codes::UNEXPECTED_TOKEN, format!("{expected}, found {}", found(input))),
    }
}

fn unknown_character(input: Tokens<'_>, text: &str) -> Diagnostic {
    let lexeme = input.peek(0);
    let diagnostic = |message: &str| error(input, codes::UNEXPECTED_CHARACTER, message);
    let unexpected = || diagnostic(&format!("unexpected `{}`", shortened(text)));
    let replacing =
        |with: &str| fix(format!("write `{with}`"), Applicability::Safe, input.span(lexeme), with);
    if let ("%" | "/", Some(fix)) = (text, one_word(input)) {
        return unexpected().fix(fix);
    }
    match text {
        // Behind something, it would take the rest of the line away.
        "#" if !lexeme.on_new_line => unexpected().help("comments begin with `//`"),
        "#" => unexpected().help("comments begin with `//`").fix(replacing("//")),
        ";" => unexpected().help("items are separated by newlines, or by commas on one line"),
        "/" => slash(input, unexpected()),
        "-" if lexeme.on_new_line => {
            next_dash(input);
            unexpected().help(
                "lists are written in brackets, `name = [a, b]`, and blocks in braces, `port http { … }`",
            )
        }
        "-" => unexpected().help("there are no negative numbers, and names have `-` only inside"),
        ":" if input.lists > 0 && !input.lines => {
            unexpected().help("what is in something is named behind a point: `catalog.http`")
        }
        ":" => unexpected().help("an attribute is written `name = value`"),
        "&" | "|" => unexpected().help("conditions are joined by `and` and `or`"),
        _ if text.starts_with("/*") => {
            diagnostic("unexpected `/*`").help("comments begin with `//` and run to the end of the line")
        }
        "*" => unexpected().help("there are neither patterns nor operators: write what is meant").fix(fix(
            "put it in quotes",
            Applicability::Suggested,
            input.span(lexeme),
            "\"*\"",
        )),
        "+" | "?" => unexpected().help("there are no operators on values: write the result"),
        "$" => unexpected().help("a name needs no `$`; `${…}` belongs into a string"),
        "`" => unexpected().help("strings are written in double quotes"),
        "\r" => diagnostic("unexpected carriage return without a line feed")
            .help("lines end with a line feed, or with a carriage return and a line feed"),
        "“" | "”" | "„" | "‟" | "«" | "»" | "‘" | "’" => {
            unexpected().help("strings are written in straight double quotes, `\"…\"`")
        }
        _ => match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            Some(content) => {
                let quoted = format!("\"{}\"", content.replace('\\', "\\\\").replace('"', "\\\""));
                diagnostic("strings are written in double quotes").fix(replacing(&quoted))
            }
            None => match text.chars().next().filter(|character| text.len() == character.len_utf8()) {
                Some(character) if character.is_whitespace() && !character.is_ascii() => {
                    let number = u32::from(character);
                    diagnostic(&format!("unexpected character U+{number:04X}, which only looks like a space"))
                        .fix(fix("write a plain space", Applicability::Safe, input.span(lexeme), " "))
                }
                Some(character) if character.is_control() || !character.is_ascii() => {
                    let number = u32::from(character);
                    diagnostic(&format!("unexpected character U+{number:04X}")).help(
                        "outside of strings and comments, only printable ASCII characters have a meaning",
                    )
                }
                Some(_) | None => unexpected(),
            },
        },
    }
}

/// The next line of a list with dashes is no further mistake.
fn next_dash(input: Tokens<'_>) {
    let next = (1..).map(|ahead| input.peek(ahead)).find(|next| next.on_new_line);
    if let Some(next) = next.filter(|next| input.text(*next) == "-") {
        input.context.continues(next);
    }
}

/// Advice for a slash: a path without its quotes, a name in the form of other systems, or a comment.
fn slash(input: Tokens<'_>, diagnostic: Diagnostic) -> Diagnostic {
    let lexeme = input.peek(0);
    let before = input.context.slice(0, lexeme.start);
    let behind = input.context.behind(lexeme.end);
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if before.ends_with(in_name) && behind.starts_with(in_name) {
        let help = "a longer name is written with points, `west.ingress`";
        return diagnostic.help(help).fix(fix(
            "write `.`",
            Applicability::Suggested,
            input.span(lexeme),
            ".",
        ));
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '{' | '}' | '[' | ']' | '"' | '*');
    let path = behind.split(ends).next().unwrap_or_default();
    if before.trim_end().ends_with(['=', '[', ',']) && !behind.starts_with('*') {
        let end = lexeme.end.saturating_add(u32::try_from(path.len()).unwrap_or(u32::MAX));
        return diagnostic.help("paths are strings, which are written in quotes").fix(fix(
            "put it in quotes",
            Applicability::Suggested,
            input.context.span(lexeme.start, end),
            format!("\"/{path}\""),
        ));
    }
    diagnostic.help("comments begin with `//` and run to the end of the line")
}

/// Reports that the next lexeme may not stand here.
pub(in crate::parser) fn unexpected(input: Tokens<'_>, expected: &str) {
    report(input, misplaced(input, expected));
}

/// No value begins with the next lexeme.
pub(in crate::parser) fn no_value(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let next = input.peek(0);
    let nothing_left =
        matches!(next.kind, TokenKind::End | TokenKind::Comma) || next.kind.opening().is_some();
    if nothing_left {
        return missing_value(input);
    }
    if next.kind == TokenKind::In {
        let help = "`in` is a word of the language: a name spelled like it is quoted";
        return Mistake::failure(input, misplaced(input, "expected a value").help(help));
    }
    let diagnostic = misplaced(input, "expected a value");
    if next.kind == TokenKind::Comparison
        && input.last_end == next.start
        && input.context.slice(0, next.start).ends_with('=')
    {
        let diagnostic = diagnostic.help("an attribute is written `name = value`").fix(fix(
            "remove it",
            Applicability::Safe,
            input.span(next),
            "",
        ));
        return Mistake::failure(input, diagnostic);
    }
    Mistake::failure(
        input,
        match (next.kind, input.peek(1).kind) {
            (TokenKind::Dot, TokenKind::Literal) => {
                diagnostic.help("a number has a digit before its point: `0.5s`")
            }
            _ => diagnostic,
        },
    )
}

/// The item ends where a value should begin.
pub(in crate::parser) fn missing_value(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let place = input.context.span(input.last_end, input.last_end);
    let message = format!("expected a value, found {}", found(input));
    let diagnostic = Diagnostic::error(codes::MISSING_VALUE, place, message).label("a value belongs here");
    Mistake::failure(input, diagnostic)
}

/// A second operator where only one fits.
pub(in crate::parser) fn chained<'a>(input: Tokens<'a>, operator: &str, help: &str) -> Err<Mistake<'a>> {
    let message = format!("a value has at most one `{operator}`");
    Mistake::failure(input, error(input, codes::CHAINED_OPERATOR, message).help(help))
}

/// `a.` with no name behind the point.
pub(in crate::parser) fn incomplete_path(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let message = format!("expected a name after `.`, found {}", found(input));
    let place = match input.continuation() {
        Some(_) => input.span(input.peek(0)),
        None => input.context.span(input.last_end, input.last_end),
    };
    let help = match input.continuation().map(|_| input.text(input.peek(0))) {
        Some("*") => {
            "there are no patterns: the name before the point stands for all in it, where it is accepted"
        }
        Some(_) | None => {
            "names other than letters, digits, `_` and inner `-` are quoted: `a.\"other name\"`"
        }
    };
    Mistake::failure(input, Diagnostic::error(codes::UNEXPECTED_TOKEN, place, message).help(help))
}

/// `for`, `if` or `not` where only a value without operators fits.
pub(in crate::parser) fn no_operand(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let word = input.text(input.peek(0));
    let help = match word {
        "for" => String::from("`for` stands before items, and a list is joined from others by `...`"),
        _ => format!("put it in parentheses: `({word} …)`"),
    };
    Mistake::failure(input, misplaced(input, "expected a value").help(help))
}

/// A choice without `then` or `else`.
pub(in crate::parser) fn incomplete_choice<'a>(input: Tokens<'a>, word: &str) -> Err<Mistake<'a>> {
    let place = match input.continuation() {
        Some(_) => input.span(input.peek(0)),
        None => input.context.span(input.last_end, input.last_end),
    };
    // The word may be the first of the next line, where it does not belong to this item.
    let found = match (input.continuation(), input.peek(0).kind) {
        (Some(_), _) | (None, TokenKind::End) => found(input),
        (None, _) => String::from("the end of the line"),
    };
    let message = format!("expected `{word}`, found {found}");
    let help = match input.continuation().map(|_| input.text(input.peek(0))) {
        Some("&" | "|") => "conditions are joined by `and` and `or`",
        Some("=") => "two values are compared by `==`",
        Some(_) | None => {
            "a choice is written `if condition then one else other`, on one line or in parentheses"
        }
    };
    Mistake::failure(
        behind_choice(input),
        Diagnostic::error(codes::UNEXPECTED_TOKEN, place, message).help(help),
    )
}

/// Behind the lines that belong to a choice whose first line is an item of its own already.
fn behind_choice(input: Tokens<'_>) -> Tokens<'_> {
    let mut rest = input;
    while rest.continuation().is_none()
        && !rest.at_item_line()
        && matches!(rest.text(rest.peek(0)), "then" | "else")
    {
        rest.context.skipped(rest.peek(0).start, rest.peek(0).end);
        rest = recovery::skip(rest.advance(), Until::ITEM);
    }
    rest
}

/// Too many `if` or `not` before each other.
pub(in crate::parser) fn too_many_operators(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let message = format!("values are nested more than {DEPTH_LIMIT} deep");
    Mistake::failure(input, error(input, codes::TOO_DEEP, message).help("give a part of it a name by `let`"))
}

/// `for x in` with something behind it that cannot be a list.
pub(in crate::parser) fn no_list(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let diagnostic = misplaced(input, "expected a list");
    let help = "write `[…]`, the name of a list, kinds such as `clusters`, or any value in parentheses";
    Mistake::failure(input, if diagnostic.help.is_some() { diagnostic } else { diagnostic.help(help) })
}

/// A literal that is none.
pub(in crate::parser) fn malformed_literal(input: Tokens<'_>, malformed: Malformed) {
    let lexeme = input.peek(0);
    let text = shortened(input.text(lexeme));
    let mut diagnostic = error(input, codes::MALFORMED_LITERAL, format!("`{text}` {}", malformed.problem));
    if let Some(suggestion) = malformed.suggestion {
        let title = format!("write `{}`", shortened(&suggestion));
        diagnostic = diagnostic.help(format!("did you mean `{}`?", shortened(&suggestion))).fix(fix(
            title,
            Applicability::Suggested,
            input.span(lexeme),
            suggestion,
        ));
    }
    input.context.report_inside(diagnostic);
}

fn unclosed(input: Tokens<'_>, lexeme: Lexeme, quotes: &str) -> Diagnostic {
    let (message, help) = if quotes.len() == 1 {
        (
            "this string is not closed on its line",
            "close it with `\"`; text of several lines is written in `\"\"\"`",
        )
    } else {
        ("this string is not closed", "close it with `\"\"\"`")
    };
    // Only the beginning is marked: an unclosed `"""` runs to the end of the file.
    let width = u32::try_from(quotes.len()).unwrap_or(1);
    let span = match lexeme.kind {
        TokenKind::UnclosedRaw => input.context.span(lexeme.start, lexeme.start.saturating_add(width)),
        _ => input.span(lexeme),
    };
    Diagnostic::error(codes::UNCLOSED_STRING, span, message).help(help)
}

/// A string without its closing quotes.
///
/// Whatever stood behind it on its line is part of it now, closing brackets for example, so that the next token is no
/// place to report from.
pub(in crate::parser) fn unclosed_string(input: Tokens<'_>, quotes: &str) {
    input.context.report_inside(unclosed(input, input.peek(0), quotes));
    input.context.swallowed(input.text(input.peek(0)));
    input.context.quiet(input.peek(1));
}

/// A string whose line ends inside `${…}`.
pub(in crate::parser) fn unclosed_interpolation(input: Tokens<'_>, head: Lexeme) {
    let span = input.context.span(head.end.saturating_sub(2), head.end);
    let diagnostic =
        Diagnostic::error(codes::UNCLOSED_STRING, span, "this interpolation is not closed on its line")
            .label("opened here")
            .help("an interpolation is closed with `}`, and its string with `\"`");
    report(input, diagnostic);
}
