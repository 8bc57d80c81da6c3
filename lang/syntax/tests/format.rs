//! Properties of the formatter, over random trees and over the examples with random changes. How many are tried:
//! `PROPTEST_CASES=10000 cargo test --workspace --test format`.

mod support;

use lang_diagnostics::{FileId, Sink};
use lang_syntax::{Token, TokenKind, format, is_sound, lex, print};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use self::support::{file, parsed, without_places};

const EXAMPLES: &[&str] = &[
    include_str!("../../../examples/acme/mesh.mesh"),
    include_str!("../../../tests/fixtures/acme.mesh"),
    include_str!("../../../examples/bookinfo/mesh.mesh"),
    include_str!("../../../examples/canary/mesh.mesh"),
    include_str!("../../../examples/emojivoto/mesh.mesh"),
    include_str!("../../../examples/online-boutique/mesh.mesh"),
    include_str!("../../../examples/single-cluster/mesh.mesh"),
    include_str!("../../../stdlib/defaults.mesh"),
    include_str!("../../../stdlib/resilience.mesh"),
    include_str!("../../../stdlib/clusters.mesh"),
];

fn formatted(text: &str) -> Option<String> {
    format(FileId(0), text, &mut Sink::default())
}

/// The comments and documentation of a text, in order.
fn comments(text: &str) -> Vec<String> {
    let comment = |token: &Token| matches!(token.kind, TokenKind::Comment | TokenKind::Documentation);
    let written = |token: Token| text[token.start as usize..token.end as usize].trim_end().to_owned();
    lex(text).into_iter().filter(comment).map(written).collect()
}

/// Formats a text that may have mistakes; then nothing is asked of it. Returns whether it had none.
fn keeps_everything(text: &str) -> Result<bool, TestCaseError> {
    let sound = is_sound(text);
    prop_assert!(!sound || parsed(text).1.is_empty(), "what is sound is read without a report:\n{}", text);
    let Some(once) = formatted(text) else { return Ok(false) };
    let Some(again) = formatted(&once) else {
        return Err(TestCaseError::fail(format!("what was formatted has mistakes:\n{text}\n---\n{once}")));
    };
    prop_assert_eq!(&again, &once, "formatting is idempotent");
    prop_assert_eq!(comments(&once), comments(text), "comments stay, in their order");
    let (before, after) = (parsed(text).0, parsed(&once).0);
    prop_assert_eq!(
        without_places(after),
        without_places(before),
        "the meaning stays:\n{}\n---\n{}",
        text,
        once
    );
    prop_assert!(
        once.lines().all(|line| !line.ends_with([' ', '\t'])) || once.contains("\"\"\""),
        "{}",
        once
    );
    Ok(true)
}

/// What is inserted between two tokens, or takes the place of white space.
const INSERTED: &[&str] = &[
    " ",
    "\n",
    "\n\n\n",
    "\t",
    "\r\n",
    " // c\n",
    "\n// d\n",
    "\n/// e\n",
    ",",
    ", ",
    "{",
    "}",
    "[",
    "]",
    " a",
    "=",
    " -> b",
    "\"\"\"\n   x\n  \"\"\"",
    " = 1\n",
    " in c",
];

/// A change of a text: at which of its tokens, what is done there, and what is inserted.
type Change = (prop::sample::Index, u8, prop::sample::Index);

fn changed(text: &str, changes: &[Change]) -> String {
    let mut text = text.to_owned();
    for (place, what, inserted) in changes {
        let tokens = lex(&text);
        let token = place.get(&tokens);
        let (start, end) = (token.start as usize, token.end as usize);
        let inserted = inserted.get(INSERTED);
        match (what % 4, token.kind) {
            (0 | 1, TokenKind::Whitespace | TokenKind::Newline) => text.replace_range(start..end, inserted),
            (0 | 1, _) => text.insert_str(end, inserted),
            (2, TokenKind::Whitespace | TokenKind::Newline) => text.replace_range(start..end, "\n"),
            (2, _) => text.insert(start, '\n'),
            _ => text.replace_range(start..end, ""),
        }
    }
    text
}

#[test]
fn the_examples_keep_everything() {
    for text in EXAMPLES {
        let right = keeps_everything(text).unwrap_or_else(|error| panic!("{error}"));
        assert!(right && is_sound(text), "the examples have no mistakes, and are formatted without a tree");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_keeps_everything(tree in file(), choices in prop::collection::vec(any::<u8>(), 1..40)) {
        let mut choices = choices.iter().cycle();
        let mut text = String::new();
        let printed = print(&tree);
        let mut templates = 0;
        for Token { kind, start, end } in lex(&printed) {
            text.push_str(&printed[start as usize..end as usize]);
            templates += i32::from(kind == TokenKind::TemplateHead) - i32::from(kind == TokenKind::TemplateTail);
            let line_may_end = matches!(kind,
                TokenKind::Equals | TokenKind::Arrow | TokenKind::Comma | TokenKind::OpenBrace
                | TokenKind::OpenBracket | TokenKind::Newline);
            if templates == 0 && line_may_end {
                text.push_str(["", "", " // c\n", "\n\n\n", "\n  // d\n", "\t"][usize::from(*choices.next().unwrap()) % 6]);
            }
        }
        prop_assert!(keeps_everything(&text)?, "it has no mistakes:\n{}", text);
    }

    #[test]
    fn examples_with_changes_keep_everything(
        example in 0..EXAMPLES.len(),
        changes in prop::collection::vec(any::<Change>(), 1..4),
    ) {
        keeps_everything(&changed(EXAMPLES[example], &changes))?;
    }
}

/// Enough of the changed examples have no mistakes for the property above to mean something.
#[test]
fn many_changed_examples_can_be_formatted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(any::<Change>(), 1..4);
    let mut right = 0;
    for round in 0..100 {
        let changes = strategy.new_tree(&mut runner).unwrap().current();
        right += usize::from(formatted(&changed(EXAMPLES[round % EXAMPLES.len()], &changes)).is_some());
    }
    assert!(right >= 20, "{right} of 100");
}
