//! What no data plane enforces, or only the other one, found in a model: an error at the place that asks for it, never a
//! dropped setting. Which features these are is data of the vocabulary, where the reference reads it too.

use lang_diagnostics::{Code, Diagnostic, Origin, Sink, Span};
use meshc_resolve::Resolved;
use meshc_vocabulary::capability::Feature;
use meshc_vocabulary::model::policy::RateLimitScope;
use meshc_vocabulary::model::{Cluster, DataPlane, Id, Issuer, Model, Mtls};

use crate::codes;

/// Reports whatever a mesh asks for that its data planes cannot enforce. It needs no topology, so it is said
/// together with everything else that is wrong with a mesh.
pub fn check(resolved: &Resolved<'_>, sink: &mut Sink) {
    let model = resolved.model;
    issuer(model, sink);
    for (_, service) in model.whole_services() {
        let clusters = || service.clusters.iter().map(|presence| presence.cluster);
        for port in &service.ports {
            match port.mtls {
                Mtls::Strict | Mtls::Permissive => {}
                Mtls::Off => need(model, Feature::PlainPorts, clusters(), &port.origin, sink),
            }
        }
    }
    for (_, policy) in model.policies.iter() {
        for limit in &policy.settings.rate_limits {
            match limit.scope.value {
                RateLimitScope::Pod | RateLimitScope::Cluster => {}
                RateLimitScope::Mesh => mesh_wide(model, limit.scope.span, sink),
            }
        }
    }
}

/// What a feature is called in a message, and what to do without it.
const fn words(feature: Feature) -> (Code, &'static str, &'static str) {
    match feature {
        Feature::PlainPorts => {
            (codes::NOT_ENFORCED, "ports with `mtls = off`", "use `mtls = permissive`, or leave the port out")
        }
        Feature::CertManager => (
            codes::ISSUER_NOT_SUPPORTED,
            "certificates from cert-manager",
            "use `issuer = builtin`, or bring certificates with `issuer = files { … }`",
        ),
    }
}

fn need(
    model: &Model,
    feature: Feature,
    clusters: impl IntoIterator<Item = Id<Cluster>>,
    origin: &Origin,
    sink: &mut Sink,
) {
    let lacking = clusters
        .into_iter()
        .map(|cluster| model.data_plane(cluster))
        .find(|data_plane| !feature.supported_by(*data_plane));
    if let Some(data_plane) = lacking {
        let label = format!("{} needs it", origin.name);
        sink.push(missing(feature, data_plane, origin.span).label(label));
    }
}

/// The report that a feature is missing: everywhere, or in one data plane.
fn missing(feature: Feature, data_plane: DataPlane, span: Span) -> Diagnostic {
    let (code, what, help) = words(feature);
    let message = if feature.supported() {
        format!("{} does not support {what}", data_plane.word())
    } else {
        format!("meshc does not support {what} yet")
    };
    Diagnostic::error(code, span, message).help(help)
}

fn issuer(model: &Model, sink: &mut Sink) {
    match model.trust.issuer {
        Issuer::Builtin | Issuer::Files(_) => {}
        Issuer::CertManager => {
            let report = missing(Feature::CertManager, model.mesh.data_plane, model.trust.origin.span);
            sink.push(report.label("it has `issuer = cert_manager`"));
        }
    }
}

/// A limit that all pods of the mesh would count, and no cluster does.
fn mesh_wide(model: &Model, scope: Span, sink: &mut Sink) {
    if model.mesh.rate_limits.is_some() {
        return;
    }
    sink.push(
        Diagnostic::error(codes::MESH_WIDE_LIMIT, scope, "no cluster counts for the whole mesh")
            .label("counted where?")
            .also(model.mesh.origin.span, "the mesh does not say it")
            .help("add `rate_limits = <cluster>` to the mesh, or use `scope = cluster` with each cluster's share of the rate"),
    );
}
