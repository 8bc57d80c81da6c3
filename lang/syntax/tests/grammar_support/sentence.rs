//! Sentences: derived at random, written as text, and read back as terminals by the rules of GRAMMAR.md.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "as in the parser: all other tokens are one case, spelled as they are"
)]

use std::collections::BTreeMap;

use lang_syntax::{TokenKind, lex};

use super::ebnf::{Productions, Symbol};

/// Names that the grammar mentions by their spelling.
const SPELLED: [&str; 7] = ["language", "as", "then", "else", "and", "or", "not"];

/// Derives a sentence, guided by `choices`. Beyond a depth, the alternative with the shortest sentence is taken.
pub(crate) fn derive(
    productions: &Productions,
    shortest: &BTreeMap<&str, usize>,
    start: &str,
    choices: &[u8],
) -> Vec<String> {
    let mut choices = choices.iter().map(|choice| usize::from(*choice));
    let mut sentence = Vec::new();
    let mut expected = vec![(Symbol::Rule(start.to_owned()), 0)];
    while let Some((symbol, depth)) = expected.pop() {
        match symbol {
            Symbol::Terminal(terminal) => sentence.push(terminal),
            Symbol::Rule(rule) => {
                let alternatives = &productions[&rule];
                let choice = choices.next().filter(|_| depth < 60);
                let chosen = match choice {
                    Some(choice) => &alternatives[choice % alternatives.len()],
                    None => alternatives
                        .iter()
                        .min_by_key(|symbols| length(symbols, shortest))
                        .expect("not empty"),
                };
                expected.extend(chosen.iter().rev().map(|symbol| (symbol.clone(), depth + 1)));
            }
        }
    }
    sentence
}

/// How many terminals the shortest sentence of each rule has. Without choices left, a derivation heads for that one: whatever
/// else looks short may be a rule that leads back to itself.
pub(crate) fn shortest(productions: &Productions) -> BTreeMap<&str, usize> {
    let mut lengths: BTreeMap<&str, usize> = BTreeMap::new();
    loop {
        let before = lengths.clone();
        for (rule, alternatives) in productions {
            let best = alternatives.iter().map(|symbols| length(symbols, &before)).min();
            lengths.insert(rule, best.unwrap_or(usize::MAX));
        }
        if lengths == before {
            return lengths;
        }
    }
}

/// How many terminals an alternative has at least, as far as that is known of its rules. A rule counts more than nothing, so
/// that the way of an empty one is shorter than one through others.
fn length(symbols: &[Symbol], shortest: &BTreeMap<&str, usize>) -> usize {
    let each = symbols.iter().map(|symbol| match symbol {
        Symbol::Terminal(_) => 1,
        Symbol::Rule(rule) => shortest.get(rule.as_str()).copied().unwrap_or(usize::MAX).saturating_add(1),
    });
    each.fold(0, usize::saturating_add)
}

/// A text for a terminal.
fn spelled(terminal: &str) -> &str {
    match terminal {
        "NAME" => "b-c",
        "LITERAL" => "1",
        "STRING" => "\"s\"",
        "RAW_STRING" => "\"\"\"r\"\"\"",
        "TEMPLATE_HEAD" => "\"h${",
        "TEMPLATE_MIDDLE" => "}m${",
        "TEMPLATE_TAIL" => "}t\"",
        "NEWLINE" => "// comment\n",
        "DOCUMENTATION" => "\n/// documentation\n",
        "COMPARISON" => "<=",
        "SKIPPED" => "( skipped ) { also }",
        _ => terminal,
    }
}

/// Writes terminals as text. A string has no line ends, so inside of one a comma separates, and nothing is
/// documented.
pub(crate) fn write(sentence: &[String]) -> String {
    let mut text = String::new();
    let mut open_templates = 0_i32;
    for terminal in sentence {
        match terminal.as_str() {
            "TEMPLATE_HEAD" => open_templates += 1,
            "TEMPLATE_TAIL" => open_templates -= 1,
            _ => {}
        }
        text.push_str(match terminal.as_str() {
            "NEWLINE" if open_templates > 0 => ",",
            "DOCUMENTATION" if open_templates > 0 => "",
            terminal => spelled(terminal),
        });
        text.push(' ');
    }
    text
}

/// The terminals of a text, with line ends by the rules of the section *Lines*.
pub(crate) fn terminals(text: &str) -> Vec<String> {
    let mut terminals: Vec<String> = Vec::new();
    let mut open: Vec<TokenKind> = Vec::new();
    let mut newline = false;
    let mut documented = false;
    let mut alone = true;
    for token in lex(text) {
        let spelling = &text[token.start as usize..token.end as usize];
        match token.kind {
            TokenKind::Whitespace | TokenKind::Comment => continue,
            TokenKind::Newline => {
                newline = true;
                alone = true;
                continue;
            }
            TokenKind::Documentation => {
                if !alone {
                    terminals.push(String::from("MISPLACED"));
                }
                documented = true;
                continue;
            }
            _ => alone = false,
        }
        let previous = terminals.last().map(String::as_str);
        let counts = newline
            && !matches!(open.last(), Some(TokenKind::OpenBracket | TokenKind::OpenParenthesis))
            && !matches!(previous, None | Some("=" | "->" | "," | "{" | "NEWLINE"))
            && (documented || !matches!(token.kind, TokenKind::CloseBrace | TokenKind::End));
        if counts {
            terminals.push(String::from("NEWLINE"));
        }
        if documented {
            terminals.push(String::from("DOCUMENTATION"));
        }
        (newline, documented) = (false, false);
        match token.kind {
            TokenKind::OpenBrace | TokenKind::OpenBracket | TokenKind::OpenParenthesis => {
                open.push(token.kind)
            }
            TokenKind::CloseBrace | TokenKind::CloseBracket | TokenKind::CloseParenthesis => {
                open.pop();
            }
            _ => {}
        }
        terminals.push(match token.kind {
            TokenKind::End => break,
            TokenKind::Name if !SPELLED.contains(&spelling) => String::from("NAME"),
            TokenKind::Comparison => String::from("COMPARISON"),
            TokenKind::Literal => String::from("LITERAL"),
            TokenKind::String => String::from("STRING"),
            TokenKind::RawString => String::from("RAW_STRING"),
            TokenKind::TemplateHead => String::from("TEMPLATE_HEAD"),
            TokenKind::TemplateMiddle => String::from("TEMPLATE_MIDDLE"),
            TokenKind::TemplateTail => String::from("TEMPLATE_TAIL"),
            TokenKind::UnclosedString | TokenKind::UnclosedTail | TokenKind::UnclosedRaw => {
                String::from("UNCLOSED")
            }
            _ => spelling.to_owned(),
        });
    }
    terminals
}
