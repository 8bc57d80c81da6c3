//! A file system in which some files have another text: one that is not saved, or that comes from standard input.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::{FileKind, FileSystem};

/// Another file system below texts that take the place of files.
pub struct Overlay<'f> {
    files: &'f dyn FileSystem,
    texts: BTreeMap<PathBuf, String>,
}

impl<'f> Overlay<'f> {
    /// Nothing over `files` yet.
    #[must_use]
    pub fn new(files: &'f dyn FileSystem) -> Self {
        Self { files, texts: BTreeMap::new() }
    }

    /// Puts a text in the place of a file, which need not exist.
    pub fn put(&mut self, path: impl Into<PathBuf>, text: impl Into<String>) {
        self.texts.insert(path.into(), text.into());
    }

    /// What was put, by path.
    #[must_use]
    pub fn texts(&self) -> &BTreeMap<PathBuf, String> {
        &self.texts
    }
}

impl FileSystem for Overlay<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.texts.get(path) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => self.files.read(path),
        }
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        if self.texts.contains_key(path) { Ok(Some(FileKind::File)) } else { self.files.kind(path) }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = self.files.list(directory)?;
        let added = self.texts.keys().filter(|path| path.parent() == Some(directory));
        names.extend(added.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())));
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.files.create_directory(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.files.write(path, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn copy_permissions(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.copy_permissions(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.files.remove_directory(path)
    }
}
