//! Texts of source files: read, shown as differences, and replaced as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use similar::TextDiff;

use crate::exit::{Context, Failure};

/// The differences between two texts of a file, as `diff -u` shows them.
pub(crate) fn difference(name: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

/// Replaces the text of a file: it has the old one or the new one, whenever the process ends. Where the path is a link,
/// the file that it leads to is replaced. Permissions stay.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let writing = || format!("write `{}`", path.display());
    Staged::write(path, text).and_then(Staged::put).context(writing)
}

/// A text on the disk, beside the file that it is for. It goes with the value unless it was put there.
struct Staged {
    path: PathBuf,
    beside: PathBuf,
}

impl Staged {
    fn write(path: &Path, text: &str) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".meshc-{}", std::process::id()));
        let staged = Self { beside: path.with_file_name(name), path };
        let permissions = fs::metadata(&staged.path)?.permissions();
        fs::write(&staged.beside, text)?;
        fs::set_permissions(&staged.beside, permissions)?;
        Ok(staged)
    }

    fn put(self) -> io::Result<()> {
        fs::rename(&self.beside, &self.path)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After it was put there is none.
        let _ = fs::remove_file(&self.beside);
    }
}
