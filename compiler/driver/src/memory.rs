//! A file system and a clock in memory: the twins that tests use.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::{Clock, FileKind, FileState, FileSystem, Moment};

/// A clock that stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedClock(pub u64);

impl Clock for FixedClock {
    fn now(&self) -> u64 {
        self.0
    }
}

/// A file system in memory. It can be told to die after a number of steps, as a killed process does: the step that
/// dies has no effect (a write leaves half of its bytes), and so have all later ones. Its clock stands still until it is told
/// to go on.
#[derive(Clone, Debug, Default)]
pub struct MemoryFileSystem {
    state: RefCell<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, File>,
    directories: BTreeSet<PathBuf>,
    /// Links, with what they lead to.
    links: BTreeMap<PathBuf, PathBuf>,
    /// What the clock shows.
    now: Moment,
    /// The inode of the next file.
    next: u64,
    /// How often a file was read.
    reads: usize,
    /// Steps that may still be taken; `None`: any number.
    left: Option<u64>,
    dead: bool,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
struct File {
    bytes: Vec<u8>,
    modified: Moment,
    changed: Moment,
    inode: u64,
}

/// A step that changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A directory was created.
    CreateDirectory(PathBuf),
    /// A file was written.
    Write(PathBuf),
    /// A file was moved.
    Rename(PathBuf, PathBuf),
    /// A file was removed.
    RemoveFile(PathBuf),
    /// A directory was removed.
    RemoveDirectory(PathBuf),
}

impl MemoryFileSystem {
    /// Files by path and text.
    #[must_use]
    pub fn with(files: &[(&str, &str)]) -> Self {
        let memory = Self::default();
        for (path, text) in files {
            memory.put(path, text.as_bytes());
        }
        memory
    }

    /// Puts a file there as somebody else would: it is no step.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut state = self.state.borrow_mut();
        let path = PathBuf::from(path);
        state.add_parents(&path);
        state.write(&path, bytes);
    }

    /// Changes a file as somebody would who hides it: the new bytes lie in the same file, and their time is the old one.
    pub fn put_in_secret(&self, path: &str, bytes: &[u8]) {
        let mut state = self.state.borrow_mut();
        let now = state.now;
        if let Some(file) = state.files.get_mut(Path::new(path)) {
            file.bytes = bytes.to_vec();
            file.changed = now;
        }
    }

    /// Changes a file so that its state stays what it was, as no program can.
    pub fn put_unseen(&self, path: &str, bytes: &[u8]) {
        if let Some(file) = self.state.borrow_mut().files.get_mut(Path::new(path)) {
            file.bytes = bytes.to_vec();
        }
    }

    /// Puts a link there as somebody else would; whatever is there goes.
    pub fn link(&self, path: &str, to: &str) {
        let mut state = self.state.borrow_mut();
        let path = PathBuf::from(path);
        state.add_parents(&path);
        state.files.retain(|file, _| !file.starts_with(&path));
        state.directories.retain(|directory| !directory.starts_with(&path));
        state.links.insert(path, PathBuf::from(to));
    }

    /// Lets the clock go on.
    pub fn advance(&self, nanoseconds: u64) {
        let now = &mut self.state.borrow_mut().now;
        let whole = u64::from(now.nanoseconds).saturating_add(nanoseconds);
        now.seconds += i64::try_from(whole / 1_000_000_000).unwrap_or(i64::MAX);
        now.nanoseconds = u32::try_from(whole % 1_000_000_000).unwrap_or_default();
    }

    /// A copy with new inodes, all of it made now, as copying a tree makes it.
    #[must_use]
    pub fn copied(&self) -> Self {
        let mut state = self.state.borrow().clone();
        let now = state.now;
        for file in state.files.values_mut() {
            state.next += 1;
            *file = File { bytes: file.bytes.clone(), modified: now, changed: now, inode: state.next };
        }
        Self { state: RefCell::new(state) }
    }

    /// How often a file was read since the last time this was asked.
    pub fn take_reads(&self) -> usize {
        std::mem::take(&mut self.state.borrow_mut().reads)
    }

    /// Takes a file away as somebody else would.
    pub fn take(&self, path: &str) -> Option<Vec<u8>> {
        self.state.borrow_mut().files.remove(Path::new(path)).map(|file| file.bytes)
    }

    /// All files.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state.borrow();
        state.files.iter().map(|(path, file)| (path.clone(), file.bytes.clone())).collect()
    }

    /// All directories.
    #[must_use]
    pub fn directories(&self) -> BTreeSet<PathBuf> {
        self.state.borrow().directories.clone()
    }

    /// From here on only this many steps succeed; `None`: all do.
    pub fn die_after(&self, steps: Option<u64>) {
        let mut state = self.state.borrow_mut();
        state.left = steps;
        state.dead = false;
    }

    /// The steps since the last time this was asked.
    pub fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut self.state.borrow_mut().steps)
    }
}

impl State {
    fn add_parents(&mut self, path: &Path) {
        let parents = path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
        self.directories.extend(parents.map(Path::to_path_buf));
    }

    /// Where a path leads to, if a directory on its way is a link.
    fn below_links(&self, path: &Path) -> PathBuf {
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => self.target(parent).join(name),
            (None, _) | (_, None) => path.to_path_buf(),
        }
    }

    /// Where a path leads to, the last link included.
    fn target(&self, path: &Path) -> PathBuf {
        let below = |(link, to): (&PathBuf, &PathBuf)| Some(to.join(path.strip_prefix(link).ok()?));
        let target = self.links.iter().find_map(below).unwrap_or_else(|| path.to_path_buf());
        // What is joined with nothing ends in a separator.
        target.components().collect()
    }

    /// Gives a file its bytes: the one that is there, or a new one.
    fn write(&mut self, path: &Path, bytes: &[u8]) {
        self.next += 1;
        let inode = self.files.get(path).map_or(self.next, |file| file.inode);
        let file = File { bytes: bytes.to_vec(), modified: self.now, changed: self.now, inode };
        self.files.insert(path.to_path_buf(), file);
    }

    /// Takes one step, or says that the process is dead.
    fn step(&mut self, step: Step) -> io::Result<()> {
        match &mut self.left {
            Some(0) => {
                self.dead = true;
                return Err(io::Error::other("killed"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        self.steps.push(step);
        Ok(())
    }

    fn need_parent(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() || self.directories.contains(parent) {
            return Ok(());
        }
        Err(not_found(parent))
    }

    fn names_in(&self, directory: &Path) -> BTreeSet<String> {
        let inside = |path: &&PathBuf| path.parent() == Some(directory);
        let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        let files = self.files.keys().filter(inside).filter_map(name);
        let directories = self.directories.iter().filter(inside).filter_map(name);
        files.chain(directories).collect()
    }
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("nothing at {}", path.display()))
}

impl FileSystem for MemoryFileSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.state.borrow_mut();
        state.reads += 1;
        if state.directories.contains(path) {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
        }
        let target = state.target(path);
        state.files.get(&target).map(|file| file.bytes.clone()).ok_or_else(|| not_found(path))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        let state = self.state.borrow();
        let path = &*state.below_links(path);
        if state.files.contains_key(path) {
            return Ok(Some(FileKind::File));
        }
        if state.links.contains_key(path) {
            return Ok(Some(FileKind::Other));
        }
        Ok(state.directories.contains(path).then_some(FileKind::Directory))
    }

    fn state(&self, path: &Path) -> io::Result<Option<FileState>> {
        let state = self.state.borrow();
        Ok(state.files.get(&state.below_links(path)).map(|File { bytes, modified, changed, inode }| {
            FileState {
                size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                modified: *modified,
                changed: *changed,
                inode: *inode,
            }
        }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let state = self.state.borrow();
        if !state.directories.contains(directory) {
            return Err(not_found(directory));
        }
        Ok(state.names_in(directory).into_iter().collect())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        if path.ancestors().any(|ancestor| state.files.contains_key(ancestor)) {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "a file is in the way"));
        }
        state.step(Step::CreateDirectory(path.to_path_buf()))?;
        state.add_parents(&path.join("inside"));
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.need_parent(path)?;
        let dies_here = state.left == Some(0) && !state.dead;
        if let Err(killed) = state.step(Step::Write(path.to_path_buf())) {
            if dies_here {
                let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
                state.write(path, half);
            }
            return Err(killed);
        }
        let target = state.target(path);
        state.write(&target, bytes);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.need_parent(to)?;
        if state.directories.contains(to) {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "a directory is in the way"));
        }
        let mut file = state.files.get(from).cloned().ok_or_else(|| not_found(from))?;
        state.step(Step::Rename(from.to_path_buf(), to.to_path_buf()))?;
        state.files.remove(from);
        file.changed = state.now;
        state.links.remove(to);
        let to = state.below_links(to);
        state.files.insert(to, file);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        if !state.files.contains_key(path) {
            return Err(not_found(path));
        }
        state.step(Step::RemoveFile(path.to_path_buf()))?;
        state.files.remove(path);
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        if !state.directories.contains(path) {
            return Err(not_found(path));
        }
        if !state.names_in(path).is_empty() {
            return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, "not empty"));
        }
        state.step(Step::RemoveDirectory(path.to_path_buf()))?;
        state.directories.remove(path);
        Ok(())
    }
}
