//! Names that Kubernetes objects must be able to bear, also where something is added to them.

use lang_diagnostics::{Diagnostic, Origin, Sink};

use crate::codes;
use crate::forms::{dns_label, service_name};
use crate::model::{Model, SubsetOf};

/// What is added to a service's name for its headless companion Service.
const COMPANION: &str = "-mesh";

/// Reports every name that no Kubernetes object can bear.
pub(crate) fn check(model: &Model, sink: &mut Sink) {
    // It begins the derived domains of limits that hold for the whole mesh, and those are names of files.
    label(&model.mesh.name, &model.mesh.origin, sink);
    for (_, cluster) in model.clusters.iter() {
        label(&cluster.name, &cluster.origin, sink);
    }
    for (_, gateway) in model.gateways.iter() {
        if label(&gateway.name, &gateway.origin, sink) {
            let object = format!("{}-{}", model.clusters.at(gateway.cluster).name, gateway.name);
            derived(&object, "its account and Service", &gateway.origin, sink);
        }
        for port in &gateway.ports {
            label(&port.name, &port.origin, sink);
        }
    }
    for (_, namespace) in model.namespaces.iter() {
        label(&namespace.name, &namespace.origin, sink);
    }
    for (_, service) in model.services.iter() {
        if let Some(SubsetOf { service: _, service_name, name }) = &service.subset_of {
            if label(name, &service.origin, sink) {
                let companion = format!("{service_name}-{name}{COMPANION}");
                derived(&companion, "its headless Service", &service.origin, sink);
            }
            continue;
        }
        if label(&service.name, &service.origin, sink) && !service.is_client() && service.subsets.is_empty() {
            let companion = format!("{}{COMPANION}", service.name);
            derived(&companion, "its headless Service", &service.origin, sink);
        }
        for port in &service.ports {
            label(&port.name, &port.origin, sink);
        }
    }
    for (_, external) in model.externals.iter() {
        label(&external.name, &external.origin, sink);
        for port in &external.ports {
            label(&port.name, &port.origin, sink);
        }
    }
    for (_, policy) in model.policies.iter() {
        label(&policy.name, &policy.origin, sink);
    }
}

/// Whether a name is a DNS label; a report if not.
fn label(name: &str, origin: &Origin, sink: &mut Sink) -> bool {
    let Some(why) = dns_label(name) else { return true };
    sink.push(
        Diagnostic::error(
            codes::BAD_NAME,
            origin.span,
            format!("the name of {} is not a valid Kubernetes name", origin.name),
        )
        .label(why)
        .help("names are DNS labels: lower-case letters, digits and `-`, at most 63 characters"),
    );
    false
}

/// Reports a Service's name that is made from a good name and is none itself.
fn derived(name: &str, what: &str, origin: &Origin, sink: &mut Sink) {
    let Some(why) = service_name(name) else { return };
    let (message, why, help) = if dns_label(name).is_some() {
        let message = format!("{} leaves no room for the name of {what}, `{name}`", origin.name);
        (message, format!("with what is added, {why}"), "choose a shorter name")
    } else {
        let message = format!("{} makes a bad name for {what}, `{name}`", origin.name);
        (message, why, "choose a name that begins with a letter")
    };
    sink.push(Diagnostic::error(codes::BAD_NAME, origin.span, message).label(why).help(help));
}
