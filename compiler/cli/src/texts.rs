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
    replace_all(std::iter::once((path, text)))
}

/// The same for several files: nothing is replaced before all new texts are on the disk.
pub(crate) fn replace_all<'t>(texts: impl IntoIterator<Item = (&'t Path, &'t str)>) -> Result<(), Failure> {
    let mut staged = Vec::new();
    for (path, text) in texts {
        match Staged::write(path, text) {
            Ok(one) => staged.push(one),
            Err(error) => return Err(error).context(|| format!("write `{}`", path.display())),
        }
    }
    for one in staged {
        let doing = format!("write `{}`", one.path.display());
        one.put().context(|| doing)?;
    }
    Ok(())
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
