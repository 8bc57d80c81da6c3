//! `lang/REFERENCE.md` is what the schema and the defaults say; `MESH_BLESS=1` rewrites it.
#![expect(
    clippy::disallowed_methods,
    reason = "the reference is a file, and blessing is asked for in the environment"
)]

use std::path::Path;
use std::{env, fs};

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lang/REFERENCE.md");
    let text = meshc_vocabulary::reference();
    if env::var("MESH_BLESS").is_ok_and(|value| value == "1") {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "lang/REFERENCE.md is out of date: MESH_BLESS=1 writes it");
}
