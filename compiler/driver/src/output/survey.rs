//! What separates the tree on disk from the one that was built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Edits;
use super::conflict::{Conflict, ConflictKind};
use super::digest::{Digest, digest};
use super::error::{Doing, OutputError};
use super::journal::Removal;
use super::lock::{LOCK_FILE, Lock};
use super::path::{below, directories_of};
use crate::{FileKind, FileState, FileSystem};

/// What is on disk where the new tree goes: what is ours there, and what must not be touched.
pub(super) struct Survey<'f> {
    files: &'f dyn FileSystem,
    root: &'f Path,
    edits: Edits,
    /// Path → digest of every file that the lock files name, the lock files among them.
    owned: BTreeMap<String, Digest>,
    /// What must not be touched.
    conflicts: Vec<Conflict>,
    /// Folders and files about which a conflict has been noted already.
    blocked: BTreeSet<String>,
    /// What is known of directories: they are asked for once, not once for each file in them.
    directories: BTreeMap<String, Option<FileKind>>,
    /// The last directory that was found to be there, all the way.
    there: Option<String>,
}

/// What the directories on the way to a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Directories.
    There,
    /// One of them is not there yet, so the file is not either.
    Missing,
    /// One of them cannot be one, or lies in a folder that must not be touched.
    Blocked,
}

/// A file that holds what it should.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intact {
    /// Its state, where the file system tells.
    pub(super) state: Option<FileState>,
    /// Whether it was read to find out.
    pub(super) read: bool,
}

/// What has to be done for a file to have its new bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    /// Nothing: it was in this state, and has them.
    Nothing(Option<FileState>),
    /// Nothing: it must not be touched, which is among the conflicts now.
    Refused,
    /// To write it. `old`: the digest of what is there.
    Write { old: Option<Digest> },
}

impl<'f> Survey<'f> {
    /// Reads the lock files of these clusters, and of whatever folder a build may have written once.
    pub(super) fn begin<'a>(
        files: &'f dyn FileSystem,
        root: &'f Path,
        mesh: &str,
        clusters: impl Iterator<Item = &'a str>,
        edits: Edits,
    ) -> Result<Self, OutputError> {
        let mut survey = Self {
            files,
            root,
            edits,
            owned: BTreeMap::new(),
            conflicts: Vec::new(),
            blocked: BTreeSet::new(),
            directories: BTreeMap::new(),
            there: None,
        };
        survey.read_locks(mesh, &clusters.map(str::to_owned).collect())?;
        Ok(survey)
    }

    fn read_locks(&mut self, mesh: &str, wanted: &BTreeSet<String>) -> Result<(), OutputError> {
        // Folders that are, or may once have been, a cluster's.
        let mut folders = wanted.clone();
        if self.files.kind(self.root).doing("look at", self.root)?.is_some() {
            for name in self.files.list(self.root).doing("list", self.root)? {
                if self.kind(&name)? == Some(FileKind::Directory) {
                    folders.insert(name);
                }
            }
        }
        for cluster in folders {
            let path = format!("{cluster}/{LOCK_FILE}");
            let Some(bytes) = self.file(&path)? else { continue };
            let wanted = wanted.contains(&cluster);
            match Lock::parse(&bytes) {
                Some(lock) if lock.mesh == mesh => {
                    let inside = |(file, digest)| (format!("{cluster}/{file}"), digest);
                    self.owned.extend(lock.files.into_iter().map(inside));
                    self.owned.insert(path, digest(&bytes));
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
        Ok(())
    }

    /// What must not be touched, in order of path.
    pub(super) fn into_conflicts(mut self) -> Vec<Conflict> {
        self.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
        self.conflicts
    }

    /// Whether anything must not be touched.
    pub(super) fn has_conflicts(&self) -> bool {
        !self.conflicts.is_empty()
    }

    /// Whether anything here is ours.
    pub(super) fn owns_any(&self) -> bool {
        !self.owned.is_empty()
    }

    /// What the lock files say a file of ours holds.
    pub(super) fn owned(&self, path: &str) -> Option<Digest> {
        self.owned.get(path).copied()
    }

    /// Compares a file with the bytes that it is to have.
    pub(super) fn needed(&mut self, path: &str, bytes: &[u8]) -> Result<Needed, OutputError> {
        match self.way(path)? {
            Way::Blocked => return Ok(Needed::Refused),
            Way::Missing => return Ok(Needed::Write { old: None }),
            Way::There => {}
        }
        let place = self.place(path);
        // Before it is read: a change while it is read makes the state another one.
        let state = self.files.state(&place).doing("look at", &place)?;
        let kind = if state.is_some() { Some(FileKind::File) } else { self.kind(path)? };
        match kind {
            None => Ok(Needed::Write { old: None }),
            Some(FileKind::Directory | FileKind::Other) => {
                self.conflict(path, ConflictKind::Foreign, b"");
                Ok(Needed::Refused)
            }
            Some(FileKind::File) => {
                let there = self.files.read(&place).doing("read", &place)?;
                // A file at the top, next to the clusters' folders, is only ever created.
                if there == bytes || !path.contains('/') {
                    return Ok(Needed::Nothing(state));
                }
                let found = digest(&there);
                let refusal = match self.owned.get(path) {
                    None => Some(ConflictKind::Foreign),
                    Some(written) if *written != found && self.edits == Edits::Keep => {
                        Some(ConflictKind::EditedByHand)
                    }
                    Some(_) => None,
                };
                if let Some(refusal) = refusal {
                    self.conflict(path, refusal, &there);
                    return Ok(Needed::Refused);
                }
                Ok(Needed::Write { old: Some(found) })
            }
        }
    }

    /// Whether a file of ours holds what the lock files say, and in which state it is then. `believed`: a state in which it
    /// does, so that it need not be read.
    pub(super) fn is_intact(
        &mut self,
        path: &str,
        written: Digest,
        believed: Option<FileState>,
    ) -> Result<Option<Intact>, OutputError> {
        if self.way(path)? != Way::There {
            return Ok(None);
        }
        let place = self.place(path);
        // Before it is read: a change while it is read makes the state another one.
        let state = self.files.state(&place).doing("look at", &place)?;
        if state.is_some() && state == believed {
            return Ok(Some(Intact { state, read: false }));
        }
        let there = self.file(path)?;
        let intact = there.is_some_and(|there| digest(&there) == written);
        Ok(intact.then_some(Intact { state, read: true }))
    }

    /// What has to be done for a file of ours to go: `None` if nothing, or if it must not be touched.
    fn removal(&mut self, path: &str, written: Digest) -> Result<Option<Removal>, OutputError> {
        // A path that leads out of the tree or through a link is never followed to be removed.
        let links = directories_of(path).any(|part| matches!(self.kind(part), Ok(Some(FileKind::Other))));
        if links || below(self.root, path).is_none() || self.kind(path)? != Some(FileKind::File) {
            return Ok(None);
        }
        let there = self.file(path)?.unwrap_or_default();
        let found = digest(&there);
        if found != written && self.edits == Edits::Keep {
            self.conflict(path, ConflictKind::EditedByHand, &there);
            return Ok(None);
        }
        Ok(Some(Removal { path: path.to_owned(), old: found }))
    }

    /// Files of ours that the new tree does not have, in order of path.
    pub(super) fn removals(&mut self, is_new: impl Fn(&str) -> bool) -> Result<Vec<Removal>, OutputError> {
        let mut removals = Vec::new();
        for (path, written) in std::mem::take(&mut self.owned) {
            if !is_new(&path) {
                removals.extend(self.removal(&path, written)?);
            }
        }
        Ok(removals)
    }

    fn way(&mut self, path: &str) -> Result<Way, OutputError> {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if self.there.as_deref() == Some(parent) {
            return Ok(Way::There);
        }
        let way = self.way_to(path)?;
        if way == Way::There {
            self.there = Some(parent.to_owned());
        }
        Ok(way)
    }

    fn way_to(&mut self, path: &str) -> Result<Way, OutputError> {
        for directory in directories_of(path) {
            if self.blocked.contains(directory) {
                return Ok(Way::Blocked);
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
                None => return Ok(Way::Missing),
                Some(FileKind::Directory) => {}
                // Our own file of that name goes before anything new comes.
                Some(FileKind::File) if self.owned.contains_key(directory) => return Ok(Way::Missing),
                Some(FileKind::File | FileKind::Other) => {
                    self.conflict(directory, ConflictKind::Foreign, b"");
                    self.blocked.insert(directory.to_owned());
                    return Ok(Way::Blocked);
                }
            }
        }
        Ok(Way::There)
    }

    fn conflict(&mut self, path: &str, kind: ConflictKind, bytes: &[u8]) {
        self.conflicts.push(Conflict::new(path, kind, bytes));
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
