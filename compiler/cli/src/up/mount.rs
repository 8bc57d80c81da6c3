//! Directories that look like a mounted ConfigMap or Secret: files are links into `..data`, itself a link that is
//! swapped when the contents change, so that a reader sees either all old files or all new ones.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::Path;

/// The link that is swapped, as the kubelet calls it.
const DATA: &str = "..data";
const NEXT: &str = "..data_next";

/// Brings a directory to these files: name → contents. Readable by the owner alone, since some hold keys. Returns
/// whether anything changed.
pub(crate) fn mount(directory: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<bool> {
    private_directory(directory)?;
    let old = fs::read_link(directory.join(DATA)).ok();
    if let Some(old) = &old
        && holds(&directory.join(old), files)?
    {
        return Ok(false);
    }
    let version = old.as_deref().and_then(|old| old.to_str()?.strip_prefix("..v")?.parse::<u64>().ok());
    let name = format!("..v{}", version.map_or(1, |version| version + 1));
    let fresh = directory.join(&name);
    private_directory(&fresh)?;
    for (file, contents) in files {
        private_file(&fresh.join(file), contents)?;
    }
    let next = directory.join(NEXT);
    remove_if_there(&next)?;
    symlink(&name, &next)?;
    fs::rename(&next, directory.join(DATA))?;
    for file in files.keys() {
        let link = directory.join(file);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(DATA).join(file), &link)?;
        }
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if !file.starts_with("..") && !files.contains_key(&file) {
            fs::remove_file(entry.path())?;
        }
    }
    if let Some(old) = old {
        fs::remove_dir_all(directory.join(old))?;
    }
    Ok(true)
}

/// Creates a directory, and what is missing above it, that only the owner can enter.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a new file that was never readable by others.
pub(crate) fn private_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(contents)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether a version's directory holds exactly these files.
fn holds(directory: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<bool> {
    let count = fs::read_dir(directory)?.count();
    let same = |(file, contents): (&String, &Vec<u8>)| {
        fs::read(directory.join(file)).is_ok_and(|old| old == *contents)
    };
    Ok(count == files.len() && files.iter().all(same))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_change_swaps_all_files_at_once() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("config");
        assert!(mount(&directory, &files(&[("a", "1"), ("b", "1")])).unwrap());
        assert!(!mount(&directory, &files(&[("a", "1"), ("b", "1")])).unwrap());
        assert_eq!(fs::read_link(directory.join("a")).unwrap(), Path::new("..data/a"));
        let first = fs::read_link(directory.join(DATA)).unwrap();
        assert!(mount(&directory, &files(&[("a", "2"), ("c", "2")])).unwrap());
        assert_ne!(fs::read_link(directory.join(DATA)).unwrap(), first);
        assert_eq!(fs::read_to_string(directory.join("a")).unwrap(), "2");
        assert_eq!(fs::read_to_string(directory.join("c")).unwrap(), "2");
        let mut left: Vec<_> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["..data", "..v2", "a", "c"]);
    }

    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("identity");
        mount(&directory, &files(&[("tls.key", "secret")])).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join("tls.key")), 0o600);
    }
}
