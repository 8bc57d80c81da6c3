//! The pipeline: mesh text in, the stages' results and diagnostics out.

use std::io;
use std::path::Path;

use lang_diagnostics::{Diagnostic, Severity, Sink, SourceMap};
use lang_syntax::{ast, parse};
use meshc_plan::Plan;
use meshc_topology::Topology;
use meshc_vocabulary::Model;
use meshc_vocabulary::model::DataPlane;

use crate::FileSystem;

/// What is wanted of a compilation beyond what the sources say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The data plane of every cluster, in the place of what the mesh declares.
    pub data_plane: Option<DataPlane>,
}

/// A compilation: what was read, what is to be said about it, and what came out.
#[derive(Debug)]
pub struct Compilation {
    /// The entry file's name, without its directory: what generated files call their source.
    pub name: String,
    /// All source files, for rendering diagnostics.
    pub sources: SourceMap,
    /// Everything found, by place.
    pub diagnostics: Vec<Diagnostic>,
    /// The results of all stages; `None` if there was an error.
    pub mesh: Option<CheckedMesh>,
}

/// A mesh without errors.
#[derive(Clone, Debug)]
pub struct CheckedMesh {
    /// Names resolved, defaults filled in.
    pub model: Model,
    /// Who reaches whom, and how.
    pub topology: Topology,
    /// What each proxy must do.
    pub plan: Plan,
}

impl Compilation {
    /// Whether there was an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Adds what was found after the check, and takes the result back if that holds an error.
    pub(crate) fn add(&mut self, sink: Sink) {
        self.diagnostics.extend(sink.into_sorted());
        if self.has_errors() {
            self.mesh = None;
        }
    }
}

/// Checks a whole mesh, from its entry file to the plan of every proxy.
///
/// # Errors
/// If the entry file cannot be read or is not UTF-8. Mistakes in it are diagnostics.
pub fn check(files: &dyn FileSystem, entry: &Path, options: Options) -> io::Result<Compilation> {
    let text = read(files, entry)?;
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let file = sources.add(entry.display().to_string(), text.as_str());
    let tree = parse(file, &text, &mut sink);
    let mesh = stages(&[tree], options, &mut sources, &mut sink);
    let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Compilation { name, sources, diagnostics: sink.into_sorted(), mesh })
}

/// The stages, each of which runs only if none before it reported an error. Only evaluation follows parsing whatever
/// that found: the parser recovers, so that one mistake does not hide the others.
fn stages(
    files: &[ast::File],
    options: Options,
    sources: &mut SourceMap,
    sink: &mut Sink,
) -> Option<CheckedMesh> {
    let model = unless_errors(meshc_vocabulary::evaluate(files, sources, sink)?, sink)?;
    let model = with_options(model, options);
    let topology = meshc_topology::build(&model);
    let plan = unless_errors(meshc_plan::lower(&model, &topology, sink), sink)?;
    Some(CheckedMesh { model, topology, plan })
}

fn unless_errors<T>(result: T, sink: &Sink) -> Option<T> {
    (!sink.has_errors()).then_some(result)
}

fn with_options(mut model: Model, options: Options) -> Model {
    if let Some(data_plane) = options.data_plane {
        model.mesh.data_plane = data_plane;
        for cluster in model.clusters.ids() {
            if let Some(cluster) = model.clusters.get_mut(cluster) {
                cluster.data_plane = None;
            }
        }
    }
    model
}

fn read(files: &dyn FileSystem, path: &Path) -> io::Result<String> {
    let bytes = files.read(path)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("not UTF-8 text from byte {at} on"))
    })
}
