//! Names that Kubernetes objects must be able to bear, also where something is added to them.

use lang_diagnostics::{Diagnostic, Origin, Sink};

use crate::codes;
use crate::forms::dns_label;
use crate::model::Model;

/// What is added to a service's name for its headless companion Service.
const COMPANION: &str = "-mesh";

/// Reports every name that no Kubernetes object can bear.
pub(crate) fn check(model: &Model, sink: &mut Sink) {
    for (_, cluster) in model.clusters.iter() {
        label(&cluster.name, &cluster.origin, sink);
    }
    for (_, gateway) in model.gateways.iter() {
        if label(&gateway.name, &gateway.origin, sink) {
            let account = format!("{}-{}", model.clusters.at(gateway.cluster).name, gateway.name);
            derived(&account, "its account", &gateway.origin, sink);
        }
        for port in &gateway.ports {
            port_name(&port.name, &port.origin, sink);
        }
    }
    for (_, namespace) in model.namespaces.iter() {
        label(&namespace.name, &namespace.origin, sink);
    }
    for (_, service) in model.services.iter() {
        if label(&service.name, &service.origin, sink) && !service.is_client() {
            let companion = format!("{}{COMPANION}", service.name);
            derived(&companion, "its headless Service", &service.origin, sink);
        }
        for port in &service.ports {
            port_name(&port.name, &port.origin, sink);
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
            format!("{} has a name that no Kubernetes object can bear", origin.name),
        )
        .label(why)
        .help("names are DNS labels: lower-case letters, digits and `-`, at most 63 characters"),
    );
    false
}

/// Reports a name that no port of a container can bear (RFC 6335, section 5.1, in lower case as Kubernetes wants it).
fn port_name(name: &str, origin: &Origin, sink: &mut Sink) {
    const LONGEST: usize = 15;
    let why = if dns_label(name).is_some() {
        dns_label(name)
    } else if name.len() > LONGEST {
        Some(format!("it has {} characters and may have {LONGEST}", name.len()))
    } else if !name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Some(String::from("there is no letter in it"))
    } else if name.contains("--") {
        Some(String::from("`-` cannot follow `-`"))
    } else {
        None
    };
    let Some(why) = why else { return };
    sink.push(
        Diagnostic::error(
            codes::BAD_NAME,
            origin.span,
            format!("{} has a name that no port of a container can bear", origin.name),
        )
        .label(why)
        .help(
            "names of ports have at most 15 lower-case letters, digits and `-`, and at least one letter among them",
        ),
    );
}

/// Reports a name that is made from a good one and is none itself.
fn derived(name: &str, what: &str, origin: &Origin, sink: &mut Sink) {
    let Some(why) = dns_label(name) else { return };
    sink.push(
        Diagnostic::error(
            codes::BAD_NAME,
            origin.span,
            format!("{} leaves no room for the name of {what}, `{name}`", origin.name),
        )
        .label(format!("with what is added, {why}"))
        .help("choose a shorter name"),
    );
}
