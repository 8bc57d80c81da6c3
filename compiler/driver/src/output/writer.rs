//! A build as its files come: each is compared with what is there, staged if it differs, and forgotten but for its digest.

use std::collections::BTreeMap;
use std::path::Path;

use super::commit::Commit;
use super::digest::{Digest, digest};
use super::error::{Doing, OutputError};
use super::journal::{Journal, Put};
use super::lock::{LOCK_FILE, Lock};
use super::path::below;
use super::record::{self, Record, Unit};
use super::survey::{Intact, Needed, Survey};
use super::{Difference, DifferenceKind, Edits, Outcome, Recovery, STAGE, Written};
use crate::{FileState, FileSystem, Moment};

/// A file that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its path below the output directory, with `/`.
    pub path: String,
    /// Its contents.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
}

impl Built {
    /// A file with its digest.
    #[must_use]
    pub fn new(path: String, bytes: Vec<u8>) -> Self {
        let digest = digest(&bytes);
        Self { path, bytes, digest }
    }
}

/// Which compiler builds: what another one recorded says nothing about what this one would make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// This one.
    Known(String),
    /// It cannot be told from others, so nothing is recorded.
    Unknown,
}

/// What becomes of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// They are written.
    Write,
    /// They are listed, and no state of a file is believed.
    Compare,
}

/// What was done with a file.
#[derive(Clone, Copy, Debug)]
enum Done {
    /// It is staged.
    Staged,
    /// It had its bytes, and was in this state before it was read.
    Was(Option<FileState>),
}

/// A build into a directory. Whoever has one makes sure that no other build writes there meanwhile.
pub struct Writer<'f> {
    files: &'f dyn FileSystem,
    root: &'f Path,
    mesh: String,
    purpose: Purpose,
    program: Program,
    survey: Survey<'f>,
    commit: Commit<'f>,
    locks: BTreeMap<String, Lock>,
    differences: Vec<Difference>,
    /// What the last build recorded.
    record: Record,
    units: Vec<Unit>,
    /// Files that are staged: numbers of their units, and of the files in these.
    moved: Vec<(usize, usize)>,
    /// What the file system's clock showed before the first file was looked at whose state is not in the record.
    now: Option<Option<Moment>>,
    /// Whether the record has to be written anew.
    news: bool,
}

impl<'f> Writer<'f> {
    /// Finishes or undoes an interrupted build in `root`, and begins one of the mesh with these clusters. `None` if that one
    /// is blocked, as the recovery says.
    ///
    /// # Errors
    /// If the file system refuses something. The next call then rolls forward or back.
    pub fn write<'a>(
        files: &'f dyn FileSystem,
        root: &'f Path,
        mesh: &str,
        clusters: impl Iterator<Item = &'a str>,
        edits: Edits,
        program: Program,
    ) -> Result<(Recovery, Option<Self>), OutputError> {
        let recovery = Commit::new(files, root).recover(edits)?;
        match recovery {
            Recovery::Blocked(_) => return Ok((recovery, None)),
            Recovery::Nothing | Recovery::RolledBack | Recovery::RolledForward => {}
        }
        let survey = Survey::begin(files, root, mesh, clusters, edits)?;
        let writer = Self::begin(files, root, mesh, Purpose::Write, program, survey);
        Ok((recovery, Some(writer)))
    }

    /// Begins to compare `root` with a build of the mesh with these clusters. Nothing is written.
    ///
    /// # Errors
    /// If the file system refuses to be read.
    pub fn compare<'a>(
        files: &'f dyn FileSystem,
        root: &'f Path,
        mesh: &str,
        clusters: impl Iterator<Item = &'a str>,
        program: Program,
    ) -> Result<Self, OutputError> {
        let survey = Survey::begin(files, root, mesh, clusters, Edits::Overwrite)?;
        let mut writer = Self::begin(files, root, mesh, Purpose::Compare, program, survey);
        let stage = root.join(STAGE);
        if files.kind(&stage).doing("look at", &stage)?.is_some() {
            writer.differ(STAGE, DifferenceKind::Interrupted);
        }
        Ok(writer)
    }

    fn begin(
        files: &'f dyn FileSystem,
        root: &'f Path,
        mesh: &str,
        purpose: Purpose,
        program: Program,
        survey: Survey<'f>,
    ) -> Self {
        let record = match &program {
            Program::Known(program) => Record::read(files, root, program),
            Program::Unknown => Record::default(),
        };
        Self {
            files,
            root,
            mesh: mesh.to_owned(),
            purpose,
            program,
            survey,
            commit: Commit::new(files, root),
            locks: BTreeMap::new(),
            differences: Vec::new(),
            record,
            units: Vec::new(),
            moved: Vec::new(),
            now: None,
            news: false,
        }
    }

    /// Whether the files that are made of what `key` stands for are there, so that they need not be rendered.
    ///
    /// # Errors
    /// If the file system refuses to be read.
    pub fn has(&mut self, key: Digest) -> Result<bool, OutputError> {
        let Some(mut unit) = self.record.unit(&key) else { return Ok(false) };
        let mut digests = Vec::with_capacity(unit.files.len());
        let mut paths = Vec::with_capacity(unit.files.len());
        for (inside, _) in &unit.files {
            let path = format!("{}/{inside}", unit.cluster);
            let owned = self.survey.owned(&path).filter(|_| below(self.root, &path).is_some());
            let Some(owned) = owned else { return Ok(false) };
            digests.push(owned);
            paths.push(path);
        }
        let named = unit.files.iter().map(|(inside, _)| inside.as_str()).zip(digests.iter().copied());
        if record::content(named) != unit.content {
            return Ok(false);
        }
        for (((_, state), path), digest) in unit.files.iter_mut().zip(&paths).zip(&digests) {
            let believed = match self.purpose {
                Purpose::Write => *state,
                Purpose::Compare => None,
            };
            if believed.is_none() {
                self.look_at_the_clock();
            }
            let Some(Intact { state: found, read }) = self.survey.is_intact(path, *digest, believed)? else {
                return Ok(false);
            };
            if read {
                *state = record::believable(found, self.now.flatten());
                self.news = true;
            }
        }
        let lock = self.lock(&unit.cluster);
        for ((inside, _), digest) in unit.files.iter().zip(digests) {
            lock.files.insert(inside.clone(), digest);
        }
        self.units.push(unit);
        Ok(true)
    }

    /// Takes files. `key` stands for what they are made of, if they may be recorded; then they are of one cluster.
    ///
    /// # Errors
    /// If the file system refuses something.
    pub fn put(&mut self, key: Option<Digest>, built: Vec<Built>) -> Result<(), OutputError> {
        let inside = |file: &Built| Some((file.path.split_once('/')?.1.to_owned(), file.digest));
        let named: Vec<_> = built.iter().filter_map(inside).collect();
        let content = record::content(named.iter().map(|(inside, digest)| (inside.as_str(), *digest)));
        let cluster = built.first().and_then(|file| Some(file.path.split_once('/')?.0.to_owned()));
        if key.is_some() && self.survey.owns_any() {
            self.look_at_the_clock();
        }
        let mut states = Vec::with_capacity(named.len());
        for Built { path, bytes, digest } in built {
            if let Some((cluster, inside)) = path.split_once('/') {
                self.lock(cluster).files.insert(inside.to_owned(), digest);
            }
            states.push(self.put_one(path, &bytes)?);
        }
        let (Some(key), Some(cluster)) = (key, cluster) else { return Ok(()) };
        // Each path takes a line of the record.
        if named.len() != states.len() || named.iter().any(|(inside, _)| inside.contains('\n')) {
            return Ok(());
        }
        let mut files = Vec::with_capacity(named.len());
        for ((inside, _), state) in named.into_iter().zip(states) {
            let state = match state {
                Done::Staged => {
                    self.moved.push((self.units.len(), files.len()));
                    None
                }
                Done::Was(state) => record::believable(state, self.now.flatten()),
            };
            files.push((inside, state));
        }
        self.units.push(Unit { key, content, cluster, files });
        self.news = true;
        Ok(())
    }

    /// Ends a comparison: how the directory differs, in order of path.
    ///
    /// # Errors
    /// If the file system refuses to be read.
    pub fn differences(mut self) -> Result<Vec<Difference>, OutputError> {
        self.put_locks()?;
        let removals = self.removals()?;
        let mut differences = self.differences;
        let leftover = |path: String| Difference { path, kind: DifferenceKind::Leftover };
        differences.extend(removals.into_iter().map(|removal| leftover(removal.path)));
        let changed = |path: String| Difference { path, kind: DifferenceKind::Changed };
        differences.extend(self.survey.into_conflicts().into_iter().map(|conflict| changed(conflict.path)));
        differences.sort();
        Ok(differences)
    }

    /// Ends a build: puts everything in place, or nothing where a file must not be touched.
    ///
    /// # Errors
    /// If the file system refuses something. The next build then rolls forward or back.
    pub fn finish(mut self) -> Result<Outcome, OutputError> {
        self.put_locks()?;
        let removals = self.removals()?;
        if self.survey.has_conflicts() {
            self.give_up();
            return Ok(Outcome::Refused(self.survey.into_conflicts()));
        }
        if self.commit.staged() == 0 && removals.is_empty() {
            self.note();
            return Ok(Outcome::Unchanged);
        }
        let decided = self.clock();
        let Journal { version: _, puts, removals } = self.commit.run(removals)?;
        self.note_moved(decided);
        self.news = true;
        self.note();
        let mut written: Vec<String> = puts.into_iter().map(|put| put.path).collect();
        written.sort();
        let removed = removals.into_iter().map(|removal| removal.path).collect();
        Ok(Outcome::Written(Written { written, removed }))
    }

    /// Ends a build without writing anything.
    pub fn abandon(mut self) {
        self.give_up();
    }

    fn give_up(&mut self) {
        if self.commit.staged() > 0 {
            self.commit.give_up();
        }
        if self.now.take().flatten().is_some() {
            record::forget_now(self.files, self.root);
        }
    }

    fn put_locks(&mut self) -> Result<(), OutputError> {
        let locks: Vec<_> = self.locks.iter().map(|(cluster, lock)| (cluster.clone(), lock.text())).collect();
        for (cluster, text) in locks {
            let path = format!("{cluster}/{LOCK_FILE}");
            // It was read already.
            if self.survey.owned(&path) != Some(digest(text.as_bytes())) {
                self.put_one(path, text.as_bytes())?;
            }
        }
        Ok(())
    }

    fn put_one(&mut self, path: String, bytes: &[u8]) -> Result<Done, OutputError> {
        match (self.survey.needed(&path, bytes)?, self.purpose) {
            (Needed::Nothing(state), _) => return Ok(Done::Was(state)),
            (Needed::Refused, _) => {}
            (Needed::Write { old }, Purpose::Compare) => {
                let kind = if old.is_none() { DifferenceKind::Missing } else { DifferenceKind::Changed };
                self.differ(&path, kind);
            }
            // Nothing will be written.
            (Needed::Write { .. }, Purpose::Write) if self.survey.has_conflicts() => self.give_up(),
            (Needed::Write { old }, Purpose::Write) => {
                self.commit.stage(Put { path, old }, bytes)?;
                return Ok(Done::Staged);
            }
        }
        Ok(Done::Was(None))
    }

    fn removals(&mut self) -> Result<Vec<super::journal::Removal>, OutputError> {
        let locks = &self.locks;
        self.survey.removals(|path| {
            path.split_once('/').is_some_and(|(cluster, inside)| {
                let lock = locks.get(cluster);
                lock.is_some_and(|lock| inside == LOCK_FILE || lock.files.contains_key(inside))
            })
        })
    }

    fn lock(&mut self, cluster: &str) -> &mut Lock {
        self.locks.entry(cluster.to_owned()).or_insert_with(|| Lock::new(&self.mesh))
    }

    fn differ(&mut self, path: &str, kind: DifferenceKind) {
        self.differences.push(Difference { path: path.to_owned(), kind });
    }

    fn look_at_the_clock(&mut self) {
        if self.now.is_none() {
            self.now = Some(self.clock());
        }
    }

    fn clock(&self) -> Option<Moment> {
        match (self.purpose, &self.program) {
            (Purpose::Write, Program::Known(_)) => record::now(self.files, self.root),
            (Purpose::Write, Program::Unknown) | (Purpose::Compare, _) => None,
        }
    }

    /// Looks at the files that were moved. `decided`: what the clock showed before the first of them was. What somebody wrote
    /// into one since is younger.
    fn note_moved(&mut self, decided: Option<Moment>) {
        let now = self.clock();
        for (unit, file) in std::mem::take(&mut self.moved) {
            let Some(unit) = self.units.get_mut(unit) else { continue };
            let Some((inside, noted)) = unit.files.get_mut(file) else { continue };
            let path = self.root.join(&unit.cluster).join(&*inside);
            let state = self.files.state(&path).unwrap_or_default();
            let state = state.filter(|state| decided.is_some_and(|decided| state.modified < decided));
            *noted = record::believable(state, now);
        }
    }

    fn note(&self) {
        if let (Program::Known(program), true) = (&self.program, self.news) {
            record::write(self.files, self.root, &record::text(program, self.units.iter()));
        }
    }
}
