//! Properties of lexer, parser and printer over random texts and trees.

mod support;

use lang_syntax::{Token, TokenKind, is_sound, lex, print};
use proptest::prelude::*;

use self::support::{file, parsed, without_places};

/// Pieces of text that mean something to the lexer, for texts that are nearly right.
fn soup() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        "b-c",
        "in",
        "for",
        "use ",
        "let x = ",
        "input x: ",
        "for x in ",
        "template t(",
        "apply t(",
        "override ",
        "if ",
        " then ",
        " else ",
        " and ",
        "not ",
        "==",
        "<",
        "...",
        "true",
        "language 1",
        "10",
        "5xx",
        "10/min",
        "fd00::1",
        "1.2.3.4",
        "\"",
        "\"a\"",
        "\"\"\"",
        "${",
        "$${",
        "}",
        "{",
        "[",
        "]",
        "(",
        ")",
        "=",
        "->",
        ",",
        ".",
        ":",
        "-",
        "/",
        "//",
        "///",
        "\n",
        " ",
        "\\",
        "é",
        "'",
        "\u{0}",
        "\r\n",
        "a = 1\n",
        "a b {\n",
        "a = \"x${",
        "\u{feff}",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..60).prop_map(|pieces| pieces.concat())
}

/// Everything that must hold for any text at all.
fn survives(text: &str) -> Result<(), TestCaseError> {
    let tokens = lex(text);
    let mut position = 0;
    for token in &tokens {
        prop_assert_eq!(token.start, position, "tokens cover the text without gap or overlap");
        prop_assert!(
            token.end > token.start || token.kind == TokenKind::End,
            "no token but the last is empty"
        );
        prop_assert!(text.is_char_boundary(token.end as usize));
        position = token.end;
    }
    prop_assert_eq!(position as usize, text.len());
    prop_assert_eq!(tokens.last().map(|token| token.kind), Some(TokenKind::End));
    let (tree, reports) = parsed(text);
    prop_assert!(
        reports.is_empty() || !is_sound(text),
        "what is sound is read without a report: {:?}",
        reports
    );
    for report in &reports {
        for label in std::iter::once(&report.primary).chain(&report.secondary) {
            let range = label.span.start as usize..label.span.end as usize;
            prop_assert!(text.get(range).is_some(), "labels lie in the text: {:?}", report);
        }
    }
    let printed = print(&tree);
    let (_, reports) = parsed(&printed);
    prop_assert!(
        reports.is_empty(),
        "what was understood prints as correct text: {:?}\n{}",
        reports,
        printed
    );
    Ok(())
}

/// Inserts comments, line feeds and spaces wherever the grammar allows them.
fn scattered(text: &str, choices: &[u8]) -> String {
    let mut choices = choices.iter().cycle();
    let mut scattered = String::new();
    let mut templates = 0;
    for Token { kind, start, end } in lex(text) {
        scattered.push_str(&text[start as usize..end as usize]);
        templates += i32::from(kind == TokenKind::TemplateHead) - i32::from(kind == TokenKind::TemplateTail);
        let line_may_end = matches!(
            kind,
            TokenKind::Equals
                | TokenKind::Arrow
                | TokenKind::Comma
                | TokenKind::OpenBrace
                | TokenKind::OpenBracket
                | TokenKind::Newline
        );
        if templates > 0 || !line_may_end {
            continue;
        }
        scattered.push_str(match choices.next().copied().unwrap_or(0) % 8 {
            0 => " // c\n",
            1 => "\n// d\n\n//e\n",
            2 => "\n\n",
            3 => "\t ",
            _ => "",
        });
    }
    scattered
}

/// Found at random, and kept: what was read of a mistake inside a string was printed as the mistake.
#[test]
fn mixtures_that_were_not_survived() {
    for text in ["a = \"x${\u{e9}{", "a = \"x${\u{e9}{}}\"", "a = [\"x${[\u{e9} { b = 1 }]}\"]"] {
        survives(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

const EXAMPLES: &[&str] = &[
    include_str!("../../../examples/acme/mesh.mesh"),
    include_str!("../../../tests/fixtures/acme.mesh"),
    include_str!("../../../examples/bookinfo/mesh.mesh"),
    include_str!("../../../examples/canary/mesh.mesh"),
    include_str!("../../../examples/emojivoto/mesh.mesh"),
    include_str!("../../../examples/online-boutique/mesh.mesh"),
    include_str!("../../../examples/single-cluster/mesh.mesh"),
    include_str!("../../../stdlib/access.mesh"),
    include_str!("../../../stdlib/clusters.mesh"),
    include_str!("../../../stdlib/defaults.mesh"),
    include_str!("../../../stdlib/presets.mesh"),
    include_str!("../../../stdlib/rate_limit.mesh"),
    include_str!("../../../stdlib/resilience.mesh"),
];

/// What somebody has typed so far is a text like any other.
#[test]
fn every_prefix_of_every_example_is_survived() {
    let mut prefixes = 0;
    for example in EXAMPLES {
        for (end, _) in example.char_indices() {
            let text = &example[..end];
            let (_, reports) = parsed(text);
            assert!(reports.is_empty() || !is_sound(text), "{text}");
            prefixes += 1;
        }
    }
    assert!(prefixes > 10_000, "{prefixes} prefixes");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text)?;
    }

    #[test]
    fn any_mixture_of_pieces_is_survived(text in soup()) {
        survives(&text)?;
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same_tree(tree in file()) {
        let printed = print(&tree);
        let (read, reports) = parsed(&printed);
        prop_assert!(reports.is_empty(), "{:?}\n{}", reports, printed);
        prop_assert_eq!(&without_places(read.clone()), &tree, "{}", printed);
        prop_assert_eq!(print(&read), printed, "printing is idempotent");
    }

    #[test]
    fn comments_and_layout_of_the_source_change_nothing_but_the_comments(
        tree in file(),
        choices in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let text = scattered(&print(&tree), &choices);
        let (read, reports) = parsed(&text);
        prop_assert!(reports.is_empty(), "{:?}\n{}", reports, text);
        let printed = print(&read);
        let (again, reports) = parsed(&printed);
        prop_assert!(reports.is_empty(), "{:?}\n{}", reports, printed);
        prop_assert_eq!(&without_places(again.clone()), &without_places(read), "{}\n{}", text, printed);
        prop_assert_eq!(print(&again), printed, "printing is idempotent");
    }
}
