//! `--check`: how an output directory differs from what a build would make of it.

use std::path::Path;

use super::changes::changes;
use super::error::{Doing, OutputError};
use super::lock::with_locks;
use super::{Edits, STAGE, Tree};
use crate::FileSystem;

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Its path below the output directory.
    pub path: String,
    /// How it differs.
    pub kind: DifferenceKind,
}

/// How a file differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// A build would create it.
    Missing,
    /// A build would give it other bytes, or refuse to touch it.
    Changed,
    /// A build would remove it.
    Leftover,
    /// An earlier build was interrupted and waits for the next one.
    Interrupted,
}

/// Compares the directory `root` with `tree`, in order of path, and writes nothing.
///
/// # Errors
/// If the file system refuses to be read.
pub fn compare(
    files: &dyn FileSystem,
    root: &Path,
    mesh: &str,
    tree: Tree,
) -> Result<Vec<Difference>, OutputError> {
    let difference = |path: &str, kind| Difference { path: path.to_owned(), kind };
    let mut differences = Vec::new();
    let stage = root.join(STAGE);
    if files.kind(&stage).doing("look at", &stage)?.is_some() {
        differences.push(difference(STAGE, DifferenceKind::Interrupted));
    }
    let tree = with_locks(mesh, tree);
    let changes = changes(files, root, mesh, &tree, Edits::Overwrite)?;
    for (put, _) in &changes.puts {
        let kind = if put.old.is_none() { DifferenceKind::Missing } else { DifferenceKind::Changed };
        differences.push(difference(&put.path, kind));
    }
    let removals = changes.removals.iter();
    differences.extend(removals.map(|removal| difference(&removal.path, DifferenceKind::Leftover)));
    let conflicts = changes.conflicts.iter();
    differences.extend(conflicts.map(|conflict| difference(&conflict.path, DifferenceKind::Changed)));
    differences.sort();
    Ok(differences)
}
