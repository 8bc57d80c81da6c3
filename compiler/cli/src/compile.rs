//! What all commands that read a mesh have in common.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use meshc_driver::{Compilation, ENTRY, Levels, Options, Overlay, Request, check_request};
use meshc_vocabulary::model::DataPlane;
use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::disk::Disk;
use crate::exit::{Context, Failure};
use crate::sources::Sources;

/// What standard input is called, in the place of a path.
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// Whether a path on the command line stands for standard input.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Which proxy carries the traffic, as a word on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// The mesh's entry file, or a directory that has a `mesh.mesh`; `-` for standard input. Several make one
    /// mesh together.
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
        let first = self.entries().into_iter().next().unwrap_or_default();
        if first.is_dir() { first.join(ENTRY) } else { first }
    }

    /// What is asked of the compiler.
    pub(crate) fn request(&self, data_plane: Option<DataPlaneWord>) -> Request {
        Request {
            entries: self.entries(),
            definitions: self.definitions.clone(),
            values: self.values.clone(),
            options: Options { data_plane: data_plane.map(DataPlane::from) },
        }
    }

    /// Whether standard input is one of the files.
    pub(crate) fn reads_standard_input(&self) -> bool {
        self.files.iter().any(|file| is_standard_input(file))
    }

    /// The disk, and what standard input has where that is one of the files.
    pub(crate) fn files(&self) -> Result<Overlay<'static>, Failure> {
        let mut files = Overlay::new(&Disk);
        if self.reads_standard_input() {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).context(|| format!("read {STANDARD_INPUT}"))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Failure::new(format!("cannot read {STANDARD_INPUT}: it is not UTF-8")))?;
            files.put(STANDARD_INPUT, text);
        }
        if let Some(sources) = self.sources() {
            sources.show_pending(&mut files)?;
        }
        Ok(files)
    }

    /// The files that are named, without standard input; `None` if one of them is not there.
    pub(crate) fn sources(&self) -> Option<Sources> {
        let entries = self.files.iter().filter(|file| !is_standard_input(file));
        Sources::of(entries.chain(&self.values).cloned())
    }

    fn entries(&self) -> Vec<PathBuf> {
        let named = |file: &PathBuf| {
            if is_standard_input(file) { PathBuf::from(STANDARD_INPUT) } else { file.clone() }
        };
        self.files.iter().map(named).collect()
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
    let request = mesh.request(data_plane);
    check_request(&mesh.files()?, &request, levels).map_err(|unread| unreadable(&unread.path, &unread.error))
}

/// Why an entry file cannot be read.
pub(crate) fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read `{}`: {error}", file.display()))
}

/// Shows what was found.
pub(crate) fn show(compilation: &Compilation, console: &Console) {
    console.diagnostics(&compilation.diagnostics, &compilation.sources);
}
