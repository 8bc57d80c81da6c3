//! Where services on machines are, and that those in Kubernetes are found by name.

use lang_diagnostics::{Diagnostic, Sink};

use crate::codes;
use crate::model::{Model, Platform};

/// Reports services on machines without addresses, and addresses of pods.
pub(crate) fn check(model: &Model, sink: &mut Sink) {
    for (_, service) in model.services.iter() {
        for presence in &service.clusters {
            let cluster = model.clusters.at(presence.cluster);
            // A client is not called, and the pods of subsets have addresses of their own.
            let called = !service.is_client() && service.subsets.is_empty();
            match (cluster.platform, presence.addresses.first()) {
                (Platform::Machines, None) if called => sink.push(
                    Diagnostic::error(
                        codes::MACHINE_WITHOUT_ADDRESS,
                        presence.span,
                        format!("no address is known for {} in `{}`", service.origin.name, cluster.name),
                    )
                    .label("this is a cluster of machines")
                    .also(cluster.origin.span, "declared here")
                    .help(format!("add `in {} {{ addresses = [10.0.0.5] }}`", cluster.name)),
                ),
                (Platform::Kubernetes, Some(address)) => sink.push(
                    Diagnostic::error(
                        codes::ADDRESS_OF_POD,
                        address.span,
                        format!("pods in `{}` are found by name", cluster.name),
                    )
                    .label("an address is for machines")
                    .also(cluster.origin.span, "this is a Kubernetes cluster")
                    .help("remove `addresses`, or write `platform = machines` in the cluster"),
                ),
                (Platform::Machines | Platform::Kubernetes, _) => {}
            }
        }
    }
}
