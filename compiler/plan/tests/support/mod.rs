//! Meshes from source text, for tests of the lowering.

use lang_diagnostics::{Fixture, RenderOptions, Sink, SourceMap, render_text};
use lang_expand::{StandardLibrary, expand_text};
use meshc_plan::Plan;
use meshc_vocabulary::SCHEMA;

/// The plan of a source text, or what is wrong with it: errors, and of warnings only those that the text names (`// about: W0123`).
pub(crate) fn compile(text: &str) -> Result<Plan, String> {
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let file = sources.add("mesh.mesh", text);
    let file = lang_syntax::parse(file, text, &mut sink);
    let trees = expand_text(file, SCHEMA, StandardLibrary(&[]), &mut sources, &mut sink);
    let model = (!sink.has_errors()).then(|| meshc_vocabulary::evaluate(&trees, &mut sources, &mut sink));
    let plan = model.flatten().map(|model| {
        let resolved = meshc_resolve::resolve(&model);
        meshc_plan::lower(&resolved, &meshc_topology::build(&resolved), &mut sink)
    });
    match plan {
        Some(plan) if !sink.has_errors() => Ok(plan),
        Some(_) | None => {
            let options = RenderOptions { color: false, width: 100 };
            let mut found = sink.into_sorted();
            let fixture = Fixture::new("", text);
            found.retain(|one| fixture.shows(one));
            Err(render_text(&found, &sources, options))
        }
    }
}
