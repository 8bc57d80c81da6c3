//! `workload`: the Kubernetes object that runs a service.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink, Spanned};
use lang_evaluate::Block;
use lang_evaluate::schema::{ANY_TEXT, Attribute, Constant, Kind, Label, Name, Type};

use crate::codes;
use crate::forms;
use crate::model::{Workload, WorkloadKind};
use crate::symbols::symbols;
use crate::words;

symbols! {
    /// The kinds of a workload.
    KINDS: WorkloadKind {
        "deployment" => WorkloadKind::Deployment, "`apps/v1` Deployment";
        "stateful_set" => WorkloadKind::StatefulSet, "`apps/v1` StatefulSet";
        "daemon_set" => WorkloadKind::DaemonSet, "`apps/v1` DaemonSet";
        "rollout" => WorkloadKind::Rollout, "`argoproj.io/v1alpha1` Rollout of Argo Rollouts, whose pod template is its own; its steps decide how many pods are new, and a `trafficRouting` of its own changes nothing in the mesh";
        "job" => WorkloadKind::Job, "`batch/v1` Job, for a client";
        "cron_job" => WorkloadKind::CronJob, "`batch/v1` CronJob, for a client";
    }
}

pub(crate) static KIND: Kind = Kind {
    word: "workload",
    documentation: "The Kubernetes object whose pods run it. Without any, it is a Deployment of the service's name, or of \
                    `<service>-<subset>` for a subset.",
    label: Label::Optional(&forms::DNS_LABEL),
    space: None,
    reopen: false,
    principal: Some(words::KIND),
    relations: &[],
    attributes: &[
        Attribute::defaulted(
            words::KIND,
            Type::Symbol(KINDS),
            Constant::Symbol("deployment"),
            "What it is. Its name is before the brace; without one it is that of the Deployment that there is without any.",
        ),
        Attribute::derived(
            words::CONTAINER,
            Type::Text(&forms::DNS_LABEL),
            "the first one",
            "The container that is the application.",
        ),
        Attribute::optional(
            words::IMAGE,
            Type::Text(&forms::NON_EMPTY),
            "The application's image. With it the workload itself is written too, sidecar included.",
        ),
        Attribute::optional(
            words::LABELS,
            Type::Map { key: &forms::LABEL_KEY, of: &Type::Text(&forms::LABEL_VALUE) },
            "Further labels of the pods.",
        ),
        Attribute::optional(
            words::ANNOTATIONS,
            Type::Map { key: &forms::LABEL_KEY, of: &Type::Text(&ANY_TEXT) },
            "Further annotations of the pods.",
        ),
    ],
    blocks: &[],
};

/// The workloads of a service, client or subset, whose name they have unless they have one of their own.
pub(crate) fn convert(service: &Block, named: &str, sink: &mut Sink) -> Option<Vec<Workload>> {
    // Nearly every service has one.
    let mut workloads = Vec::with_capacity(1);
    for block in service.blocks(&KIND) {
        let name = block.label.as_ref().map_or(named, |label| label.value.as_str());
        let kind = block.get::<WorkloadKind>(words::KIND)?;
        if ends_by_itself(kind.value) && service.kind.word != words::kind::CLIENT {
            sink.push(
                Diagnostic::error(
                    codes::WRONG_WORKLOAD,
                    kind.span,
                    format!("{} cannot run in something that ends by itself", service.origin().name),
                )
                .label("nothing would be left to call")
                .also(service.name_span(), "this is called by others")
                .help("declare a `client` if it only calls, or choose another kind"),
            );
        }
        workloads.push(Workload {
            origin: block.origin(),
            kind: kind.value,
            name: name.to_owned(),
            container: block.get::<String>(words::CONTAINER).map(|container| container.value),
            image: block.get::<String>(words::IMAGE),
            labels: texts(block, words::LABELS),
            annotations: texts(block, words::ANNOTATIONS),
        });
    }
    if workloads.is_empty() {
        workloads.push(Workload {
            origin: service.origin(),
            kind: WorkloadKind::Deployment,
            name: named.to_owned(),
            container: None,
            image: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        });
    }
    Some(workloads)
}

fn ends_by_itself(kind: WorkloadKind) -> bool {
    match kind {
        WorkloadKind::Job | WorkloadKind::CronJob => true,
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::Rollout => false,
    }
}

fn texts(block: &Block, name: Name) -> BTreeMap<String, String> {
    let entries = block.get::<Vec<(Spanned<String>, Spanned<String>)>>(name).map(|map| map.value);
    entries.unwrap_or_default().into_iter().map(|(name, text)| (name.value, text.value)).collect()
}
