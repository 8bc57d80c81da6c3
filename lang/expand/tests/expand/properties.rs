//! What holds for any mesh: expansion never panics, ends, and gives the same for shuffled files and declarations.

use std::path::Path;
use std::sync::Arc;

use lang_diagnostics::Severity;
use lang_syntax::ast::Item;
use lang_syntax::lex;
use proptest::prelude::*;

use crate::support::{Folder, expanded};

/// The meshes of a golden case and of the documents.
fn meshes() -> Vec<Folder> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let golden = |name: &str| Folder::read(&root.join("tests/golden/expand").join(name));
    let document = std::fs::read_to_string(root.join("lang/REUSE.md")).unwrap();
    let blocks = document.split("```mesh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut all = vec![golden("forms"), golden("layers"), golden("inputs")];
    all.extend(blocks.map(Folder::of));
    all
}

#[test]
fn the_examples_of_the_documents_expand() {
    for mesh in meshes() {
        let found = expanded(&mesh);
        let wrong: Vec<_> = found
            .diagnostics
            .iter()
            // An override alone has nothing to change.
            .filter(|one| one.severity == Severity::Error && one.code.0 != "E0146")
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{:?}", mesh.files);
        let plain = Folder::of(&found.text());
        if found.diagnostics.is_empty() {
            assert_eq!(expanded(&plain).text(), found.text(), "what comes out stands for itself");
        }
    }
}

/// Blocks, with those in them, in the order of their text.
fn sorted(items: &[Item]) -> Vec<String> {
    let mut texts: Vec<String> = items.iter().map(|item| format!("{:?}", without_places(item))).collect();
    texts.sort();
    texts
}

/// An item without what depends on its place.
fn without_places(item: &Item) -> String {
    match item {
        Item::Block(block) => {
            let label = block.label.as_ref().map(|label| label.value.clone());
            format!("{} {label:?} {:?}", block.kind.value, sorted(&block.body))
        }
        Item::Attribute(attribute) => {
            let file = lang_syntax::ast::File {
                language: None,
                items: vec![Item::Attribute(attribute.clone())],
                comments: Vec::new(),
                expands: false,
                span: attribute.span,
            };
            lang_syntax::print(&file)
        }
        Item::Form(_) => String::from("?"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_meshes_are_survived(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8), 1..4),
    ) {
        let all = meshes();
        let mut mesh = which.get(&all).clone();
        let text = mesh.files["mesh.mesh"].clone();
        let mut tokens: Vec<String> =
            lex(&text).iter().map(|token| text[token.start as usize..token.end as usize].to_owned()).collect();
        for (at, from, change) in changes {
            let (at, other) = (at.index(tokens.len()), from.get(&tokens).clone());
            match change {
                0 => tokens[at] = other,
                1 => tokens.insert(at, other),
                2 => { tokens.remove(at); }
                _ => tokens[at] = String::from("x"),
            }
        }
        mesh.files.insert(String::from("mesh.mesh"), tokens.concat());
        let found = expanded(&mesh);
        for one in &found.diagnostics {
            prop_assert!(found.sources.text(one.primary.span).is_some(), "{one:?}");
            prop_assert!(found.sources.copied(one.primary.span.file).is_none(), "{one:?}");
        }
    }

    #[test]
    fn the_order_of_declarations_does_not_matter(which in any::<prop::sample::Index>(), seed in any::<u64>()) {
        let all = meshes();
        let mesh = which.get(&all).clone();
        let plain = expanded(&mesh);
        let mut shuffled = mesh.clone();
        for (name, text) in &mesh.files {
            let mut sink = lang_diagnostics::Sink::default();
            let mut tree = lang_syntax::parse(lang_diagnostics::FileId(0), text, &mut sink);
            let mut state = seed | 1;
            for last in (1..tree.items.len()).rev() {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                tree.items.swap(last, (state % (last as u64 + 1)) as usize);
            }
            tree.comments.clear();
            shuffled.files.insert(name.clone(), lang_syntax::print(&tree));
        }
        let again = expanded(&shuffled);
        let items = |trees: &[Arc<lang_syntax::ast::File>]| {
            sorted(&trees.iter().flat_map(|tree| tree.items.clone()).collect::<Vec<_>>())
        };
        prop_assert_eq!(items(&plain.trees), items(&again.trees));
    }
}

/// Each line doubles what the one before made: it ends in a report, and soon.
#[test]
fn what_doubles_is_bounded() {
    for (first, next) in [
        ("let a0 = [1, 1]", "let a# = [...a%, ...a%]"),
        ("let a0 = \"0123456789\"", "let a# = \"${a%}${a%}\""),
        ("let a0 = { x = 1 }", "let a# = { a = a%, b = a% }"),
        ("template a0 { x = 1 }", "template a# {\n apply a%\n apply a%\n}"),
    ] {
        let mut text = format!("{first}\n");
        for step in 1..40 {
            let line = next.replace('#', &step.to_string()).replace('%', &(step - 1).to_string());
            text.push_str(&line);
            text.push('\n');
        }
        text.push_str(if first.starts_with("let") { "m { x = a39 }\n" } else { "m {\n apply a39\n}\n" });
        let found = expanded(&Folder::of(&text));
        assert!(
            found.diagnostics.iter().any(|one| one.code.0 == "E0145"),
            "{first}: {:?}",
            found.diagnostics
        );
    }
}
