//! What can go wrong with the file system while a tree is written or compared.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The file system refused something.
#[derive(Debug, Error)]
#[error("cannot {doing} `{}`: {source}", path.display())]
pub struct OutputError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Adds what was being done to an error of the file system.
pub(super) trait Doing<T> {
    /// Says that `doing` (an infinitive) was being done to `path`.
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, OutputError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, OutputError> {
        self.map_err(|source| OutputError { doing, path: path.to_path_buf(), source })
    }
}
