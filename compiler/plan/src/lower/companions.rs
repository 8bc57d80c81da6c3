//! Names that the mesh needs for itself: the companion Service of each service.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink};
use meshc_vocabulary::model::{Callee, Id, Model, Namespace, Service};

use super::context::Context;
use crate::{codes, companion_service, object_name};

/// Reports a service that is called as the companion of another one. Its callers would map the companion's name to a
/// virtual address, and the proxies could no longer look up the other service's pods.
pub(super) fn check(context: &Context<'_>, sink: &mut Sink) {
    let named = names(context.model);
    for (id, service) in context.model.services.iter() {
        // The pods of a service with subsets are looked up subset by subset.
        if service.is_client() || !service.subsets.is_empty() {
            continue;
        }
        let called = context.called(Callee::Service(id));
        let companion = companion_service(&object_name(called.service, called.subset));
        let Some(other) = named.get(&(service.namespace, companion.as_str())) else { continue };
        let other = context.model.services.at(*other);
        sink.push(
            Diagnostic::error(
                codes::COMPANION_NAME_TAKEN,
                other.origin.span,
                format!(
                    "`{companion}` is the name of the companion Service of `{}.{}`",
                    called.namespace, called.name
                ),
            )
            .label("this service needs another name")
            .also(service.origin.span, format!("its pods are looked up as `{companion}`"))
            .help("rename one of the two"),
        );
    }
}

fn names(model: &Model) -> BTreeMap<(Id<Namespace>, &str), Id<Service>> {
    model.services.iter().map(|(id, service)| ((service.namespace, service.name.as_str()), id)).collect()
}
