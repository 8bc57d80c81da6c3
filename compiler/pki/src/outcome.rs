//! What an operation changed, and why.

use std::fmt;

use crate::{KeyDirectory, PRIVATE, PkiError};

/// The key directory after an operation, and what the operation changed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// All files, changed and unchanged.
    pub directory: KeyDirectory,
    /// The changes, in the order they were made. Empty means that `directory` is what came in.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file, relative to the key directory; a key changes together with its certificate.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

/// Why a file was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was not there.
    Missing,
    /// It could not be read.
    Unreadable,
    /// Certificate and key did not belong together.
    KeyMismatch,
    /// It was signed by another authority than today's, or went out with another chain.
    IssuerChanged,
    /// It named another identity, or lacked what this version writes.
    ContentChanged,
    /// It was made for another lifetime.
    LifetimeChanged,
    /// Less than a third of its life was left, or none.
    NearsEnd,
    /// Its life had not begun: it was made by a clock ahead of this one.
    NotYetValid,
    /// Others than its owner could use it. Only its mode changed.
    Exposed,
}

/// As the second half of a sentence, such as "`west/…/tls.crt`: less than a third of its life is left".
impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "it was not there",
            Self::Unreadable => "it could not be read",
            Self::KeyMismatch => "certificate and key did not belong together",
            Self::IssuerChanged => "its issuer changed",
            Self::ContentChanged => "its content changed",
            Self::LifetimeChanged => "its lifetime changed",
            Self::NearsEnd => "less than a third of its life was left",
            Self::NotYetValid => "its life had not begun",
            Self::Exposed => "others than its owner could read it",
        })
    }
}

/// A key directory being changed: every write is recorded.
pub(crate) struct Draft {
    pub(crate) directory: KeyDirectory,
    changes: Vec<Change>,
}

impl Draft {
    pub(crate) fn new(directory: &KeyDirectory) -> Self {
        Self { directory: directory.clone(), changes: Vec::new() }
    }

    /// Writes a file that stands for itself in the list of changes.
    pub(crate) fn write(&mut self, path: &str, bytes: impl Into<Vec<u8>>, mode: u32, reason: Reason) {
        self.directory.insert(path, bytes, mode);
        self.changes.push(Change { path: path.to_owned(), reason });
    }

    /// Writes a file that belongs to a change already recorded.
    pub(crate) fn write_along(&mut self, path: &str, bytes: impl Into<Vec<u8>>, mode: u32) {
        self.directory.insert(path, bytes, mode);
    }

    /// Writes a file only if its contents differ.
    pub(crate) fn settle(&mut self, path: &str, bytes: &[u8], mode: u32) {
        let reason = match self.directory.bytes(path) {
            Some(present) if present == bytes => return,
            Some(_) => Reason::ContentChanged,
            None => Reason::Missing,
        };
        self.write(path, bytes, mode, reason);
    }

    /// Takes a private key away from everybody but its owner, if it is there.
    pub(crate) fn protect(&mut self, path: &str) {
        if let Some(file) = self.directory.get(path).filter(|file| file.is_exposed()) {
            let bytes = file.bytes.clone();
            self.write(path, bytes, PRIVATE, Reason::Exposed);
        }
    }

    pub(crate) fn require(&self, path: &str) -> Result<&[u8], PkiError> {
        self.directory.bytes(path).ok_or_else(|| PkiError::Missing { path: path.to_owned() })
    }

    pub(crate) fn finish(self) -> Outcome {
        Outcome { directory: self.directory, changes: self.changes }
    }
}
