//! `--check`: how an output directory differs from what a build would make of it.

use std::path::Path;

use super::Tree;
use super::error::OutputError;
use super::write::{built, clusters};
use super::writer::{Program, Writer};
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
    let mut writer = Writer::compare(files, root, mesh, clusters(&tree), Program::Unknown)?;
    writer.put(None, built(tree))?;
    writer.differences()
}
