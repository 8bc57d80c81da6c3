//! Plans of the meshes that other tests and the examples have, for every test of this crate that wants real ones.

use std::path::{Path, PathBuf};

use lang_diagnostics::{Fixture, RenderOptions, Sink, SourceMap, render_text};
use lang_expand::{StandardLibrary, expand_text};
use meshc_plan::Plan;

/// A mesh on its way through the stages, with what was said about it.
pub(crate) struct Compiled {
    /// The plan, if there was no error.
    pub(crate) plan: Option<Plan>,
    /// Where later stages add what they have to say.
    pub(crate) sink: Sink,
    sources: SourceMap,
}

impl Compiled {
    /// What was said that a fixture is about, as the terminal shows it.
    pub(crate) fn said(self, fixture: &Fixture) -> String {
        let mut said = self.sink.into_sorted();
        said.retain(|found| fixture.shows(found));
        render_text(&said, &self.sources, RenderOptions { color: false, width: 100 })
    }
}

/// Compiles a source text as far as its plan.
pub(crate) fn compile(text: &str) -> Compiled {
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let file = sources.add("mesh.mesh", text);
    let file = lang_syntax::parse(file, text, &mut sink);
    let library = StandardLibrary(meshc_stdlib::MODULES);
    let trees = expand_text(file, meshc_vocabulary::SCHEMA, library, &mut sources, &mut sink);
    let model = (!sink.has_errors()).then(|| meshc_vocabulary::evaluate(&trees, &mut sources, &mut sink));
    let plan = model.flatten().map(|model| {
        let resolved = meshc_resolve::resolve(&model);
        meshc_plan::lower(&resolved, &meshc_topology::build(&resolved), &mut sink)
    });
    let plan = plan.filter(|_| !sink.has_errors());
    Compiled { plan, sink, sources }
}

/// The `mesh.mesh` of every folder in `folder` of the workspace, in order.
pub(crate) fn meshes(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut cases: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    cases.sort();
    let read = |case: PathBuf| {
        let text = std::fs::read_to_string(case.join("mesh.mesh")).ok()?;
        Some((case, text))
    };
    cases.into_iter().filter_map(read).collect()
}
