//! Where a word belongs that is right in itself and stands in the wrong place.

use crate::describe::alternatives;
use crate::schema::Kind;

/// In more places than this a word belongs nowhere in particular.
const MOST: usize = 4;

/// Advice that names the blocks which take a word, as an attribute or as a block; `None` if nothing takes it.
pub(crate) fn advice(file: &'static Kind, word: &str) -> Option<String> {
    let mut homes: Vec<&'static str> = Vec::new();
    collect(file, word, &mut homes);
    let at_the_top = homes.contains(&"");
    homes.retain(|home| !home.is_empty());
    let mut places: Vec<_> = homes.iter().map(|home| format!("in `{home}`")).collect();
    if at_the_top {
        places.push(String::from("at the top level of a file"));
    }
    let known = 1..=MOST;
    known.contains(&places.len()).then(|| format!("`{word}` stands {}", alternatives(&places)))
}

/// The words of all kinds that take a word, each once, the outermost first.
fn collect(kind: &'static Kind, word: &str, homes: &mut Vec<&'static str>) {
    let takes = kind.attribute(word).is_some() || kind.block(word).is_some();
    if takes && !homes.contains(&kind.word) {
        homes.push(kind.word);
    }
    for nested in kind.blocks {
        collect(nested.kind, word, homes);
    }
}
