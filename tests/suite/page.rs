//! The page of the reference in a browser: `tests/clients/page.py` reads and searches it. `MESH_PICTURES=DIR` keeps what it
//! looked like.

use std::process::Command;

use mesh_tests::{process, tools};

#[test]
fn a_reader_finds_what_there_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let page = directory.path().join("reference.html");
    let mut docs = Command::new(tools::binary("meshc"));
    process::succeed(docs.args(["docs", "--format", "html", "--output"]).arg(&page));
    let pictures = std::env::var_os("MESH_PICTURES").map_or(directory.path().to_path_buf(), Into::into);
    let mut reader = Command::new(tools::workspace().join("tests/.tools/venv/bin/python"));
    reader
        .arg("-B")
        .arg(tools::workspace().join("tests/clients/page.py"))
        .arg(tools::browser())
        .args([&page, &pictures]);
    assert_eq!(process::succeed(&mut reader), "ok\n");
}
