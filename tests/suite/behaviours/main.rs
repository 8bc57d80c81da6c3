//! What the stories of both data planes show, counted: every word of the language, and the list of behaviours.

mod editors;
mod elsewhere;
mod list;
mod sources;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet};

use mesh_tests::tools;
use meshc_vocabulary::SCHEMA;
use meshc_vocabulary::capability::{self, Actor};

use elsewhere::{ELSEWHERE, Elsewhere, OBJECT};

/// Everything that the language has, and what of it is in a mesh that runs on both data planes.
#[test]
fn every_word_is_in_a_mesh_that_runs_on_both_data_planes() {
    let schema = vocabulary::Schema::new();
    let mut shown = BTreeSet::new();
    for source in sources::meshes() {
        shown.extend(schema.shown(&source));
    }
    let all = schema.words();
    assert!(all.len() > 300, "the schema has many words: {}", all.len());
    let missing: Vec<_> = all
        .iter()
        .filter(|word| !shown.contains(*word))
        .filter(|word| !ELSEWHERE.iter().any(|one| one.word == word.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "in no story of both data planes, nor in the list of the others: {missing:#?}"
    );
    let mut wrong = Vec::new();
    for Elsewhere { word, proof, .. } in ELSEWHERE {
        let text = std::fs::read_to_string(tools::workspace().join(proof)).unwrap_or_default();
        if !all.contains(*word) || !schema.shown(&text).contains(*word) {
            wrong.push(format!("`{word}` is not in the language, or not in {proof}"));
        }
        if shown.contains(*word) {
            wrong.push(format!("`{word}` is in a story of both data planes by now"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The reference says of what is in manifests only that Kubernetes acts on it, and of nothing that stories are about.
#[test]
fn the_reference_says_what_acts_on_a_word() {
    let mut in_manifests = 0;
    for Elsewhere { word, why, .. } in ELSEWHERE {
        let (path, attribute) = word.split_once(' ').map_or((*word, None), |(path, name)| (path, Some(name)));
        // What is behind a word of an attribute is not asked for by itself.
        let attribute = attribute.and_then(|name| name.split('.').next());
        let kind = path.split('.').fold(SCHEMA.file, |kind, word| kind.block(word).expect("a kind").kind);
        let is_kubernetes = capability::actor(kind, attribute) == Actor::Kubernetes;
        assert_eq!(is_kubernetes, *why == OBJECT, "{word}");
        in_manifests += usize::from(is_kubernetes);
    }
    assert!(in_manifests > 20, "{in_manifests}");
}

/// Each story has its lines in the list, and each line its story.
#[test]
fn every_story_is_in_the_list_of_behaviours() {
    let listed: BTreeMap<String, usize> = list::read();
    let stories = sources::stories();
    assert!(stories.len() > 80, "there are many stories: {}", stories.len());
    let unlisted: Vec<_> = stories.keys().filter(|story| !listed.contains_key(*story)).collect();
    assert!(unlisted.is_empty(), "these stories are not in {}: {unlisted:#?}", list::FILE);
    let gone: Vec<_> = listed.keys().filter(|story| !stories.contains_key(*story)).collect();
    assert!(gone.is_empty(), "{} lists stories that are not there: {gone:#?}", list::FILE);
    let empty: Vec<_> = listed.iter().filter(|(_, lines)| **lines == 0).collect();
    assert!(empty.is_empty(), "nothing is listed for {empty:#?}");
    let on_both = |story: &str| stories.get(story).is_some_and(|on_both| *on_both);
    let lines: usize = listed.iter().filter(|(story, _)| on_both(story)).map(|(_, lines)| *lines).sum();
    assert!(lines >= 150, "{lines} behaviours");
    assert_eq!(list::stated(), lines, "the number at the head of {}", list::FILE);
}
