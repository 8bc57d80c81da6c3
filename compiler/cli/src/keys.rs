//! A key directory on disk: read as a value, written file by file, each readable by its owner alone from its first
//! moment on.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use meshc_pki::{KeyDirectory, KeyFile};

use crate::exit::{Context, Failure};

/// Name of a file that is not finished. It is never read as a key.
const UNFINISHED: &str = ".meshc-unfinished";

/// Reads a key directory; one that does not exist is empty.
pub(crate) fn read(directory: &Path) -> Result<KeyDirectory, Failure> {
    let mut files = Vec::new();
    if directory.is_dir() {
        collect(directory, "", &mut files).context(|| format!("read `{}`", directory.display()))?;
    }
    Ok(files.into_iter().collect())
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<(String, KeyFile)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let metadata = fs::metadata(entry.path())?;
        if metadata.is_dir() {
            collect(&entry.path(), &path, files)?;
        } else if metadata.is_file() && name != UNFINISHED {
            let file = KeyFile { bytes: fs::read(entry.path())?, mode: metadata.mode() & 0o7777 };
            files.push((path, file));
        }
    }
    Ok(())
}

/// Writes the files that differ between two states of a key directory. Files that only the old state has stay: keys
/// are not deleted behind anybody's back. A certificate and its key are two files, and a reader may see one of them
/// renewed before the other; whoever is killed between the two runs the command again.
pub(crate) fn write(directory: &Path, old: &KeyDirectory, new: &KeyDirectory) -> Result<(), Failure> {
    for (path, file) in new.iter() {
        if old.get(path) != Some(file) {
            let place = directory.join(path);
            write_file(&place, file).context(|| format!("write `{}`", place.display()))?;
        }
    }
    Ok(())
}

fn write_file(path: &Path, file: &KeyFile) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    let unfinished: PathBuf = parent.join(UNFINISHED);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Created anew with its mode, so that it is never open to others; the mode is set again because the user's mask
    // may have taken bits away.
    let mut open = fs::OpenOptions::new().write(true).create_new(true).mode(file.mode).open(&unfinished)?;
    open.set_permissions(fs::Permissions::from_mode(file.mode))?;
    open.write_all(&file.bytes)?;
    drop(open);
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_was_written_is_read_again() {
        let temporary = tempfile::tempdir().unwrap();
        let keys = temporary.path().join("keys");
        let empty = read(&keys).unwrap();
        assert!(empty.is_empty());
        let mut new = KeyDirectory::new();
        new.insert("root/key.pem", "secret", meshc_pki::PRIVATE);
        new.insert("roots.pem", "public", meshc_pki::PUBLIC);
        write(&keys, &empty, &new).unwrap();
        assert_eq!(read(&keys).unwrap(), new);
        assert_eq!(mode(&keys.join("root/key.pem")), 0o600);
        assert_eq!(mode(&keys.join("root")), 0o700);
    }

    #[test]
    fn only_what_changed_is_written_and_nothing_is_deleted() {
        let temporary = tempfile::tempdir().unwrap();
        let keys = temporary.path();
        let mut old = KeyDirectory::new();
        old.insert("a", "1", meshc_pki::PUBLIC);
        old.insert("b", "1", meshc_pki::PRIVATE);
        write(keys, &KeyDirectory::new(), &old).unwrap();
        let untouched = fs::metadata(keys.join("a")).unwrap().ino();
        let mut new = KeyDirectory::new();
        new.insert("a", "1", meshc_pki::PUBLIC);
        new.insert("c", "2", meshc_pki::PRIVATE);
        write(keys, &old, &new).unwrap();
        assert_eq!(fs::metadata(keys.join("a")).unwrap().ino(), untouched);
        assert_eq!(fs::read_to_string(keys.join("b")).unwrap(), "1");
        assert_eq!(mode(&keys.join("c")), 0o600);
    }
}
