//! What all commands that read a mesh have in common.

use std::io;
use std::path::Path;

use clap::ValueEnum;
use meshc_driver::{Compilation, Levels, Options, check_with};
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

/// Checks the mesh of an entry file. Its diagnostics are not shown yet.
pub(crate) fn compile(file: &Path, data_plane: Option<DataPlaneWord>) -> Result<Compilation, Failure> {
    compile_with(file, data_plane, &Levels::default())
}

/// Checks the mesh of an entry file, with levels of codes from the command line.
pub(crate) fn compile_with(
    file: &Path,
    data_plane: Option<DataPlaneWord>,
    levels: &Levels,
) -> Result<Compilation, Failure> {
    let options = Options { data_plane: data_plane.map(DataPlane::from) };
    check_with(&Disk, file, options, levels).map_err(|error| unreadable(file, &error))
}

/// Why an entry file cannot be read.
pub(crate) fn unreadable(file: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot read `{}`: {error}", file.display()));
    if file.is_dir() {
        failure.help(format!("name the file: {}", file.join("mesh.mesh").display()))
    } else {
        failure
    }
}

/// Shows what was found.
pub(crate) fn show(compilation: &Compilation, console: &Console) {
    console.diagnostics(&compilation.diagnostics, &compilation.sources);
}
