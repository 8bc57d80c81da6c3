//! What the server works on: the documents that are open, over the files of the disk, and the meshes that they are part of.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use lang_diagnostics::{FileId, SourceMap, Span};
use ls_types::{Location, Uri};
use meshc_driver::{Analysis, ENTRY, FileKind, FileSystem, Options, Request, Trees, analyze_again};

use crate::position::Encoding;
use crate::text::Text;
use crate::uri;

/// A file that a client has open.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its address as the client writes it.
    pub(crate) uri: Uri,
    pub(crate) version: i32,
    pub(crate) text: Text,
}

/// A mesh, as far as it was looked at since it changed.
#[derive(Debug, Default)]
pub(crate) struct Mesh {
    /// Nothing if it has to be read, or cannot be.
    pub(crate) analysis: Option<Analysis>,
    /// The trees of its files.
    trees: Trees,
    /// Whether a file of it changed since it was read.
    pub(crate) stale: bool,
    /// The files that it consisted of when it was read last, the entry file first.
    pub(crate) files: Vec<PathBuf>,
    /// Whether the entry file could not be read.
    pub(crate) unreadable: bool,
    /// What is to be told to the client.
    pub(crate) untold: Untold,
    /// Whether the last stages found something when they ran last: then nothing is told before they ran again, so that it
    /// does not go and come back.
    pub(crate) late: bool,
}

/// What a client was not told yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Untold {
    /// It was told everything.
    #[default]
    Nothing,
    /// It was told what all but the last stages found: so many findings.
    Rest(usize),
    /// It was told nothing.
    Everything,
}

impl Mesh {
    /// The id of a file in the last analysis.
    pub(crate) fn file(&self, path: &Path) -> Option<FileId> {
        let sources = &self.analysis.as_ref()?.sources;
        let path = path.to_str()?;
        files_of(sources).find(|(_, name)| *name == path).map(|(id, _)| id)
    }
}

/// The files of a source map that are no copies, with their names.
pub(crate) fn files_of(sources: &SourceMap) -> impl Iterator<Item = (FileId, &str)> {
    (0..)
        .map(FileId)
        .map_while(|id| sources.get(id).map(|file| (id, file.name())))
        .filter(|(id, _)| sources.copied(*id).is_none())
}

/// How a user starts the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Values of inputs, each `name=value`.
    pub(crate) definitions: Vec<String>,
    /// Files with values of inputs.
    pub(crate) values: Vec<PathBuf>,
}

/// Everything.
pub(crate) struct World {
    pub(crate) disk: Box<dyn FileSystem>,
    /// Where the modules of the standard library can be written for an editor to open.
    pub(crate) library: Option<PathBuf>,
    pub(crate) encoding: Encoding,
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) settings: Settings,
    pub(crate) documents: BTreeMap<PathBuf, Document>,
    /// By entry file.
    pub(crate) meshes: BTreeMap<PathBuf, Mesh>,
    /// What took the place of which was answered before its memory was freed.
    pub(crate) replaced: Option<Analysis>,
}

/// How many directories above a file outside of every root are searched for the mesh that uses it.
const MOST_ABOVE: usize = 4;

/// How many bytes a mesh may have of which there may be two for a moment, so that the answer does not wait until the
/// older one is freed. A larger one goes first.
const MOST_TWICE: usize = 1 << 20;

/// The directory that the names of the standard library's files begin with.
const STANDARD: &str = "std/";

impl World {
    /// A file as it is now: as it is open, or else on the disk.
    pub(crate) fn text(&self, path: &Path) -> Option<Text> {
        meshc_driver::read_source(self, path).ok().map(Text::new)
    }

    /// The entry files that may use a file, the nearest first, and the file itself at the end.
    fn entries_above(&self, path: &Path) -> Vec<PathBuf> {
        let root = self.roots.iter().find(|root| path.starts_with(root));
        let mut found = Vec::new();
        for (depth, directory) in path.ancestors().skip(1).enumerate() {
            let inside = root.map_or(depth < MOST_ABOVE, |root| directory.starts_with(root));
            if !inside || directory.as_os_str().is_empty() {
                break;
            }
            let entry = directory.join(ENTRY);
            if entry != path && matches!(self.kind(&entry), Ok(Some(FileKind::File))) {
                found.push(entry);
            }
        }
        if path.file_name().is_some_and(|name| name == ENTRY) {
            found.insert(0, path.to_path_buf());
        } else {
            found.push(path.to_path_buf());
        }
        found
    }

    /// The entry file of the mesh that a document is part of; the document itself if no mesh uses it.
    pub(crate) fn entry_of(&mut self, path: &Path) -> PathBuf {
        for entry in self.entries_above(path) {
            if entry == path {
                break;
            }
            self.refresh(&entry);
            if self.meshes.get(&entry).is_some_and(|mesh| mesh.files.iter().any(|file| file == path)) {
                return entry;
            }
        }
        // Another mesh that is open may use it.
        let using = self
            .meshes
            .iter()
            .find(|(entry, mesh)| entry.as_path() != path && mesh.files.iter().any(|file| file == path));
        using.map_or_else(|| path.to_path_buf(), |(entry, _)| entry.clone())
    }

    /// Reads a mesh and what it declares, unless nothing changed since that was done.
    pub(crate) fn refresh(&mut self, entry: &Path) {
        let mesh = self.meshes.entry(entry.to_path_buf()).or_default();
        if !mesh.stale && (mesh.analysis.is_some() || !mesh.files.is_empty()) {
            return;
        }
        let before = mesh.analysis.take();
        let bytes: usize = before.iter().map(|analysis| analysis.sources.bytes()).sum();
        self.replaced = before.filter(|_| bytes <= MOST_TWICE);
        let request = Request {
            entries: vec![entry.to_path_buf()],
            definitions: self.settings.definitions.clone(),
            values: self.settings.values.clone(),
            options: Options { data_plane: None },
        };
        let mut trees = std::mem::take(&mut mesh.trees);
        let analysis = analyze_again(self, &request, &mut trees).ok();
        let Some(mesh) = self.meshes.get_mut(entry) else { return };
        mesh.stale = false;
        mesh.untold = Untold::Everything;
        mesh.unreadable = analysis.is_none();
        mesh.files = match &analysis {
            Some(analysis) => analysis.files.clone(),
            None => vec![entry.to_path_buf()],
        };
        mesh.trees = trees;
        mesh.analysis = analysis;
    }

    /// Frees what was replaced. Says whether there was any.
    pub(crate) fn clear(&mut self) -> bool {
        self.replaced.take().is_some()
    }

    /// Marks every mesh that a file is part of.
    pub(crate) fn changed(&mut self, path: &Path) {
        for (entry, mesh) in &mut self.meshes {
            if entry == path || mesh.files.iter().any(|file| file == path) {
                mesh.stale = true;
            }
        }
    }

    /// The address of a file of a source map. Those of the standard library are written where an editor can open them.
    pub(crate) fn uri(&self, name: &str) -> Option<Uri> {
        if let Some(module) = name.strip_prefix(STANDARD) {
            return self.standard(module);
        }
        let path = Path::new(name);
        match self.documents.get(path) {
            Some(document) => Some(document.uri.clone()),
            None => uri::of_path(path),
        }
    }

    fn standard(&self, file: &str) -> Option<Uri> {
        let path = self.library.as_ref()?.join(file);
        let text = standard_text(file)?;
        if self.disk.read(&path).ok().as_deref() != Some(text.as_bytes()) {
            self.disk.create_directory(path.parent()?).ok()?;
            self.disk.write(&path, text.as_bytes()).ok()?;
        }
        uri::of_path(&path)
    }

    /// Whether a path is one of the standard library's, which is not the user's to change.
    pub(crate) fn is_standard(&self, path: &Path) -> bool {
        self.library.as_ref().is_some_and(|library| path.starts_with(library))
    }

    /// A place of a source map for a client.
    pub(crate) fn location(&self, sources: &SourceMap, span: Span) -> Option<Location> {
        let span = sources.original(span);
        let file = sources.get(span.file)?;
        let range = self.range_in(file.name(), file.text(), span);
        Some(Location { uri: self.uri(file.name())?, range })
    }

    /// A range in a file, whose lines are known already if it is open.
    pub(crate) fn range_in(&self, name: &str, text: &str, span: Span) -> ls_types::Range {
        match self.documents.get(Path::new(name)).filter(|document| document.text.text == text) {
            Some(document) => document.text.range(span, self.encoding),
            None => Text::new(text).range(span, self.encoding),
        }
    }
}

/// The text of a file of the standard library.
pub(crate) fn standard_text(file: &str) -> Option<&'static str> {
    let name = file.strip_suffix(".mesh")?;
    if name == "defaults" {
        return Some(meshc_stdlib::DEFAULTS);
    }
    meshc_stdlib::MODULES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Documents in the place of files; it is never written to.
impl FileSystem for World {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.documents.get(path) {
            Some(document) => Ok(document.text.text.clone().into_bytes()),
            None => self.disk.read(path),
        }
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        if self.documents.contains_key(path) { Ok(Some(FileKind::File)) } else { self.disk.kind(path) }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.disk.list(directory)
    }

    fn create_directory(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove_directory(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
