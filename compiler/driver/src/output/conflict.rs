//! Files that a build must not touch without being told to.

use lang_diagnostics::{Diagnostic, Sink, SourceMap, Span};

use crate::codes;

/// A file or folder that stands in a build's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Its path below the output directory.
    pub path: String,
    /// Why it must not be touched.
    pub kind: ConflictKind,
    /// Its contents as far as they are text, for the message.
    pub text: String,
}

/// Why a file must not be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// meshc wrote it, and somebody has changed it since.
    EditedByHand,
    /// The same, where nothing else says what the file should hold.
    EditedOriginal,
    /// Something that meshc did not write is where a file has to go.
    Foreign,
    /// The folder's lock file cannot be read, so nobody knows which files are ours.
    DamagedLock,
    /// The folder belongs to another mesh.
    OtherMesh {
        /// The mesh that its lock file names.
        mesh: String,
    },
}

impl Conflict {
    /// Joins what is known about a conflict.
    pub(super) fn new(path: &str, kind: ConflictKind, bytes: &[u8]) -> Self {
        Self { path: path.to_owned(), kind, text: String::from_utf8_lossy(bytes).into_owned() }
    }

    /// Reports it at the beginning of the file itself, which joins the sources under `name`.
    pub fn report(&self, name: &str, sources: &mut SourceMap, sink: &mut Sink) {
        let file = sources.add(name, self.text.as_str());
        let first_line = self.text.find('\n').unwrap_or(self.text.len());
        let span = Span::new(file, 0, first_line);
        let path = &self.path;
        sink.push(match &self.kind {
            ConflictKind::EditedByHand => {
                let message = format!("`{path}` was edited by hand since meshc wrote it");
                Diagnostic::error(codes::EDITED_BY_HAND, span, message)
                    .label("this file is generated")
                    .help("move the change into the mesh file, or run with `--overwrite-edits` to lose it")
            }
            ConflictKind::EditedOriginal => {
                let message = format!("`{path}` was edited by hand since meshc wrote it");
                Diagnostic::error(codes::EDITED_BY_HAND, span, message)
                    .label("no other file lists what belongs here")
                    .help(
                        "take the file back from version control, or build with the key directory (`--keys`)",
                    )
            }
            ConflictKind::Foreign => {
                let message = format!("`{path}` is in the way and was not written by meshc");
                Diagnostic::error(codes::FOREIGN_FILE, span, message)
                    .label("meshc never overwrites what it does not own")
                    .help("move it away, delete it, or build into another directory with `-o`")
            }
            ConflictKind::DamagedLock => {
                let message = format!("`{path}` is not a lock file that this meshc can read");
                Diagnostic::error(codes::DAMAGED_LOCK, span, message)
                    .label("this file lists which files of the folder are generated")
                    .help(
                        "take the file back from version control, or delete the whole folder and build anew",
                    )
            }
            ConflictKind::OtherMesh { mesh } => {
                let message = format!("`{path}` belongs to the mesh `{mesh}`");
                Diagnostic::error(codes::OTHER_MESH, span, message)
                    .label("another mesh was built here")
                    .help("build each mesh into a directory of its own with `-o`")
            }
        });
    }
}
