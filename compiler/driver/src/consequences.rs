//! Leaves out what follows from a file that could not be read: one mistake gives one error.

use std::collections::BTreeSet;

use lang_diagnostics::{Code, Diagnostic};
use lang_evaluate::codes::{MISSING_BLOCK, UNKNOWN_NAME};
use lang_expand::codes::{
    INPUT, MODULE_PATH, NOTHING_TO_OVERRIDE, UNKNOWN_MEMBER, UNKNOWN_MODULE, UNKNOWN_TEMPLATE, USE_CIRCLE,
};

/// Reports that a whole file is not there.
const FILES: [Code; 3] = [UNKNOWN_MODULE, MODULE_PATH, USE_CIRCLE];

/// What may be declared in a file that is not there.
const IN_FILES: [Code; 6] =
    [UNKNOWN_NAME, MISSING_BLOCK, UNKNOWN_MEMBER, UNKNOWN_TEMPLATE, NOTHING_TO_OVERRIDE, INPUT];

/// What may be declared by an item with a mistake of syntax, which the parser leaves out.
const IN_ITEMS: [Code; 2] = [UNKNOWN_MEMBER, UNKNOWN_TEMPLATE];

/// Takes out reports of names that may be declared where nothing could be read.
pub(crate) fn leave_out(found: &mut Vec<Diagnostic>) {
    let codes: BTreeSet<Code> = found.iter().map(|each| each.code).collect();
    if FILES.iter().any(|code| codes.contains(code)) {
        found.retain(|each| !IN_FILES.contains(&each.code));
    }
    if codes.iter().any(|code| code.0.starts_with("E00")) {
        found.retain(|each| !IN_ITEMS.contains(&each.code));
    }
}
