//! Every mesh among the golden folders and the examples: what is resolved is what the index over policies says.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "the meshes lie on the disk")]

use std::path::{Path, PathBuf};

use lang_diagnostics::{Sink, SourceMap};
use meshc_resolve::{Provenance, Setting, resolve};
use meshc_vocabulary::Model;
use meshc_vocabulary::model::policy::{Attached, Policy};

fn meshes() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut open = vec![root.join("tests/golden"), root.join("examples")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "mesh") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The model of a mesh, if it has one.
fn model(path: &Path) -> Option<Model> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let file = lang_syntax::parse(sources.add("mesh.mesh", text.as_str()), &text, &mut sink);
    meshc_vocabulary::evaluate(&[file], &mut sources, &mut sink)
}

fn said_by<'m, T>(model: &'m Model, setting: &Setting<'m, T>) -> Option<&'m Policy> {
    match setting.from {
        Provenance::Rule { .. } => panic!("no rule speaks of a service"),
        Provenance::Declared { policy, .. } | Provenance::Inherited { policy, .. } => {
            Some(model.policies.at(policy))
        }
        Provenance::Default => None,
    }
}

/// Compares one kind of setting of a service with what the index finds.
macro_rules! same {
    ($model:expr, $old:expr, $found:expr, $fallback:expr) => {{
        let (policy, value) = match $old {
            Some((policy, value)) => (Some(policy), value),
            None => (None, $fallback),
        };
        assert_eq!($found.value, value);
        assert_eq!(
            said_by($model, &$found).map(|policy| &policy.origin),
            policy.map(|policy| &policy.origin)
        );
    }};
}

#[test]
fn what_is_resolved_is_what_the_index_says() {
    let mut services = 0;
    for path in meshes() {
        let Some(model) = model(&path) else { continue };
        let model = &model;
        let (old, new) = (Attached::new(model), resolve(model));
        let defaults = &model.defaults;
        for id in model.services.ids() {
            services += 1;
            let found = new.service(id);
            same!(model, old.nearest(id, |it| it.failover.as_ref()), found.failover, &defaults.failover);
            same!(model, old.nearest(id, |it| it.outlier.as_ref()), found.outlier, &defaults.outlier);
            same!(model, old.nearest(id, |it| it.pool.as_ref()), found.pool, &defaults.pool);
            same!(model, old.nearest(id, |it| it.retry.as_ref().map(Some)), found.retry, None);
            same!(model, old.nearest(id, |it| it.timeout.as_ref()), found.timeout, &defaults.timeout);
            same!(model, old.nearest(id, |it| list(&it.allow)), found.allow, &[][..]);
            same!(model, old.nearest(id, |it| list(&it.deny)), found.deny, &[][..]);
            same!(model, old.nearest(id, |it| list(&it.rate_limits)), found.rate_limits, &[][..]);
        }
        for id in model.routes.ids() {
            let found = new.route(id);
            same!(model, old.on_route(id, |it| it.retry.as_ref().map(Some)), found.retry, None);
            same!(model, old.on_route(id, |it| it.timeout.as_ref().map(Some)), found.timeout, None);
        }
    }
    assert!(services > 100, "{services} services were compared");
}

fn list<T>(list: &[T]) -> Option<&[T]> {
    (!list.is_empty()).then_some(list)
}
