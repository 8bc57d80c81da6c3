//! `meshc check`: everything that is wrong with a mesh, and nothing written.

use std::path::PathBuf;

use clap::Args;

use crate::compile::{DataPlaneWord, compile, show};
use crate::console::Console;
use crate::exit::{Exit, Failure};

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc check mesh.mesh
  $ meshc check mesh.mesh --error-format json

Exits with 0 if there is no error, with 1 if there is one, with 2 if the file
cannot be read.";

/// Arguments of `meshc check`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The mesh's entry file.
    file: PathBuf,
    /// Check for this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
}

/// Checks.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let progress = console.progress("checking");
    let compilation = compile(&arguments.file, arguments.data_plane)?;
    drop(progress);
    show(&compilation, console);
    if compilation.diagnostics.is_empty() {
        console.note(&format!("{}: no errors, no warnings", arguments.file.display()));
    }
    Ok(if compilation.has_errors() { Exit::Findings } else { Exit::Ok })
}
