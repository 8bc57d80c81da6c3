//! The words in `lang/editors` are those of the schema: written there by this test, and compared.

use std::collections::BTreeSet;

use lang_evaluate::schema::Kind;
use mesh_tests::tools;
use meshc_vocabulary::SCHEMA;

/// Words that begin items of the language itself, and those between values.
const WORDS: &[&str] = &["apply", "assert", "for", "if", "in", "input", "let", "override", "template", "use"];

/// The colours of tree-sitter.
const HIGHLIGHTS: &str = "tree-sitter/queries/highlights.scm";

/// Every kind of block.
fn kinds() -> BTreeSet<&'static str> {
    let mut words = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<&'static Kind> = vec![SCHEMA.file];
    while let Some(kind) = open.pop() {
        if seen.insert(std::ptr::from_ref(kind).addr()) {
            words.extend((!kind.word.is_empty()).then_some(kind.word));
            open.extend(kind.blocks.iter().map(|nested| nested.kind));
        }
    }
    words
}

/// A line of a file: what it begins with, and the whole of it.
struct Line {
    file: &'static str,
    begin: &'static str,
    whole: String,
}

fn lines() -> Vec<Line> {
    let kinds: Vec<_> = kinds().into_iter().collect();
    assert!(kinds.len() > 20, "{kinds:?}");
    let (grammar, vim) = ("vscode/syntaxes/mesh.tmLanguage.json", "neovim/syntax/mesh.vim");
    let emacs = "emacs/mesh-mode.el";
    let block = format!(
        r#"      "match": "\\b({})\\b(?:(?:\\s+([A-Za-z_][A-Za-z0-9_-]*|\"[^\"]*\"))?(?=\\s*\\{{)|\\s+([A-Za-z_][A-Za-z0-9_-]*|\"[^\"]*\")(?=\\s*=))","#,
        kinds.join("|")
    );
    let quoted = |words: &[&str]| words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" ");
    vec![
        Line { file: grammar, begin: r#"      "match": "\\b(a"#, whole: block },
        Line {
            file: grammar,
            begin: r#"      "match": "\\b(?:a"#,
            whole: format!(r#"      "match": "\\b(?:{})\\b""#, WORDS.join("|")),
        },
        Line {
            file: vim,
            begin: "syntax keyword meshKind ",
            whole: format!("syntax keyword meshKind {}", kinds.join(" ")),
        },
        Line {
            file: vim,
            begin: "syntax keyword meshWord ",
            whole: format!("syntax keyword meshWord {}", WORDS.join(" ")),
        },
        Line {
            file: HIGHLIGHTS,
            begin: " (#any-of? @keyword ",
            whole: format!(" (#any-of? @keyword {}))", quoted(&kinds)),
        },
        Line {
            file: emacs,
            begin: "(defconst mesh-kinds ",
            whole: format!("(defconst mesh-kinds '({}))", quoted(&kinds)),
        },
        Line {
            file: emacs,
            begin: "(defconst mesh-words ",
            whole: format!("(defconst mesh-words '({}))", quoted(WORDS)),
        },
    ]
}

#[test]
fn editors_have_the_words_of_the_language() {
    let bless = std::env::var_os("MESH_BLESS").is_some();
    for Line { file, begin, whole } in lines() {
        let path = tools::workspace().join("lang/editors").join(file);
        let text = std::fs::read_to_string(&path).expect("readable");
        let found = text.lines().filter(|line| line.starts_with(begin)).count();
        assert_eq!(found, 1, "{file} has one line that begins with {begin:?}");
        let replace = |line: &str| if line.starts_with(begin) { whole.clone() } else { line.to_owned() };
        let expected = text.lines().map(|line| replace(line) + "\n").collect::<String>();
        if bless {
            std::fs::write(&path, &expected).expect("writable");
        } else {
            assert_eq!(text, expected, "{file}");
        }
    }
    copies_are_the_same(bless);
}

/// Helix and Zed want the colours in folders of their own: once they have their words.
fn copies_are_the_same(bless: bool) {
    let folder = tools::workspace().join("lang/editors");
    let text = std::fs::read_to_string(folder.join(HIGHLIGHTS)).expect("readable");
    for copy in ["helix/queries/highlights.scm", "zed/languages/mesh/highlights.scm"] {
        if bless {
            std::fs::write(folder.join(copy), &text).expect("writable");
        }
        let copied = std::fs::read_to_string(folder.join(copy)).unwrap_or_default();
        assert!(copied == text, "{copy} is not {HIGHLIGHTS}: MESH_BLESS=1 copies it");
    }
}

#[test]
fn what_is_json_can_be_read() {
    for file in ["package.json", "language-configuration.json", "syntaxes/mesh.tmLanguage.json"] {
        let path = tools::workspace().join("lang/editors/vscode").join(file);
        let text = std::fs::read_to_string(path).expect("readable");
        let read: Result<serde_json::Value, _> = serde_json::from_str(&text);
        assert!(read.is_ok(), "{file}: {read:?}");
    }
}
