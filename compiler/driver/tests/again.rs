//! A mesh that is analyzed again, with what is known from the last time, is the same in everything as one that is analyzed anew:
//! after each of any edits. How many rounds: `PROPTEST_CASES=1000 cargo test --workspace --test again`.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that reads how long it runs from the environment"
)]

use std::path::PathBuf;

use lang_diagnostics::{RenderOptions, render_text};
use meshc_driver::{Analysis, Levels, MemoryFileSystem, Options, Request, Trees, analyze_again};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Without `PROPTEST_CASES` the same few each time.
fn cases() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()) {
        Some(cases) => ProptestConfig { cases, ..config },
        None => ProptestConfig { cases: 48, rng_seed: RngSeed::Fixed(7), ..config },
    }
}

const FILES: [(&str, &str); 3] = [
    (
        "mesh.mesh",
        "mesh m { trust_domain = \"mesh.example\" }\nuse \"a.mesh\"\nuse \"b.mesh\"\nnetwork n {}\n\
         cluster west { network = n, region = \"west\", zone = \"${east.zone}\", gateway in { role = ingress, \
         address = 192.0.2.1, port http = 80 }, gateway ew { role = east_west, address = 198.51.100.1 } }\n\
         cluster east { network = n, region = \"${west.region}er\", zone = \"1\", \
         gateway ew { role = east_west, address = 198.51.100.2 } }\n\
         policy slow { targets = [a.web], timeout = 2s }\n",
    ),
    (
        "a.mesh",
        "namespace a {\n  service web { clusters = [west], port http = 80, calls = [cart, b.stock] }\n  \
         service cart { clusters = [west, east], port http = 80, calls = [b.stock], account = \"cart-${west.region}\" }\n  \
         route web { gateway = west.in, hosts = [\"a.example\"], to = web }\n}\n",
    ),
    (
        "b.mesh",
        "/// Goods.\nnamespace b {\n  service stock { clusters = [east], port http = 80 }\n  \
         policy few { targets = [stock], allow = [a.cart, a.web] }\n}\nnamespace c {\n  service alone { clusters = [west], port http = 80 }\n}\n",
    ),
];

/// What is written and taken away: names that are used elsewhere, kinds, brackets, whole declarations.
const ODD: &[&str] = &[
    "x",
    "}",
    "{",
    " ",
    "\n",
    "\"",
    "stock",
    "west",
    " service d { clusters = [east], port http = 80 } ",
    "\nnamespace d { service e { clusters = [west], port http = 81, calls = [a.web] } }\n",
    "\nnamespace b { client f { clusters = [east] } }\n",
    ", zone = \"2\"",
    "${east.region}",
    "\nlet g = 3s\n",
    " service { } ",
    "// what\n",
    "[",
];

#[derive(Clone, Debug)]
enum Edit {
    /// Writes one of `ODD`.
    Write(usize, prop::sample::Index, &'static str),
    /// Takes so many bytes away.
    Remove(usize, prop::sample::Index, usize),
    /// Makes a file what it was at first.
    Restore(usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let file = || 0..FILES.len();
    let edit = prop_oneof![
        3 => (file(), any::<prop::sample::Index>(), prop::sample::select(ODD)).prop_map(|(file, at, odd)| Edit::Write(file, at, odd)),
        1 => (file(), any::<prop::sample::Index>(), 1..12_usize).prop_map(|(file, at, bytes)| Edit::Remove(file, at, bytes)),
        3 => file().prop_map(Edit::Restore),
    ];
    prop::collection::vec(edit, 1..10)
}

fn apply(edit: &Edit, texts: &mut [String; 3]) {
    match edit {
        Edit::Write(file, at, odd) => {
            let at = at.index(texts[*file].len() + 1);
            texts[*file].insert_str(at, odd);
        }
        Edit::Remove(file, at, bytes) => {
            let text = &mut texts[*file];
            let start = at.index(text.len() + 1);
            text.drain(start..(start + bytes).min(text.len()));
        }
        Edit::Restore(file) => texts[*file] = FILES[*file].1.to_owned(),
    }
}

/// Everything that an analysis has to say, to its end.
fn everything(mut analysis: Analysis) -> Vec<String> {
    while analysis.step() {}
    let found = analysis.diagnostics(&Levels::default());
    let declarations = &analysis.declared.declarations;
    vec![
        render_text(&found, &analysis.sources, RenderOptions { width: 100, color: false }),
        format!("{found:?}"),
        format!("{:?}", declarations.blocks),
        format!("{:?}", declarations.mentions()),
        format!("{:?}", declarations.entities().collect::<Vec<_>>()),
        format!("{:?}", analysis.model),
        format!("{:?}", analysis.topology),
        format!("{:?}", analysis.plan),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_known_changes_nothing(edits in edits()) {
        let mut texts = FILES.map(|(_, text)| text.to_owned());
        let mut trees = Trees::default();
        for edit in std::iter::once(&Edit::Restore(0)).chain(&edits) {
            apply(edit, &mut texts);
            let again = everything(analyzed(&texts, &mut trees));
            let anew = everything(analyzed(&texts, &mut Trees::default()));
            for (again, anew) in again.iter().zip(&anew) {
                prop_assert_eq!(again, anew, "{:#?}", texts);
            }
        }
    }
}

fn analyzed(texts: &[String; 3], trees: &mut Trees) -> Analysis {
    let request = Request {
        entries: vec![PathBuf::from("mesh.mesh")],
        definitions: Vec::new(),
        values: Vec::new(),
        options: Options { data_plane: None },
    };
    let named: Vec<_> = FILES.iter().zip(texts).map(|((name, _), text)| (*name, text.as_str())).collect();
    analyze_again(&MemoryFileSystem::with(&named), &request, trees).unwrap()
}

/// Whether the block of a namespace is the very one of another analysis.
fn is_shared(name: &str, one: &Analysis, other: &Analysis) -> bool {
    let [one, other] = [one, other].map(|analysis| {
        let blocks = analysis.declared.declarations.blocks.iter();
        blocks.filter(|block| block.name() == name).map(|block| block.inner().as_ptr()).next().unwrap()
    });
    one == other
}

#[test]
fn a_block_is_taken_again_while_it_and_all_names_are_the_same() {
    let mut texts = FILES.map(|(_, text)| text.to_owned());
    let mut trees = Trees::default();
    let first = analyzed(&texts, &mut trees);
    texts[1] = texts[1].replace("calls = [cart, b.stock]", "calls = [cart]");
    let second = analyzed(&texts, &mut trees);
    assert!(is_shared("b", &first, &second) && is_shared("c", &first, &second));
    assert!(!is_shared("a", &first, &second), "its text changed");
    let third = analyzed(&texts, &mut trees);
    assert!(!is_shared("a", &second, &third), "its `account` is made of the region of a cluster");
    texts[0].push_str("namespace d { client e { clusters = [west] } }\n");
    let fourth = analyzed(&texts, &mut trees);
    assert!(!is_shared("b", &third, &fourth), "there is one more name");
}
