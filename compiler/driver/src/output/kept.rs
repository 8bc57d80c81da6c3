//! What a build takes over from the tree that the last one wrote.

use std::path::Path;

use super::STAGE;
use super::conflict::{Conflict, ConflictKind};
use super::digest::digest;
use super::error::{Doing, OutputError};
use super::lock::{LOCK_FILE, Lock};
use crate::{FileKind, FileSystem};

/// A file that the last build wrote into each cluster's folder and that the next one may have to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// No folder of this mesh has it.
    Nothing,
    /// What the last build wrote.
    Intact(Vec<u8>),
    /// Wherever it is, somebody has changed it since.
    Edited(Vec<Conflict>),
}

/// Looks for `inside` in the folders of these clusters, and believes only what a lock file of this mesh vouches for:
/// otherwise an edit of one cluster's copy would be taken for the original and carried into every other one.
///
/// # Errors
/// If the file system refuses to be read.
pub fn kept<'a>(
    files: &dyn FileSystem,
    root: &Path,
    mesh: &str,
    clusters: impl Iterator<Item = &'a str>,
    inside: &str,
) -> Result<Kept, OutputError> {
    // While an interrupted build waits to be finished, the lock files may be a step ahead or behind.
    let stage = root.join(STAGE);
    let interrupted = files.kind(&stage).doing("look at", &stage)?.is_some();
    let mut edited = Vec::new();
    for cluster in clusters {
        let file = |relative: &str| file(files, root, &format!("{cluster}/{relative}"));
        let (Some(lock), Some(bytes)) = (file(LOCK_FILE)?, file(inside)?) else { continue };
        // What else is wrong with a lock file is said when the tree is written.
        let Some(lock) = Lock::parse(&lock).filter(|lock| lock.mesh == mesh) else { continue };
        if interrupted || lock.files.get(inside).is_some_and(|written| *written == digest(&bytes)) {
            return Ok(Kept::Intact(bytes));
        }
        let path = format!("{cluster}/{inside}");
        edited.push(Conflict::new(&path, ConflictKind::EditedOriginal, &bytes));
    }
    Ok(if edited.is_empty() { Kept::Nothing } else { Kept::Edited(edited) })
}

fn file(files: &dyn FileSystem, root: &Path, relative: &str) -> Result<Option<Vec<u8>>, OutputError> {
    let path = root.join(relative);
    match files.kind(&path).doing("look at", &path)? {
        Some(FileKind::File) => files.read(&path).doing("read", &path).map(Some),
        Some(FileKind::Directory | FileKind::Other) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFileSystem;
    use crate::output::{Edits, Tree, write};

    fn look(files: &MemoryFileSystem, mesh: &str) -> Kept {
        kept(files, Path::new("out"), mesh, ["east", "west"].into_iter(), "trust/roots.pem").unwrap()
    }

    fn built() -> MemoryFileSystem {
        let files = MemoryFileSystem::default();
        let roots = |cluster: &str| (format!("{cluster}/trust/roots.pem"), b"roots".to_vec());
        let tree = Tree::from([roots("east"), roots("west")]);
        write(&files, Path::new("out"), "m", tree, Edits::Keep).unwrap();
        files
    }

    #[test]
    fn what_the_last_build_wrote_is_kept() {
        assert_eq!(look(&MemoryFileSystem::default(), "m"), Kept::Nothing);
        assert_eq!(look(&built(), "m"), Kept::Intact(b"roots".to_vec()));
    }

    #[test]
    fn an_edited_copy_is_never_the_original() {
        let files = built();
        files.put("out/east/trust/roots.pem", b"roots and one more");
        assert_eq!(look(&files, "m"), Kept::Intact(b"roots".to_vec()), "west still has it");
        files.put("out/west/trust/roots.pem", b"other roots");
        let Kept::Edited(conflicts) = look(&files, "m") else { panic!("no copy is intact") };
        let paths: Vec<_> = conflicts.iter().map(|conflict| conflict.path.as_str()).collect();
        assert_eq!(paths, ["east/trust/roots.pem", "west/trust/roots.pem"]);
    }

    #[test]
    fn another_mesh_lends_nothing() {
        assert_eq!(look(&built(), "other"), Kept::Nothing);
    }
}
