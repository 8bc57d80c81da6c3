//! What all commands that read a mesh have in common.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use meshc_driver::{Compilation, ENTRY, Levels, Options, Request, check_request};
use meshc_vocabulary::model::DataPlane;

use crate::console::Console;
use crate::disk::Disk;
use crate::exit::Failure;

/// Which proxy carries the traffic, as a word on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataPlaneWord {
    /// Envoy.
    Envoy,
    /// The bundled proxy.
    Meshd,
}

impl From<DataPlaneWord> for DataPlane {
    fn from(word: DataPlaneWord) -> Self {
        match word {
            DataPlaneWord::Envoy => Self::Envoy,
            DataPlaneWord::Meshd => Self::Meshd,
        }
    }
}

/// Which mesh a command is about, and the values of its inputs.
#[derive(Args, Clone, Debug)]
pub(crate) struct MeshArguments {
    /// The mesh's entry file, or a directory that has a `mesh.mesh`. Several files make one mesh together.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Give an input of the mesh a value.
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    definitions: Vec<String>,
    /// Take the values of inputs from a file of `name = value`.
    #[arg(long, value_name = "FILE")]
    values: Vec<PathBuf>,
}

impl MeshArguments {
    /// A mesh of one file.
    #[cfg(test)]
    pub(crate) fn of(file: &Path) -> Self {
        Self { files: vec![file.to_path_buf()], definitions: Vec::new(), values: Vec::new() }
    }

    /// The entry file: the first one, or that of the directory.
    pub(crate) fn entry(&self) -> PathBuf {
        let first = self.files.first().cloned().unwrap_or_default();
        if first.is_dir() { first.join(ENTRY) } else { first }
    }
}

/// Checks a mesh. Its diagnostics are not shown yet.
pub(crate) fn compile(
    mesh: &MeshArguments,
    data_plane: Option<DataPlaneWord>,
) -> Result<Compilation, Failure> {
    compile_with(mesh, data_plane, &Levels::default())
}

/// Checks a mesh, with levels of codes from the command line.
pub(crate) fn compile_with(
    mesh: &MeshArguments,
    data_plane: Option<DataPlaneWord>,
    levels: &Levels,
) -> Result<Compilation, Failure> {
    let request = Request {
        entries: mesh.files.clone(),
        definitions: mesh.definitions.clone(),
        values: mesh.values.clone(),
        options: Options { data_plane: data_plane.map(DataPlane::from) },
    };
    check_request(&Disk, &request, levels).map_err(|unread| unreadable(&unread.path, &unread.error))
}

/// Why an entry file cannot be read.
pub(crate) fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read `{}`: {error}", file.display()))
}

/// Shows what was found.
pub(crate) fn show(compilation: &Compilation, console: &Console) {
    console.diagnostics(&compilation.diagnostics, &compilation.sources);
}
