//! The examples become models without any diagnostic.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reads the examples from the disk and stops where they are not what it expects"
)]

use std::path::Path;
use std::time::Duration;

use lang_diagnostics::{Sink, SourceMap};
use lang_expand::{StandardLibrary, expand_text};
use meshc_vocabulary::model::{Callee, DataPlane, Host, Issuer, Trust};
use meshc_vocabulary::{Model, SCHEMA};

fn example(name: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name).join("mesh.mesh");
    let text = std::fs::read_to_string(path).unwrap();
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let id = sources.add("mesh.mesh", text.as_str());
    let file = lang_syntax::parse(id, &text, &mut sink);
    let trees = expand_text(file, SCHEMA, StandardLibrary(meshc_stdlib::MODULES), &mut sources, &mut sink);
    let model = meshc_vocabulary::evaluate(&trees, &mut sources, &mut sink);
    assert_eq!(sink.diagnostics(), []);
    model.expect("no diagnostics, so there is a model")
}

fn service(model: &Model, name: &str) -> meshc_vocabulary::model::Id<meshc_vocabulary::model::Service> {
    let found = model.services.iter().find(|(id, _)| model.service_name(*id) == name);
    found.unwrap_or_else(|| panic!("no {name}")).0
}

#[test]
fn acme_is_what_its_source_says() {
    let model = example("acme");
    assert_eq!(model.mesh.data_plane, DataPlane::Envoy);
    assert_eq!(model.trust.root_common_name, "root.acme.example");
    assert_eq!(model.trust.workload_lifetime.value, Duration::from_secs(90 * 24 * 3600));

    let names: Vec<_> = model.gateways.ids().map(|id| model.gateway_name(id)).collect();
    assert_eq!(names, ["east.eastwest", "west.eastwest", "west.ingress"]);
    let (_, east) = model.gateways.iter().next().unwrap();
    assert_eq!(east.addresses[0].value, Host::Ip("172.18.255.202".parse().unwrap()));
    assert_eq!(east.ports[0].number, 15443);

    let webapp = model.services.at(service(&model, "istioinaction.webapp"));
    assert_eq!(webapp.documentation.as_deref(), Some("The shop's front end."));
    assert_eq!(webapp.calls[0].callee, Callee::Service(service(&model, "istioinaction.catalog")));
    assert_eq!((webapp.ports[0].number, webapp.ports[0].target), (80, 8080));
    assert_eq!(model.routes.len(), 2);
}

#[test]
fn the_single_cluster_example_runs_on_meshd() {
    let model = example("single-cluster");
    assert_eq!(model.mesh.data_plane, DataPlane::Meshd);
    assert_eq!(model.services.len(), 3);
}

/// Without a `trust` block it is what one with nothing in it is, but for the name of the root.
#[test]
fn trust_is_there_without_a_block() {
    let Trust {
        origin: _,
        name,
        issuer,
        root_common_name,
        root_lifetime,
        intermediate_lifetime,
        workload_lifetime,
    } = example("single-cluster").trust;
    assert_eq!((name.as_str(), root_common_name.as_str()), ("shop", "shop root"));
    assert_eq!(issuer, Issuer::Builtin);
    let days = [root_lifetime, intermediate_lifetime, workload_lifetime].map(|it| it.value.as_secs() / 86400);
    assert_eq!(days, [3650, 365, 90]);
}
