//! The parser's messages. One function for each mistake, so that wording and advice stand in one place.

use lang_diagnostics::{Applicability, Code, Diagnostic, Edit, Fix, Span};
use nom::Err;

use super::LANGUAGE_VERSION;
use super::tokens::{DEPTH_LIMIT, Lexeme, Mistake, Tokens};
use crate::ast::Block;
use crate::codes;
use crate::literal::Malformed;
use crate::token::TokenKind;

/// What a message calls the next lexeme.
fn found(input: Tokens<'_>) -> String {
    let lexeme = input.peek(0);
    match lexeme.kind {
        TokenKind::End => String::from("the end of the file"),
        TokenKind::String
        | TokenKind::RawString
        | TokenKind::TemplateHead
        | TokenKind::UnclosedString
        | TokenKind::UnclosedRaw => String::from("a string"),
        TokenKind::TemplateMiddle | TokenKind::TemplateTail | TokenKind::UnclosedTail => String::from("`}`"),
        _ => format!("`{}`", shortened(input.text(lexeme))),
    }
}

/// At most 40 characters, for messages.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn error(input: Tokens<'_>, code: Code, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, input.span(input.peek(0)), message)
}

fn report(input: Tokens<'_>, diagnostic: Diagnostic) {
    input.context.report(input.peek(0), diagnostic);
}

fn fix(title: impl Into<String>, applicability: Applicability, span: Span, text: impl Into<String>) -> Fix {
    Fix { title: title.into(), applicability, edits: vec![Edit { span, text: text.into() }] }
}

fn insertion(title: &str, input: Tokens<'_>, text: &str) -> Fix {
    let at = input.context.span(input.last_end, input.last_end);
    fix(title, Applicability::Safe, at, text)
}

/// A lexeme that may not stand here: by itself (a stray character) or in this place.
fn misplaced(input: Tokens<'_>, expected: &str) -> Diagnostic {
    let lexeme = input.peek(0);
    let text = input.text(lexeme);
    match lexeme.kind {
        TokenKind::Unknown | TokenKind::Colon => unknown_character(input, text),
        TokenKind::UnclosedString => unclosed(input, lexeme, "\""),
        TokenKind::UnclosedRaw => unclosed(input, lexeme, "\"\"\""),
        TokenKind::OpenParenthesis => error(input, codes::UNEXPECTED_TOKEN, format!("{expected}, found `(`"))
            .help("parentheses mean nothing in this language version: leave them out"),
        _ => error(input, codes::UNEXPECTED_TOKEN, format!("{expected}, found {}", found(input))),
    }
}

fn unknown_character(input: Tokens<'_>, text: &str) -> Diagnostic {
    let lexeme = input.peek(0);
    let diagnostic = |message: &str| error(input, codes::UNEXPECTED_CHARACTER, message);
    let unexpected = || diagnostic(&format!("unexpected `{}`", shortened(text)));
    let replacing =
        |with: &str| fix(format!("write `{with}`"), Applicability::Safe, input.span(lexeme), with);
    match text {
        "#" => unexpected().help("comments begin with `//`").fix(replacing("//")),
        ";" => unexpected().help("items are separated by newlines, or by commas on one line"),
        "/" => unexpected().help("comments begin with `//` and run to the end of the line"),
        "-" => unexpected().help("there are no negative numbers, and names have `-` only inside"),
        ":" => unexpected().help("an attribute is written `name = value`"),
        "`" => unexpected().help("strings stand in double quotes"),
        _ => match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            Some(content) => {
                let quoted = format!("\"{}\"", content.replace('\\', "\\\\").replace('"', "\\\""));
                diagnostic("strings stand in double quotes").fix(replacing(&quoted))
            }
            None => match text.chars().next().filter(|character| text.len() == character.len_utf8()) {
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

/// Reports that the next lexeme may not stand here.
pub(super) fn unexpected(input: Tokens<'_>, expected: &str) {
    report(input, misplaced(input, expected));
}

/// No value begins with the next lexeme.
pub(super) fn no_value(input: Tokens<'_>) -> Err<Mistake<'_>> {
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
    Mistake::failure(input, misplaced(input, "expected a value"))
}

/// The item ends where a value should begin.
pub(super) fn missing_value(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let place = input.context.span(input.last_end, input.last_end);
    let message = format!("expected a value, found {}", found(input));
    let diagnostic = Diagnostic::error(codes::MISSING_VALUE, place, message).label("a value belongs here");
    Mistake::failure(input, diagnostic)
}

/// A second operator where only one fits.
pub(super) fn chained<'a>(input: Tokens<'a>, operator: &str, help: &str) -> Err<Mistake<'a>> {
    let message = format!("a value holds at most one `{operator}`");
    Mistake::failure(input, error(input, codes::CHAINED_OPERATOR, message).help(help))
}

/// `a.` with no name behind the point.
pub(super) fn incomplete_path(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let message = format!("expected a name after `.`, found {}", found(input));
    let place = match input.continuation() {
        Some(_) => input.span(input.peek(0)),
        None => input.context.span(input.last_end, input.last_end),
    };
    let help = "names other than letters, digits, `_` and inner `-` are quoted: `a.\"other name\"`";
    Mistake::failure(input, Diagnostic::error(codes::UNEXPECTED_TOKEN, place, message).help(help))
}

/// A word that begins an expression of a later version.
pub(super) fn later_version(input: Tokens<'_>) -> Err<Mistake<'_>> {
    Mistake::failure(input, later(input))
}

fn later(input: Tokens<'_>) -> Diagnostic {
    let word = input.text(input.peek(0));
    let message = format!("`{word}` comes with a later language version");
    error(input, codes::LATER_VERSION, message).help(format!(
        "this is language version {LANGUAGE_VERSION}; a name spelled like this word is quoted: `\"{word}\"`"
    ))
}

/// An item that begins with a reserved word.
pub(super) fn reserved(input: Tokens<'_>) {
    report(input, later(input));
}

/// A literal that is none.
pub(super) fn malformed_literal(input: Tokens<'_>, malformed: Malformed) {
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
            "close it with `\"`; text of several lines stands in `\"\"\"`",
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
pub(super) fn unclosed_string(input: Tokens<'_>, lexeme: Lexeme, quotes: &str) {
    input.context.report_inside(unclosed(input, lexeme, quotes));
}

/// A string whose line ends inside `${…}`.
pub(super) fn unclosed_interpolation(input: Tokens<'_>, head: Lexeme) {
    let span = input.context.span(head.end.saturating_sub(2), head.end);
    let diagnostic =
        Diagnostic::error(codes::UNCLOSED_STRING, span, "this interpolation is not closed on its line")
            .label("opened here")
            .help("an interpolation is closed with `}`, and its string with `\"`");
    report(input, diagnostic);
}

/// Too many brackets inside each other.
pub(super) fn too_deep(input: Tokens<'_>) {
    let message = format!("brackets are nested more than {DEPTH_LIMIT} deep");
    input.context.report_inside(error(input, codes::TOO_DEEP, message).help("everything inside is skipped"));
}

/// A closing bracket that closes nothing.
pub(super) fn stray_bracket(input: Tokens<'_>) {
    let message = format!("this {} closes nothing", found(input));
    let removal = fix("remove it", Applicability::Suggested, input.span(input.peek(0)), "");
    report(input, error(input, codes::STRAY_BRACKET, message).fix(removal));
}

/// A bracket that is not closed before `input`.
pub(super) fn unclosed_bracket(input: Tokens<'_>, opening: Lexeme) {
    let bracket = input.text(opening);
    let closing = if bracket == "[" { "]" } else { "}" };
    let span = input.span(opening);
    let next = input.peek(0);
    let here = match next.kind {
        TokenKind::End => input.context.span(input.last_end, input.last_end),
        _ => input.span(next),
    };
    let diagnostic =
        Diagnostic::error(codes::UNCLOSED_BRACKET, span, format!("this `{bracket}` is not closed"))
            .also(here, format!("expected `{closing}` before this"));
    report(input, diagnostic);
}

/// Two elements of a list without a comma between them.
pub(super) fn missing_comma(input: Tokens<'_>) {
    let next = input.peek(0);
    if super::values::begins_value(next.kind) {
        let diagnostic =
            error(input, codes::MISSING_SEPARATOR, format!("expected `,` before {}", found(input)))
                .help("the elements of a list are separated by commas, also on lines of their own")
                .fix(insertion("insert a comma", input, ","));
        report(input, diagnostic);
    } else {
        unexpected(input, "expected `,` or `]`");
    }
}

/// Two items on one line without a comma between them.
pub(super) fn missing_separator(input: Tokens<'_>) {
    let next = input.peek(0);
    if matches!(next.kind, TokenKind::Unknown | TokenKind::Colon) {
        return unexpected(input, "expected the end of the item");
    }
    let message = format!("expected a newline or `,` before {}", found(input));
    let mut diagnostic = error(input, codes::MISSING_SEPARATOR, message);
    if input.at_item() {
        diagnostic = diagnostic.fix(insertion("insert a comma", input, ","));
    }
    report(input, diagnostic);
}

/// `name` alone on its line.
pub(super) fn incomplete_item(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let after = input.advance();
    let name = shortened(input.text(input.peek(0)));
    if let Some(TokenKind::Unknown) = after.continuation() {
        return Mistake::failure(after, misplaced(after, ""));
    }
    let message = format!("`{name}` is neither an attribute nor a block");
    let diagnostic = error(input, codes::INCOMPLETE_ITEM, message).help(format!(
        "write `{name} = …` for an attribute, `{name} {{ … }}` or `{name} label {{ … }}` for a block"
    ));
    Mistake::failure(after, diagnostic)
}

/// `kind label` without braces.
pub(super) fn missing_braces(input: Tokens<'_>, kind: Tokens<'_>) {
    if let Some(TokenKind::Unknown | TokenKind::Colon | TokenKind::UnclosedString) = input.continuation() {
        return unexpected(input, "expected `{`");
    }
    let header = input.context.slice(kind.peek(0).start, input.last_end);
    let message = format!("expected `{{` after `{}`", shortened(header));
    let place = input.context.span(input.last_end, input.last_end);
    let mut diagnostic = Diagnostic::error(codes::INCOMPLETE_ITEM, place, message)
        .help("a block has braces, also when it is empty; an attribute is written `name = value`");
    if input.continuation().is_none() {
        diagnostic = diagnostic.fix(insertion("add empty braces", input, " {}"));
    }
    report(input, diagnostic);
}

/// `kind label` with `{` on the next line.
pub(super) fn brace_on_next_line(input: Tokens<'_>) {
    let gap = input.context.span(input.last_end, input.peek(0).start);
    let mut diagnostic =
        error(input, codes::INCOMPLETE_ITEM, "the `{` of a block stands on the line of its kind and label");
    if input.context.slice(gap.start, gap.end).trim().is_empty() {
        diagnostic = diagnostic.fix(fix("join the lines", Applicability::Safe, gap, " "));
    }
    report(input, diagnostic);
}

/// `name: value`
pub(super) fn colon(input: Tokens<'_>) {
    let colon = input.span(input.peek(0));
    let diagnostic = error(input, codes::UNEXPECTED_CHARACTER, "unexpected `:`")
        .help("an attribute is written `name = value`")
        .fix(fix("write ` =`", Applicability::Safe, colon, " ="));
    report(input, diagnostic);
}

/// `name value`
pub(super) fn missing_equals(input: Tokens<'_>) {
    let after = input.advance();
    let name = shortened(input.text(input.peek(0)));
    let diagnostic =
        error(after, codes::UNEXPECTED_TOKEN, format!("expected `=` after `{name}`, found {}", found(after)))
            .fix(insertion("insert `=`", after, " ="));
    report(after, diagnostic);
}

/// A string where an item should begin.
pub(super) fn string_as_item(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let message = "expected an item, found a string";
    Mistake::here(input, codes::UNEXPECTED_TOKEN, message)
}

/// Something that begins no item.
pub(super) fn no_item(input: Tokens<'_>) -> Err<Mistake<'_>> {
    Mistake::failure(input, misplaced(input, "expected an item"))
}

/// A record that holds a block.
pub(super) fn block_in_record(input: Tokens<'_>, block: &Block) {
    let name = &block.kind.value;
    let diagnostic = Diagnostic::error(
        codes::BLOCK_IN_RECORD,
        block.kind.span,
        format!("`{}` is a block, and a record holds attributes only", shortened(name)),
    );
    let diagnostic = if block.label.is_none() {
        let edit = fix("insert `=`", Applicability::Safe, block.kind.span.after(), " =");
        diagnostic.help(format!("write `{} = {{ … }}`", shortened(name))).fix(edit)
    } else {
        diagnostic.help("labelled blocks stand in blocks only")
    };
    input.context.report_inside(diagnostic);
}

/// A `language` line with anything but a known version.
pub(super) fn unknown_language(input: Tokens<'_>) {
    let message =
        format!("`{}` is no language version that this compiler knows", shortened(input.text(input.peek(0))));
    let diagnostic =
        error(input, codes::LANGUAGE_LINE, message).help(format!("it knows `language {LANGUAGE_VERSION}`"));
    input.context.report_inside(diagnostic);
}

/// A `language` line that is not the first item of its file.
pub(super) fn late_language(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let message = "`language` stands before everything else in the file";
    Mistake::failure(input.advance().advance(), error(input, codes::LANGUAGE_LINE, message))
}

/// A label such as `2nd`.
pub(super) fn label_begins_with_digit(input: Tokens<'_>) {
    let text = input.text(input.peek(0));
    report(input, unquoted(input, "a name begins with a letter or `_`", text));
}

/// A word with letters outside ASCII.
pub(super) fn unquoted_name(input: Tokens<'_>) {
    let text = input.text(input.peek(0));
    input.context.report_inside(unquoted(
        input,
        "a name consists of ASCII letters, digits, `_` and inner `-`",
        text,
    ));
}

fn unquoted(input: Tokens<'_>, rule: &str, text: &str) -> Diagnostic {
    let quoted = format!("\"{text}\"");
    let span = input.span(input.peek(0));
    error(input, codes::UNQUOTED_NAME, format!("`{}` has to be quoted", shortened(text)))
        .help(format!("{rule}; any other is quoted"))
        .fix(fix("quote it", Applicability::Safe, span, quoted))
}

/// A label with `${…}`.
pub(super) fn interpolated_label(input: Tokens<'_>, label: Span) {
    let message = "a label is constant: it has no interpolation";
    report(
        input,
        Diagnostic::error(codes::INTERPOLATED_NAME, label, message).help("`$${` is a literal `${`"),
    );
}
