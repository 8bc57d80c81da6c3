//! Where modules come from: the injected file system, and the standard library.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lang_diagnostics::{Diagnostic, FileId, Sink};
use lang_evaluate::Memory;
use lang_expand::{Host, StandardLibrary};
use lang_syntax::ast;

use crate::FileSystem;
use crate::fixes::Texts;
use crate::pipeline::read;

/// The trees of files whose texts are compiled again and again while few of them change, and what their blocks came to.
#[derive(Debug, Default)]
pub struct Trees {
    kept: BTreeMap<String, Kept>,
    evaluated: Memory,
}

/// A tree, what it was made of, and what is wrong with it.
#[derive(Debug)]
struct Kept {
    file: FileId,
    text: Arc<str>,
    tree: Arc<ast::File>,
    found: Vec<Diagnostic>,
    /// Whether it was asked for since the last [`Trees::forget_unused`].
    used: bool,
}

impl Trees {
    /// The tree of a text.
    fn parse(&mut self, file: FileId, path: &str, text: &Arc<str>, sink: &mut Sink) -> Arc<ast::File> {
        if let Some(kept) = self.kept.get_mut(path).filter(|kept| kept.file == file && kept.text == *text) {
            kept.used = true;
            kept.found.iter().for_each(|found| sink.push(found.clone()));
            return Arc::clone(&kept.tree);
        }
        let mut own = Sink::default();
        let tree = Arc::new(lang_syntax::parse(file, text, &mut own));
        own.diagnostics().iter().for_each(|found| sink.push(found.clone()));
        let kept = Kept {
            file,
            text: Arc::clone(text),
            tree: Arc::clone(&tree),
            found: own.diagnostics().to_vec(),
            used: true,
        };
        self.kept.insert(path.to_owned(), kept);
        tree
    }

    /// Forgets the files that no longer belong to the mesh.
    pub(crate) fn forget_unused(&mut self) {
        self.kept.retain(|_, kept| std::mem::take(&mut kept.used));
    }
}

/// Reads each module once, however often the mesh is compiled to try fixes.
pub(crate) struct Modules<'f> {
    files: &'f dyn FileSystem,
    texts: BTreeMap<String, Arc<str>>,
    /// Texts that take the place of files, to try fixes.
    changed: BTreeMap<String, Arc<str>>,
    trees: Trees,
}

impl<'f> Modules<'f> {
    pub(crate) fn new(files: &'f dyn FileSystem, trees: Trees) -> Self {
        Self { files, texts: BTreeMap::new(), changed: BTreeMap::new(), trees }
    }

    /// From now on, these texts take the place of files.
    pub(crate) fn change(&mut self, changed: &Texts) {
        self.changed = changed.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect();
    }

    /// What blocks came to the last time.
    pub(crate) fn evaluated(&mut self) -> &mut Memory {
        &mut self.trees.evaluated
    }

    /// How many bytes of text were read.
    pub(crate) fn size(&self) -> usize {
        self.texts.values().map(|text| text.len()).sum()
    }

    /// The files that were read, and the trees of all.
    pub(crate) fn into_parts(self) -> (impl Iterator<Item = PathBuf>, Trees) {
        (self.texts.into_keys().map(PathBuf::from), self.trees)
    }
}

impl Host for Modules<'_> {
    fn read(&mut self, path: &str) -> io::Result<Arc<str>> {
        if let Some(text) = self.changed.get(path).or_else(|| self.texts.get(path)) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = read(self.files, Path::new(path))?.into();
        self.texts.insert(path.to_owned(), Arc::clone(&text));
        Ok(text)
    }

    fn parse(&mut self, file: FileId, path: &str, text: &Arc<str>, sink: &mut Sink) -> Arc<ast::File> {
        self.trees.parse(file, path, text, sink)
    }

    fn standard(&self, name: &str) -> Option<&'static str> {
        StandardLibrary(meshc_stdlib::MODULES).standard(name)
    }

    fn standard_names(&self) -> Vec<&'static str> {
        StandardLibrary(meshc_stdlib::MODULES).standard_names()
    }
}
