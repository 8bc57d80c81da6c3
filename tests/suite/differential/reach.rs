//! Every word of the language is in the mesh of some seed, or in a short list with the reason.

use std::collections::BTreeSet;

use crate::run::Case;
use crate::text::written;
use crate::vocabulary::Schema;

/// How many seeds have everything.
const SEEDS: u64 = 400;

/// A word that no seed makes, as in `vocabulary.rs`, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "trust issuer.files.directory",
        "It is where certificates of the user's own are, which no mesh makes by itself.",
    ),
    ("mesh max_amplification", BOUND),
    ("namespace.service max_amplification", BOUND),
    ("namespace.route critical", PROVED),
    ("namespace.route.rule critical", PROVED),
    ("namespace.service.call critical", PROVED),
];

const BOUND: &str = "It is a bound that a check holds the mesh to, and no proxy is told.";
const PROVED: &str = "It asks a check for a proof, and no proxy is told.";

#[test]
fn every_word_is_in_the_mesh_of_some_seed() {
    let schema = Schema::new();
    let mut said = BTreeSet::new();
    for seed in 0..SEEDS {
        said.extend(schema.shown(&written(&Case::of(seed).mesh)));
    }
    let all = schema.words();
    let elsewhere = |word: &str| ELSEWHERE.iter().any(|(listed, _)| *listed == word);
    let missing: Vec<_> = all.iter().filter(|word| !said.contains(*word) && !elsewhere(word)).collect();
    assert!(missing.is_empty(), "in the mesh of no seed below {SEEDS}: {missing:#?}");
    for (word, _) in ELSEWHERE {
        assert!(all.contains(*word), "`{word}` is not in the language");
        assert!(!said.contains(*word), "`{word}` is made by now");
    }
}
