//! Every kind and attribute, from the schema.

use lang_evaluate::schema::{Count, Kind, Label, Nested};
use meshc_vocabulary::SCHEMA;
use meshc_vocabulary::capability::{self, Actor};

use crate::anchor;
use crate::examples::Examples;
use crate::text::{code, head, line, row};
use crate::values::{default, takes, words};

/// All of them.
pub(crate) fn write(text: &mut String) {
    text.push_str("\n## At the top level of a file\n\n");
    let mut homes = Vec::new();
    for nested in SCHEMA.file.blocks {
        find_homes(nested.kind, &[], &mut homes);
    }
    contents(SCHEMA.file.blocks, &homes, text);
    let examples = Examples::read();
    for home in &homes {
        kind(home, &homes, &examples, text);
    }
}

/// Where a kind is described: the words on the way to it.
struct Home {
    kind: &'static Kind,
    path: Vec<&'static str>,
}

/// All kinds in the order of the reference, each before everything in it. One that stands in several places is described
/// at the first one.
fn find_homes(kind: &'static Kind, around: &[&'static str], homes: &mut Vec<Home>) {
    if homes.iter().any(|home| std::ptr::eq(home.kind, kind)) {
        return;
    }
    let path = [around, &[kind.word]].concat();
    homes.push(Home { kind, path: path.clone() });
    for nested in kind.blocks {
        find_homes(nested.kind, &path, homes);
    }
}

impl Home {
    fn heading(&self) -> String {
        format!("`{}`", self.path.join(" › "))
    }

    fn link(&self) -> String {
        format!("[{}](#{})", self.heading(), anchor::of(&self.heading()))
    }
}

fn kind(home: &Home, homes: &[Home], examples: &Examples, text: &mut String) {
    let Home { kind, path } = home;
    let level = if path.len() == 1 { "##" } else { "###" };
    line(text, format_args!("\n{level} {}\n", home.heading()));
    line(text, format_args!("{}{}\n", kind.documentation, capability::note(kind, None, None)));
    elsewhere(home, homes, text);
    if let Some(label) = kind.label.describe() {
        line(text, format_args!("Before the brace: {label}.\n"));
    }
    if let Some(principal) = kind.principal {
        let label = match kind.label {
            Label::None => "",
            Label::Optional(_) | Label::Required(_) | Label::Symbol(_) | Label::Reference(_) => " name",
        };
        let word = kind.word;
        line(
            text,
            format_args!("`{word}{label} = value` is short for `{word}{label} {{ {principal} = value }}`.\n"),
        );
    }
    if let Some(example) = examples.of_kind(kind) {
        line(text, format_args!("*{}*\n", example.caption));
        code("mesh", &example.text, text);
    }
    if kind.attributes.is_empty() && kind.blocks.is_empty() {
        text.push_str("It is empty.\n");
    }
    attributes(kind, text);
    if !kind.blocks.is_empty() {
        text.push_str("Blocks in it:\n\n");
        contents(kind.blocks, homes, text);
    }
    relations(kind, text);
}

/// What must hold between the parts of a block.
fn relations(kind: &Kind, text: &mut String) {
    if kind.relations.is_empty() {
        return;
    }
    text.push_str("\nWhat must hold between them:\n\n");
    let mut lines: Vec<String> = Vec::new();
    for relation in kind.relations {
        let words = format!("{}: {}", relation.rule.describe(), relation.reason);
        // An attribute and a block may have one word.
        if !lines.contains(&words) {
            line(text, format_args!("- {words}"));
            lines.push(words);
        }
    }
}

/// In which other blocks it may stand than the one where it is described.
fn elsewhere(home: &Home, homes: &[Home], text: &mut String) {
    let has = |blocks: &[Nested]| blocks.iter().any(|nested| std::ptr::eq(nested.kind, home.kind));
    let around = home.path.split_last().map(|(_, around)| around).unwrap_or_default();
    let mut places: Vec<String> =
        homes.iter().filter(|other| other.path != around && has(other.kind.blocks)).map(Home::link).collect();
    if !around.is_empty() && has(SCHEMA.file.blocks) {
        places.push(String::from("the top level of a file"));
    }
    if let Some((last, others)) = places.split_last() {
        let list = if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
        line(text, format_args!("It belongs in {list}, too.\n"));
    }
}

/// What stands in a block, with links to where that is described.
fn contents(blocks: &[Nested], homes: &[Home], text: &mut String) {
    for nested in blocks {
        let often = match nested.count {
            Count::One => "exactly once",
            Count::Optional => "at most once",
            Count::Defaulted => "at most once; without it the defaults of its attributes hold",
            Count::Some => "at least once",
            Count::Many => "any number of times",
        };
        let home = homes.iter().find(|home| std::ptr::eq(home.kind, nested.kind));
        let anchor = home.map(|home| anchor::of(&home.heading())).unwrap_or_default();
        line(text, format_args!("- [`{}`](#{anchor}): {often}", nested.kind.word));
    }
}

fn attributes(kind: &Kind, text: &mut String) {
    if kind.attributes.is_empty() {
        return;
    }
    head(&["attribute", "takes", "default", "by", ""], text);
    for attribute in kind.attributes {
        row(
            &[
                &format!("`{}`", attribute.name),
                &takes(&attribute.ty),
                &default(kind, attribute),
                actor(kind, attribute.name),
                attribute.documentation,
            ],
            text,
        );
    }
    text.push('\n');
    for attribute in kind.attributes {
        words(kind, attribute.name, &attribute.ty, text);
    }
}

/// What acts on an attribute.
fn actor(kind: &Kind, attribute: &str) -> &'static str {
    match capability::actor(kind, Some(attribute)) {
        Actor::Kubernetes => "Kubernetes",
        Actor::Proxies { envoy: true, meshd: true } => "both",
        Actor::Proxies { envoy: true, meshd: false } => "Envoy",
        Actor::Proxies { envoy: false, meshd: true } => "meshd",
        Actor::Proxies { envoy: false, meshd: false } => "not yet",
    }
}
