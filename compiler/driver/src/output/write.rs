//! Bringing an output directory to a built tree.

use std::path::Path;

use super::Tree;
use super::commit::Commit;
use super::conflict::Conflict;
use super::error::OutputError;
use super::writer::{Built, Program, Writer};
use crate::FileSystem;

/// What happens to generated files that were edited by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edits {
    /// They stay, and the build refuses.
    Keep,
    /// They are overwritten or removed.
    Overwrite,
}

/// What was found of an earlier build that had been interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing.
    Nothing,
    /// It had not decided yet: its stage was removed.
    RolledBack,
    /// It had decided: what was left to do was done.
    RolledForward,
    /// It had decided, but these files were changed since.
    Blocked(Vec<Conflict>),
}

/// What a build did to its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every file had its bytes already; nothing was written.
    Unchanged,
    /// The directory now holds the new tree.
    Written(Written),
    /// Nothing was written because of these files.
    Refused(Vec<Conflict>),
}

/// Paths that changed, each in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Files that were created or got new bytes.
    pub written: Vec<String>,
    /// Files that are no longer produced and were removed.
    pub removed: Vec<String>,
}

/// Finishes or undoes an interrupted build in `root`. Whoever calls this makes sure that no other build writes there
/// meanwhile.
///
/// # Errors
/// If the file system refuses something. The next call then rolls forward or back.
pub fn recover(files: &dyn FileSystem, root: &Path, edits: Edits) -> Result<Recovery, OutputError> {
    Commit::new(files, root).recover(edits)
}

/// Finishes or undoes an interrupted build in `root`, then brings it to `tree` (which needs no lock files: they are
/// added here). Whoever calls this makes sure that no other build writes there meanwhile.
///
/// # Errors
/// If the file system refuses something. The next call then rolls forward or back.
pub fn write(
    files: &dyn FileSystem,
    root: &Path,
    mesh: &str,
    tree: Tree,
    edits: Edits,
) -> Result<(Recovery, Outcome), OutputError> {
    let begun = Writer::write(files, root, mesh, clusters(&tree), edits, Program::Unknown)?;
    let (recovery, writer) = begun;
    match (recovery, writer) {
        (Recovery::Blocked(conflicts), _) => {
            Ok((Recovery::Blocked(conflicts.clone()), Outcome::Refused(conflicts)))
        }
        (recovery, None) => Ok((recovery, Outcome::Unchanged)),
        (recovery, Some(mut writer)) => {
            writer.put(None, built(tree))?;
            Ok((recovery, writer.finish()?))
        }
    }
}

/// The clusters' folders in a tree.
pub(super) fn clusters(tree: &Tree) -> impl Iterator<Item = &str> {
    tree.keys().filter_map(|path| path.split_once('/')).map(|(cluster, _)| cluster)
}

/// The files of a tree.
pub(super) fn built(tree: Tree) -> Vec<Built> {
    tree.into_iter().map(|(path, bytes)| Built::new(path, bytes)).collect()
}
