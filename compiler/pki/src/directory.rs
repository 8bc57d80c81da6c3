//! The key directory as a value: relative paths, contents and file modes. Reading and writing the disk is the
//! caller's work.

use std::collections::BTreeMap;

/// The mode of a private key and of everything that contains one: the owner alone.
pub const PRIVATE: u32 = 0o600;

/// The mode of a file without secrets.
pub const PUBLIC: u32 = 0o644;

/// One file.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// Its contents.
    pub bytes: Vec<u8>,
    /// Its permission bits, such as `0o600`.
    pub mode: u32,
}

impl KeyFile {
    /// Whether anybody but its owner may do anything with it.
    #[must_use]
    pub const fn is_exposed(&self) -> bool {
        self.mode & 0o777 & !PRIVATE != 0
    }
}

/// Contents may be private keys, so only their length is shown.
impl std::fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KeyFile({} bytes, {:04o})", self.bytes.len(), self.mode)
    }
}

/// A key directory: paths relative to it, with `/`, mapped to files, in the order of the paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyDirectory {
    files: BTreeMap<String, KeyFile>,
}

impl KeyDirectory {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file in, in the place of one with the same path.
    pub fn insert(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>, mode: u32) {
        self.files.insert(path.into(), KeyFile { bytes: bytes.into(), mode });
    }

    /// The file at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&KeyFile> {
        self.files.get(path)
    }

    /// The contents of the file at a path.
    #[must_use]
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(|file| file.bytes.as_slice())
    }

    /// All files, ordered by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KeyFile)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// Whether there is no file at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl FromIterator<(String, KeyFile)> for KeyDirectory {
    fn from_iter<I: IntoIterator<Item = (String, KeyFile)>>(files: I) -> Self {
        Self { files: files.into_iter().collect() }
    }
}
