//! Reads EBNF and turns it into plain productions.
//!
//! `rule = expression ;` with `|`, `[ optional ]`, `{ repeated }`, `( group )`, `"quoted"` terminals, names of terminals in
//! capitals and names of rules in small letters.

use std::collections::BTreeMap;
use std::iter::Peekable;

/// A terminal or a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Symbol {
    Terminal(String),
    Rule(String),
}

/// Every rule with its alternatives, each a sequence of symbols.
pub(crate) type Productions = BTreeMap<String, Vec<Vec<Symbol>>>;

/// The code blocks of one kind in a Markdown text.
pub(crate) fn code_blocks<'a>(markdown: &'a str, kind: &str) -> Vec<&'a str> {
    let mut blocks = Vec::new();
    let mut rest = markdown;
    while let Some((_, block)) = rest.split_once(&format!("```{kind}\n")) {
        let (block, after) = block.split_once("```").expect("code blocks are closed");
        blocks.push(block);
        rest = after;
    }
    blocks
}

/// Reads rules. Optional, repeated and grouped parts become rules of their own.
pub(crate) fn read(text: &str) -> Productions {
    let spaced = text.replace(';', " ; ");
    let mut words = spaced.split_whitespace().peekable();
    let mut productions = Productions::new();
    while let Some(rule) = words.next() {
        assert_eq!(words.next(), Some("="), "rule {rule}");
        let alternatives = alternatives(&mut words, rule, &mut productions);
        assert_eq!(words.next(), Some(";"), "end of rule {rule}");
        assert!(productions.insert(rule.to_owned(), alternatives).is_none(), "rule {rule} is defined twice");
    }
    for symbol in productions.values().flatten().flatten() {
        if let Symbol::Rule(rule) = symbol {
            assert!(productions.contains_key(rule), "rule {rule} is not defined");
        }
    }
    productions
}

type Words<'a, 'b> = Peekable<std::str::SplitWhitespace<'a>>;

fn alternatives(words: &mut Words<'_, '_>, rule: &str, productions: &mut Productions) -> Vec<Vec<Symbol>> {
    let mut alternatives = vec![Vec::new()];
    while let Some(word) = words.peek().copied() {
        if matches!(word, ";" | ")" | "]" | "}") {
            break;
        }
        words.next();
        let symbol = match word {
            "|" => {
                alternatives.push(Vec::new());
                continue;
            }
            "(" | "[" | "{" => {
                let mut inner = self::alternatives(words, rule, productions);
                let part = format!("{rule}#{}", productions.len());
                let closing = words.next();
                match word {
                    "(" => assert_eq!(closing, Some(")"), "in rule {rule}"),
                    "[" => {
                        assert_eq!(closing, Some("]"), "in rule {rule}");
                        inner.push(Vec::new());
                    }
                    _ => {
                        assert_eq!(closing, Some("}"), "in rule {rule}");
                        inner.iter_mut().for_each(|inner| inner.push(Symbol::Rule(part.clone())));
                        inner.push(Vec::new());
                    }
                }
                productions.insert(part.clone(), inner);
                Symbol::Rule(part)
            }
            _ => match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
                Some(quoted) => Symbol::Terminal(quoted.to_owned()),
                None if word.chars().all(|c| c.is_ascii_uppercase() || c == '_') => {
                    Symbol::Terminal(word.to_owned())
                }
                None => Symbol::Rule(word.to_owned()),
            },
        };
        alternatives.last_mut().expect("there is always one").push(symbol);
    }
    alternatives
}
