//! `meshc lsp` with clients that nobody here wrote: pytest-lsp, Neovim, and the editor core of VS Code in a browser.

use std::path::Path;
use std::process::Command;

use mesh_tests::{process, tools};

/// The mesh that clients have open, in two files.
const ENTRY: &str = include_str!("../clients/lsp/mesh/mesh.mesh");

const SHOP: &str = include_str!("../clients/lsp/mesh/shop.mesh");

fn mesh() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in [("mesh.mesh", ENTRY), ("shop.mesh", SHOP)] {
        std::fs::write(folder.path().join(name), text).expect("writable");
    }
    folder
}

fn client(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("MESHC", tools::binary("meshc"))
        .env("MESH", folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("EDITORS", tools::workspace().join("lang/editors/neovim"));
    command
}

#[test]
fn the_mesh_of_these_tests_is_sound() {
    let folder = mesh();
    let mut command = Command::new(tools::binary("meshc"));
    process::succeed(command.args(["check", "--deny", "warnings"]).arg(folder.path()));
}

#[test]
fn pytest_lsp_gets_what_it_asks_for() {
    let folder = mesh();
    let mut command = client(&tools::workspace().join("tests/.tools/venv/bin/python"), folder.path());
    command.arg("-B").arg(tools::workspace().join("tests/clients/lsp/test_server.py"));
    let said = process::succeed(&mut command);
    assert!(said.contains(" passed") && !said.contains("skipped"), "{said}");
}

#[test]
fn neovim_shows_findings_and_edits_by_them() {
    let folder = mesh();
    let script = tools::workspace().join("tests/clients/lsp/neovim.lua");
    let mut command = client(Path::new("nvim"), folder.path());
    command.args(["--headless", "-u", "NONE", "-c"]).arg(format!("luafile {}", script.display()));
    let output = process::run(&mut command);
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("ok"), "{said}");
}

#[test]
fn the_editor_core_of_vs_code_shows_what_is_found_and_suggested() {
    let folder = mesh();
    let tests = tools::workspace().join("tests");
    let pages = tests.join(".tools/npm/pages");
    assert!(pages.join("page.js").is_file(), "the page is not bundled; run: tests/tools/install");
    let mut command = client(&tests.join(".tools/venv/bin/python"), folder.path());
    command.arg("-B").arg(tests.join("clients/lsp/monaco.py")).arg(tools::browser()).arg(pages);
    command.arg(tools::binary("meshc")).arg(folder.path());
    assert_eq!(process::succeed(&mut command).trim(), "ok");
}
