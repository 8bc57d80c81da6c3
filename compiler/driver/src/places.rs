//! Directories that must be apart: what a build writes is committed, and private keys never are.

use lang_diagnostics::{Diagnostic, Sink};

use crate::{CheckedMesh, codes};

/// What a directory is to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The directory that a build writes.
    Output,
    /// A folder in it that one cluster's files go into, or where a build keeps what it has not finished.
    Folder,
    /// A directory with private keys.
    Keys,
    /// The directory that `issuer = files` names, with private keys of the user's.
    Brought,
}

impl Role {
    const fn words(self) -> &'static str {
        match self {
            Self::Output => "the output directory",
            Self::Folder => "the folder",
            Self::Keys => "the key directory",
            Self::Brought => "the directory of `issuer = files`,",
        }
    }

    const fn what_it_is(self) -> &'static str {
        match self {
            Self::Output | Self::Folder => "which `meshc build` writes and which is committed",
            Self::Keys | Self::Brought => "which holds private keys",
        }
    }
}

/// How one directory is related to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Both are the same directory, whatever their paths are.
    Same,
    /// The first one lies in the second one, at any depth.
    Inside,
}

/// Two directories that are not apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The directory that should be elsewhere, with its path as the user gave it.
    pub what: (Role, String),
    /// How it is related to the other one.
    pub relation: Relation,
    /// The other one.
    pub other: (Role, String),
}

impl Overlap {
    /// Reports it at the mesh's declaration of trust: no file is at fault.
    pub fn report(&self, mesh: &CheckedMesh, sink: &mut Sink) {
        let (what, path) = (self.what.0.words(), &self.what.1);
        let (other, other_path) = (self.other.0.words(), &self.other.1);
        let relation = match self.relation {
            Relation::Same => "is also",
            Relation::Inside => "lies in",
        };
        let nature = self.other.0.what_it_is();
        let message = format!("{what} `{path}` {relation} {other} `{other_path}`, {nature}");
        let (label, help) = match (self.what.0, self.other.0) {
            (Role::Output, Role::Folder) => {
                ("each build has a directory of its own", "build into another directory with `-o`")
            }
            (Role::Output | Role::Folder, Role::Output | Role::Keys | Role::Brought | Role::Folder) => (
                "private keys never share a directory with generated files",
                "build into another directory with `-o`",
            ),
            (Role::Brought, Role::Output | Role::Keys | Role::Brought | Role::Folder) => (
                "private keys never share a directory with generated files",
                "keep what you bring in a directory of its own, and name that in `issuer = files { directory = … }`",
            ),
            (Role::Keys, Role::Brought) => (
                "what meshc makes and what you bring are kept apart",
                "name another key directory with `--keys DIR`",
            ),
            (Role::Keys, Role::Output | Role::Keys | Role::Folder) => (
                "private keys never share a directory with generated files",
                "keep private keys in a directory of their own, and name it with `--keys DIR`",
            ),
        };
        let span = mesh.model.trust.origin.span;
        sink.push(Diagnostic::error(codes::DIRECTORIES_OVERLAP, span, message).label(label).help(help));
    }
}

/// Private keys below one directory that git tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// The directory, as the user gave it.
    pub directory: String,
    /// Their paths below it.
    pub paths: Vec<String>,
}

impl Tracked {
    /// Warns of them: nothing takes a key out of a history that others have.
    pub fn report(&self, mesh: &CheckedMesh, sink: &mut Sink) {
        let Some(first) = self.paths.first() else { return };
        let directory = &self.directory;
        let more = match self.paths.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let message = format!("git tracks the private key `{directory}/{first}`{more}");
        sink.push(
            Diagnostic::warning(codes::TRACKED_KEYS, mesh.model.trust.origin.span, message)
                .label("whoever reads the repository can use these keys")
                .help(format!(
                    "take them out with `git rm --cached -r {directory}`; a key that others may have seen is to be replaced"
                )),
        );
    }
}
