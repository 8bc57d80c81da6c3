//! Texts of source files: read, shown as differences, and replaced as a whole.

use std::fs;
use std::io;
use std::path::Path;

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
    let doing = || format!("write `{}`", path.display());
    put(path, text).context(doing)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".meshc-{}", std::process::id()));
    let beside = path.with_file_name(name);
    let permissions = fs::metadata(&path)?.permissions();
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, permissions))
        .and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
