//! What the pipeline needs of the world: files and the time, as traits, so that whole builds run in memory.

use std::io;
use std::path::Path;

/// What a path is, without following links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, a socket, or anything else that the compiler never writes and never follows when it writes.
    Other,
}

/// A time by the file system's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds of that second; 0 where the file system counts whole seconds.
    pub nanoseconds: u32,
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    /// Its length in bytes.
    pub size: u64,
    /// When its bytes changed. Programs can set it.
    pub modified: Moment,
    /// When anything about it changed, its name included. No program can set it.
    pub changed: Moment,
    /// Which file it is.
    pub inode: u64,
}

/// A file system. Every method that changes something is one step that may be the last one before the process is
/// killed; the build's atomicity rests on `rename` alone being atomic.
pub trait FileSystem {
    /// The bytes of a file.
    ///
    /// # Errors
    /// As the file system says; `NotFound` if nothing is there.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// What is at a path; `None` if nothing is.
    ///
    /// # Errors
    /// As the file system says.
    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>>;

    /// The state of the regular file at a path, without following links; `None` if there is none, or the file system does
    /// not tell: then files are read instead.
    ///
    /// # Errors
    /// As the file system says.
    fn state(&self, _path: &Path) -> io::Result<Option<FileState>> {
        Ok(None)
    }

    /// Names in a directory, in order.
    ///
    /// # Errors
    /// As the file system says.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Creates a directory and the missing ones above it; one that exists is left alone.
    ///
    /// # Errors
    /// As the file system says.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Writes a file anew. When the process is killed meanwhile, any beginning of `bytes` may be there.
    ///
    /// # Errors
    /// As the file system says.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Moves a file over whatever file is at `to`, atomically.
    ///
    /// # Errors
    /// As the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives the file at `to` the permissions of the one at `from`, where the file system has any.
    ///
    /// # Errors
    /// As the file system says.
    fn copy_permissions(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As the file system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// As the file system says; `DirectoryNotEmpty` if something is in it.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
}

/// The time.
pub trait Clock {
    /// Seconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> u64;
}
