//! What separates the tree on disk from the one that was built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::conflict::{Conflict, ConflictKind};
use super::digest::digest;
use super::error::{Doing, OutputError};
use super::journal::{Put, Removal};
use super::lock::{LOCK_FILE, Lock};
use super::path::{below, directories_of};
use super::{Edits, Tree};
use crate::{FileKind, FileSystem};

/// Steps from the tree on disk to the new one, and what stands in their way.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    /// Files that get new bytes, in order of path.
    pub(super) puts: Vec<(Put, &'a [u8])>,
    /// Files that go, in order of path.
    pub(super) removals: Vec<Removal>,
    /// What must not be touched, in order of path.
    pub(super) conflicts: Vec<Conflict>,
}

impl Changes<'_> {
    /// Whether the tree on disk already is the new one.
    pub(super) fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.removals.is_empty() && self.conflicts.is_empty()
    }
}

/// Compares the directory `root` with `tree`, which has its lock files already.
pub(super) fn changes<'a>(
    files: &dyn FileSystem,
    root: &Path,
    mesh: &str,
    tree: &'a Tree,
    edits: Edits,
) -> Result<Changes<'a>, OutputError> {
    let mut survey = Survey {
        files,
        root,
        edits,
        changes: Changes::default(),
        blocked: BTreeSet::new(),
        directories: BTreeMap::new(),
    };
    let owned = survey.owned(mesh, tree)?;
    for (path, bytes) in tree {
        survey.put(path, bytes, &owned)?;
    }
    for (path, written) in &owned {
        if !tree.contains_key(path) {
            survey.remove(path, written)?;
        }
    }
    let mut changes = survey.changes;
    changes.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

struct Survey<'a, 'f> {
    files: &'f dyn FileSystem,
    root: &'f Path,
    edits: Edits,
    changes: Changes<'a>,
    /// Folders and files about which a conflict has been noted already.
    blocked: BTreeSet<String>,
    /// What is known of directories: they are asked for once, not once for each file in them.
    directories: BTreeMap<String, Option<FileKind>>,
}

impl<'a> Survey<'a, '_> {
    /// Path → digest of every file that the lock files name, the lock files among them.
    fn owned(&mut self, mesh: &str, tree: &Tree) -> Result<BTreeMap<String, String>, OutputError> {
        let mut owned = BTreeMap::new();
        for cluster in self.clusters(tree)? {
            let path = format!("{cluster}/{LOCK_FILE}");
            let Some(bytes) = self.file(&path)? else { continue };
            let wanted = tree.contains_key(&path);
            match Lock::parse(&bytes) {
                Some(lock) if lock.mesh == mesh => {
                    let inside = |(file, digest)| (format!("{cluster}/{file}"), digest);
                    owned.extend(lock.files.into_iter().map(inside));
                    owned.insert(path, digest(&bytes));
                }
                Some(lock) if wanted => {
                    self.conflict(&path, ConflictKind::OtherMesh { mesh: lock.mesh }, &bytes);
                    self.blocked.insert(cluster);
                }
                None if wanted => {
                    self.conflict(&path, ConflictKind::DamagedLock, &bytes);
                    self.blocked.insert(cluster);
                }
                // A folder that the mesh has no cluster for and whose lock file is not ours is somebody else's.
                Some(_) | None => {}
            }
        }
        Ok(owned)
    }

    /// Folders that are, or may once have been, a cluster's.
    fn clusters(&self, tree: &Tree) -> Result<BTreeSet<String>, OutputError> {
        let top = |path: &String| path.split_once('/').map(|(cluster, _)| cluster.to_owned());
        let mut clusters: BTreeSet<String> = tree.keys().filter_map(top).collect();
        if self.files.kind(self.root).doing("look at", self.root)?.is_some() {
            for name in self.files.list(self.root).doing("list", self.root)? {
                if self.kind(&name)? == Some(FileKind::Directory) {
                    clusters.insert(name);
                }
            }
        }
        Ok(clusters)
    }

    fn put(
        &mut self,
        path: &str,
        bytes: &'a [u8],
        owned: &BTreeMap<String, String>,
    ) -> Result<(), OutputError> {
        if self.is_blocked(path, owned)? {
            return Ok(());
        }
        let old = match self.kind(path)? {
            None => None,
            Some(FileKind::Directory | FileKind::Other) => {
                self.conflict(path, ConflictKind::Foreign, b"");
                return Ok(());
            }
            Some(FileKind::File) => {
                let there = self.file(path)?.unwrap_or_default();
                // A file at the top, next to the clusters' folders, is only ever created.
                if there == bytes || !path.contains('/') {
                    return Ok(());
                }
                let found = digest(&there);
                let refusal = match owned.get(path) {
                    None => Some(ConflictKind::Foreign),
                    Some(written) if *written != found && self.edits == Edits::Keep => {
                        Some(ConflictKind::EditedByHand)
                    }
                    Some(_) => None,
                };
                if let Some(refusal) = refusal {
                    self.conflict(path, refusal, &there);
                    return Ok(());
                }
                Some(found)
            }
        };
        self.changes.puts.push((Put { path: path.to_owned(), old }, bytes));
        Ok(())
    }

    fn remove(&mut self, path: &str, written: &str) -> Result<(), OutputError> {
        // A path that leads out of the tree or through a link is never followed to be removed.
        let links = directories_of(path).any(|part| matches!(self.kind(part), Ok(Some(FileKind::Other))));
        if links || below(self.root, path).is_none() || self.kind(path)? != Some(FileKind::File) {
            return Ok(());
        }
        let there = self.file(path)?.unwrap_or_default();
        let found = digest(&there);
        if found != written && self.edits == Edits::Keep {
            self.conflict(path, ConflictKind::EditedByHand, &there);
        } else {
            self.changes.removals.push(Removal { path: path.to_owned(), old: found });
        }
        Ok(())
    }

    /// Whether a directory above `path` cannot be one, or lies in a folder that must not be touched.
    fn is_blocked(&mut self, path: &str, owned: &BTreeMap<String, String>) -> Result<bool, OutputError> {
        for directory in directories_of(path) {
            if self.blocked.contains(directory) {
                return Ok(true);
            }
            let kind = match self.directories.get(directory) {
                Some(known) => *known,
                None => {
                    let kind = self.kind(directory)?;
                    self.directories.insert(directory.to_owned(), kind);
                    kind
                }
            };
            match kind {
                None => return Ok(false),
                Some(FileKind::Directory) => {}
                // Our own file of that name goes before anything new comes.
                Some(FileKind::File) if owned.contains_key(directory) => return Ok(false),
                Some(FileKind::File | FileKind::Other) => {
                    self.conflict(directory, ConflictKind::Foreign, b"");
                    self.blocked.insert(directory.to_owned());
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn conflict(&mut self, path: &str, kind: ConflictKind, bytes: &[u8]) {
        self.changes.conflicts.push(Conflict::new(path, kind, bytes));
    }

    fn place(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn kind(&self, path: &str) -> Result<Option<FileKind>, OutputError> {
        self.files.kind(&self.place(path)).doing("look at", &self.place(path))
    }

    fn file(&self, path: &str) -> Result<Option<Vec<u8>>, OutputError> {
        match self.kind(path)? {
            Some(FileKind::File) => {
                self.files.read(&self.place(path)).doing("read", &self.place(path)).map(Some)
            }
            Some(FileKind::Directory | FileKind::Other) | None => Ok(None),
        }
    }
}
