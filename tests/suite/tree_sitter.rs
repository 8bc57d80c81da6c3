//! The grammar for tree-sitter against the parser of the compiler, with the real tree-sitter: what meshc accepts is parsed
//! without errors, what it refuses is refused, and what is generated is what is committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use lang_diagnostics::{FileId, Sink};
use mesh_tests::{process, tools};

const FOLDER: &str = "lang/editors/tree-sitter";

/// What only a compiler needs to mind, by the codes of the mistakes: `README.md` beside the grammar has them, too.
const ACCEPTED: &[(&str, &str)] = &[
    ("E0003", "escapes are those of the grammar, but a string goes on behind one that is not"),
    ("E0004", "whatever begins with a digit is a literal"),
    ("E0006", "ends of lines separate nothing"),
    ("E0009", "there is no bound"),
    ("E0010", "an item that lacks its value takes what is on the next line"),
    ("E0011", "there is one version"),
    ("E0012", "the version may be any literal"),
    ("E0013", "documentation may stand anywhere"),
    ("E0014", "blocks in records are told apart by meshc"),
    ("E0015", "a value that is missing is taken from the next line"),
    ("E0016", "operators have an order, and chains of them too"),
    ("E0017", "ends of lines separate nothing"),
];

/// A directory with a copy of the grammar, in which the generator may write, and that it keeps its parsers in.
fn copy() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let source = tools::workspace().join(FOLDER);
    process::succeed(
        Command::new("cp").arg("-r").arg(source.join(".")).arg(directory.path().join("grammar")),
    );
    directory
}

fn tree_sitter(directory: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(tools::tool("tree-sitter"));
    command.args(arguments).current_dir(directory.join("grammar"));
    command.env("HOME", directory).env("XDG_CACHE_HOME", directory).env("XDG_CONFIG_HOME", directory);
    process::run(&mut command)
}

#[test]
fn the_parser_is_the_one_of_the_grammar_and_its_corpus_holds() {
    let directory = copy();
    let before = generated(directory.path());
    let output = tree_sitter(directory.path(), &["generate"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        before == generated(directory.path()),
        "run `tree-sitter generate` in {FOLDER}, with the version of tests/tools/install"
    );
    let output = tree_sitter(directory.path(), &["test"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn generated(directory: &Path) -> Vec<String> {
    let files = ["parser.c", "grammar.json", "node-types.json"];
    let read = |name| std::fs::read_to_string(directory.join("grammar/src").join(name)).unwrap_or_default();
    files.map(read).to_vec()
}

/// Every mesh of the repository.
fn meshes() -> Vec<PathBuf> {
    let root = tools::workspace();
    let mut command = Command::new("git");
    command.current_dir(&root).args(["ls-files", "--cached", "--others", "--exclude-standard", "*.mesh"]);
    process::succeed(&mut command).lines().map(|line| root.join(line)).filter(|path| path.is_file()).collect()
}

/// The codes of the mistakes that the compiler's parser finds.
fn mistakes(path: &Path) -> BTreeSet<String> {
    let bytes = std::fs::read(path).expect("readable");
    let text = String::from_utf8_lossy(&bytes);
    let mut sink = Sink::default();
    let _ = lang_syntax::parse(FileId(0), &text, &mut sink);
    sink.into_sorted().iter().map(|diagnostic| diagnostic.code.to_string()).collect()
}

#[test]
fn what_the_compiler_parses_is_parsed_and_what_it_refuses_is_not() {
    let directory = copy();
    let meshes = meshes();
    assert!(meshes.len() > 250, "{}", meshes.len());
    let list = directory.path().join("paths");
    let lines: String = meshes.iter().map(|path| format!("{}\n", path.display())).collect();
    std::fs::write(&list, lines).expect("writable");
    let list = list.display().to_string();
    let output = tree_sitter(directory.path(), &["parse", "--quiet", "--paths", &list]);
    let printed = String::from_utf8(output.stdout).expect("text");
    let refused: BTreeSet<&str> = printed
        .lines()
        .filter(|line| line.contains("ERROR") || line.contains("MISSING"))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut wrong = Vec::new();
    let mut both = 0;
    for path in &meshes {
        let codes = mistakes(path);
        let is_refused = refused.contains(path.display().to_string().as_str());
        let only_a_compilers = codes.iter().all(|code| ACCEPTED.iter().any(|(known, _)| known == code));
        match (codes.is_empty(), is_refused) {
            (true, false) => {}
            (true, true) => wrong.push(format!("{} is not parsed", path.display())),
            (false, true) => both += 1,
            (false, false) if only_a_compilers => {}
            (false, false) => {
                wrong.push(format!("{} is parsed, which meshc refuses with {codes:?}", path.display()))
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(both > 5, "{both} meshes are refused by both");
}

/// A query with a node that the grammar does not have is refused.
#[test]
fn colours_folds_and_indentation_are_of_this_grammar() {
    let directory = copy();
    let example = tools::workspace().join("tests/fixtures/acme.mesh").display().to_string();
    let editors = tools::workspace().join("lang/editors");
    for query in [
        "tree-sitter/queries/highlights.scm",
        "tree-sitter/queries/folds.scm",
        "tree-sitter/queries/indents.scm",
        "helix/queries/indents.scm",
        "zed/languages/mesh/indents.scm",
        "zed/languages/mesh/brackets.scm",
        "zed/languages/mesh/outline.scm",
    ] {
        let path = editors.join(query).display().to_string();
        let output = tree_sitter(directory.path(), &["query", "--captures", &path, &example]);
        let captured = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(captured.contains("capture"), "{query} finds something: {captured}");
    }
    let highlights = editors.join("tree-sitter/queries/highlights.scm").display().to_string();
    let output = tree_sitter(directory.path(), &["query", "--captures", &highlights, &example]);
    let captured = String::from_utf8(output.stdout).expect("text");
    let has = |name: &str, text: &str| {
        captured.lines().any(|line| line.contains(name) && line.contains(&format!("`{text}`")))
    };
    assert!(
        has("keyword", "cluster") && has("property", "region") && has("number", "172.18.255.200"),
        "{captured}"
    );
}
