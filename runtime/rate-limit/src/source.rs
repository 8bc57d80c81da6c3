//! The files of the configuration: which they are, and their text.

use std::io;
use std::path::{Path, PathBuf};

/// A configuration that cannot be read from disk.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`: {error}", path.display())]
pub struct SourceError {
    /// The file or directory.
    pub path: PathBuf,
    /// Why not.
    pub error: io::Error,
}

/// The contents of all files at one moment, as pairs of path and text in the order of the paths.
pub(crate) type Snapshot = Vec<(String, String)>;

/// Reads files, and of directories the `.yaml` and `.yml` files in them. Names that begin with a dot are left out,
/// which in a mounted ConfigMap are the links to its versions.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Snapshot, SourceError> {
    let mut files = Vec::new();
    for path in paths {
        let fail = |error| SourceError { path: path.clone(), error };
        if std::fs::metadata(path).map_err(fail)?.is_dir() {
            for entry in std::fs::read_dir(path).map_err(fail)? {
                let file = entry.map_err(fail)?.path();
                if is_configuration(&file) {
                    files.push(file);
                }
            }
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    let text = |path: PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) => Err(SourceError { path, error }),
    };
    files.into_iter().map(text).collect()
}

fn is_configuration(path: &Path) -> bool {
    let visible = path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
    visible && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}
