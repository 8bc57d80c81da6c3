//! Where modules come from: the injected file system, and the standard library.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use lang_expand::{Host, StandardLibrary};

use crate::FileSystem;
use crate::pipeline::read;

/// Reads each module once, however often the mesh is compiled to try fixes.
pub(crate) struct Modules<'f> {
    files: &'f dyn FileSystem,
    texts: BTreeMap<String, String>,
    /// Texts that take the place of files, to try fixes.
    changed: BTreeMap<String, String>,
}

impl<'f> Modules<'f> {
    pub(crate) fn new(files: &'f dyn FileSystem) -> Self {
        Self { files, texts: BTreeMap::new(), changed: BTreeMap::new() }
    }

    /// From now on, these texts take the place of files.
    pub(crate) fn change(&mut self, changed: BTreeMap<String, String>) {
        self.changed = changed;
    }

    /// How many bytes of text were read.
    pub(crate) fn size(&self) -> usize {
        self.texts.values().map(String::len).sum()
    }

    /// The files that were read.
    pub(crate) fn paths(self) -> impl Iterator<Item = PathBuf> {
        self.texts.into_keys().map(PathBuf::from)
    }
}

impl Host for Modules<'_> {
    fn read(&mut self, path: &str) -> io::Result<String> {
        if let Some(text) = self.changed.get(path).or_else(|| self.texts.get(path)) {
            return Ok(text.clone());
        }
        let text = read(self.files, Path::new(path))?;
        self.texts.insert(path.to_owned(), text.clone());
        Ok(text)
    }

    fn standard(&self, name: &str) -> Option<&'static str> {
        StandardLibrary(meshc_stdlib::MODULES).standard(name)
    }

    fn standard_names(&self) -> Vec<&'static str> {
        StandardLibrary(meshc_stdlib::MODULES).standard_names()
    }
}
