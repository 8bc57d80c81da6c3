//! `mesh/graph`: who calls whom, for whoever draws it.

use ls_types::{Location, Uri};
use meshc_resolve::resolve;
use serde::{Deserialize, Serialize};

use crate::view::View;

/// The request: a file of the mesh.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Params {
    pub(crate) text_document: Document,
}

/// A file.
#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    pub(crate) uri: Uri,
}

/// The answer.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// A service, client, gateway or host outside.
#[derive(Debug, PartialEq, Serialize)]
struct Node {
    name: String,
    kind: &'static str,
    clusters: Vec<String>,
    location: Option<Location>,
}

/// A call.
#[derive(Debug, PartialEq, Serialize)]
struct Edge {
    from: String,
    to: String,
    ports: Vec<String>,
    location: Option<Location>,
}

/// The graph of the mesh; empty while it has errors.
pub(crate) fn graph(view: &View<'_>) -> Graph {
    let mut graph = Graph::default();
    let Some(analysis) = view.analysis() else { return graph };
    let Some(model) = &analysis.model else { return graph };
    let place = |span| view.world.location(&analysis.sources, span);
    let cluster = |id| model.clusters.at(id).name.clone();
    for (id, service) in model.services.iter() {
        graph.nodes.push(Node {
            name: model.service_name(id),
            kind: if service.is_client() { "client" } else { "service" },
            clusters: service.clusters.iter().map(|presence| cluster(presence.cluster)).collect(),
            location: place(service.origin.span),
        });
    }
    for (id, gateway) in model.gateways.iter() {
        graph.nodes.push(Node {
            name: model.gateway_name(id),
            kind: "gateway",
            clusters: vec![cluster(gateway.cluster)],
            location: place(gateway.origin.span),
        });
    }
    let resolved = resolve(model);
    for callee in model.services.ids() {
        for edge in resolved.incoming(callee) {
            let ports = &model.services.at(callee).ports;
            graph.edges.push(Edge {
                from: edge.caller.name(model),
                to: model.service_name(callee),
                ports: edge
                    .ports
                    .iter()
                    .filter_map(|port| ports.get(*port))
                    .map(|port| port.name.clone())
                    .collect(),
                location: place(edge.origin.span),
            });
        }
    }
    graph
}
