//! What expansion needs of the world: files beside the entry file, and the standard library.

use std::io;
use std::sync::Arc;

use lang_diagnostics::{FileId, Sink};
use lang_syntax::ast;

/// Where modules come from.
pub trait Host {
    /// The text of a file. The path has `/` between names.
    ///
    /// # Errors
    /// If it cannot be read or is not UTF-8.
    fn read(&mut self, path: &str) -> io::Result<Arc<str>>;

    /// The tree of a file that was entered into the source map, whose mistakes are reported. Whoever expands the same
    /// texts again and again may keep their trees.
    fn parse(&mut self, file: FileId, path: &str, text: &Arc<str>, sink: &mut Sink) -> Arc<ast::File> {
        let _ = path;
        Arc::new(lang_syntax::parse(file, text, sink))
    }

    /// The text of a module of the standard library: `resilience` for `std.resilience`.
    fn standard(&self, name: &str) -> Option<&'static str>;

    /// The names of the modules of the standard library.
    fn standard_names(&self) -> Vec<&'static str>;
}

/// The standard library, and no file: for a mesh that is one text. Each module has its name and its text.
#[derive(Clone, Copy, Debug)]
pub struct StandardLibrary(pub &'static [(&'static str, &'static str)]);

impl Host for StandardLibrary {
    fn read(&mut self, _: &str) -> io::Result<Arc<str>> {
        Err(io::Error::new(io::ErrorKind::NotFound, "there are no other files"))
    }

    fn standard(&self, name: &str) -> Option<&'static str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    fn standard_names(&self) -> Vec<&'static str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }
}
