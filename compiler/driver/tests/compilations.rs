//! Properties of whole compilations over the examples: the order of declarations, in files and in namespaces, makes no
//! difference, and after all safe fixes none is left. How many are tried: `PROPTEST_CASES=10000 cargo test --workspace --test
//! compilations`; without it few, since each compiles a mesh several times.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test that reads how long it runs from the environment"
)]

use std::path::{Path, PathBuf};

use lang_diagnostics::{Applicability, FileId, Sink, Span};
use lang_syntax::ast::{Block, Item};
use lang_syntax::{Token, lex, parse};
use meshc_driver::{Forms, Levels, MemoryFileSystem, Options, Request, build, check, check_request, mend};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const EXAMPLES: &[&str] = &[
    include_str!("../../../tests/fixtures/acme.mesh"),
    include_str!("../../../examples/canary/mesh.mesh"),
    include_str!("../../../examples/single-cluster/mesh.mesh"),
    include_str!("../../../examples/bookinfo/mesh.mesh"),
];

const OPTIONS: Options = Options { data_plane: None };

/// Without `PROPTEST_CASES` the same few each time.
fn cases() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()) {
        Some(cases) => ProptestConfig { cases, ..config },
        None => ProptestConfig { cases: 12, rng_seed: RngSeed::Fixed(7), ..config },
    }
}

/// The items of a text as they are written; `language` is none of them. Those of namespaces are in another order, too.
fn items(text: &str, order: &[prop::sample::Index]) -> Vec<String> {
    let tree = parse(FileId(0), text, &mut Sink::default());
    tree.items.iter().map(|item| rearranged(text, item, order)).collect()
}

/// An item as it is written, with the declarations of a namespace in another order.
fn rearranged(text: &str, item: &Item, order: &[prop::sample::Index]) -> String {
    let span = span(item);
    let whole = &text[span.start as usize..span.end as usize];
    let Item::Block(Block { kind, body, .. }) = item else { return whole.to_owned() };
    let (Some(first), Some(last)) = (body.first(), body.last()) else { return whole.to_owned() };
    if kind.value != "namespace" {
        return whole.to_owned();
    }
    let mut inner: Vec<String> = body.iter().map(|item| rearranged(text, item, order)).collect();
    shuffle(&mut inner, order);
    let head = &text[span.start as usize..self::span(first).start as usize];
    let tail = &text[self::span(last).end as usize..span.end as usize];
    format!("{head}{}\n{tail}", inner.join("\n"))
}

fn span(item: &Item) -> Span {
    match item {
        Item::Block(block) => block.span,
        Item::Attribute(attribute) => attribute.span,
        Item::Form(form) => form.span,
    }
}

fn shuffle(items: &mut [String], order: &[prop::sample::Index]) {
    for (at, index) in (1..items.len()).rev().zip(order.iter().cycle()) {
        items.swap(at, index.index(at + 1));
    }
}

/// Everything that is built from files; each is named on the command line.
fn built(files: &[(&str, &str)]) -> meshc_driver::output::Tree {
    let request = Request {
        entries: files.iter().map(|(name, _)| PathBuf::from(name)).collect(),
        definitions: Vec::new(),
        values: Vec::new(),
        options: OPTIONS,
    };
    let mut compilation =
        check_request(&MemoryFileSystem::with(files), &request, &Levels::default()).unwrap();
    assert_eq!(compilation.diagnostics, []);
    build(&mut compilation, Forms::Watched, "roots").unwrap()
}

/// A change of a text at one of its tokens.
type Change = (prop::sample::Index, u8, prop::sample::Index);

/// What people write who know other languages, or type too fast.
const WRITTEN: &[&str] = &[
    ":", "=", "{", "}", "[", "]", ",", ";", "\"", "'x'", " 10 ", " 5s ", " west ", "#", "/", "-", " not ",
    "5sec",
];

fn changed(text: &str, changes: &[Change]) -> String {
    let mut text = text.to_owned();
    for (place, what, written) in changes {
        let tokens: Vec<Token> = lex(&text).into_iter().filter(|token| !token.kind.is_trivia()).collect();
        let token = place.get(&tokens);
        let (start, end) = (token.start as usize, token.end as usize);
        match what % 4 {
            0 => text.replace_range(start..end, ""),
            1 => {
                let again = text[start..end].to_owned();
                text.insert_str(end, &again);
            }
            2 => text.replace_range(start..end, written.get::<&str>(WRITTEN)),
            _ => text.insert_str(end, written.get::<&str>(WRITTEN)),
        }
    }
    text
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn shuffled_declarations_and_files_give_the_same_bytes(
        example in 0..EXAMPLES.len(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 64),
        split in any::<prop::sample::Index>(),
    ) {
        let text = EXAMPLES[example];
        let first = built(&[("mesh.mesh", text)]);
        let mut items = items(text, &order);
        shuffle(&mut items, &order);
        prop_assert_eq!(&built(&[("mesh.mesh", &items.join("\n"))]), &first);
        // What a file takes in is known in that file only, so only a mesh without forms is cut in two.
        let plain = !parse(FileId(0), text, &mut Sink::default()).expands;
        if plain {
            let (one, other) = items.split_at(split.index(items.len()));
            let files = [("mesh.mesh", one.join("\n")), ("more.mesh", other.join("\n"))];
            let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
            prop_assert_eq!(&built(&files), &first);
        }
    }

    #[test]
    fn after_all_safe_fixes_none_is_left(
        example in 0..EXAMPLES.len(),
        changes in prop::collection::vec(any::<Change>(), 1..4),
    ) {
        let text = changed(EXAMPLES[example], &changes);
        let files = MemoryFileSystem::with(&[("mesh.mesh", &text)]);
        let request = Request {
            entries: vec![PathBuf::from("mesh.mesh")],
            definitions: Vec::new(),
            values: Vec::new(),
            options: OPTIONS,
        };
        let mended = mend(&files, &request, &Levels::default()).unwrap();
        let left = mended.compilation.diagnostics.iter().find(|found| {
            found.fix.as_ref().is_some_and(|fix| fix.applicability == Applicability::Safe)
        });
        prop_assert!(left.is_none(), "{:?} is left in\n{}", left, text);
    }
}

/// The examples are as the properties expect them: without a finding.
#[test]
fn the_examples_have_no_findings() {
    for text in EXAMPLES {
        let files = MemoryFileSystem::with(&[("mesh.mesh", text)]);
        assert_eq!(check(&files, Path::new("mesh.mesh"), OPTIONS).unwrap().diagnostics, []);
    }
}
