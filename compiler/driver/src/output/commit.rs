//! Staging, the journal, and rolling an interrupted build forward or back.

use std::collections::BTreeSet;
use std::path::Path;

use super::STAGE;
use super::conflict::{Conflict, ConflictKind};
use super::digest::{Digest, digest};
use super::error::{Doing, OutputError};
use super::journal::{Journal, Put, Removal};
use super::path::{below, directories_of};
use super::{Edits, Recovery};
use crate::{FileKind, FileSystem};

const JOURNAL: &str = "journal";
const UNFINISHED_JOURNAL: &str = "journal.unfinished";

/// Which of a journal's files are still staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staged {
    /// All: none has been moved yet.
    All,
    /// Those that an interrupted build had not come to.
    Some,
}

/// The output directory and what a commit does in it.
pub(super) struct Commit<'f> {
    files: &'f dyn FileSystem,
    root: &'f Path,
    /// What is staged, each under its number.
    puts: Vec<Put>,
    created: BTreeSet<String>,
}

impl<'f> Commit<'f> {
    /// A commit into `root`.
    pub(super) fn new(files: &'f dyn FileSystem, root: &'f Path) -> Self {
        Self { files, root, puts: Vec::new(), created: BTreeSet::new() }
    }

    /// Puts a new file below the stage. If that fails, nothing is staged any more.
    pub(super) fn stage(&mut self, put: Put, bytes: &[u8]) -> Result<(), OutputError> {
        let staged = self.stage_one(&put, bytes);
        match staged {
            Ok(()) => self.puts.push(put),
            Err(_) => self.give_up(),
        }
        staged
    }

    /// Removes what is staged.
    pub(super) fn give_up(&mut self) {
        self.puts.clear();
        // Nothing has been moved yet. If the stage cannot be cleared, the next run does it.
        let _ = self.clear();
    }

    /// How many files are staged.
    pub(super) fn staged(&self) -> usize {
        self.puts.len()
    }

    /// Moves what is staged and removes files, all of them or (killed at any point, after the next [`Commit::recover`]) none.
    /// Returns what was moved.
    pub(super) fn run(&mut self, removals: Vec<Removal>) -> Result<Journal, OutputError> {
        let journal = Journal::new(std::mem::take(&mut self.puts), removals);
        match self.create_stage(journal.puts.len()).and_then(|()| self.decide(&journal)) {
            Ok(()) => {}
            Err(error) => {
                self.give_up();
                return Err(error);
            }
        }
        self.apply(&journal, Staged::All)?;
        Ok(journal)
    }

    /// Puts old bytes back after [`Commit::run`] failed: whatever has been moved by then, and whatever this does not come to, the
    /// journal says how it ends.
    pub(super) fn undo(&mut self, olds: &[(Put, &[u8])]) -> Result<(), OutputError> {
        let stage = self.root.join(STAGE);
        let path = stage.join(JOURNAL);
        // Without a journal nothing was moved.
        if self.files.kind(&path).doing("look at", &path)?.is_none() {
            return Ok(());
        }
        let bytes = self.files.read(&path).doing("read", &path)?;
        let Some(Journal { version: _, mut puts, removals }) = Journal::parse(&bytes) else { return Ok(()) };
        let first = puts.len();
        for (number, (put, bytes)) in olds.iter().enumerate() {
            let path = stage.join((first + number).to_string());
            self.files.write(&path, bytes).doing("write", &path)?;
            if let Some(replaced) = below(self.root, &put.path) {
                self.files.copy_permissions(&replaced, &path).doing("write", &path)?;
            }
            puts.push(put.clone());
        }
        let journal = Journal::new(puts, removals);
        self.decide(&journal)?;
        for number in 0..first {
            let path = stage.join(number.to_string());
            if self.files.kind(&path).doing("look at", &path)?.is_some() {
                self.files.remove_file(&path).doing("remove", &path)?;
            }
        }
        let as_old = |put: &Put, bytes: &[u8]| -> Result<bool, OutputError> {
            let Some(path) = below(self.root, &put.path) else { return Ok(false) };
            Ok(self.files.read(&path).doing("read", &path)? == bytes)
        };
        // What cannot be moved to has its old bytes still.
        for (number, (put, bytes)) in olds.iter().enumerate() {
            if as_old(put, bytes)? {
                let path = stage.join((first + number).to_string());
                self.files.remove_file(&path).doing("remove", &path)?;
            }
        }
        self.apply(&journal, Staged::Some)
    }

    /// What an interrupted run decided to write and has not put in place; nothing if files were changed since.
    pub(super) fn pending(&self) -> Result<Vec<(String, Vec<u8>)>, OutputError> {
        let stage = self.root.join(STAGE);
        let path = stage.join(JOURNAL);
        if self.files.kind(&path).doing("look at", &path)? != Some(FileKind::File) {
            return Ok(Vec::new());
        }
        let bytes = self.files.read(&path).doing("read", &path)?;
        let Some(journal) = Journal::parse(&bytes) else { return Ok(Vec::new()) };
        if !self.linked(&journal)?.is_empty() || !self.meddled(&journal)?.is_empty() {
            return Ok(Vec::new());
        }
        let mut texts = Vec::new();
        for (number, put) in journal.puts.into_iter().enumerate() {
            let staged = stage.join(number.to_string());
            if self.files.kind(&staged).doing("look at", &staged)? == Some(FileKind::File) {
                texts.push((put.path, self.files.read(&staged).doing("read", &staged)?));
            }
        }
        Ok(texts)
    }

    /// Finishes or undoes what an interrupted run left.
    pub(super) fn recover(&mut self, edits: Edits) -> Result<Recovery, OutputError> {
        let stage = self.root.join(STAGE);
        match self.files.kind(&stage).doing("look at", &stage)? {
            None => return Ok(Recovery::Nothing),
            Some(FileKind::Directory) => {}
            Some(FileKind::File | FileKind::Other) => {
                let conflict = Conflict::new(STAGE, ConflictKind::Foreign, b"");
                return Ok(Recovery::Blocked(vec![conflict]));
            }
        }
        let path = stage.join(JOURNAL);
        match self.files.kind(&path).doing("look at", &path)? {
            None => {
                self.clear()?;
                return Ok(Recovery::RolledBack);
            }
            Some(FileKind::File) => {}
            // Not a journal of ours: a link would be followed out of the tree, and reading a pipe never ends.
            Some(FileKind::Directory | FileKind::Other) => {
                let conflict = Conflict::new(&format!("{STAGE}/{JOURNAL}"), ConflictKind::Foreign, b"");
                return Ok(Recovery::Blocked(vec![conflict]));
            }
        }
        let bytes = self.files.read(&path).doing("read", &path)?;
        let Some(journal) = Journal::parse(&bytes) else {
            let foreign = Conflict::new(&format!("{STAGE}/{JOURNAL}"), ConflictKind::Foreign, &bytes);
            return Ok(Recovery::Blocked(vec![foreign]));
        };
        // Anybody may have written this journal, since the directory may have come with a repository: whatever may be
        // done to files of the tree, nothing is ever done through a link that leads out of it.
        let linked = self.linked(&journal)?;
        if !linked.is_empty() {
            return Ok(Recovery::Blocked(linked));
        }
        let conflicts = self.meddled(&journal)?;
        if edits == Edits::Keep && !conflicts.is_empty() {
            return Ok(Recovery::Blocked(conflicts));
        }
        self.apply(&journal, Staged::Some)?;
        Ok(Recovery::RolledForward)
    }

    /// Creates the stage, unless some files are in it.
    fn create_stage(&self, staged: usize) -> Result<(), OutputError> {
        let stage = self.root.join(STAGE);
        if staged == 0 { self.files.create_directory(&stage).doing("create", &stage) } else { Ok(()) }
    }

    fn stage_one(&self, put: &Put, bytes: &[u8]) -> Result<(), OutputError> {
        self.create_stage(self.puts.len())?;
        let path = self.root.join(STAGE).join(self.puts.len().to_string());
        self.files.write(&path, bytes).doing("write", &path)?;
        // What is replaced may be executed or read by the same people as before.
        if put.old.is_some()
            && let Some(replaced) = below(self.root, &put.path)
        {
            self.files.copy_permissions(&replaced, &path).doing("write", &path)?;
        }
        Ok(())
    }

    /// The one step that decides: before it the old tree stands, after it the new one.
    fn decide(&self, journal: &Journal) -> Result<(), OutputError> {
        let unfinished = self.root.join(STAGE).join(UNFINISHED_JOURNAL);
        let path = self.root.join(STAGE).join(JOURNAL);
        self.files.write(&unfinished, &journal.bytes()).doing("write", &unfinished)?;
        self.files.rename(&unfinished, &path).doing("write", &path)
    }

    /// Does what the journal says, however much of it has been done before, and forgets the journal.
    fn apply(&mut self, journal: &Journal, staged: Staged) -> Result<(), OutputError> {
        for removal in &journal.removals {
            self.remove(&removal.path)?;
        }
        for (number, put) in journal.puts.iter().enumerate() {
            self.put(number, put, staged)?;
        }
        self.clear()
    }

    fn remove(&self, relative: &str) -> Result<(), OutputError> {
        let Some(path) = below(self.root, relative) else { return Ok(()) };
        if self.files.kind(&path).doing("look at", &path)? == Some(FileKind::File) {
            self.files.remove_file(&path).doing("remove", &path)?;
        }
        for directory in directories_of(relative).rev() {
            let directory = self.root.join(directory);
            if self.files.kind(&directory).doing("look at", &directory)? != Some(FileKind::Directory) {
                continue;
            }
            if !self.files.list(&directory).doing("list", &directory)?.is_empty() {
                break;
            }
            self.files.remove_directory(&directory).doing("remove", &directory)?;
        }
        Ok(())
    }

    fn put(&mut self, number: usize, put: &Put, present: Staged) -> Result<(), OutputError> {
        let staged = self.root.join(STAGE).join(number.to_string());
        let Some(path) = below(self.root, &put.path) else { return Ok(()) };
        // A staged file that is gone has been moved already.
        if present == Staged::Some && self.files.kind(&staged).doing("look at", &staged)?.is_none() {
            return Ok(());
        }
        if let Some(directory) = directories_of(&put.path).next_back()
            && self.created.insert(directory.to_owned())
        {
            let directory = self.root.join(directory);
            self.files.create_directory(&directory).doing("create", &directory)?;
        }
        self.files.rename(&staged, &path).doing("write", &path)
    }

    /// Removes the stage: first the journal, so that what is half removed is never rolled forward.
    fn clear(&self) -> Result<(), OutputError> {
        let stage = self.root.join(STAGE);
        let journal = stage.join(JOURNAL);
        if self.files.kind(&journal).doing("look at", &journal)?.is_some() {
            self.files.remove_file(&journal).doing("remove", &journal)?;
        }
        for name in self.files.list(&stage).doing("list", &stage)? {
            if name == UNFINISHED_JOURNAL || name.bytes().all(|byte| byte.is_ascii_digit()) {
                let path = stage.join(name);
                self.files.remove_file(&path).doing("remove", &path)?;
            }
        }
        self.files.remove_directory(&stage).doing("remove", &stage)
    }

    /// Links on the way to a file that the journal would change, and staged files that are none.
    fn linked(&self, journal: &Journal) -> Result<Vec<Conflict>, OutputError> {
        let mut paths = BTreeSet::new();
        for number in 0..journal.puts.len() {
            paths.insert(format!("{STAGE}/{number}"));
        }
        let puts = journal.puts.iter().map(|put| put.path.as_str());
        for path in puts.chain(journal.removals.iter().map(|removal| removal.path.as_str())) {
            paths.extend(directories_of(path).map(str::to_owned));
        }
        let mut conflicts = Vec::new();
        for relative in paths {
            let path = self.root.join(&relative);
            if self.files.kind(&path).doing("look at", &path)? == Some(FileKind::Other) {
                conflicts.push(Conflict::new(&relative, ConflictKind::Foreign, b""));
            }
        }
        Ok(conflicts)
    }

    /// Files that the journal would change and that somebody changed after the build was interrupted.
    fn meddled(&self, journal: &Journal) -> Result<Vec<Conflict>, OutputError> {
        let mut conflicts = Vec::new();
        for (number, put) in journal.puts.iter().enumerate() {
            let staged = self.root.join(STAGE).join(number.to_string());
            if self.files.kind(&staged).doing("look at", &staged)?.is_some() {
                let new = self.files.read(&staged).doing("read", &staged)?;
                conflicts.extend(self.changed_since(&put.path, put.old, Some(digest(&new)))?);
            }
        }
        for removal in &journal.removals {
            conflicts.extend(self.changed_since(&removal.path, Some(removal.old), None)?);
        }
        Ok(conflicts)
    }

    /// A conflict, if what is at `relative` is neither what the build saw nor what it was to write.
    fn changed_since(
        &self,
        relative: &str,
        old: Option<Digest>,
        new: Option<Digest>,
    ) -> Result<Option<Conflict>, OutputError> {
        let Some(path) = below(self.root, relative) else {
            return Ok(Some(Conflict::new(relative, ConflictKind::Foreign, b"")));
        };
        match self.files.kind(&path).doing("look at", &path)? {
            None => Ok(None),
            Some(FileKind::Directory | FileKind::Other) => {
                Ok(Some(Conflict::new(relative, ConflictKind::Foreign, b"")))
            }
            Some(FileKind::File) => {
                let bytes = self.files.read(&path).doing("read", &path)?;
                let found = digest(&bytes);
                if Some(found) == old || Some(found) == new {
                    return Ok(None);
                }
                let kind = if old.is_some() { ConflictKind::EditedByHand } else { ConflictKind::Foreign };
                Ok(Some(Conflict::new(relative, kind, &bytes)))
            }
        }
    }
}
