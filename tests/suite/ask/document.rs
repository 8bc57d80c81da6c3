//! The commands of `lang/ASKING.md` and `lang/PROVING.md` are run, and print what is written there; `MESH_BLESS=1` writes it.

use mesh_tests::document;

#[test]
fn every_command_of_the_document_prints_what_is_written_there() {
    let count = document::holds("lang/ASKING.md");
    assert!(count > 10, "{count} commands");
}

#[test]
fn every_command_of_the_document_about_proofs_prints_what_is_written_there() {
    let count = document::holds("lang/PROVING.md");
    assert!(count > 5, "{count} commands");
}
