//! Meshes from source text, and things in them by name.

use lang_diagnostics::{Sink, SourceMap};
use lang_expand::{StandardLibrary, expand_text};
use meshc_resolve::{Caller, Edge, Resolved};
use meshc_vocabulary::model::{Id, Port, Service};
use meshc_vocabulary::{Model, SCHEMA};

/// One cluster with an ingress, before whatever a test declares.
const HEAD: &str = r#"
mesh m { trust_domain = "cluster.local", trust = t }
trust t {}
network n {}
cluster west {
  network = n
  region  = "westus"
  gateway ingress { role = ingress, port http { number = 80 } }
}
"#;

/// The model of a mesh with these declarations.
pub(crate) fn mesh(text: &str) -> Model {
    model(&format!("{HEAD}{text}"))
}

/// The model of a whole source text.
pub(crate) fn model(text: &str) -> Model {
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let file = lang_syntax::parse(sources.add("mesh.mesh", text), text, &mut sink);
    let library = StandardLibrary(meshc_stdlib::MODULES);
    let trees = expand_text(file, SCHEMA, library, &mut sources, &mut sink);
    let model = meshc_vocabulary::evaluate(&trees, &mut sources, &mut sink);
    assert_eq!(sink.diagnostics(), []);
    model.unwrap()
}

/// A service as messages name it: `shop.web`.
pub(crate) fn service(model: &Model, name: &str) -> Id<Service> {
    model.services.ids().find(|id| model.service_name(*id) == name).unwrap()
}

/// The port of a service.
pub(crate) fn port<'m>(model: &'m Model, service: Id<Service>, name: &str) -> &'m Port {
    model.services.at(service).ports.iter().find(|port| port.name == name).unwrap()
}

/// The edges from a caller, as messages name it, to a service.
pub(crate) fn edges<'r, 'm>(resolved: &'r Resolved<'m>, caller: &str, callee: &str) -> Vec<&'r Edge<'m>> {
    let callee = service(resolved.model, callee);
    resolved.incoming(callee).filter(|edge| edge.caller.name(resolved.model) == caller).collect()
}

/// Whether an edge comes through a route.
pub(crate) fn is_routed(edge: &Edge<'_>) -> bool {
    match edge.caller {
        Caller::Service(_) | Caller::Limited(_) | Caller::LimitedGateway(_) => false,
        Caller::Route { .. } | Caller::Routed { .. } => true,
    }
}
