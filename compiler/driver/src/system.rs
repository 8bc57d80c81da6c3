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
