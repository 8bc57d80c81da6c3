//! What all commands that read a mesh have in common.

use std::path::Path;

use clap::ValueEnum;
use meshc_driver::{Compilation, Options, check};
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
    let options = Options { data_plane: data_plane.map(DataPlane::from) };
    check(&Disk, file, options).map_err(|error| {
        let failure = Failure::new(format!("cannot read `{}`: {error}", file.display()));
        if file.is_dir() {
            failure.help(format!("name the file: {}", file.join("mesh.mesh").display()))
        } else {
            failure
        }
    })
}

/// Shows what was found.
pub(crate) fn show(compilation: &Compilation, console: &Console) {
    console.diagnostics(&compilation.diagnostics, &compilation.sources);
}
