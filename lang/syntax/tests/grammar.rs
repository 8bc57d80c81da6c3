//! `lang/GRAMMAR.md` is LL(2), the parser accepts exactly its sentences, and its examples parse.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod grammar_support;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use lang_diagnostics::{FileId, Sink};
use lang_syntax::codes::CODES;
use lang_syntax::{is_sound, parse, print};
use proptest::prelude::*;

use self::grammar_support::ebnf::{code_blocks, read};
use self::grammar_support::ll2::Grammar;
use self::grammar_support::sentence::{derive, shortest, terminals, write};

const MARKDOWN: &str = include_str!("../../GRAMMAR.md");

static GRAMMAR: LazyLock<Grammar> =
    LazyLock::new(|| Grammar::new(read(&code_blocks(MARKDOWN, "ebnf").concat()), "file"));

static SHORTEST: LazyLock<BTreeMap<&str, usize>> = LazyLock::new(|| shortest(&GRAMMAR.productions));

/// The codes and messages that the parser reports.
fn reports(text: &str) -> Vec<String> {
    let mut sink = Sink::default();
    parse(FileId(0), text, &mut sink);
    sink.diagnostics()
        .iter()
        .map(|diagnostic| format!("{} {}", diagnostic.code, diagnostic.message))
        .collect()
}

#[test]
fn two_tokens_always_decide() {
    assert_eq!(GRAMMAR.conflicts(), [] as [&str; 0]);
}

/// The proof is worth something only if it can fail.
#[test]
fn a_grammar_that_needs_three_tokens_is_refused() {
    let ambiguous = Grammar::new(read("file = A B C | A B D ;"), "file");
    assert_eq!(ambiguous.conflicts().len(), 1);
    let follow = Grammar::new(read("file = { A } A A ;"), "file");
    assert_eq!(follow.conflicts().len(), 1);
    let fine = Grammar::new(read("file = A B | A C [ A ] | { B } ;"), "file");
    assert_eq!(fine.conflicts(), [] as [&str; 0]);
    assert!(fine.accepts("file", &["A", "C", "A"].map(str::to_owned)));
    assert!(!fine.accepts("file", &["A", "C", "B"].map(str::to_owned)));
}

#[test]
fn every_example_parses_and_prints() {
    let explanations = CODES.iter().map(|info| info.explanation);
    let examples: Vec<&str> =
        [MARKDOWN].into_iter().chain(explanations).flat_map(|text| code_blocks(text, "mesh")).collect();
    assert!(examples.len() > 20);
    for example in examples {
        let mut sink = Sink::default();
        let printed = print(&parse(FileId(0), example, &mut sink));
        assert_eq!(sink.diagnostics(), [], "{example}");
        assert_eq!(reports(&printed), [] as [&str; 0], "{printed}");
        assert!(is_sound(example) && is_sound(&printed), "the formatter needs no tree of it: {example}");
        let terminals = terminals(example);
        assert!(GRAMMAR.accepts("file", &terminals), "the rules accept it, too: {example}\n{terminals:?}");
    }
}

/// A change of a sentence: what, where, and the terminal to put there.
fn mutated(mut sentence: Vec<String>, mutation: u8, place: usize, terminal: &str) -> Vec<String> {
    if sentence.is_empty() {
        return vec![terminal.to_owned()];
    }
    let place = place % sentence.len();
    match mutation % 4 {
        0 => {
            sentence.remove(place);
        }
        1 => sentence.insert(place, terminal.to_owned()),
        2 => sentence[place] = terminal.to_owned(),
        _ => {
            let other = (place + 1) % sentence.len();
            sentence.swap(place, other);
        }
    }
    sentence
}

fn any_terminal() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "NAME",
        "LITERAL",
        "STRING",
        "RAW_STRING",
        "TEMPLATE_HEAD",
        "TEMPLATE_MIDDLE",
        "TEMPLATE_TAIL",
        "NEWLINE",
        "DOCUMENTATION",
        "language",
        "true",
        "in",
        "if",
        "for",
        "use",
        "let",
        "override",
        "assert",
        "then",
        "else",
        "and",
        "not",
        "as",
        "COMPARISON",
        "...",
        ":",
        "(",
        ")",
        "=",
        ",",
        ".",
        "->",
        "{",
        "}",
        "[",
        "]",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_parser_accepts_every_sentence_of_the_grammar(choices in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = write(&derive(&GRAMMAR.productions, &SHORTEST, "file", &choices));
        let wrong = reports(&text);
        prop_assert!(wrong.is_empty(), "{}\n{:?}", text, wrong);
        prop_assert_eq!(is_sound(&text), reports(&text).is_empty(), "{}", text);
    }

    #[test]
    fn the_parser_and_the_grammar_agree_about_mutated_sentences(
        choices in prop::collection::vec(any::<u8>(), 0..200),
        mutations in prop::collection::vec((any::<u8>(), any::<usize>(), any_terminal()), 1..3),
    ) {
        let mut sentence = derive(&GRAMMAR.productions, &SHORTEST, "file", &choices);
        for (mutation, place, terminal) in mutations {
            sentence = mutated(sentence, mutation, place, terminal);
        }
        let text = write(&sentence);
        let reports = reports(&text);
        prop_assert_eq!(is_sound(&text), reports.is_empty(), "{}\n{:?}", text, reports);
        let terminals = terminals(&text);
        let accepted = GRAMMAR.accepts("file", &terminals);
        prop_assert_eq!(accepted, reports.is_empty(), "{}\n{:?}\n{:?}", text, terminals, reports);
    }
}
