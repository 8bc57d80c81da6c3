//! Mistakes in items.

use lang_diagnostics::{Applicability, Diagnostic};
use nom::Err;

use super::super::LANGUAGE_VERSION;
use super::super::recovery::{body_follows, contains_blocks};
use super::super::tokens::{Mistake, Tokens};
use super::values::{misplaced, unexpected};
use super::{comma, error, fix, found, insertion, one_word, report, shortened};
use crate::ast::{Block, Form};
use crate::codes;
use crate::token::TokenKind;

/// Two items on one line without a comma between them.
pub(in crate::parser) fn missing_separator(input: Tokens<'_>) {
    let next = input.peek(0);
    if matches!(next.kind, TokenKind::Unknown | TokenKind::Colon | TokenKind::UnclosedString) {
        return unexpected(input, "expected the end of the item");
    }
    let message = format!("expected a newline or `,` before {}", found(input));
    let mut diagnostic = error(input, codes::MISSING_SEPARATOR, message);
    if let Some(fix) = one_word(input) {
        diagnostic = diagnostic.fix(fix);
    } else if input.at_item() {
        diagnostic = diagnostic.fix(comma(input));
    } else if next.kind == TokenKind::OpenParenthesis {
        diagnostic = diagnostic.help(
            "there are no functions: parentheses stand around a value, or behind the name of a template",
        );
    }
    report(input, diagnostic);
}

/// `name` alone on its line.
pub(in crate::parser) fn incomplete_item(input: Tokens<'_>) -> Err<Mistake<'_>> {
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

/// `a = 1; b = 2`
pub(in crate::parser) fn semicolon(input: Tokens<'_>) {
    let span = input.span(input.peek(0));
    let edit = if input.peek(1).on_new_line {
        fix("remove it", Applicability::Safe, span, "")
    } else {
        fix("write `,`", Applicability::Safe, span, ",")
    };
    let diagnostic = error(input, codes::UNEXPECTED_CHARACTER, "unexpected `;`")
        .help("items are separated by newlines, or by commas on one line")
        .fix(edit);
    report(input, diagnostic);
}

/// `kind label` without an opening brace. If something else stands in its place, it is jumped over.
pub(in crate::parser) fn missing_braces<'a>(input: Tokens<'a>, kind: Tokens<'a>) -> Tokens<'a> {
    let instead = |kind| {
        matches!(kind, TokenKind::Unknown | TokenKind::Colon | TokenKind::Equals)
            || (kind.opening().is_some() && !input.closes_outer(kind))
    };
    if input.continuation().is_some_and(instead) {
        let mut diagnostic = misplaced(input, "expected `{`");
        if input.peek(1).kind == TokenKind::OpenBrace {
            let surplus = input.context.span(input.last_end, input.peek(0).end);
            diagnostic = diagnostic.help("a block has no `=` between its label and its braces").fix(fix(
                "remove it",
                Applicability::Safe,
                surplus,
                "",
            ));
        }
        report(input, diagnostic);
        return input.advance();
    }
    let header = input.context.slice(kind.peek(0).start, input.last_end);
    let message = format!("expected `{{` after `{}`", shortened(header));
    let place = input.context.span(input.last_end, input.last_end);
    let help = if kind.peek(0).kind == TokenKind::If {
        "`if` chooses between two values: `name = if condition then one else other`"
    } else {
        "a block has braces, also when it is empty; an attribute is written `name = value`"
    };
    let mut diagnostic = Diagnostic::error(codes::INCOMPLETE_ITEM, place, message).help(help);
    if input.continuation().is_none() && !body_follows(kind, input) {
        diagnostic = diagnostic.fix(fix("add empty braces", Applicability::Suggested, place, " {}"));
    }
    report(input, diagnostic);
    input
}

/// `kind label` with `{` on the next line.
pub(in crate::parser) fn brace_on_next_line(input: Tokens<'_>) {
    let gap = input.context.span(input.last_end, input.peek(0).start);
    let mut diagnostic =
        error(input, codes::INCOMPLETE_ITEM, "the `{` of a block belongs on the line of its kind and label");
    if input.context.slice(gap.start, gap.end).trim().is_empty() {
        diagnostic = diagnostic.fix(fix("join the lines", Applicability::Safe, gap, " "));
    }
    report(input, diagnostic);
}

/// `name: value`
pub(in crate::parser) fn colon(input: Tokens<'_>) {
    let colon = input.span(input.peek(0));
    let edit = if input.advance().continuation() == Some(TokenKind::Equals) {
        fix("remove it", Applicability::Safe, colon, "")
    } else {
        fix("write ` =`", Applicability::Safe, colon, " =")
    };
    let diagnostic = error(input, codes::UNEXPECTED_CHARACTER, "unexpected `:`")
        .help("an attribute is written `name = value`")
        .fix(edit);
    report(input, diagnostic);
}

/// `kind label label { … }`; `input` is at the second label.
pub(in crate::parser) fn two_labels(kind: Tokens<'_>, input: Tokens<'_>) {
    let word = shortened(kind.text(kind.peek(0)));
    let message = format!("expected `{{`, found {}", found(input));
    let help = format!("a block has one label: `{word} name {{ … }}`");
    report(input, error(input, codes::UNEXPECTED_TOKEN, message).help(help));
}

/// `kind: label { … }`. If there are blocks in it, it is a block itself; otherwise an attribute may be meant, such as
/// `issuer: files { … }`.
pub(in crate::parser) fn colon_in_block(kind: Tokens<'_>, input: Tokens<'_>) {
    let word = shortened(kind.text(kind.peek(0)));
    let label = shortened(input.text(input.peek(1)));
    let diagnostic = error(input, codes::UNEXPECTED_CHARACTER, "unexpected `:`").help(format!(
        "a block is written `{word} {label} {{ … }}`, an attribute `{word} = {label} {{ … }}`"
    ));
    let colon = input.span(input.peek(0));
    report(
        input,
        if contains_blocks(input.advance().advance()) {
            diagnostic.fix(fix("remove it", Applicability::Suggested, colon, ""))
        } else {
            diagnostic
        },
    );
}

/// How other languages take in a file.
const IMPORTS: &[&str] = &["import", "include", "require", "source"];

/// `name value`. An unclosed string there is reported when it is read as the value.
pub(in crate::parser) fn missing_equals(input: Tokens<'_>) {
    let after = input.advance();
    if after.peek(0).kind == TokenKind::UnclosedString {
        return;
    }
    let name = shortened(input.text(input.peek(0)));
    let diagnostic =
        error(after, codes::UNEXPECTED_TOKEN, format!("expected `=` after `{name}`, found {}", found(after)))
            .fix(insertion("insert `=`", after, " ="));
    let diagnostic = match after.peek(0).kind {
        // `port 80` may as well lack the name and the braces of a block.
        TokenKind::String if IMPORTS.contains(&name.as_str()) => {
            return report(
                after,
                Diagnostic { fix: None, ..diagnostic }
                    .help("another file is taken in by `use \"name.mesh\"`"),
            );
        }
        TokenKind::Literal => diagnostic.help("a block has braces: `port http { number = 80 }`").fix(fix(
            "insert `=`",
            Applicability::Suggested,
            input.context.span(after.last_end, after.last_end),
            " =",
        )),
        TokenKind::String => diagnostic.help("a block with a quoted label has braces, also when it is empty"),
        _ => diagnostic,
    };
    report(after, diagnostic);
}

/// A string where an item should begin.
pub(in crate::parser) fn string_as_item(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let message = "expected an item, found a string";
    Mistake::here(input, codes::UNEXPECTED_TOKEN, message)
}

/// Something that begins no item.
pub(in crate::parser) fn no_item(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let diagnostic = misplaced(input, "expected an item");
    // `1,5s`: a comma that touches digits on both sides.
    let before = input.context.slice(0, input.last_end).strip_suffix(',').unwrap_or_default();
    let touches = input.last_end == input.peek(0).start && before.ends_with(|c: char| c.is_ascii_digit());
    Mistake::failure(
        input,
        match input.peek(0).kind {
            TokenKind::Literal if touches => diagnostic.help("a decimal number has a point: `1.5s`"),
            _ => diagnostic,
        },
    )
}

/// A record that holds a block.
pub(in crate::parser) fn block_in_record(input: Tokens<'_>, block: &Block) {
    let name = &block.kind.value;
    let diagnostic = Diagnostic::error(
        codes::BLOCK_IN_RECORD,
        block.kind.span,
        format!("`{}` is a block, and a record has attributes only", shortened(name)),
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
pub(in crate::parser) fn unknown_language(input: Tokens<'_>) {
    let message = format!(
        "`{}` is no language version that this compiler accepts",
        shortened(input.text(input.peek(0)))
    );
    let diagnostic =
        error(input, codes::LANGUAGE_LINE, message).help(format!("it accepts `language {LANGUAGE_VERSION}`"));
    input.context.report_inside(diagnostic);
}

/// A `language` line that is not the first item of its file.
pub(in crate::parser) fn late_language(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let message = "`language` belongs before everything else in the file";
    Mistake::failure(input.advance().advance(), error(input, codes::LANGUAGE_LINE, message))
}

/// A label such as `2nd`.
pub(in crate::parser) fn label_begins_with_digit(input: Tokens<'_>) {
    let text = input.text(input.peek(0));
    let rule = "a name begins with a letter or `_`";
    report(input, unquoted(input, rule, text, Applicability::Safe));
}

/// A word with letters outside ASCII.
pub(in crate::parser) fn unquoted_name(input: Tokens<'_>) {
    let text = input.text(input.peek(0));
    input.context.report_inside(unquoted(
        input,
        "a name consists of ASCII letters, digits, `_` and inner `-`",
        text,
        // The word of a block cannot be quoted.
        Applicability::Suggested,
    ));
}

fn unquoted(input: Tokens<'_>, rule: &str, text: &str, applicability: Applicability) -> Diagnostic {
    let quoted = format!("\"{text}\"");
    let span = input.span(input.peek(0));
    error(input, codes::UNQUOTED_NAME, format!("`{}` has to be quoted", shortened(text)))
        .help(format!("{rule}; any other is quoted"))
        .fix(fix("quote it", applicability, span, quoted))
}

/// A word of the language without the name that belongs behind it.
pub(in crate::parser) fn no_name<'a>(input: Tokens<'a>, what: &str) -> Err<Mistake<'a>> {
    let diagnostic = match input.continuation() {
        Some(_) => misplaced(input, &format!("expected {what}")),
        None => {
            let place = input.context.span(input.last_end, input.last_end);
            Diagnostic::error(codes::UNEXPECTED_TOKEN, place, format!("expected {what} here"))
        }
    };
    let kind = input.peek(0).kind;
    let help = if kind.is_reserved() {
        "`use let input for template apply override` begin items of their own: a name that is spelled like one of them \
         is quoted"
    } else if kind == TokenKind::OpenParenthesis {
        "nothing is in parentheses here: a loop is written `for name in list { … }`"
    } else if what == PARAMETER {
        "an argument is `name = value`, or a value for the parameter in the same place"
    } else {
        "a name has letters, digits, `_` and inner `-`, and no quotes"
    };
    Mistake::failure(input, if diagnostic.help.is_some() { diagnostic } else { diagnostic.help(help) })
}

/// What an argument begins with.
pub(in crate::parser) const PARAMETER: &str = "the name of a parameter";

/// What stands behind the name of a parameter.
pub(in crate::parser) const TYPE: &str = "`:` and a type";

/// An item with a word of the language that lacks a part.
pub(in crate::parser) fn incomplete_form<'a>(input: Tokens<'a>, expected: &str) -> Err<Mistake<'a>> {
    let diagnostic = match input.continuation() {
        Some(_) => misplaced(input, &format!("expected {expected}")),
        None => {
            let place = input.context.span(input.last_end, input.last_end);
            Diagnostic::error(codes::UNEXPECTED_TOKEN, place, format!("expected {expected} here"))
        }
    };
    let diagnostic = match expected {
        TYPE if diagnostic.help.is_none() => diagnostic.help("a parameter has a type: `name: string`"),
        _ => diagnostic,
    };
    Mistake::failure(input, diagnostic)
}

/// `override` with neither a block nor an attribute behind it.
pub(in crate::parser) fn nothing_overridden(input: Tokens<'_>) -> Err<Mistake<'_>> {
    let place = input.context.span(input.last_end, input.last_end);
    let message = "expected a block or an attribute after `override`";
    Mistake::failure(input, Diagnostic::error(codes::UNEXPECTED_TOKEN, place, message))
}

/// A form in a record.
pub(in crate::parser) fn form_in_record(input: Tokens<'_>, form: &Form) {
    let diagnostic =
        Diagnostic::error(codes::BLOCK_IN_RECORD, form.span, "a record has attributes and spreads only")
            .help("write it before the block or attribute that the record belongs to");
    input.context.report_inside(diagnostic);
}
