//! Where a word belongs that is right in itself and stands in the wrong place.

use crate::describe::alternatives;
use crate::schema::Kind;

/// In more places than this a word belongs nowhere in particular.
const MOST: usize = 4;

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `word = …`
    Attribute,
    /// `word … { … }`
    Block,
}

/// A kind of the vocabulary, with the words of the kinds that it may stand in.
struct Home {
    kind: &'static Kind,
    parents: Vec<&'static str>,
}

/// Advice that names the blocks which take a word in the form that is written, or else in the other one, other than the
/// block that it stands in; `None` if none takes it. Kinds that share a word, such as the ports of services and of
/// gateways, are told apart by what they stand in.
pub(crate) fn advice(file: &'static Kind, here: Option<&Kind>, word: &str, form: Form) -> Option<String> {
    let mut kinds = Vec::new();
    collect(file, None, &mut kinds);
    let takes = |home: &&Home, form: Form| {
        let kind = home.kind;
        let elsewhere = here.is_none_or(|here| !std::ptr::eq(here, kind));
        let taken = match form {
            Form::Attribute => kind.attribute(word).is_some(),
            Form::Block => kind.block(word).is_some(),
        };
        elsewhere && taken
    };
    let other = match form {
        Form::Attribute => Form::Block,
        Form::Block => Form::Attribute,
    };
    let form = if kinds.iter().any(|home| takes(&home, form)) { form } else { other };
    let mut at_the_top = false;
    let mut places: Vec<String> = Vec::new();
    for home in kinds.iter().filter(|home| takes(home, form)) {
        if home.kind.word.is_empty() {
            at_the_top = true;
            continue;
        }
        let shared = kinds
            .iter()
            .any(|other| other.kind.word == home.kind.word && !std::ptr::eq(other.kind, home.kind));
        let mut place = format!("in `{}`", home.kind.word);
        if shared {
            let parents: Vec<_> = home.parents.iter().map(|word| format!("`{word}`")).collect();
            place.push_str(&format!(" of {}", alternatives(&parents)));
        }
        if !places.contains(&place) {
            places.push(place);
        }
    }
    if at_the_top {
        places.push(String::from("at the top level of a file"));
    }
    let known = 1..=MOST;
    known.contains(&places.len()).then(|| format!("`{word}` belongs {}", alternatives(&places)))
}

/// All kinds, each once, the outermost first.
fn collect(kind: &'static Kind, parent: Option<&'static str>, homes: &mut Vec<Home>) {
    if let Some(known) = homes.iter_mut().find(|home| std::ptr::eq(home.kind, kind)) {
        known.parents.extend(parent);
        return;
    }
    homes.push(Home { kind, parents: parent.into_iter().collect() });
    for nested in kind.blocks {
        collect(nested.kind, Some(kind.word), homes);
    }
}
