//! The codes of all checks: E03xx, and W03xx for warnings. Each is defined in the file of its check.

use lang_diagnostics::CodeInfo;

use crate::list::CHECKS;

/// What `meshc explain` says about them.
pub const CODES: &[CodeInfo] = &infos();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses a wrong index")]
const fn infos() -> [CodeInfo; CHECKS.len()] {
    let mut infos = [CHECKS[0].info; CHECKS.len()];
    let mut next = 1;
    while next < CHECKS.len() {
        infos[next] = CHECKS[next].info;
        next += 1;
    }
    infos
}
