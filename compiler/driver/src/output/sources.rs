//! Replacing texts of sources: all of them or none, by the journal that builds have.

use std::collections::BTreeMap;
use std::path::Path;

use super::commit::Commit;
use super::digest::digest;
use super::error::{Doing, OutputError};
use super::journal::Put;
use super::path::below;
use super::{Edits, Recovery};
use crate::{FileKind, FileSystem};

/// A file that gets another text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Its path below the directory that all of them are in, with `/`.
    pub path: String,
    /// What was read of it.
    pub before: String,
    /// Its new text.
    pub after: String,
}

/// What became of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// All have their new text.
    All,
    /// None has: these are not as they were read.
    Changed(Vec<String>),
}

/// Gives files below `root` other texts, if each of them and of the files `read` beside them (path → text) still is as it was
/// read. An error leaves all old texts where the file system lets it. Killed at any point, the next call or
/// [`recover`](super::recover) leaves all old texts or all new ones.
///
/// # Errors
/// If the file system refuses something.
pub fn replace(
    files: &dyn FileSystem,
    root: &Path,
    read: &BTreeMap<String, String>,
    replacements: &[Replacement],
) -> Result<Replaced, OutputError> {
    let mut commit = Commit::new(files, root);
    match commit.recover(Edits::Keep)? {
        Recovery::Blocked(conflicts) => {
            return Ok(Replaced::Changed(conflicts.into_iter().map(|one| one.path).collect()));
        }
        Recovery::Nothing | Recovery::RolledBack | Recovery::RolledForward => {}
    }
    let own = replacements.iter().map(|one| (&one.path, &one.before));
    let mut changed = Vec::new();
    for (path, text) in read.iter().chain(own) {
        if !is_still(files, root, path, text)? && !changed.contains(path) {
            changed.push(path.clone());
        }
    }
    if !changed.is_empty() {
        return Ok(Replaced::Changed(changed));
    }
    let put = |path: &str, old: &str| Put { path: path.to_owned(), old: Some(digest(old.as_bytes())) };
    let mut staged = replacements.iter();
    let staged = staged.try_for_each(|one| commit.stage(put(&one.path, &one.before), one.after.as_bytes()));
    let done = staged.and_then(|()| commit.run(Vec::new()));
    if done.is_err() {
        let back = replacements.iter().map(|one| (put(&one.path, &one.after), one.before.as_bytes()));
        // If this fails too, the journal stays, and the next run does what it says.
        let _ = commit.undo(&back.collect::<Vec<_>>());
    }
    done.map(|_| Replaced::All)
}

/// Texts of an interrupted [`replace`] that are decided and not in place yet, by path below `root`: what a reader has to take for
/// the texts of these files, so that nobody reads a mixture. Empty where something is not as that run left it.
///
/// # Errors
/// If the file system refuses something.
pub fn pending(files: &dyn FileSystem, root: &Path) -> Result<BTreeMap<String, String>, OutputError> {
    let texts = Commit::new(files, root).pending()?;
    let texts = texts.into_iter().filter_map(|(path, bytes)| Some((path, String::from_utf8(bytes).ok()?)));
    Ok(texts.collect())
}

fn is_still(files: &dyn FileSystem, root: &Path, path: &str, text: &str) -> Result<bool, OutputError> {
    let Some(path) = below(root, path) else { return Ok(false) };
    match files.kind(&path).doing("look at", &path)? {
        Some(FileKind::File) => Ok(files.read(&path).doing("read", &path)? == text.as_bytes()),
        Some(FileKind::Directory | FileKind::Other) | None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::MemoryFileSystem;

    const OLD: [(&str, &str); 3] =
        [("a.mesh", "a: 1"), ("b.mesh", "b: 1"), ("parts/c.mesh", "c: 1 and more")];

    fn start() -> MemoryFileSystem {
        let files = MemoryFileSystem::default();
        files.put("dir/other.mesh", b"is read only");
        OLD.iter().for_each(|(path, text)| files.put(&format!("dir/{path}"), text.as_bytes()));
        files
    }

    fn replacements() -> Vec<Replacement> {
        let new = |(path, text): &(&str, &str)| Replacement {
            path: (*path).to_owned(),
            before: (*text).to_owned(),
            after: text.replace(": 1", " = 1 and much longer than it was"),
        };
        OLD.iter().map(new).collect()
    }

    fn replaced(files: &dyn FileSystem) -> Result<Replaced, OutputError> {
        let read = BTreeMap::from([(String::from("other.mesh"), String::from("is read only"))]);
        replace(files, Path::new("dir"), &read, &replacements())
    }

    /// Every text as a command reads it: with what is pending.
    fn seen(files: &MemoryFileSystem) -> BTreeMap<PathBuf, String> {
        let pending = pending(files, Path::new("dir")).unwrap();
        let text = |path: &str| {
            let path = Path::new("dir").join(path);
            String::from_utf8(files.files().get(&path).unwrap().clone()).unwrap()
        };
        OLD.iter()
            .map(|(path, _)| (PathBuf::from(path), pending.get(*path).cloned().unwrap_or_else(|| text(path))))
            .collect()
    }

    #[test]
    fn killed_at_any_step_all_texts_are_old_or_all_are_new() {
        let old = start();
        let new = start();
        assert_eq!(replaced(&new).unwrap(), Replaced::All);
        let total = u64::try_from(new.take_steps().len()).unwrap();
        assert!(total > 8, "{total} steps");
        let (mut olds, mut news) = (0, 0);
        for killed_after in 0..total {
            let files = start();
            files.die_after(Some(killed_after));
            assert!(replaced(&files).is_err(), "step {killed_after} was survived");
            files.die_after(None);
            let read = seen(&files);
            assert!(read == seen(&old) || read == seen(&new), "a mixture is read after {killed_after}");
            super::super::recover(&files, Path::new("dir"), Edits::Keep).unwrap();
            assert_eq!(read, seen(&files), "recovered otherwise than read, after {killed_after}");
            if files.files() == old.files() {
                olds += 1;
            } else {
                assert_eq!(files.files(), new.files(), "a mixture after {killed_after}");
                news += 1;
            }
        }
        assert!(olds > 0 && news > 0, "{olds} old, {news} new");
    }

    #[test]
    fn a_file_that_changed_since_it_was_read_keeps_all_others_as_they_are() {
        for path in ["dir/b.mesh", "dir/other.mesh"] {
            let files = start();
            files.put(path, b"somebody was faster");
            let before = files.files();
            let name = path.trim_start_matches("dir/").to_owned();
            assert_eq!(replaced(&files).unwrap(), Replaced::Changed(vec![name]));
            assert_eq!(files.files(), before);
            assert_eq!(files.take_steps(), []);
        }
    }

    #[test]
    fn after_a_kill_and_an_edit_by_hand_nothing_is_lost() {
        let files = start();
        files.die_after(Some(6));
        assert!(replaced(&files).is_err());
        files.die_after(None);
        assert!(!pending(&files, Path::new("dir")).unwrap().is_empty());
        files.put("dir/parts/c.mesh", b"by hand");
        assert_eq!(pending(&files, Path::new("dir")).unwrap(), BTreeMap::new());
        let blocked = super::super::recover(&files, Path::new("dir"), Edits::Keep).unwrap();
        assert!(matches!(blocked, Recovery::Blocked(_)), "{blocked:?}");
        assert_eq!(files.files()[Path::new("dir/parts/c.mesh")], b"by hand");
    }

    /// A file system where one file cannot be replaced, once or always.
    struct Refusing {
        files: MemoryFileSystem,
        path: PathBuf,
        dead_after: RefCell<Option<u64>>,
    }

    impl FileSystem for Refusing {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            self.files.read(path)
        }
        fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
            self.files.kind(path)
        }
        fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
            self.files.list(directory)
        }
        fn create_directory(&self, path: &Path) -> io::Result<()> {
            self.files.create_directory(path)
        }
        fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            self.files.write(path, bytes)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            if to == self.path {
                self.files.die_after(*self.dead_after.borrow());
                return Err(io::Error::other("refused"));
            }
            self.files.rename(from, to)
        }
        fn remove_file(&self, path: &Path) -> io::Result<()> {
            self.files.remove_file(path)
        }
        fn remove_directory(&self, path: &Path) -> io::Result<()> {
            self.files.remove_directory(path)
        }
    }

    #[test]
    fn an_error_leaves_the_old_texts_and_so_does_a_kill_while_they_are_put_back() {
        let refusing = |dead_after| Refusing {
            files: start(),
            path: PathBuf::from("dir/parts/c.mesh"),
            dead_after: RefCell::new(dead_after),
        };
        let files = refusing(None);
        assert!(replaced(&files).is_err());
        assert_eq!(files.files.files(), start().files());
        let total = u64::try_from(files.files.take_steps().len()).unwrap();
        let mut mended = 0;
        for killed_after in 0..total {
            let files = refusing(Some(killed_after));
            assert!(replaced(&files).is_err());
            files.files.die_after(None);
            super::super::recover(&files.files, Path::new("dir"), Edits::Keep).unwrap();
            let (old, now) = (start(), seen(&files.files));
            let new = start();
            replaced(&new).unwrap();
            assert!(now == seen(&old) || now == seen(&new), "a mixture after {killed_after}");
            mended += usize::from(now == seen(&old));
        }
        assert!(mended > 0);
    }
}
